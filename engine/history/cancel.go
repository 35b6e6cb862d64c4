package history

import (
	"context"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// Cancel asks that a run end, and gives its state: one that waited is cancelled
// at once, one that runs is marked for the process that runs it, one that waits
// to go on for the process that will, since its handlers are still to run, and
// one that had ended stays as it is. by says who asks, for people. The error is ErrNoRun
// when there is no such run.
func (h *History) Cancel(ctx context.Context, id int64, by string) (state pipeline.State, err error) {
	err = h.db.Write(ctx, func(tx *store.Tx) error {
		r, err := h.run(tx, id)
		if err != nil {
			return err
		}
		state = r.State
		now := present()
		switch {
		case state == pipeline.Queued && r.Started.IsZero():
			state = pipeline.Cancelled
			_, err = tx.Exec("UPDATE runs SET state = 'cancelled', finished = ?1, cancel = ?1, error = ?2 WHERE id = ?3",
				micros(now), "cancelled while it waited", id)
		case !state.Done():
			var n int64
			if n, err = tx.Exec("UPDATE runs SET cancel = ? WHERE id = ? AND cancel IS NULL", micros(now), id); n == 0 {
				return err // it was asked before
			}
		default:
			return nil
		}
		if err != nil {
			return err
		}
		return event(tx, pipeline.Event{At: now, Run: id, Pipeline: r.System + "/" + r.Pipeline, What: "cancel", Detail: by})
	})
	return state, err
}

// CancelAsked gives the runs of this process that somebody has asked to cancel
// and that have not ended.
func (h *History) CancelAsked(ctx context.Context) (ids []int64, err error) {
	h.mu.Lock()
	lease := h.lease
	h.mu.Unlock()
	if lease == nil {
		return nil, nil
	}
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query("SELECT id FROM runs INDEXED BY runs_by_state WHERE state = 'running' AND cancel IS NOT NULL AND engine = ? ORDER BY id",
			func(row store.Row) error { ids = append(ids, row.Int(0)); return nil }, lease.ID)
	})
	return ids, err
}

// Changed calls f when another process has changed the history, as seen every
// so often, until ctx is done or the history cannot be asked any more. It calls f
// once at the beginning: what changed before nobody was told.
func (h *History) Changed(ctx context.Context, every time.Duration, f func()) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		changed, err := h.db.Changed(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if changed {
			f()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// followAgain is how long after a failure Follow asks again.
const followAgain = 5 * time.Second

// Follow is Changed until ctx is done: a history that cannot be asked is asked
// again later. failed is told why, and nil when it can be asked again; then f is
// called too, for what changed meanwhile.
func (h *History) Follow(ctx context.Context, every time.Duration, failed func(error), f func()) {
	for {
		err := h.Changed(ctx, every, f)
		for err != nil && ctx.Err() == nil {
			failed(err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(followAgain):
			}
			if _, err = h.db.Changed(ctx); err == nil {
				failed(nil)
				f()
			}
		}
		if ctx.Err() != nil {
			return
		}
	}
}
