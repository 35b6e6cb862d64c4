package engine

import (
	"io"
	"log/slog"
)

// Output shows a run as it goes on; console.Output is one.
type Output interface {
	// Step gives the receiver of one step's output, masked already.
	Step(name string) io.WriteCloser
	// Note shows one line that belongs to no step.
	Note(format string, args ...any)
}

// receiver takes the output of a step to its log and to whoever watches.
func (e *Engine) receiver(log io.WriteCloser, step string) io.WriteCloser {
	if e.o.Output == nil {
		return log
	}
	return &tee{log: log, live: e.o.Output.Step(step)}
}

// tee writes to both; the terminal of a person who left ends no run.
type tee struct{ log, live io.WriteCloser }

func (t *tee) Write(p []byte) (int, error) {
	_, _ = t.live.Write(p)
	return t.log.Write(p)
}

func (t *tee) Close() error {
	_ = t.live.Close()
	return t.log.Close()
}

func (e *Engine) note(format string, args ...any) {
	if e.o.Output != nil {
		e.o.Output.Note(format, args...)
	}
}

// logger writes to the log that people see and to the engine's log file, which
// stamps its lines itself.
func logger(people *slog.Logger, file io.Writer) *slog.Logger {
	text := slog.NewTextHandler(file, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	if people == nil {
		return slog.New(text)
	}
	return slog.New(slog.NewMultiHandler(people.Handler(), text))
}
