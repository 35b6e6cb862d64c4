package work

import "io"

// Output shows a run as it goes on; console.Output is one.
type Output interface {
	// Step gives the receiver of one step's output, masked already.
	Step(name string) io.WriteCloser
	// Note shows one line that belongs to no step.
	Note(format string, args ...any)
}

// receiver takes the output of a step to its log and to whoever watches.
func (w *Worker) receiver(log io.WriteCloser, step string) io.WriteCloser {
	if w.Output == nil {
		return log
	}
	return &tee{log: log, live: w.Output.Step(step)}
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

func (w *Worker) note(format string, args ...any) {
	if w.Output != nil {
		w.Output.Note(format, args...)
	}
}
