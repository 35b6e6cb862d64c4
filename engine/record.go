package engine

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// A record that finds no room on the disk is kept in memory and tried again
// after tryAgain; once the run has been cancelled, for lastTries more.
const (
	tryAgain  = time.Second
	lastTries = 10 * time.Second
)

// recorder brings the records of one run to the history.
type recorder struct {
	history *history.History
	log     *slog.Logger
	note    func(format string, args ...any)
	ctx     context.Context // of the run
}

// StartStep records that a step is about to start.
func (r *recorder) StartStep(ctx context.Context, s *pipeline.StepRecord) error {
	return r.keep(ctx, "the start of step "+s.ID, func(ctx context.Context) error { return r.history.StartStep(ctx, s) })
}

// EndStep records how a step ended.
func (r *recorder) EndStep(ctx context.Context, s *pipeline.StepRecord) error {
	return r.keep(ctx, "the end of step "+s.ID, func(ctx context.Context) error { return r.history.EndStep(ctx, s) })
}

// Event appends an event, and shows it.
func (r *recorder) Event(ctx context.Context, e pipeline.Event) error {
	r.note("%s", e.Detail)
	err := r.history.Event(ctx, e)
	if err != nil {
		r.log.Warn("an event could not be recorded", "run", e.Run, "event", e.What, "error", err)
	}
	return err
}

// keep writes, and waits for room on a full disk as long as anyone may still
// want the record.
func (r *recorder) keep(ctx context.Context, what string, write func(context.Context) error) error {
	err := write(ctx)
	if err == nil || !errors.Is(err, store.ErrFull) {
		return err
	}
	r.log.Error(what+" is kept in memory until there is room for it", "error", err)
	r.note("%s is kept in memory until there is room for it: %v", what, err)
	var last <-chan time.Time
	cancelled := r.ctx.Done()
	tick := time.NewTicker(tryAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return err
		case <-last:
			return err
		case <-cancelled:
			cancelled, last = nil, time.After(lastTries)
		case <-tick.C:
			if err = write(ctx); err == nil || !errors.Is(err, store.ErrFull) {
				return err
			}
		}
	}
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
