// Package summary counts what a history holds: what `report` prints.
package summary

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
	Cancelled     int      `json:"cancelled"`
	Failovers     int      `json:"failovers"`
	LatePrimaries int      `json:"late-primaries"`
	Duration      Spread   `json:"duration-ms"` // of the newest runs that succeeded: sampled at most of a pipeline
	Lateness      Spread   `json:"lateness-ms"` // of late primaries: from the slot to their beginning
	Recovery      Spread   `json:"recovery-ms"` // from the slot to the success of the backup
	Pipelines     []Totals `json:"pipelines,omitempty"`

	durations, recoveries, lateness []int64
}

// Spread is the median and the most of some lengths of time, in milliseconds;
// nil where there was none.
type Spread struct {
	P50 *int64 `json:"p50"`
	Max *int64 `json:"max"`
}

// sampled is how many runs of a pipeline are read for how long they took, and
// sampledAll of all pipelines together: a report takes as long however long the
// history is.
const sampled, sampledAll = 100, 5000

type pipelineKey struct{ system, name string }

// Of counts the runs queued from since until before until.
func Of(ctx context.Context, db *store.DB, since, until time.Time) (Summary, error) {
	since, until = since.UTC().Truncate(time.Microsecond), until.UTC().Truncate(time.Microsecond)
	c := count{all: map[pipelineKey]*Totals{}, from: since.UnixMicro(), to: until.UnixMicro()}
	err := db.Read(ctx, func(tx *store.Tx) error {
		if err := c.runs(tx); err != nil {
			return err
		}
		if err := c.interrupted(tx, db.Alive); err != nil {
			return err
		}
		if err := c.durations(tx); err != nil {
			return err
		}
		if err := c.failovers(tx); err != nil {
			return err
		}
		return c.latePrimaries(tx)
	})
	return Summary{Since: since, Until: until, Systems: bySystem(c.all)}, err
}

// count is one count of what lies between two times.
type count struct {
	all      map[pipelineKey]*Totals
	from, to int64
}

func (c *count) at(system, name string) *Totals {
	k := pipelineKey{system, name}
	if c.all[k] == nil {
		c.all[k] = &Totals{Name: name}
	}
	return c.all[k]
}

// runs steps over one index from group to group and counts in each: no
// row is read, nothing is sorted.
func (c *count) runs(tx *store.Tx) error {
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
		}, system, name, state, c.from, c.to)
		if err != nil {
			return err
		}
		if s := pipeline.State(state); n > 0 && s.Done() && s != pipeline.Skipped {
			c.at(system, name).add(s, n)
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
	case pipeline.Cancelled:
		t.Cancelled += n
	}
	t.Runs += n
}

// interrupted counts the runs whose process is dead and that nobody has ended
// yet.
func (c *count) interrupted(tx *store.Tx, alive func(engine string) bool) error {
	return tx.Query("SELECT system, name, engine FROM runs WHERE state = 'running' AND +queued >= ? AND +queued < ?", func(row store.Row) error {
		if alive(row.Text(2)) {
			return nil
		}
		c.at(row.Text(0), row.Text(1)).add(pipeline.Failed, 1)
		return nil
	}, c.from, c.to)
}

// durations reads how long the newest runs of each pipeline took that succeeded.
func (c *count) durations(tx *store.Tx) error {
	each := min(sampled, max(1, sampledAll/max(1, len(c.all))))
	for k, t := range c.all {
		if t.Succeeded == 0 {
			continue
		}
		err := tx.Query(`SELECT finished - started FROM runs INDEXED BY runs_tally
			WHERE system = ? AND name = ? AND state = 'succeeded' AND queued >= ? AND queued < ? ORDER BY queued DESC LIMIT ?`, func(row store.Row) error {
			if !row.Null(0) {
				t.durations = append(t.durations, row.Int(0)/1000)
			}
			return nil
		}, k.system, k.name, c.from, c.to, each)
		if err != nil {
			return err
		}
	}
	return nil
}

// failovers counts the slots that a backup served: attempts after the first one
// serve the same slot.
func (c *count) failovers(tx *store.Tx) error {
	type slot struct {
		of pipelineKey
		at int64
	}
	served := map[slot]bool{}
	return tx.Query(`SELECT system, name, state, finished - slot, slot FROM runs INDEXED BY runs_failover
		WHERE "trigger" = 'failover' AND queued >= ? AND queued < ?`, func(row store.Row) error {
		state := pipeline.State(row.Text(2))
		if !state.Done() || state == pipeline.Skipped {
			return nil
		}
		t := c.at(row.Text(0), row.Text(1))
		if at := (slot{pipelineKey{row.Text(0), row.Text(1)}, row.Int(4)}); !served[at] {
			served[at] = true
			t.Failovers++
		}
		if state == pipeline.Succeeded && !row.Null(3) {
			t.recoveries = append(t.recoveries, row.Int(3)/1000)
		}
		return nil
	}, c.from, c.to)
}

func (c *count) latePrimaries(tx *store.Tx) error {
	return tx.Query(`SELECT e.pipeline, s.late FROM events AS e LEFT JOIN slots AS s
			ON s.system = substr(e.pipeline, 1, instr(e.pipeline, '/') - 1) AND s.name = substr(e.pipeline, instr(e.pipeline, '/') + 1) AND s.slot = e.slot
		WHERE e.what = 'late-primary' AND e.at >= ? AND e.at < ?`,
		func(row store.Row) error {
			system, name, _ := strings.Cut(row.Text(0), "/")
			t := c.at(system, name)
			t.LatePrimaries++
			if !row.Null(1) {
				t.lateness = append(t.lateness, row.Int(1)/1000)
			}
			return nil
		}, c.from, c.to)
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
		s.Cancelled += t.Cancelled
		s.Failovers += t.Failovers
		s.LatePrimaries += t.LatePrimaries
		s.recoveries = append(s.recoveries, t.recoveries...)
		s.durations = append(s.durations, t.durations...)
		s.lateness = append(s.lateness, t.lateness...)
		t.Duration, t.Recovery, t.Lateness = spread(t.durations), spread(t.recoveries), spread(t.lateness)
		s.Pipelines = append(s.Pipelines, *t)
	}
	out := make([]Totals, 0, len(systems))
	byName := func(a, b Totals) int { return cmp.Compare(a.Name, b.Name) }
	for _, s := range systems {
		s.Duration, s.Recovery, s.Lateness = spread(s.durations), spread(s.recoveries), spread(s.lateness)
		slices.SortFunc(s.Pipelines, byName)
		out = append(out, *s)
	}
	slices.SortFunc(out, byName)
	return out
}

func spread(ms []int64) Spread {
	if len(ms) == 0 {
		return Spread{}
	}
	slices.Sort(ms)
	p50, most := ms[(len(ms)-1)/2], ms[len(ms)-1]
	return Spread{P50: &p50, Max: &most}
}
