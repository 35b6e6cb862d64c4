package engine

import "time"

// Alive reports whether an engine that serves gets on: what is due was decided,
// and nothing that answers is held up, for so long at most. It waits where that is
// not so, and it is true of an engine whose history cannot be written: that gets on
// when it can be again, without a restart.
func (e *Engine) Alive(most time.Duration) bool {
	s := e.serving.Load()
	if s == nil {
		return true // it begins or has ended; who waits for that does it by itself
	}
	e.Gauges() // takes the locks that everything needs
	return s.timer.Busy() < most
}
