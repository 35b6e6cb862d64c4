// Package logging is the log of an engine: on the terminal, in engine.log and
// in the files of systems, at levels that a project says and may change, and
// without saying the same again and again.
package logging

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/redundctl/redundctl/engine/config/settings"
	"github.com/redundctl/redundctl/engine/console/repeat"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/logs/records"
)

// repeatEvery is how often the same may be said.
const repeatEvery = time.Minute

// Options say where a Log writes.
type Options struct {
	Dir   *logs.Dir
	Shown *slog.Logger   // what people see; nil: nothing
	Level *slog.LevelVar // of Shown, which then follows logs.level; nil: it has one of its own
}

// Log writes to all of it. It may be used from several goroutines.
type Log struct {
	*slog.Logger
	o       Options
	files   *records.Handler
	repeats *repeat.Handler
}

// New gives the log of a project as it is set now.
func New(c *settings.Config, o Options) *Log {
	l := &Log{o: o, files: records.New(o.Dir)}
	var to slog.Handler = l.files
	if o.Shown != nil {
		to = slog.NewMultiHandler(o.Shown.Handler(), to)
	}
	l.repeats = repeat.New(to, repeatEvery)
	l.Logger = slog.New(l.repeats)
	l.Follow(c)
	return l
}

// Follow has the log be as the project says from now on.
func (l *Log) Follow(c *settings.Config) {
	levels := records.Levels{Engine: level(c.Logs.Level), Systems: map[string]slog.Level{}}
	for name, x := range c.Systems {
		levels.Systems[name] = level(cmp.Or(x.Logs.Level, c.Logs.Level))
	}
	l.files.Set(levels)
	l.o.Dir.Bound(Bounds(c))
	if l.o.Level != nil {
		l.o.Level.Set(levels.Engine)
	}
}

func level(word string) (l slog.Level) {
	_ = l.UnmarshalText([]byte(word)) // the schema knows no other words
	return l
}

// Bounds are what a project says of its log files.
func Bounds(c *settings.Config) logs.Options {
	return logs.Options{MaxSize: int64(c.Logs.MaxSize), Compress: c.Logs.Compress, MaxAge: c.Retention.Logs.Std()}
}

// Close says what is still owed; before the files are closed.
func (l *Log) Close() { l.repeats.Close() }
