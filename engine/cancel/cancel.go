// Package cancel ends the runs of this process that somebody asks to cancel,
// here or in another process.
package cancel

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/history"
)

// Asked is the cause of the context of a run that was cancelled.
var Asked = errors.New("the run was cancelled") //nolint:errname,staticcheck // reads as a condition

// Other processes are looked for once a run has gone on for a while: a short
// one pays nothing for it.
const (
	after = 200 * time.Millisecond
	every = 100 * time.Millisecond
)

// Runs are the runs that go on in this process, nested ones too.
type Runs struct {
	mu      sync.Mutex
	cancels map[int64]context.CancelCauseFunc
}

// Begin gives the context of a run, and what is to be called at its end.
func (r *Runs) Begin(ctx context.Context, id int64) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancels == nil {
		r.cancels = map[int64]context.CancelCauseFunc{}
	}
	r.cancels[id] = cancel
	return ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.cancels, id)
		cancel(nil)
	}
}

// Cancel ends the context of a run, if it goes on here.
func (r *Runs) Cancel(id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if cancel := r.cancels[id]; cancel != nil {
		cancel(Asked)
	}
}

// Obey cancels what somebody has marked in the history, until the function that
// it gives is called, which waits for its end.
func (r *Runs) Obey(ctx context.Context, h *history.History, log *slog.Logger) (stop func()) {
	ctx, end := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		wait := time.NewTimer(after)
		defer wait.Stop()
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		failed := func(err error) {
			if err != nil {
				log.Warn("what others asked to cancel could not be read; it is tried again", "error", err)
			}
		}
		h.Follow(ctx, every, failed, func() {
			// Who sees a change sees it for all runs, also when its own just ended.
			ids, err := h.CancelAsked(context.WithoutCancel(ctx))
			failed(err)
			for _, id := range ids {
				r.Cancel(id)
			}
		})
	}()
	return func() {
		end()
		<-ended
	}
}
