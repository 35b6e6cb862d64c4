package history

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// Summary is what `report` prints.
type Summary struct {
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
	Systems []Totals  `json:"systems"`
}

// Totals counts the finished runs of a system, or of one of its pipelines.
// Slots that were skipped are no runs.
type Totals struct {
	Name          string   `json:"name"`
	Runs          int      `json:"runs"`
	Succeeded     int      `json:"succeeded"`
	Failed        int      `json:"failed"` // or out of time
	Failovers     int      `json:"failovers"`
	LatePrimaries int      `json:"late-primaries"`
	Recovery      Recovery `json:"recovery-ms"`
	Pipelines     []Totals `json:"pipelines,omitempty"`

	recoveries []int64
}

// Recovery is how long after its slot a backup had done the work, in
// milliseconds; nil where there was none.
type Recovery struct {
	P50 *int64 `json:"p50"`
	Max *int64 `json:"max"`
}

type pipelineKey struct{ system, name string }

// Summary counts the runs queued from since until before until.
func (h *History) Summary(ctx context.Context, since, until time.Time) (Summary, error) {
	since, until = since.UTC().Truncate(time.Microsecond), until.UTC().Truncate(time.Microsecond)
	all := map[pipelineKey]*Totals{}
	at := func(system, name string) *Totals {
		k := pipelineKey{system, name}
		if all[k] == nil {
			all[k] = &Totals{Name: name}
		}
		return all[k]
	}
	err := h.db.Read(ctx, func(tx *store.Tx) error {
		from, to := since.UnixMicro(), until.UnixMicro()
		if err := countRuns(tx, at, from, to); err != nil {
			return err
		}
		if err := h.countInterrupted(tx, at, from, to); err != nil {
			return err
		}
		if err := countFailovers(tx, at, from, to); err != nil {
			return err
		}
		return tx.Query("SELECT pipeline, count(*) FROM events WHERE what = 'late-primary' AND at >= ? AND at < ? GROUP BY pipeline",
			func(row store.Row) error {
				system, name, _ := strings.Cut(row.Text(0), "/")
				at(system, name).LatePrimaries += int(row.Int(1))
				return nil
			}, from, to)
	})
	return Summary{Since: since, Until: until, Systems: bySystem(all)}, err
}

// countRuns steps over one index from group to group and counts in each: no
// row is read, nothing is sorted.
func countRuns(tx *store.Tx, at func(system, name string) *Totals, from, to int64) error {
	var system, name, state string
	for {
		found := false
		err := tx.Query(`SELECT system, name, state FROM runs INDEXED BY runs_tally
			WHERE (system, name, state, queued) > (?, ?, ?, 9223372036854775807) ORDER BY system, name, state, queued LIMIT 1`, func(row store.Row) error {
			found, system, name, state = true, row.Text(0), row.Text(1), row.Text(2)
			return nil
		}, system, name, state)
		if err != nil || !found {
			return err
		}
		n := 0
		err = tx.Query(`SELECT count(*) FROM runs INDEXED BY runs_tally
			WHERE system = ? AND name = ? AND state = ? AND queued >= ? AND queued < ?`, func(row store.Row) error {
			n = int(row.Int(0))
			return nil
		}, system, name, state, from, to)
		if err != nil {
			return err
		}
		if s := pipeline.State(state); n > 0 && s.Done() && s != pipeline.Skipped {
			at(system, name).add(s, n)
		}
	}
}

// add counts n runs of a state.
func (t *Totals) add(state pipeline.State, n int) {
	switch state {
	case pipeline.Succeeded:
		t.Succeeded += n
	case pipeline.Failed, pipeline.TimedOut:
		t.Failed += n
	}
	t.Runs += n
}

func (h *History) countInterrupted(tx *store.Tx, at func(system, name string) *Totals, from, to int64) error {
	return tx.Query("SELECT system, name, engine FROM runs WHERE state = 'running' AND +queued >= ? AND +queued < ?", func(row store.Row) error {
		if h.db.Alive(row.Text(2)) {
			return nil
		}
		at(row.Text(0), row.Text(1)).add(pipeline.Failed, 1)
		return nil
	}, from, to)
}

func countFailovers(tx *store.Tx, at func(system, name string) *Totals, from, to int64) error {
	return tx.Query(`SELECT system, name, state, finished - slot FROM runs INDEXED BY runs_failover
		WHERE "trigger" = 'failover' AND queued >= ? AND queued < ?`, func(row store.Row) error {
		state := pipeline.State(row.Text(2))
		if !state.Done() || state == pipeline.Skipped {
			return nil
		}
		t := at(row.Text(0), row.Text(1))
		t.Failovers++
		if state == pipeline.Succeeded && !row.Null(3) {
			t.recoveries = append(t.recoveries, row.Int(3)/1000)
		}
		return nil
	}, from, to)
}

func bySystem(all map[pipelineKey]*Totals) []Totals {
	systems := map[string]*Totals{}
	for k, t := range all {
		s := systems[k.system]
		if s == nil {
			s = &Totals{Name: k.system}
			systems[k.system] = s
		}
		s.Runs += t.Runs
		s.Succeeded += t.Succeeded
		s.Failed += t.Failed
		s.Failovers += t.Failovers
		s.LatePrimaries += t.LatePrimaries
		s.recoveries = append(s.recoveries, t.recoveries...)
		t.Recovery = recovery(t.recoveries)
		s.Pipelines = append(s.Pipelines, *t)
	}
	out := make([]Totals, 0, len(systems))
	byName := func(a, b Totals) int { return cmp.Compare(a.Name, b.Name) }
	for _, s := range systems {
		s.Recovery = recovery(s.recoveries)
		slices.SortFunc(s.Pipelines, byName)
		out = append(out, *s)
	}
	slices.SortFunc(out, byName)
	return out
}

func recovery(ms []int64) Recovery {
	if len(ms) == 0 {
		return Recovery{}
	}
	slices.Sort(ms)
	p50, most := ms[(len(ms)-1)/2], ms[len(ms)-1]
	return Recovery{P50: &p50, Max: &most}
}
