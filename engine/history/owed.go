package history

import (
	"context"
	"errors"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// Owed is what an engine that serves has still to do about a run. It stands in
// the run's row, so that it is done by the next one when this one dies before.
type Owed int

// The values of Owed. They are kept in databases.
const (
	Nothing    Owed = iota
	Attempt         // should it fail: its next attempt
	Died            // its process died: to go on with it, or its handlers, and its next attempt
	Cut             // as Died, and the machine was started anew since it was claimed
	Resumed         // it waits for its turn, to go on
	ResumedCut      // as Resumed, after Cut
	Handled         // it waits for its turn, for its handlers alone, or they run
)

// Begun reports whether a run that waits has begun before.
func (q *Queued) Begun() bool { return q.Owed >= Resumed }

// owe is what a run whose process died is owed: its handlers get one more
// process and no third. The boot id that is given is this start's.
const owe = `CASE owed WHEN 6 THEN 6 ELSE iif((SELECT boot FROM engines WHERE engines.id = runs.engine) IS ?, 2, 3) END`

// Owed gives the runs that failed and about which something is still to be
// done, by id.
func (h *History) Owed(ctx context.Context) (list []Queued, err error) {
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query("SELECT "+queuedColumns+" FROM runs INDEXED BY runs_owed WHERE owed IS NOT NULL AND state IN ('failed', 'timed-out') ORDER BY id",
			func(row store.Row) error {
				q, err := readQueued(row)
				list = append(list, q)
				return err
			})
	})
	return list, err
}

// Again lets a run whose process died wait for its turn once more, not before
// due: as Resumed or ResumedCut, or as Handled. The error is ErrNotQueued when
// somebody saw to it before, and a *SlotTaken when it cannot go on because
// another run serves its slot by now.
func (h *History) Again(ctx context.Context, id int64, as Owed, due time.Time) error {
	return h.db.Write(ctx, func(tx *store.Tx) error {
		r, err := h.run(tx, id)
		if err != nil {
			return err
		}
		if as != Handled && !r.Slot.IsZero() {
			if err := h.free(tx, &r); err != nil {
				return err
			}
		}
		n, err := tx.Exec(`UPDATE runs SET state = 'queued', owed = ?, due = ?, engine = NULL, error = NULL, finished = NULL
			WHERE id = ? AND state = 'failed' AND owed IN (2, 3)`, int(as), micros(due), id)
		if err == nil && n == 0 {
			err = ErrNotQueued
		}
		return err
	})
}

// Settled says that nothing is to be done about a run any more.
func (h *History) Settled(ctx context.Context, id int64) error {
	return h.db.Fast(ctx, func(tx *store.Tx) error { return ignore(settled(tx, id), ErrNotQueued) })
}

// settled is ErrNotQueued when nothing was to be done.
func settled(tx *store.Tx, id int64) error {
	n, err := tx.Exec("UPDATE runs SET owed = NULL WHERE id = ? AND owed IS NOT NULL", id)
	if err == nil && n == 0 {
		err = ErrNotQueued
	}
	return err
}

func ignore(err, what error) error {
	if errors.Is(err, what) {
		return nil
	}
	return err
}

// claimAgain raises the fence of a run that begins for its handlers alone. Its
// slot stays with whoever has it.
func claimAgain(tx *store.Tx, r *pipeline.Run) error {
	return tx.Query("UPDATE slots SET fence = fence + 1 WHERE system = ? AND name = ? AND slot = ? AND run = ? RETURNING fence",
		func(row store.Row) error { r.Fence = row.Int(0); return nil }, r.System, r.Pipeline, micros(r.Slot), r.ID)
}
