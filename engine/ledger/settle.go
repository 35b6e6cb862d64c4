package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// Settled is how an open slot is decided.
type Settled struct {
	Slot       Slot   // with the reading that it was decided by
	Kind       string // of the primary
	Run        bool   // else it is skipped
	Reason     string
	Detail     string // the decision in one line for people
	Priority   int
	Definition history.Definition
	// Since has it settle every older open slot too, as superseded.
	Since bool
}

// Settle records a decision with the run that it gives, one that waits or one
// that was skipped. The run has the ID 0 when somebody had decided the slot
// before. It is on the disk when Settle returns.
func (l *Ledger) Settle(ctx context.Context, d Settled) (run pipeline.Run, err error) {
	err = l.db.Write(ctx, func(tx *store.Tx) error {
		run, err = settle(tx, &d)
		if err != nil || run.ID == 0 || !d.Since || d.Run {
			return err
		}
		return supersede(tx, d.Slot.System, d.Slot.Name, d.Slot.At)
	})
	return run, err
}

func settle(tx *store.Tx, d *Settled) (pipeline.Run, error) {
	now := store.Present()
	s := &d.Slot
	r := pipeline.Run{
		System: s.System, Pipeline: s.Name, Trigger: "failover", Reason: d.Reason, Slot: s.At, State: pipeline.Queued, Attempt: 1, Hash: d.Definition.Hash, Queued: now,
	}
	decision := "run"
	if !d.Run {
		decision, r.State, r.Finished = "skip", pipeline.Skipped, now
	}
	n, err := tx.Exec("UPDATE slots SET decision = ?, reason = ?, decided = ?, hash = ? WHERE system = ? AND name = ? AND slot = ? AND decision = ''",
		decision, d.Reason, store.Micros(now), store.OrNull(r.Hash), s.System, s.Name, store.Micros(s.At))
	if err != nil || n == 0 {
		return pipeline.Run{}, err
	}
	if err := history.Keep(tx, d.Definition, now); err != nil {
		return r, err
	}
	if err := history.Line(tx, &r, history.Order{Priority: d.Priority}); err != nil {
		return r, err
	}
	if _, err := tx.Exec("UPDATE slots SET run = ? WHERE system = ? AND name = ? AND slot = ?", r.ID, s.System, s.Name, store.Micros(s.At)); err != nil {
		return r, err
	}
	if err := witness(tx, r.ID, d.Kind, s.Reading); err != nil {
		return r, err
	}
	return r, tell(tx, Line{Slot: s.At, Event: pipeline.Event{At: now, Run: r.ID, Pipeline: s.ID(), What: "decided", Detail: d.Detail}})
}

// Witness is what was seen of the primary when a run was decided.
type Witness struct {
	Kind     string           `json:"kind"`
	Verdict  pipeline.Verdict `json:"-"`
	Reason   string           `json:"reason,omitempty"`
	URL      string           `json:"url,omitempty"`
	Evidence map[string]any   `json:"evidence,omitempty"`
}

// witness keeps it with the run.
func witness(tx *store.Tx, run int64, kind string, r pipeline.Reading) error {
	if kind == "" {
		return nil
	}
	b, err := json.Marshal(Witness{Kind: kind, Reason: r.Reason, URL: r.URL, Evidence: r.Evidence})
	if err != nil {
		return fmt.Errorf("the evidence of a primary cannot be kept: %w", err)
	}
	_, err = tx.Exec("UPDATE runs SET verdict = ?, evidence = ? WHERE id = ?", string(r.Verdict), string(b), run)
	return err
}

// All is the evidence with the reason and the address in it.
func (w *Witness) All() map[string]any {
	all := maps.Clone(w.Evidence)
	if all == nil {
		all = map[string]any{}
	}
	for key, text := range map[string]string{"reason": w.Reason, "url": w.URL} {
		if text != "" {
			all[key] = text
		}
	}
	return all
}

// Witness gives what was seen of the primary when a run was decided, or the
// slot, of which the run is another attempt; nil: none was asked.
func (l *Ledger) Witness(ctx context.Context, run int64) (w *Witness, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query(`SELECT verdict, evidence FROM runs WHERE id = (SELECT max(id) FROM (
				SELECT id FROM runs WHERE id = ?1 AND evidence IS NOT NULL
				UNION ALL SELECT x.id FROM runs AS me CROSS JOIN runs AS x INDEXED BY runs_by_slot ON x.system = me.system AND x.name = me.name AND x.slot = me.slot AND x.id < me.id
				WHERE me.id = ?1 AND me.attempt > 1 AND me."trigger" IN ('failover', 'retry') AND x.evidence IS NOT NULL))`, func(row store.Row) error {
			w = &Witness{Verdict: pipeline.Verdict(row.Text(0))}
			if err := json.Unmarshal(row.Bytes(1), w); err != nil {
				return fmt.Errorf("what was seen of the primary of run %d cannot be read: %w", run, err)
			}
			return nil
		}, run)
	})
	return w, err
}

// Primary is what expressions of a run of a pipeline read of its primary, the
// evidence as JSON; nil: none was asked.
func (l *Ledger) Primary(ctx context.Context, p *pipeline.Pipeline, run int64) (map[string]string, error) {
	if p.Primary == nil {
		return nil, nil
	}
	w, err := l.Witness(ctx, run)
	if err != nil || w == nil {
		return nil, err
	}
	text, err := json.Marshal(w.All())
	return map[string]string{"kind": w.Kind, "verdict": string(w.Verdict), "reason": w.Reason, "evidence": string(text), "url": w.URL}, err
}

