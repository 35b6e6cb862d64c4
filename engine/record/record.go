// Package record brings the records of one run to the history, and keeps them
// in memory while they cannot be written.
package record

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// A record that finds no room on the disk is kept in memory and tried again
// after tryAgain; once the run has been cancelled, for lastTries more. Somebody
// waits for a run in the foreground: that waits for somebodyWaits in all.
const (
	tryAgain      = time.Second
	lastTries     = 10 * time.Second
	somebodyWaits = 3 * time.Second
)

// ErrLeft is the error of a record that could not be written before the engine
// left its run.
var ErrLeft = errors.New("the engine ended before it could be recorded")

// Recorder brings the records of one run to its history.
type Recorder struct {
	History *history.History
	Log     *slog.Logger
	Note    func(format string, args ...any) // shows a line to whoever watches
	// Failed is told the error when a record cannot be written, and nil when one
	// could be.
	Failed func(error)
	Began  func(*pipeline.StepRecord) // told of each step once its start is recorded; nil: nobody is
	Done   <-chan struct{}            // closed when the run is cancelled
	// Left is closed when an engine that serves leaves its runs as they are: until
	// then the end of a run is tried again, whatever keeps it from being written.
	// nil: a run in the foreground, for which somebody waits.
	Left <-chan struct{}

	gaveUp atomic.Bool // a run in the foreground waits for room once

	mu   sync.Mutex
	held []held
}

// StartStep records that a step is about to start.
func (r *Recorder) StartStep(ctx context.Context, s *pipeline.StepRecord) error {
	err := r.keep(ctx, "the start of step "+s.ID, r.behind(func(ctx context.Context) error { return r.History.StartStep(ctx, s) }))
	if err == nil && r.Began != nil {
		r.Began(s)
	}
	return err
}

// EndStep records how a step ended; soon: with the next record of the run, which
// follows at once and is not written without it.
func (r *Recorder) EndStep(ctx context.Context, s *pipeline.StepRecord, soon bool) error {
	if soon {
		if l, err := r.History.EndStepLater(s); err == nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.held = append(r.held, held{*s, l})
			return nil
		}
	}
	return r.keep(ctx, "the end of step "+s.ID, r.behind(func(ctx context.Context) error { return r.History.EndStep(ctx, s) }))
}

// Settle records how the graph of a run ended.
func (r *Recorder) Settle(ctx context.Context, run int64, state pipeline.State, reason string) error {
	return r.keep(ctx, fmt.Sprintf("how the steps of run %d ended", run), r.behind(func(ctx context.Context) error {
		return r.History.Settle(ctx, run, state, reason)
	}))
}

// Finish records how the run ended, also when ctx is done, and with it what else
// that changes; nil: nothing. The error is ErrLeft when the engine left the run
// before its end could be written.
func (r *Recorder) Finish(ctx context.Context, run *pipeline.Run, with func(*store.Tx) error) error {
	what, write := fmt.Sprintf("the end of run %d", run.ID), r.behind(func(ctx context.Context) error { return r.History.FinishWith(ctx, run, with) })
	ctx = context.WithoutCancel(ctx)
	if r.Left == nil {
		return r.keep(ctx, what, write)
	}
	return r.insist(ctx, what, write)
}

// insist writes until it is written, another process has the run, or the engine
// leaves it: nobody else would ever end a run of an engine that lives.
func (r *Recorder) insist(ctx context.Context, what string, write func(context.Context) error) error {
	tick := time.NewTicker(tryAgain)
	defer tick.Stop()
	for first := true; ; first = false {
		err := write(ctx)
		r.tell(ctx, err)
		if err == nil || errors.Is(err, history.ErrOvertaken) {
			return err
		}
		if first {
			r.kept(what, err)
		}
		select {
		case <-r.Left:
			return fmt.Errorf("%w: %s: %w", ErrLeft, what, err)
		case <-tick.C:
		}
	}
}

// kept says that a record waits.
func (r *Recorder) kept(what string, err error) {
	if r.Left != nil { // else the note is read, and the log lies on the same disk
		r.Log.Error(what+" is kept in memory until it can be written", "error", err)
	}
	r.Note("%s is kept in memory until it can be written: %v", what, err)
}

// Event appends an event, and shows it.
func (r *Recorder) Event(ctx context.Context, e pipeline.Event) error {
	if !r.gaveUp.Load() {
		r.Note("%s", e.Detail)
	}
	err := r.History.Event(ctx, e)
	if err != nil && !r.gaveUp.Load() {
		r.Log.Warn("an event could not be recorded", "run", e.Run, "event", e.What, "error", err)
	}
	return err
}

// keep writes, and waits for room on a full disk as long as anyone may still
// want the record.
func (r *Recorder) keep(ctx context.Context, what string, write func(context.Context) error) error {
	err := write(ctx)
	if !errors.Is(err, store.ErrFull) {
		r.gaveUp.Store(false)
		r.tell(ctx, err)
		return err
	}
	if r.gaveUp.Load() {
		return err // the first one has waited, and told
	}
	r.kept(what, err)
	r.tell(ctx, err)
	var last <-chan time.Time
	cancelled := r.Done
	if r.Left == nil {
		cancelled, last = nil, time.After(somebodyWaits)
	}
	tick := time.NewTicker(tryAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return err
		case <-last:
			r.gaveUp.Store(r.Left == nil)
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
