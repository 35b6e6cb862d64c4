package history

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/redundctl/redundctl/engine/history/body"
	"github.com/redundctl/redundctl/engine/history/step"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// Begin records that r runs now, in this process, and sets its ID, State,
// Attempt, Fence, Queued and Started, and Hash to the definition's. The error
// is a *SlotTaken when r.Slot is served already. It is on the disk when Begin
// returns.
func (h *History) Begin(ctx context.Context, r *pipeline.Run, d Definition) error {
	q := Queued{Run: *r}
	err := h.BeginWith(ctx, &q, d)
	*r = q.Run
	return err
}

// BeginWith is Begin, and keeps what the run is started with: its handlers need
// that should this process die.
func (h *History) BeginWith(ctx context.Context, r *Queued, d Definition) error {
	params, err := text(r.Params)
	if err != nil {
		return err
	}
	env, err := text(r.Env)
	if err != nil {
		return err
	}
	engine, err := h.begun()
	if err != nil {
		return err
	}
	n := r.Run
	n.State, n.Hash = pipeline.Running, d.Hash
	n.Attempt = max(n.Attempt, 1)
	if n.Started.IsZero() {
		n.Started = present()
	}
	if n.Queued.IsZero() {
		n.Queued = n.Started
	}
	err = h.db.Write(ctx, func(tx *store.Tx) error {
		if err := register(tx, engine, &n, d); err != nil {
			return err
		}
		n.Fence = 1 // a run without a slot counts in its own row
		if !n.Slot.IsZero() {
			if err := h.claimSlot(tx, &n); err != nil {
				return err
			}
		}
		err := tx.Query(`INSERT INTO runs
			(system, name, "trigger", slot, state, reason, attempt, fence, parent, engine, hash, queued, started, params, env)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			func(row store.Row) error { n.ID = row.Int(0); return nil },
			n.System, n.Pipeline, n.Trigger, micros(n.Slot), string(n.State), n.Reason, n.Attempt, n.Fence,
			orNull(n.Parent), engine, orNull(n.Hash), micros(n.Queued), micros(n.Started), params, env)
		if err != nil || n.Slot.IsZero() {
			return err
		}
		_, err = tx.Exec("UPDATE slots SET run = ? WHERE system = ? AND name = ? AND slot = ?", n.ID, n.System, n.Pipeline, micros(n.Slot))
		return err
	})
	if err != nil {
		return err
	}
	h.remember(n.ID, n.Fence)
	r.Run = n
	return nil
}

// register makes sure that the run's process and definition are there.
func register(tx *store.Tx, engine string, r *pipeline.Run, d Definition) error {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	_, err = tx.Exec(`INSERT INTO engines (id, host, boot, pid, started, heartbeat) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		engine, host, bootID(), os.Getpid(), micros(r.Started), micros(r.Started))
	if err != nil {
		return err
	}
	return Keep(tx, d, r.Started)
}

// Keep makes sure that a definition is there. What is there already costs no
// compression.
func Keep(tx *store.Tx, d Definition, at time.Time) error {
	there := d.Hash == ""
	if !there {
		err := tx.Query("SELECT 1 FROM definitions WHERE hash = ?", func(store.Row) error { there = true; return nil }, d.Hash)
		if err != nil {
			return err
		}
	}
	if there {
		return nil
	}
	packed, err := body.Pack(d.Body)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO definitions (hash, file, body, seen) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		d.Hash, d.File, packed, micros(at))
	return err
}

// claimSlot raises the slot's fence and gives it to r, unless the slot is taken.
func (h *History) claimSlot(tx *store.Tx, r *pipeline.Run) error {
	if err := h.free(tx, r); err != nil {
		return err
	}
	if err := h.endDead(tx, `state = 'running' AND system = ? AND name = ? AND slot = ?`, r.System, r.Pipeline, micros(r.Slot)); err != nil {
		return err
	}
	return tx.Query(`INSERT INTO slots (system, name, slot, fence, run, decision, reason, decided, hash) VALUES (?, ?, ?, 1, ?, 'run', ?, ?, ?)
		ON CONFLICT (system, name, slot) DO UPDATE SET fence = fence + 1, run = excluded.run, decision = 'run',
			reason = excluded.reason, decided = excluded.decided, hash = excluded.hash
		RETURNING fence`,
		func(row store.Row) error { r.Fence = row.Int(0); return nil },
		r.System, r.Pipeline, micros(r.Slot), r.ID, r.Reason, micros(r.Started), orNull(r.Hash))
}

// Finish records how r ended, with its State, Reason, Error and Finished (now
// when zero). It is on the disk when Finish returns nil. When it fails, as on a
// full disk, the caller keeps r and calls again until it succeeds; to call it
// once more after it succeeded changes nothing. ErrOvertaken is final.
func (h *History) Finish(ctx context.Context, r *pipeline.Run) error {
	return h.FinishWith(ctx, r, nil)
}

// FinishWith is Finish, with what else the end of r changes: that is written in
// the same transaction, or neither is. nil: nothing.
func (h *History) FinishWith(ctx context.Context, r *pipeline.Run, with func(*store.Tx) error) error {
	if !r.State.Done() {
		return fmt.Errorf("run %d cannot finish as %q", r.ID, r.State)
	}
	if r.Finished.IsZero() {
		r.Finished = present()
	}
	engine, _, _ := h.claim(r.ID)
	err := h.db.Write(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec(`UPDATE runs SET state = ?, reason = ?, finished = ?, error = ?, owed = iif(?, owed, NULL)
			WHERE id = ? AND engine = ? AND fence = ? AND state = 'running'`,
			string(r.State), r.Reason, micros(r.Finished), orNull(r.Error), r.State.Bad(), r.ID, engine, r.Fence)
		if err != nil {
			return err
		}
		if n == 0 {
			return finishedAlready(tx, r, engine)
		}
		if with != nil {
			return with(tx)
		}
		return nil
	})
	if err == nil {
		h.forget(r.ID)
	}
	return err
}