// Delivers gives what the end of a run of a pipeline settles, nil: nothing. Where
// only the latest matters a success has delivered the slots before its own too.
func Delivers(p *pipeline.Pipeline, run pipeline.Run) func(*store.Tx) error {
	if p.Covers != "since" || run.Slot.IsZero() || run.State != pipeline.Succeeded {
		return nil
	}
	return func(tx *store.Tx) error { return supersede(tx, p.System, p.Name, run.Slot) }
}

// supersede settles the open slots of a pipeline before a time, and those whose
// run waits.
func supersede(tx *store.Tx, system, name string, before time.Time) error {
	var open []Slot
	err := tx.Query("SELECT "+columns+" FROM slots WHERE system = ? AND name = ? AND slot < ? AND decision = '' ORDER BY slot", func(row store.Row) error {
		s, err := read(row)
		open = append(open, s)
		return err
	}, system, name, store.Micros(before))
	if err != nil {
		return err
	}
	detail := fmt.Sprintf("skipped: slot %s delivered it", pipeline.Time(before))
	for _, s := range open {
		if _, err := settle(tx, &Settled{Slot: s, Reason: "superseded", Detail: detail}); err != nil {
			return err
		}
	}
	var waits []int64
	err = tx.Query(`SELECT id FROM runs INDEXED BY runs_by_slot WHERE system = ? AND name = ? AND slot < ? AND state = 'queued' AND "trigger" = 'failover' AND started IS NULL`,
		func(row store.Row) error { waits = append(waits, row.Int(0)); return nil }, system, name, store.Micros(before))
	for _, id := range waits {
		if err == nil {
			err = skip(tx, id, "superseded", detail)
		}
	}
	return err
}

// skip ends the wait of a run that was decided before.
func skip(tx *store.Tx, run int64, reason, detail string) error {
	now := store.Micros(store.Present())
	var id string
	var at time.Time
	err := tx.Query("UPDATE runs SET state = 'skipped', reason = ?, finished = ? WHERE id = ? AND state = 'queued' RETURNING system, name, slot",
		func(row store.Row) error { id, at = row.Text(0)+"/"+row.Text(1), store.Time(row.Int(2)); return nil }, reason, now, run)
	if err != nil || id == "" {
		return err
	}
	_, err = tx.Exec("UPDATE slots SET decision = 'skip', reason = ?, decided = ? WHERE system = ? AND name = ? AND slot = ? AND run = ?",
		reason, now, system(id), name(id), store.Micros(at), run)
	if err != nil {
		return err
	}
	return tell(tx, Line{Slot: at, Event: pipeline.Event{Run: run, Pipeline: id, What: "decided", Detail: detail}})
}

// Turn is what the last look before the first step changes of a run that waits.
type Turn struct {
	Run    int64
	Kind   string // of the primary
	Slot   Slot   // with what was seen
	Skip   bool   // it does not run after all
	Reason string
	Detail string
	Due    time.Time // with neither: not before
}

// Turn records it.
func (l *Ledger) Turn(ctx context.Context, t Turn) error {
	return l.db.Write(ctx, func(tx *store.Tx) error {
		if err := witness(tx, t.Run, t.Kind, t.Slot.Reading); err != nil {
			return err
		}
		if t.Skip {
			return skip(tx, t.Run, t.Reason, t.Detail)
		}
		if _, err := tx.Exec("UPDATE runs SET reason = ?, due = coalesce(?, due) WHERE id = ? AND state = 'queued'", t.Reason, store.Micros(t.Due), t.Run); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE slots SET reason = ? WHERE system = ? AND name = ? AND slot = ? AND run = ?",
			t.Reason, t.Slot.System, t.Slot.Name, store.Micros(t.Slot.At), t.Run); err != nil || t.Detail == "" {
			return err
		}
		return tell(tx, Line{Slot: t.Slot.At, Event: pipeline.Event{Run: t.Run, Pipeline: t.Slot.ID(), What: "decided", Detail: t.Detail}})
	})
}

// Late records that a primary turned up after its backup ran, once.
func (l *Ledger) Late(ctx context.Context, s Slot, detail string) (first bool, err error) {
	err = l.db.Write(ctx, func(tx *store.Tx) error {
		first, err = late(tx, &s, detail)
		return err
	})
	return first, err
}

func late(tx *store.Tx, s *Slot, detail string) (first bool, err error) {
	n, err := tx.Exec("UPDATE slots SET late = ?, began = ?, ended = ?, primary_run = ? WHERE system = ? AND name = ? AND slot = ? AND late IS NULL",
		max(s.Late.Microseconds(), 1), store.Micros(s.Reading.Began), store.Micros(s.Reading.Ended), store.OrNull(s.Reading.Run), s.System, s.Name, store.Micros(s.At))
	if err != nil || n == 0 {
		return false, err
	}
	return true, tell(tx, Line{Slot: s.At, Event: pipeline.Event{Run: s.Run, Pipeline: s.ID(), What: "late-primary", Detail: detail}})
}

func system(id string) string { s, _, _ := strings.Cut(id, "/"); return s }

func name(id string) string { _, n, _ := strings.Cut(id, "/"); return n }
