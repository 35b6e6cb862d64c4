// Package seen is what a check of an engine's health reads of the history, and
// what of it counts.
package seen

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/health"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// recentMiss is how long slots that passed unserved count.
const recentMiss = 24 * time.Hour

// Seen is what was read of the history, by system/name, and by system what was
// missed.
type Seen struct {
	Active map[string]history.Active
	Last   map[string]pipeline.Run // the newest of each pipeline that was not skipped
	Ended  map[string]pipeline.Run // the last of each that counts: it has ended, and no other attempt follows
	Failed map[string]pipeline.Run // the newest of each that failed, whatever came after it
	Missed map[string]int
	Err    error // why not all of it could be read
}

// Read reads it, for the pipelines in force.
func Read(ctx context.Context, h *history.History, f *force.Force) (x Seen) {
	if x.Active, x.Err = h.ActiveRuns(ctx); x.Err != nil {
		return x
	}
	if x.Last, x.Ended, x.Failed, x.Err = h.LastRuns(ctx); x.Err != nil {
		return x
	}
	now := time.Now()
	for id, p := range f.Parts {
		if x.Err = x.count(ctx, h, p.Pipeline, now); x.Err != nil {
			delete(x.Ended, id)
			return x
		}
	}
	x.Missed, x.Err = h.Missed(ctx, now.Add(-recentMiss))
	return x
}

// count puts what ended before in the place of a run that another attempt
// follows: whether it failed is not known yet.
func (x *Seen) count(ctx context.Context, h *history.History, p *pipeline.Pipeline, now time.Time) error {
	id := p.ID()
	r, ok := x.Ended[id]
	for ok && r.State.Bad() && !health.Final(&r, p.Retry, x.Active[id].Attempt, now) {
		var err error
		if r, ok, err = h.Before(ctx, r); err != nil {
			return err
		}
	}
	if !ok {
		delete(x.Ended, id)
		return nil
	}
	x.Ended[id] = r
	return nil
}

// Now is what an engine knows by itself, by system/name.
type Now struct {
	Stuck  map[string]time.Time // since when a run goes on past its time
	Probes map[string]ledger.Probe
}

// Systems gives what a verdict over systems is made of.
func (x *Seen) Systems(f *force.Force, names []string, now *Now) []health.System {
	out := make([]health.System, 0, len(names))
	rejected, at := f.RejectedOf(names), map[string]int{}
	for i, name := range names {
		at[name] = i
		out = append(out, health.System{Name: name, Missed: x.Missed[name], Rejected: rejected[name]})
	}
	for _, id := range slices.Sorted(maps.Keys(f.Parts)) {
		p := f.Parts[id]
		i, ok := at[p.Pipeline.System]
		if !ok || f.Halted(p, nil) == "disabled" {
			continue
		}
		y := health.Pipeline{ID: id, Stuck: now.Stuck[id]}
		if probe := now.Probes[id]; p.Pipeline.Primary != nil && probe.Refused && !probe.Known {
			y.Blind = cmp.Or(probe.Why, "its probe gives no answer")
		}
		if l, ok := x.Ended[id]; ok {
			y.Last = &l
		}
		out[i].Pipelines = append(out[i].Pipelines, y)
	}
	return out
}