// Settle records how the graph of a run ended, before its handlers begin.
func (h *History) Settle(ctx context.Context, run int64, state pipeline.State, reason string) error {
	engine, fence, _ := h.claim(run)
	return h.db.Fast(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec("UPDATE runs SET outcome = ?, outcome_error = ? WHERE id = ? AND engine = ? AND fence = ? AND state = 'running'",
			string(state), orNull(reason), run, engine, fence)
		if err == nil && n == 0 {
			err = ErrOvertaken
		}
		return err
	})
}

// finishedAlready is nil when the end of r, as it is, was written before.
func finishedAlready(tx *store.Tx, r *pipeline.Run, engine string) error {
	written := false
	err := tx.Query("SELECT 1 FROM runs WHERE id = ? AND state = ? AND finished = ? AND fence = ? AND engine = ?",
		func(store.Row) error { written = true; return nil },
		r.ID, string(r.State), micros(r.Finished), r.Fence, engine)
	if err == nil && !written {
		err = ErrOvertaken
	}
	return err
}

// StartStep records that a step is about to start. Only then may it start.
func (h *History) StartStep(ctx context.Context, s *pipeline.StepRecord) error {
	write, err := h.step(s)
	if err != nil {
		return err
	}
	return h.db.Later(write).Wait(ctx)
}

// EndStep records how a step ended, also one that never started. Only then may
// its success be told.
func (h *History) EndStep(ctx context.Context, s *pipeline.StepRecord) error {
	l, err := h.EndStepLater(s)
	if err != nil {
		return err
	}
	return l.Wait(ctx)
}

// EndStepLater is EndStep in one transaction with what is recorded next, before it.
func (h *History) EndStepLater(s *pipeline.StepRecord) (*store.Later, error) {
	if !s.State.Done() {
		return nil, fmt.Errorf("step %s of run %d cannot end as %q", s.ID, s.Run, s.State)
	}
	write, err := h.step(s)
	if err != nil {
		return nil, err
	}
	return h.db.Later(write), nil
}

func (h *History) step(s *pipeline.StepRecord) (func(*store.Tx) error, error) {
	engine, fence, ok := h.claim(s.Run)
	if !ok {
		return nil, ErrOvertaken
	}
	write, err := step.Write(s, engine, fence)
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx) error {
		n, err := write(tx)
		if err == nil && n == 0 {
			err = ErrOvertaken
		}
		return err
	}, nil
}

