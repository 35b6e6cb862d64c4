package history

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redundctl/redundctl/engine/history/leased"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// The priorities of runs that wait: the higher ones go first.
const (
	Low = iota
	Normal
	High
	Critical
)

// Order asks for a run that waits for its turn.
type Order struct {
	System, Pipeline string
	Trigger, Reason  string
	Slot             time.Time // zero: none
	Priority         int
	Due              time.Time // not before; zero: at once
	Attempt          int       // 0: 1
	Parent           int64
	Params, Env      map[string]string
	Definition       Definition // as of now; Claim says what it runs under
	// After is a run that failed and whose next attempt this is, 0: none. To
	// line it up is to settle what that run was owed.
	After int64
}

// Queued is a run that waits.
type Queued struct {
	pipeline.Run
	Priority    int
	Due         time.Time // not before
	Params, Env map[string]string
	Owed        Owed
	Cancelled   bool // somebody has asked for that
	// Outcome is how its graph ended, and OutcomeError why, when it has.
	Outcome      pipeline.State
	OutcomeError string
}

// Enqueue records a run that waits. The error is a *SlotTaken when o.Slot is
// served already, or a run of it waits, and ErrNotQueued when somebody has seen
// to o.After before. It is on the disk when Enqueue returns.
func (h *History) Enqueue(ctx context.Context, o Order) (pipeline.Run, error) {
	r := pipeline.Run{
		System: o.System, Pipeline: o.Pipeline, Trigger: o.Trigger, Reason: o.Reason, Slot: stored(o.Slot), State: pipeline.Queued,
		Attempt: max(o.Attempt, 1), Parent: o.Parent, Hash: o.Definition.Hash, Queued: present(),
	}
	err := h.db.Write(ctx, func(tx *store.Tx) error {
		if err := Keep(tx, o.Definition, r.Queued); err != nil {
			return err
		}
		if o.After != 0 {
			if err := settled(tx, o.After); err != nil {
				return err
			}
		}
		if r.Slot.IsZero() {
			return Line(tx, &r, o)
		}
		r.ID = 0
		if err := h.free(tx, &r); err != nil {
			return err
		}
		if err := Line(tx, &r, o); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO slots (system, name, slot, fence, run, decision, reason, decided, hash) VALUES (?, ?, ?, 0, ?, 'run', ?, ?, ?)
			ON CONFLICT (system, name, slot) DO UPDATE SET run = excluded.run, decision = 'run',
				reason = excluded.reason, decided = excluded.decided, hash = excluded.hash`,
			r.System, r.Pipeline, micros(r.Slot), r.ID, r.Reason, micros(r.Queued), orNull(r.Hash))
		return err
	})
	if err != nil {
		return pipeline.Run{}, err
	}
	return r, nil
}

// Line writes the row of a run that was not begun, and sets its ID.
func Line(tx *store.Tx, r *pipeline.Run, o Order) error {
	params, err := text(o.Params)
	if err != nil {
		return err
	}
	env, err := text(o.Env)
	if err != nil {
		return err
	}
	due := o.Due
	if due.IsZero() {
		due = r.Queued
	}
	return tx.Query(`INSERT INTO runs
		(system, name, "trigger", slot, state, reason, attempt, fence, parent, hash, queued, finished, priority, due, params, env)
		VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		func(row store.Row) error { r.ID = row.Int(0); return nil },
		r.System, r.Pipeline, r.Trigger, micros(r.Slot), string(r.State), r.Reason, r.Attempt, orNull(r.Parent), orNull(r.Hash),
		micros(r.Queued), micros(r.Finished), o.Priority, micros(due), params, env)
}

// text is how a map is stored: JSON, null for an empty one.
func text(m map[string]string) (any, error) {
	if len(m) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(m)
	return string(b), err
}

const queuedColumns = runColumns + ", priority, due, params, env, owed, cancel, outcome, outcome_error"

func readQueued(row store.Row) (Queued, error) {
	q := Queued{Run: readRun(row), Priority: int(row.Int(16)), Due: fromMicros(row.Int(17)), Owed: Owed(row.Int(20)), Cancelled: !row.Null(21)}
	q.Outcome, q.OutcomeError = pipeline.State(row.Text(22)), row.Text(23)
	for i, into := range []*map[string]string{&q.Params, &q.Env} {
		if row.Null(18 + i) {
			continue
		}
		if err := json.Unmarshal(row.Bytes(18+i), into); err != nil {
			return q, fmt.Errorf("what run %d is started with cannot be read: %w", q.ID, err)
		}
	}
	return q, nil
}

// Queue gives all runs that wait, also those that are not due yet: by priority,
// then by when they are due, then by id.
func (h *History) Queue(ctx context.Context) (list []Queued, err error) {
	list = []Queued{}
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query("SELECT "+queuedColumns+" FROM runs INDEXED BY runs_queue WHERE state = 'queued' ORDER BY priority DESC, due, id",
			func(row store.Row) error {
				q, err := readQueued(row)
				list = append(list, q)
				return err
			})
	})
	return list, err
}

