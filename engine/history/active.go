package history

import (
	"context"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// Active is how many runs of a pipeline have not ended.
type Active struct {
	Running []int64 // their ids, the oldest first
	Queued  int
	Attempt int // the highest of them, also of those whose process died
}

// ActiveRuns counts the runs that have not ended, by system/name. Those whose
// process died do not count.
func (h *History) ActiveRuns(ctx context.Context) (map[string]Active, error) {
	out := map[string]Active{}
	alive := map[string]bool{}
	err := h.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query(`SELECT system, name, state, id, engine, attempt FROM runs INDEXED BY runs_by_state
			WHERE state IN ('queued', 'running') ORDER BY id`, func(row store.Row) error {
			key := row.Text(0) + "/" + row.Text(1)
			a := out[key]
			a.Attempt = max(a.Attempt, int(row.Int(5)))
			if row.Text(2) == string(pipeline.Queued) {
				a.Queued++
			} else if e := row.Text(4); h.lives(alive, e) {
				a.Running = append(a.Running, row.Int(3))
			}
			out[key] = a
			return nil
		})
	})
	return out, err
}

func (h *History) lives(known map[string]bool, engine string) bool {
	a, ok := known[engine]
	if !ok {
		a = h.db.Alive(engine)
		known[engine] = a
	}
	return a
}

// Asked gives any run with what it was started with; the error is ErrNoRun when
// there is none.
func (h *History) Asked(ctx context.Context, id int64) (q Queued, err error) {
	found := false
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query("SELECT "+queuedColumns+" FROM runs WHERE id = ?", func(row store.Row) error {
			found = true
			q, err = readQueued(row)
			return err
		}, id)
	})
	if err == nil && !found {
		err = ErrNoRun
	}
	return q, err
}

// newest finds the names of all pipelines by leaping through an index, and the
// newest run of each in each state: the time that it takes does not grow with
// the history. Of a comparison of several columns the index serves all only
// where the other side is no column itself, hence the +; and no text comes
// after an empty blob.
const newest = `WITH RECURSIVE named (system, name) AS (
		SELECT * FROM (SELECT system, name FROM runs INDEXED BY runs_tally ORDER BY system, name LIMIT 1)
		UNION ALL
		SELECT n.system, n.name FROM named JOIN runs AS n ON n.id = (
			SELECT r.id FROM runs AS r INDEXED BY runs_tally WHERE (r.system, r.name, r.state) > (+named.system, +named.name, x'')
			ORDER BY r.system, r.name LIMIT 1)
	), ended (state) AS (VALUES ('running'), ('succeeded'), ('failed'), ('timed-out'), ('cancelled'))
	SELECT ` + runColumns + ` FROM runs WHERE id IN (
		SELECT (SELECT r.id FROM runs AS r INDEXED BY runs_tally
			WHERE r.system = named.system AND r.name = named.name AND r.state = ended.state ORDER BY r.queued DESC LIMIT 1)
		FROM named, ended)`

// LastRuns gives the newest run of every pipeline that was not skipped, the newest
// that has ended, and the newest that failed, by system/name.
func (h *History) LastRuns(ctx context.Context) (last, ended, failed map[string]pipeline.Run, err error) {
	last, ended, failed = map[string]pipeline.Run{}, map[string]pipeline.Run{}, map[string]pipeline.Run{}
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query(newest, func(row store.Row) error {
			r := readRun(row)
			key := r.System + "/" + r.Pipeline
			for i, counts := range []bool{true, r.State.Done(), r.State.Bad()} {
				if of := []map[string]pipeline.Run{last, ended, failed}[i]; counts && r.ID > of[key].ID {
					of[key] = r
				}
			}
			return nil
		})
	})
	return last, ended, failed, err
}

// Before gives the newest run of a pipeline that ended and was begun before the
// first attempt of another one of it, and false when there is none.
func (h *History) Before(ctx context.Context, r pipeline.Run) (out pipeline.Run, ok bool, err error) {
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query("SELECT "+runColumns+` FROM runs INDEXED BY runs_by_pipeline WHERE system = ?1 AND name = ?2 AND id < (
				SELECT id FROM runs INDEXED BY runs_by_pipeline WHERE system = ?1 AND name = ?2 AND id <= ?3 AND attempt = 1 ORDER BY id DESC LIMIT 1
			) AND state IN ('succeeded', 'failed', 'timed-out', 'cancelled') ORDER BY id DESC LIMIT 1`,
			func(row store.Row) error { out, ok = readRun(row), true; return nil }, r.System, r.Pipeline, r.ID)
	})
	return out, ok, err
}

// Missed counts the slots since a time that passed unserved and were not caught
// up, by system.
func (h *History) Missed(ctx context.Context, since time.Time) (map[string]int, error) {
	out := map[string]int{}
	err := h.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query(`SELECT system, count(*) FROM runs INDEXED BY runs_missed WHERE queued >= ? AND state = 'skipped' AND reason = 'missed' GROUP BY system`,
			func(row store.Row) error { out[row.Text(0)] = int(row.Int(1)); return nil }, micros(since))
	})
	return out, err
}
