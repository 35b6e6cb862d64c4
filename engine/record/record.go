// Package record brings the records of one run to the history, and keeps them
// in memory while the disk has no room for them.
package record

import (
	"context"
	"errors"
	"fmt"
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

// Recorder brings the records of one run to its history.
type Recorder struct {
	History *history.History
	Log     *slog.Logger
	Note    func(format string, args ...any) // shows a line to whoever watches
	// Failed is told the error when a record cannot be written, and nil when one
	// could be.
	Failed func(error)
	Done   <-chan struct{} // closed when the run is cancelled
}

// StartStep records that a step is about to start.
func (r *Recorder) StartStep(ctx context.Context, s *pipeline.StepRecord) error {
	return r.keep(ctx, "the start of step "+s.ID, func(ctx context.Context) error { return r.History.StartStep(ctx, s) })
}

// EndStep records how a step ended.
func (r *Recorder) EndStep(ctx context.Context, s *pipeline.StepRecord) error {
	return r.keep(ctx, "the end of step "+s.ID, func(ctx context.Context) error { return r.History.EndStep(ctx, s) })
}

// Finish records how the run ended, also when ctx is done.
func (r *Recorder) Finish(ctx context.Context, run *pipeline.Run) error {
	return r.keep(context.WithoutCancel(ctx), fmt.Sprintf("the end of run %d", run.ID), func(ctx context.Context) error { return r.History.Finish(ctx, run) })
}

// Event appends an event, and shows it.
func (r *Recorder) Event(ctx context.Context, e pipeline.Event) error {
	r.Note("%s", e.Detail)
	err := r.History.Event(ctx, e)
	if err != nil {
		r.Log.Warn("an event could not be recorded", "run", e.Run, "event", e.What, "error", err)
	}
	return err
}

// keep writes, and waits for room on a full disk as long as anyone may still
// want the record.
func (r *Recorder) keep(ctx context.Context, what string, write func(context.Context) error) error {
	err := write(ctx)
	if !errors.Is(err, store.ErrFull) {
		r.tell(ctx, err)
		return err
	}
	r.Log.Error(what+" is kept in memory until there is room for it", "error", err)
	r.Note("%s is kept in memory until there is room for it: %v", what, err)
	r.tell(ctx, err)
	var last <-chan time.Time
	cancelled := r.Done
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
			if err = write(ctx); !errors.Is(err, store.ErrFull) {
				r.tell(ctx, err)
				return err
			}
		}
	}
}

// tell says how a write went, unless the error is the caller's own.
func (r *Recorder) tell(ctx context.Context, err error) {
	if r.Failed != nil && ctx.Err() == nil && !errors.Is(err, history.ErrOvertaken) {
		r.Failed(err)
	}
}
