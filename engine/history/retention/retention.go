// Package retention removes what is older than it is kept from a history.
package retention

import (
	"context"
	"time"

	"github.com/redundctl/redundctl/engine/store"
)

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

// portion is how many runs go in one transaction: others write between.
const portion = 200

// oldRuns are the finished runs queued and ended before a time, given twice.
const oldRuns = `FROM runs WHERE queued < ? AND state NOT IN ('queued', 'running') AND coalesce(finished, queued) < ?`

// unused are definitions that no run and no slot ran under.
const unused = `FROM definitions WHERE seen < ? AND hash NOT IN (SELECT hash FROM runs WHERE hash IS NOT NULL)
	AND hash NOT IN (SELECT hash FROM slots WHERE hash IS NOT NULL) AND hash NOT IN (SELECT hash FROM loaded)`

// oldSlots are those before a time, given as ?1, but for the newest that the
// schedule of a pipeline decided: it says how far the schedule has come.
const oldSlots = `FROM slots AS s WHERE slot < ?1 AND decided < ?1 AND slot IS NOT
	(SELECT slot FROM slots AS o WHERE o.system = s.system AND o.name = s.name AND planned ORDER BY slot DESC LIMIT 1)`

// Prune removes runs that ended before a time, and steps, slots, events and
// definitions with them; runs that are not finished stay, however old. Dry, it
// only counts. The room is used again by what is recorded later.
func Prune(ctx context.Context, db *store.DB, before time.Time, dry bool) (p Pruned, err error) {
	limit := before.UnixMicro()
	if err := db.Read(ctx, func(tx *store.Tx) error { return p.count(tx, limit) }); err != nil || dry {
		return p, err
	}
	for more := true; more; {
		err := db.Write(ctx, func(tx *store.Tx) (err error) {
			more, err = pruneRuns(tx, limit)
			return err
		})
		if err != nil {
			return p, err
		}
	}
	return p, db.Write(ctx, func(tx *store.Tx) error {
		for _, statement := range []string{
			"DELETE FROM events WHERE at < ? AND run IS NULL",
			"DELETE " + oldSlots,
			"DELETE FROM heartbeats WHERE at < ?",
			"DELETE " + unused,
		} {
			if _, err := tx.Exec(statement, limit); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *Pruned) count(tx *store.Tx, limit int64) error {
	err := tx.Query("SELECT count(*), min(queued), max(queued) "+oldRuns, func(row store.Row) error {
		p.Runs, p.Oldest, p.Newest = int(row.Int(0)), when(row, 1), when(row, 2)
		return nil
	}, limit, limit)
	for _, c := range []struct {
		into  *int
		query string
	}{
		{&p.Steps, "SELECT count(*) FROM steps WHERE run IN (SELECT id " + oldRuns + ")"},
		{&p.Events, "SELECT count(*) FROM events WHERE run IN (SELECT id " + oldRuns + ")"},
	} {
		if err == nil {
			err = tx.Query(c.query, func(row store.Row) error { *c.into = int(row.Int(0)); return nil }, limit, limit)
		}
	}
	for _, c := range []struct {
		into  *int
		query string
	}{
		{&p.Events, "SELECT count(*) FROM events WHERE at < ? AND run IS NULL"},
		{&p.Slots, "SELECT count(*) " + oldSlots},
		{&p.Definitions, `SELECT count(*) FROM definitions WHERE seen < ?1
			AND hash NOT IN (SELECT hash FROM runs WHERE hash IS NOT NULL AND id NOT IN
				(SELECT id FROM runs WHERE queued < ?1 AND state NOT IN ('queued', 'running') AND coalesce(finished, queued) < ?1))
			AND hash NOT IN (SELECT hash FROM slots WHERE hash IS NOT NULL AND NOT (slot < ?1 AND decided < ?1))
			AND hash NOT IN (SELECT hash FROM loaded)`},
	} {
		if err == nil {
			err = tx.Query(c.query, func(row store.Row) error { *c.into += int(row.Int(0)); return nil }, limit)
		}
	}
	return err
}

// pruneRuns removes the oldest runs; more reports whether there may be others.
func pruneRuns(tx *store.Tx, limit int64) (more bool, err error) {
	var ids []int64
	err = tx.Query("SELECT id "+oldRuns+" ORDER BY queued LIMIT ?", func(row store.Row) error {
		ids = append(ids, row.Int(0))
		return nil
	}, limit, limit, portion)
	for _, id := range ids {
		for _, statement := range []string{
			"DELETE FROM steps WHERE run = ?", "DELETE FROM events WHERE run = ?", "DELETE FROM runs WHERE id = ?",
		} {
			if err == nil {
				_, err = tx.Exec(statement, id)
			}
		}
	}
	return len(ids) == portion, err
}

// when is a stored time, zero for none.
func when(row store.Row, column int) time.Time {
	if row.Null(column) {
		return time.Time{}
	}
	return time.UnixMicro(row.Int(column)).UTC()
}
