package history

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/history/body"
	"github.com/redundctl/redundctl/engine/history/retention"
	"github.com/redundctl/redundctl/engine/history/summary"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// Filter picks runs; zero fields pick all.
type Filter struct {
	System string
	Name   string
	States []pipeline.State
	Since  time.Time // queued at or after
	Before int64     // id below, for the next page; 0: from the newest
	Limit  int       // 0: 50
}

// EventFilter picks events; zero fields pick all.
type EventFilter struct {
	Run      int64
	Pipeline string // system/name
	What     string
	Since    time.Time
	Limit    int // the newest so many; 0: 1000
}

const runColumns = `id, system, name, "trigger", slot, state, reason, attempt, fence, parent, hash, queued, started, finished, error, engine`

func readRun(row store.Row) pipeline.Run {
	return pipeline.Run{
		ID: row.Int(0), System: row.Text(1), Pipeline: row.Text(2), Trigger: row.Text(3), Slot: fromMicros(row.Int(4)),
		State: pipeline.State(row.Text(5)), Reason: row.Text(6), Attempt: int(row.Int(7)), Fence: row.Int(8),
		Parent: row.Int(9), Hash: row.Text(10),
		Queued: fromMicros(row.Int(11)), Started: fromMicros(row.Int(12)), Finished: fromMicros(row.Int(13)), Error: row.Text(14),
	}
}

// query is the text of a question with its arguments.
type query struct {
	where []string
	args  []any
}

func (q *query) add(where string, args ...any) {
	q.where = append(q.where, where)
	q.args = append(q.args, args...)
}

func (q *query) text() string {
	if len(q.where) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(q.where, " AND ")
}

// disorder is by how much the order of ids may differ from that of the times
// at which runs were queued.
const disorder = time.Hour

// Runs gives the runs that f picks, newest first.
func (h *History) Runs(ctx context.Context, f Filter) (runs []pipeline.Run, err error) {
	runs = []pipeline.Run{}
	if f.Limit <= 0 {
		f.Limit = 50
	}
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		var q query
		if f.System != "" {
			q.add("system = ?", f.System)
		}
		if f.Name != "" {
			q.add("name = ?", f.Name)
		}
		if f.Before > 0 {
			q.add("id < ?", f.Before)
		}
		if !f.Since.IsZero() {
			if err := since(tx, &q, f.Since); err != nil {
				return err
			}
		}
		dead, err := h.deadEngines(tx)
		if err != nil {
			return err
		}
		for _, s := range states(f.States, dead) {
			one := query{where: append(slices.Clone(q.where), s.where...), args: append(slices.Clone(q.args), s.args...)}
			part, err := h.page(tx, one, f.Limit)
			if err != nil {
				return err
			}
			runs = append(runs, part...)
		}
		return nil
	})
	slices.SortFunc(runs, func(a, b pipeline.Run) int { return int(b.ID - a.ID) })
	return runs[:min(len(runs), f.Limit)], err
}

// since picks by time. The walk is by id, which the index on times bounds: a
// page is then found without sorting what lies behind it.
func since(tx *store.Tx, q *query, t time.Time) error {
	var first int64
	err := tx.Query("SELECT id FROM runs WHERE queued >= ? ORDER BY queued LIMIT 1", func(row store.Row) error {
		first = row.Int(0)
		return nil
	}, t.Add(-disorder).UnixMicro())
	q.add("+queued >= ? AND id >= ?", t.UnixMicro(), first)
	return err
}

// states gives one question a state: each walks an index of its own. Runs of
// dead processes count as failed.
func states(of []pipeline.State, dead []string) []query {
	if len(of) == 0 {
		return []query{{where: []string{"1"}}}
	}
	marks, engines := strings.TrimSuffix(strings.Repeat("?,", len(dead)), ","), make([]any, len(dead))
	for i, d := range dead {
		engines[i] = d
	}
	var all []query
	for i, s := range of {
		if slices.Contains(of[:i], s) {
			continue
		}
		one := query{where: []string{"state = ?"}, args: []any{string(s)}}
		if s == pipeline.Running && len(dead) > 0 {
			one.add("engine NOT IN ("+marks+")", engines...)
		}
		all = append(all, one)
		if s == pipeline.Failed && len(dead) > 0 {
			interrupted := query{where: []string{"state = 'running'"}}
			interrupted.add("engine IN ("+marks+")", engines...)
			all = append(all, interrupted)
		}
	}
	return all
}

func (h *History) page(tx *store.Tx, q query, limit int) (runs []pipeline.Run, err error) {
	alive := map[string]bool{}
	err = tx.Query("SELECT "+runColumns+" FROM runs"+q.text()+" ORDER BY id DESC LIMIT ?", func(row store.Row) error {
		r := readRun(row)
		h.interrupt(&r, row.Text(15), alive)
		runs = append(runs, r)
		return nil
	}, append(q.args, limit)...)
	return runs, err
}

// interrupt makes a run of a dead process read as what it is.
func (h *History) interrupt(r *pipeline.Run, engine string, alive map[string]bool) {
	if r.State == pipeline.Running && !h.lives(alive, engine) {
		r.State, r.Error = pipeline.Failed, Interrupted
	}
}