// QueueAfter gives the runs with a higher id that wait, by id, and how many
// wait in all. Who knows those up to an id learns so what has come, and whether
// some have gone, without reading them all again.
func (h *History) QueueAfter(ctx context.Context, id int64) (list []Queued, all int, err error) {
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		err := tx.Query("SELECT "+queuedColumns+" FROM runs INDEXED BY runs_by_state WHERE state = 'queued' AND id > ? ORDER BY id",
			func(row store.Row) error {
				q, err := readQueued(row)
				list = append(list, q)
				return err
			}, id)
		if err != nil {
			return err
		}
		return tx.Query("SELECT count(*) FROM runs INDEXED BY runs_queue WHERE state = 'queued'",
			func(row store.Row) error { all = int(row.Int(0)); return nil })
	})
	return list, all, err
}

// Claim begins a run that waits, in this process, as Begin does, or goes on
// with one that had begun before; of several
// that claim it, one gets it. It runs under d, or without one under what it was
// enqueued with. The error is ErrNotQueued when the run does not wait any more,
// and a *SlotTaken when another run serves its slot: then it still waits, and
// Skip ends that; a *Leased when the primary has the slot, of a run that would
// take its place. It is on the disk when Claim returns.
func (h *History) Claim(ctx context.Context, id int64, d Definition) (r pipeline.Run, err error) {
	engine, err := h.begun()
	if err != nil {
		return r, err
	}
	err = h.db.Write(ctx, func(tx *store.Tx) error {
		q, err := waiting(tx, id)
		if err != nil {
			return err
		}
		r = q.Run
		begun, owed := r.Started, Attempt
		r.State, r.Started, r.Fence = pipeline.Running, present(), r.Fence+1
		if d.Hash != "" {
			r.Hash = d.Hash
		}
		if err := register(tx, engine, &r, d); err != nil {
			return err
		}
		switch {
		case q.Owed == Handled:
			owed, err = Handled, claimAgain(tx, &r)
		case !r.Slot.IsZero():
			if err = leased.Check(tx, &r); err == nil {
				err = h.claimSlot(tx, &r)
			}
		}
		if err != nil {
			return err
		}
		if q.Begun() {
			r.Started = begun
		}
		_, err = tx.Exec("UPDATE runs SET state = 'running', engine = ?, fence = ?, hash = ?, started = ?, owed = ? WHERE id = ? AND state = 'queued'",
			engine, r.Fence, orNull(r.Hash), micros(r.Started), int(owed), id)
		return err
	})
	if err != nil {
		return pipeline.Run{}, err
	}
	h.remember(r.ID, r.Fence)
	return r, nil
}

// waiting gives a run that waits.
func waiting(tx *store.Tx, id int64) (r Queued, err error) {
	err = tx.Query("SELECT "+queuedColumns+" FROM runs WHERE id = ?", func(row store.Row) error { r, err = readQueued(row); return err }, id)
	switch {
	case err != nil:
		return r, err
	case r.ID == 0:
		return r, ErrNoRun
	case r.State != pipeline.Queued:
		return r, ErrNotQueued
	}
	return r, nil
}

// Skip ends the wait of a run that will not run, for a reason such as
// "overlap", "stopped" or "removed"; one that had begun before ends as
// interrupted and is owed what it was. The error is ErrNotQueued when it does
// not wait any more.
func (h *History) Skip(ctx context.Context, id int64, reason string) error {
	return h.db.Write(ctx, func(tx *store.Tx) error {
		r, err := waiting(tx, id)
		if err != nil {
			return err
		}
		now := micros(present())
		if r.Begun() {
			_, err = tx.Exec("UPDATE runs SET state = 'failed', error = ?, finished = ?, owed = CASE owed WHEN 4 THEN 2 WHEN 5 THEN 3 ELSE owed END WHERE id = ?", Interrupted, now, id)
			return err
		}
		if _, err = tx.Exec("UPDATE runs SET state = 'skipped', reason = ?, finished = ? WHERE id = ?", reason, now, id); err != nil || r.Slot.IsZero() {
			return err
		}
		_, err = tx.Exec("UPDATE slots SET decision = 'skip', reason = ?, decided = ? WHERE system = ? AND name = ? AND slot = ? AND run = ?",
			reason, now, r.System, r.Pipeline, micros(r.Slot), id)
		return err
	})
}
