package ledger

import (
	"context"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// mostClaimed is in how many of the latest slots a claim of a run is looked for.
const mostClaimed = 200

// Beat records a heartbeat of a primary and reports whether it is a new one:
// the same state of the same run changes nothing. One that names no slot, of a run
// to which a slot was granted, is of that slot: the next one may have begun since.
func (l *Ledger) Beat(ctx context.Context, id string, b pipeline.Heartbeat) (first bool, err error) {
	err = l.db.Write(ctx, func(tx *store.Tx) error {
		slot := store.Micros(b.Slot)
		if b.Slot.IsZero() && b.Run != "" {
			err := tx.Query("SELECT max(slot) FROM (SELECT slot, claimed FROM slots WHERE system = ? AND name = ? ORDER BY slot DESC LIMIT ?) WHERE claimed = ? HAVING max(slot) IS NOT NULL",
				func(row store.Row) error { slot = row.Int(0); return nil }, system(id), name(id), mostClaimed, b.Run)
			if err != nil {
				return err
			}
		}
		n, err := tx.Exec("INSERT INTO heartbeats (system, name, rid, state, slot, at, body) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			system(id), name(id), store.OrNull(b.Run), b.State, slot, store.Micros(b.At), store.OrNull(b.Body))
		first = n == 1
		return err
	})
	return first, err
}

// Beats gives the heartbeats of a pipeline's primary since a time, in order; of
// all times where that is zero, the last ones.
func (l *Ledger) Beats(ctx context.Context, id string, since time.Time) (list []pipeline.Heartbeat, err error) {
	from := int64(0)
	if !since.IsZero() {
		from = since.UnixMicro()
	}
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		list = nil
		return tx.Query(`SELECT * FROM (SELECT rid, state, slot, at, body, id FROM heartbeats WHERE system = ? AND name = ? AND at >= ? ORDER BY at DESC, id DESC LIMIT 1000) ORDER BY 4, 6`,
			func(row store.Row) error {
				list = append(list, pipeline.Heartbeat{Run: row.Text(0), State: row.Text(1), Slot: store.Time(row.Int(2)), At: store.Time(row.Int(3)), Body: row.Text(4)})
				return nil
			}, system(id), name(id), from)
	})
	return list, err
}

// Probe is what the probe of a pipeline said last.
type Probe struct {
	Known   bool // it was conclusive once
	Refused bool
	Verdict pipeline.Verdict
	Why     string
	Since   time.Time // it has said this
}

// Probes gives what every probe said last, by system/name.
func (l *Ledger) Probes(ctx context.Context) (all map[string]Probe, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		all = map[string]Probe{}
		return tx.Query("SELECT system, name, known, refused, verdict, why, since FROM probes", func(row store.Row) error {
			all[row.Text(0)+"/"+row.Text(1)] = Probe{
				Known: row.Bool(2), Refused: row.Bool(3), Verdict: pipeline.Verdict(row.Text(4)), Why: row.Text(5), Since: store.Time(row.Int(6)),
			}
			return nil
		})
	})
	return all, err
}

// Probed records what a probe says now.
func (l *Ledger) Probed(ctx context.Context, id string, p Probe) error {
	return l.db.Fast(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO probes (system, name, known, refused, verdict, why, since) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (system, name) DO UPDATE SET known = max(known, excluded.known), refused = excluded.refused, verdict = excluded.verdict, why = excluded.why, since = excluded.since`,
			system(id), name(id), whole(p.Known), whole(p.Refused), string(p.Verdict), p.Why, store.Micros(p.Since))
		return err
	})
}

// Drilled gives when the backup of each pipeline was proved last, and when it was
// drilled last, whatever came of it, by system/name.
func (l *Ledger) Drilled(ctx context.Context) (proved, last map[string]time.Time, err error) {
	proved, last = map[string]time.Time{}, map[string]time.Time{}
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query("SELECT pipeline, what, max(at) FROM events INDEXED BY events_by_what WHERE what IN ('drill', 'drill-proved', 'drill-failed') GROUP BY pipeline, what",
			func(row store.Row) error {
				id, at := row.Text(0), store.Time(row.Int(2))
				if row.Text(1) == "drill-proved" {
					proved[id] = at
				}
				if at.After(last[id]) {
					last[id] = at
				}
				return nil
			})
	})
	return proved, last, err
}

func whole(b bool) int {
	if b {
		return 1
	}
	return 0
}

// mostLearned is how many runs of a primary it is learned from.
const mostLearned = 200

// Learned gives how late the primary of a pipeline began with its slots, and how
// long it took, for the slots that it is known of. Runs that were asked for do not
// count: they begin at the end of a grace.
func (l *Ledger) Learned(ctx context.Context, id string) (late, took []time.Duration, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		late, took = nil, nil
		return tx.Query(`SELECT slot, began, ended FROM slots WHERE system = ? AND name = ? AND began IS NOT NULL AND (dispatched IS NULL OR primary_run IS NOT dispatched) ORDER BY slot DESC LIMIT ?`,
			func(row store.Row) error {
				slot, began := store.Time(row.Int(0)), store.Time(row.Int(1))
				late = append(late, max(began.Sub(slot), 0))
				if ended := store.Time(row.Int(2)); !ended.IsZero() {
					took = append(took, ended.Sub(began))
				}
				return nil
			}, system(id), name(id), mostLearned)
	})
	return late, took, err
}