func (h *History) deadEngines(tx *store.Tx) (dead []string, err error) {
	err = tx.Query("SELECT DISTINCT engine FROM runs WHERE state = 'running'", func(row store.Row) error {
		if id := row.Text(0); !h.db.Alive(id) {
			dead = append(dead, id)
		}
		return nil
	})
	return dead, err
}

// Run gives one run; the error is ErrNoRun when there is none.
func (h *History) Run(ctx context.Context, id int64) (r pipeline.Run, err error) {
	err = h.db.Read(ctx, func(tx *store.Tx) (err error) {
		r, err = h.run(tx, id)
		return err
	})
	if err == nil && r.ID == 0 {
		err = ErrNoRun
	}
	return r, err
}

func (h *History) run(tx *store.Tx, id int64) (pipeline.Run, error) {
	var q query
	q.add("id = ?", id)
	runs, err := h.page(tx, q, 1)
	if err != nil {
		return pipeline.Run{}, err
	}
	if len(runs) == 0 {
		return pipeline.Run{}, ErrNoRun
	}
	return runs[0], nil
}

// Steps gives the steps of a run, in order.
func (h *History) Steps(ctx context.Context, id int64) (steps []pipeline.StepRecord, err error) {
	steps = []pipeline.StepRecord{}
	found := false
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		r, err := h.run(tx, id)
		if err != nil {
			return err
		}
		found = true
		return tx.Query(`SELECT idx, id, matrix, uses, state, continued, attempts, exit_code, signal, started, finished,
			outputs, truncated, error, env FROM steps WHERE run = ? ORDER BY idx`, func(row store.Row) error {
			s, err := readStep(row)
			s.Run = id
			if s.State == pipeline.Running && r.State.Done() {
				s.State, s.Error = pipeline.Failed, Interrupted
			}
			steps = append(steps, s)
			return err
		}, id)
	})
	if err == nil && !found {
		err = ErrNoRun
	}
	return steps, err
}

func readStep(row store.Row) (pipeline.StepRecord, error) {
	s := pipeline.StepRecord{
		Index: int(row.Int(0)), ID: row.Text(1), Matrix: row.Text(2), Uses: row.Text(3),
		State: pipeline.State(row.Text(4)), Continued: row.Bool(5), Attempts: int(row.Int(6)), Signal: row.Text(8),
		Started: fromMicros(row.Int(9)), Finished: fromMicros(row.Int(10)), Truncated: row.Bool(12),
		Error: row.Text(13),
	}
	if !row.Null(7) {
		code := int(row.Int(7))
		s.ExitCode = &code
	}
	if !row.Null(14) {
		if err := json.Unmarshal(row.Bytes(14), &s.Env); err != nil {
			return s, err
		}
	}
	if row.Null(11) {
		return s, nil
	}
	d := json.NewDecoder(bytes.NewReader(row.Bytes(11)))
	d.UseNumber()
	err := d.Decode(&s.Outputs)
	for k, v := range s.Outputs {
		s.Outputs[k] = numbers(v)
	}
	return s, err
}

// numbers gives whole numbers back as int64 and others as float64.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64() // what does not fit is infinite
		return f
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	}
	return v
}

// Events gives the newest events that f picks, oldest first.
func (h *History) Events(ctx context.Context, f EventFilter) (events []pipeline.Event, err error) {
	events = []pipeline.Event{}
	if f.Limit <= 0 {
		f.Limit = 1000
	}
	var q query
	if f.Run != 0 {
		q.add("run = ?", f.Run)
	}
	if f.Pipeline != "" {
		q.add("pipeline = ?", f.Pipeline)
	}
	if f.What != "" {
		q.add("what = ?", f.What)
	}
	if !f.Since.IsZero() {
		q.add("at >= ?", f.Since.UnixMicro())
	}
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query("SELECT at, run, pipeline, what, detail FROM events"+q.text()+" ORDER BY id DESC LIMIT ?", func(row store.Row) error {
			events = append(events, pipeline.Event{
				At: fromMicros(row.Int(0)), Run: row.Int(1), Pipeline: row.Text(2), What: row.Text(3), Detail: row.Text(4),
			})
			return nil
		}, append(q.args, f.Limit)...)
	})
	slices.Reverse(events)
	return events, err
}

// Definition gives what runs with that hash ran under; ok is false when it is
// not kept.
func (h *History) Definition(ctx context.Context, hash string) (d Definition, ok bool, err error) {
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query("SELECT hash, file, body FROM definitions WHERE hash = ?", func(row store.Row) error {
			d, ok = Definition{Hash: row.Text(0), File: row.Text(1)}, true
			var err error
			d.Body, err = body.Unpack(row.Bytes(2))
			return err
		}, hash)
	})
	return d, ok, err
}

// Summary counts the runs queued from since until before until.
func (h *History) Summary(ctx context.Context, since, until time.Time) (summary.Summary, error) {
	return summary.Of(ctx, h.db, since, until)
}

// Prune removes what is older than it is kept, or with o.Dry counts it. The last
// run of each pipeline stays, for those who ask how it does.
func (h *History) Prune(ctx context.Context, o retention.Options) (retention.Pruned, error) {
	last, ended, _, err := h.LastRuns(ctx)
	if err != nil {
		return retention.Pruned{}, err
	}
	for _, runs := range []map[string]pipeline.Run{last, ended} {
		o.Keep = slices.AppendSeq(slices.Clip(o.Keep), maps.Values(runs))
	}
	return retention.Prune(ctx, h.db, o)
}
