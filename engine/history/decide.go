package history

import (
	"context"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// Decision is what becomes of one slot of a schedule.
type Decision struct {
	System, Name    string
	Slot            time.Time
	Run             bool // else it is skipped
	Trigger, Reason string
	Priority        int
	Due             time.Time // not before; zero: at once
	Definition      Definition
	Detail          string // one line for people, kept as an event; "": none
}

// Decide records decisions, all or none, and gives the run of each, in order:
// one that waits, or one that was skipped. A slot that was decided before, or
// that a run by hand serves, is left alone, and its run has the ID 0. They are
// on the disk when Decide returns.
func (h *History) Decide(ctx context.Context, list []Decision) (runs []pipeline.Run, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	err = h.db.Write(ctx, func(tx *store.Tx) error {
		now := present()
		runs = make([]pipeline.Run, len(list))
		for i := range list {
			if runs[i], err = decide(tx, &list[i], now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return runs, nil
}

func decide(tx *store.Tx, d *Decision, now time.Time) (pipeline.Run, error) {
	r := pipeline.Run{
		System: d.System, Pipeline: d.Name, Trigger: d.Trigger, Reason: d.Reason, Slot: stored(d.Slot), State: pipeline.Queued,
		Attempt: 1, Hash: d.Definition.Hash, Queued: now,
	}
	decision := "run"
	if !d.Run {
		decision, r.State, r.Finished = "skip", pipeline.Skipped, now
	}
	if err := Keep(tx, d.Definition, now); err != nil {
		return r, err
	}
	n, err := tx.Exec(`INSERT INTO slots (system, name, slot, fence, run, decision, reason, decided, hash, planned)
		VALUES (?, ?, ?, 0, 0, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING`,
		d.System, d.Name, micros(r.Slot), decision, d.Reason, micros(now), orNull(r.Hash))
	if err != nil {
		return r, err
	}
	if n == 0 { // the schedule has come so far all the same
		_, err := tx.Exec("UPDATE slots SET planned = 1 WHERE system = ? AND name = ? AND slot = ? AND planned IS NULL", d.System, d.Name, micros(r.Slot))
		return pipeline.Run{}, err
	}
	if err := Line(tx, &r, Order{Priority: d.Priority, Due: d.Due}); err != nil {
		return r, err
	}
	if _, err := tx.Exec("UPDATE slots SET run = ? WHERE system = ? AND name = ? AND slot = ?", r.ID, d.System, d.Name, micros(r.Slot)); err != nil {
		return r, err
	}
	if d.Detail == "" {
		return r, nil
	}
	return r, event(tx, pipeline.Event{At: now, Run: r.ID, Pipeline: d.System + "/" + d.Name, What: "decided", Detail: d.Detail})
}

// LastSlot gives the newest slot up to now that the schedule of a pipeline has
// decided, or ok false. Slots that only a run by hand served do not count: the
// schedule has still to come to those before them.
func (h *History) LastSlot(ctx context.Context, system, name string) (slot time.Time, ok bool, err error) {
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		slot, ok, err = lastSlot(tx, system, name)
		return err
	})
	return slot, ok, err
}

func lastSlot(tx *store.Tx, system, name string) (slot time.Time, ok bool, err error) {
	err = tx.Query("SELECT slot FROM slots WHERE system = ? AND name = ? AND slot <= ? AND planned ORDER BY slot DESC LIMIT 1",
		func(row store.Row) error {
			slot, ok = time.UnixMicro(row.Int(0)).UTC(), true
			return nil
		}, system, name, micros(present()))
	return slot, ok, err
}

// nextSlots finds the next pipeline without a walk over the slots of the last.
const nextSlots = `SELECT system, name FROM slots
	WHERE (system, name, slot) > (?, ?, 9223372036854775807) ORDER BY system, name, slot LIMIT 1`

// LastSlots gives what LastSlot does of every pipeline, by "system/name".
func (h *History) LastSlots(ctx context.Context) (map[string]time.Time, error) {
	all := map[string]time.Time{}
	err := h.db.Read(ctx, func(tx *store.Tx) error {
		var system, name string
		for {
			found := false
			err := tx.Query(nextSlots, func(row store.Row) error {
				found, system, name = true, row.Text(0), row.Text(1)
				return nil
			}, system, name)
			if err != nil || !found {
				return err
			}
			slot, ok, err := lastSlot(tx, system, name)
			if err != nil {
				return err
			}
			if ok {
				all[system+"/"+name] = slot
			}
		}
	})
	return all, err
}