// Event appends one event; At is now when zero.
func (h *History) Event(ctx context.Context, e pipeline.Event) error {
	if e.At.IsZero() {
		e.At = present()
	}
	return h.db.Fast(ctx, func(tx *store.Tx) error { return event(tx, e) })
}

func event(tx *store.Tx, e pipeline.Event) error {
	_, err := tx.Exec("INSERT INTO events (at, run, pipeline, what, detail) VALUES (?, ?, ?, ?, ?)",
		micros(e.At), orNull(e.Run), e.Pipeline, e.What, e.Detail)
	return err
}

// Rescue writes the end of runs whose process is dead, and gives their ids.
// Before, it calls end with the id of each such process, for what that left
// running: nobody who opens the history meanwhile goes on before that is ended.
// When end fails, the runs of that process are left for the next call: what it
// left is looked for by that alone. Several processes may do it at once; each
// run is given to one of them.
func (h *History) Rescue(ctx context.Context, end func(engine string) error) (ids []int64, err error) {
	dead := map[string]bool{}
	// The writer is there already; a reader would be one more connection, and
	// this is asked at each start.
	err = h.db.Write(ctx, func(tx *store.Tx) error {
		return tx.Query("SELECT DISTINCT engine FROM runs WHERE state = 'running'", func(row store.Row) error {
			if id := row.Text(0); !h.db.Alive(id) {
				dead[id] = true
			}
			return nil
		})
	})
	if err != nil || len(dead) == 0 {
		return nil, err
	}
	for id := range dead {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if end(id) != nil { // who gave it has told
			delete(dead, id)
		}
	}
	if len(dead) == 0 {
		return nil, nil
	}
	err = h.db.Write(ctx, func(tx *store.Tx) error {
		ids = nil
		if err := tx.Query("SELECT id, engine FROM runs WHERE state = 'running' ORDER BY id", func(row store.Row) error {
			if dead[row.Text(1)] {
				ids = append(ids, row.Int(0))
			}
			return nil
		}); err != nil {
			return err
		}
		for _, id := range ids {
			if err := writeDead(tx, id); err != nil {
				return err
			}
		}
		return h.forgetDead(tx)
	})
	if err != nil {
		return nil, err
	}
	return ids, h.db.Sweep()
}

// endDead writes the end of the runs that where picks and whose process is dead.
func (h *History) endDead(tx *store.Tx, where string, args ...any) error {
	var dead []int64
	err := tx.Query("SELECT id, engine FROM runs WHERE "+where, func(row store.Row) error {
		if !h.db.Alive(row.Text(1)) {
			dead = append(dead, row.Int(0))
		}
		return nil
	}, args...)
	for _, id := range dead {
		if err == nil {
			err = writeDead(tx, id)
		}
	}
	return err
}

// writeDead writes the end of one run whose process is dead.
func writeDead(tx *store.Tx, id int64) error {
	now := micros(present())
	_, err := tx.Exec("UPDATE runs SET state = 'failed', error = ?, finished = ?, fence = fence + 1, owed = "+owe+" WHERE id = ?", Interrupted, now, bootID(), id)
	if err == nil {
		_, err = tx.Exec("UPDATE steps SET state = 'failed', error = ?, finished = ? WHERE run = ? AND state = 'running'", Interrupted, now, id)
	}
	return err
}

// forgetDead removes the rows of processes that have ended, but for those whose
// runs are left for the next time.
func (h *History) forgetDead(tx *store.Tx) error {
	var dead []string
	err := tx.Query("SELECT id FROM engines", func(row store.Row) error {
		if id := row.Text(0); !h.db.Alive(id) {
			dead = append(dead, id)
		}
		return nil
	})
	for _, id := range dead {
		if err == nil {
			_, err = tx.Exec("DELETE FROM engines WHERE id = ? AND NOT EXISTS (SELECT 1 FROM runs WHERE state = 'running' AND engine = engines.id)", id)
		}
	}
	return err
}
