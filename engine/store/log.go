package store

import (
	"os"
	"time"
)

// logState is how the file that every commit is written to looked at one time.
type logState struct {
	size     int64
	modified time.Time
	at       time.Time
}

// A change of the file may show by nothing while its time is not older than
// ticking; after trusted the database is asked whatever the file says.
const (
	ticking = 50 * time.Millisecond
	trusted = time.Second
)

// logNow looks at the file. One that is not there looks like none.
func (d *DB) logNow() *logState {
	s := &logState{at: time.Now()}
	if info, err := os.Stat(d.path + "-wal"); err == nil {
		s.size, s.modified = info.Size(), info.ModTime()
	}
	return s
}

// same reports whether nothing was written since the file looked like before:
// its time, and whether that was old enough then to tell of every later change.
func (s *logState) same(before *logState) bool {
	return before != nil && s.size == before.size && s.modified.Equal(before.modified) &&
		before.at.Sub(before.modified) > ticking && s.at.Sub(before.at) < trusted
}
