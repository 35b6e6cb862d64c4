// Package retention removes from a history what is older than it is kept, a
// little at a time: others write between.
package retention

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// Options say what goes.
type Options struct {
	Before time.Time      // what ended earlier goes
	Keep   []pipeline.Run // but for these runs, which somebody looks at however old they are
	Dry    bool           // only count
	// Rest is how long nothing is removed after each portion, in times of what the
	// portion took: 3 leaves three quarters of the time to others. 0: no rest.
	Rest int
}

// Pruned says what Prune removed, or would remove.
type Pruned struct {
	Runs        int
	Steps       int
	Slots       int
	Events      int
	Definitions int
	Oldest      time.Time // when the oldest of the runs was queued
	Newest      time.Time
}

// How many rows one transaction removes: a run has many more below it. One
// takes a few milliseconds, for which everybody else waits.
const (
	portion = 20  // runs
	several = 100 // rows that have nothing below them
)

// disorder is by how much the order of events may differ from that of their times.
const disorder = time.Hour

// old are finished runs queued and ended before a time, given as ?1.
const old = `queued < ?1 AND state NOT IN ('queued', 'running') AND coalesce(finished, queued) < ?1`

// Prune removes runs that ended before a time, and steps, slots, events and
// definitions with them. Runs that are not finished stay, however old, with
// their slots, and so does the newest slot that the schedule of a pipeline
// decided: it says how far the schedule has come. Dry, it only counts. Much
// room that becomes free is given back to the disk; the rest is used again.
// When it fails or ctx ends, what it removed until then is gone.
func Prune(ctx context.Context, db *store.DB, o Options) (Pruned, error) {
	x := &pruning{db: db, o: o, limit: o.Before.UnixMicro(), kept: map[int64]bool{}, hashes: map[string]bool{}}
	for _, r := range o.Keep {
		x.kept[r.ID], x.hashes[r.Hash] = true, true
	}
	for _, part := range []func(context.Context) error{x.runs, x.events, x.slots, x.heartbeats, x.definitions, x.shrink} {
		if err := part(ctx); err != nil {
			return x.gone, err
		}
	}
	return x.gone, nil
}

// pruning is one call of Prune.
type pruning struct {
	db     *store.DB
	o      Options
	limit  int64
	kept   map[int64]bool
	hashes map[string]bool // of kept runs
	gone   Pruned
}

// remove runs f, which removes a portion, and lets others have their turn. The
// removal needs no power cut in mind: what comes back goes the next time.
func (x *pruning) remove(ctx context.Context, f func(*store.Tx) error) error {
	from := time.Now()
	if err := x.db.Fast(ctx, f); err != nil || x.o.Rest <= 0 {
		return err
	}
	rest := time.NewTimer(time.Since(from) * time.Duration(x.o.Rest))
	defer rest.Stop()
	select {
	case <-rest.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// list is how the keys of several rows are given to one statement.
func list[T any](values []T) (string, error) {
	b, err := json.Marshal(values)
	return string(b), err
}

// runs walks over the old runs by time, and past those that stay.
func (x *pruning) runs(ctx context.Context) error {
	at, id := int64(math.MinInt64), int64(0)
	for {
		var ids []int64
		n := 0
		err := x.db.Read(ctx, func(tx *store.Tx) error {
			return tx.Query("SELECT id, queued FROM runs INDEXED BY runs_by_time WHERE (queued, id) > (?2, ?3) AND "+old+
				" ORDER BY queued, id LIMIT ?4", func(row store.Row) error {
				n++
				if id, at = row.Int(0), row.Int(1); x.kept[id] {
					return nil
				}
				ids = append(ids, id)
				if x.gone.Newest = time.UnixMicro(at).UTC(); x.gone.Oldest.IsZero() {
					x.gone.Oldest = x.gone.Newest
				}
				return nil
			}, x.limit, at, id, portion)
		})
		if err == nil && len(ids) > 0 {
			err = x.removeRuns(ctx, ids)
		}
		if err != nil || n < portion {
			return err
		}
	}
}

func (x *pruning) removeRuns(ctx context.Context, ids []int64) error {
	text, err := list(ids)
	if err != nil {
		return err
	}
	var steps, events int
	if x.o.Dry {
		err = x.db.Read(ctx, func(tx *store.Tx) error {
			return tx.Query(`SELECT (SELECT count(*) FROM steps WHERE run IN (SELECT value FROM json_each(?1))),
				(SELECT count(*) FROM events WHERE run IN (SELECT value FROM json_each(?1)))`, func(row store.Row) error {
				steps, events = int(row.Int(0)), int(row.Int(1))
				return nil
			}, text)
		})
	} else {
		err = x.remove(ctx, func(tx *store.Tx) error {
			n, err := tx.Exec("DELETE FROM steps WHERE run IN (SELECT value FROM json_each(?))", text)
			steps = int(n)
			if err == nil {
				n, err = tx.Exec("DELETE FROM events WHERE run IN (SELECT value FROM json_each(?))", text)
				events = int(n)
			}
			if err == nil {
				_, err = tx.Exec("DELETE FROM runs WHERE id IN (SELECT value FROM json_each(?))", text)
			}
			return err
		})
	}
	if err == nil {
		x.gone.Runs, x.gone.Steps, x.gone.Events = x.gone.Runs+len(ids), x.gone.Steps+steps, x.gone.Events+events
	}
	return err
}

// events removes those that belong to no run; the others go with their run.
// Their ids ascend with time, so that only old ones are looked at.
func (x *pruning) events(ctx context.Context) error {
	id, more := int64(0), true
	for more {
		var ids []int64
		n := 0
		err := x.db.Read(ctx, func(tx *store.Tx) error {
			return tx.Query("SELECT id, at, run FROM events WHERE id > ? ORDER BY id LIMIT ?", func(row store.Row) error {
				n++
				id, more = row.Int(0), row.Int(1) < x.limit+disorder.Microseconds()
				if row.Int(1) < x.limit && row.Null(2) {
					ids = append(ids, id)
				}
				return nil
			}, id, several)
		})
		more = more && n == several
		if err == nil {
			err = x.rows(ctx, ids, "DELETE FROM events WHERE id IN (SELECT value FROM json_each(?))")
		}
		if err != nil {
			return err
		}
		x.gone.Events += len(ids)
	}
	return nil
}

// rows removes what a statement removes; the keys of the rows are its last
// argument.
func (x *pruning) rows(ctx context.Context, keys []int64, statement string, args ...any) error {
	if len(keys) == 0 || x.o.Dry {
		return nil
	}
	text, err := list(keys)
	if err != nil {
		return err
	}
	return x.remove(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(statement, append(slices.Clip(args), text)...)
		return err
	})
}

// nextSlots finds the next pipeline without a walk over the slots of the last.
const nextSlots = `SELECT system, name FROM slots WHERE (system, name, slot) > (?, ?, 9223372036854775807) ORDER BY system, name, slot LIMIT 1`

// oldSlots are those of a pipeline that nothing needs any more.
const oldSlots = `SELECT slot FROM slots AS s WHERE system = ?2 AND name = ?3 AND slot > ?4 AND slot < ?1 AND decided < ?1
	AND slot < coalesce((SELECT max(slot) FROM slots WHERE system = ?2 AND name = ?3 AND planned AND slot <= ?5), ?1)
	AND NOT EXISTS (SELECT 1 FROM runs INDEXED BY runs_by_slot
		WHERE runs.system = s.system AND runs.name = s.name AND runs.slot = s.slot AND state IN ('queued', 'running'))
	ORDER BY slot LIMIT ?6`

// slots goes from pipeline to pipeline.
func (x *pruning) slots(ctx context.Context) error {
	var system, name string
	last, more := int64(math.MinInt64), false
	for {
		var slots []int64
		found := more
		err := x.db.Read(ctx, func(tx *store.Tx) error {
			if !more {
				last = math.MinInt64
				err := tx.Query(nextSlots, func(row store.Row) error {
					found, system, name = true, row.Text(0), row.Text(1)
					return nil
				}, system, name)
				if err != nil || !found {
					return err
				}
			}
			return tx.Query(oldSlots, func(row store.Row) error {
				last = row.Int(0)
				slots = append(slots, last)
				return nil
			}, x.limit, system, name, last, time.Now().UnixMicro(), several)
		})
		if err == nil {
			err = x.rows(ctx, slots, "DELETE FROM slots WHERE system = ? AND name = ? AND slot IN (SELECT value FROM json_each(?))", system, name)
		}
		if err != nil || !found {
			return err
		}
		x.gone.Slots += len(slots)
		more = len(slots) == several
	}
}

// heartbeats removes old signs of life of primaries, which are not told of.
func (x *pruning) heartbeats(ctx context.Context) error {
	for !x.o.Dry {
		there := false
		err := x.db.Read(ctx, func(tx *store.Tx) error {
			return tx.Query("SELECT 1 FROM heartbeats WHERE at < ? LIMIT 1", func(store.Row) error { there = true; return nil }, x.limit)
		})
		if err != nil || !there {
			return err
		}
		err = x.remove(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(`DELETE FROM heartbeats WHERE id IN (SELECT id FROM heartbeats WHERE at < ? LIMIT ?)`, x.limit, several)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// definitions removes those that no run ran under which stays, and that are not
// in force.
func (x *pruning) definitions(ctx context.Context) error {
	var hashes []string
	err := x.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query(`SELECT hash FROM definitions WHERE seen < ?1 AND hash NOT IN (SELECT hash FROM loaded)
			AND NOT EXISTS (SELECT 1 FROM runs INDEXED BY runs_by_hash WHERE runs.hash = definitions.hash AND NOT (`+old+"))", func(row store.Row) error {
			if h := row.Text(0); !x.hashes[h] {
				hashes = append(hashes, h)
			}
			return nil
		}, x.limit)
	})
	if x.o.Dry {
		x.gone.Definitions = len(hashes)
		return err
	}
	for some := range slices.Chunk(hashes, portion) {
		if err != nil {
			break
		}
		var text string
		if text, err = list(some); err != nil {
			break
		}
		err = x.remove(ctx, func(tx *store.Tx) error { // one of them may be in use again
			n, err := tx.Exec(`DELETE FROM definitions WHERE hash IN (SELECT value FROM json_each(?)) AND hash NOT IN (SELECT hash FROM loaded)
				AND NOT EXISTS (SELECT 1 FROM runs INDEXED BY runs_by_hash WHERE runs.hash = definitions.hash)`, text)
			x.gone.Definitions += int(n)
			return err
		})
	}
	return err
}

// shrink gives room back to the disk when much of it is free.
func (x *pruning) shrink(ctx context.Context) error {
	for more := !x.o.Dry; more; {
		err := x.remove(ctx, func(tx *store.Tx) (err error) {
			more, err = tx.Shrink()
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
