// Package drill proves on a schedule that backups would work: that their
// programs and secrets are there and the plan succeeds, or by a real run where
// the pipeline says so.
//
// Start with New, then Drills.Run; prove.go is one proof.
package drill

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/history/priority"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/retry"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/work"
)

// Times between two looks at what is due: these bound how late a change of the
// wall clock or of a file is seen.
const (
	look  = time.Second
	again = 5 * time.Second // until what the history holds is asked for again
)

// Options are what Drills work with. The functions may be called by several
// goroutines.
type Options struct {
	History *history.History
	Ledger  *ledger.Ledger
	Worker  *work.Worker
	Log     *slog.Logger
	Force   func() *force.Force
	Stopped func() map[string]time.Time
	// Woken is told when a run waits.
	Woken func()
	// Told is told how the drill of a pipeline ended; why is "" when its backup
	// was proved.
	Told func(ctx context.Context, id, why string)
	// Failed is told why the history cannot be read, and nil when it can be.
	Failed func(error)
}

// Drills proves backups. Its methods may be called from several goroutines.
type Drills struct {
	o Options

	mu     sync.Mutex
	proved map[string]time.Time // by system/name
	last   map[string]time.Time // when each was drilled last, whatever came of it
	runs   map[string]int64     // real drills that have not ended
	plans  map[string]*plan
}

// plan is when one pipeline is drilled next.
type plan struct {
	of       pipeline.Drill
	schedule *schedule.Schedule // nil: it cannot be kept
	next     time.Time          // zero: never
}

// New gives Drills that prove nothing yet.
func New(o Options) *Drills {
	return &Drills{o: o, proved: map[string]time.Time{}, last: map[string]time.Time{}, runs: map[string]int64{}, plans: map[string]*plan{}}
}

// Proved gives when each backup was proved last, by system/name.
func (d *Drills) Proved() map[string]time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.proved)
}

// Run proves until ctx is done.
func (d *Drills) Run(ctx context.Context) {
	for !d.load(ctx) {
		if !retry.Wait(ctx, again) {
			return
		}
	}
	for first := true; ; first = false {
		wait := d.round(ctx, first)
		if !retry.Wait(ctx, wait) {
			return
		}
	}
}

// load takes up what was recorded.
func (d *Drills) load(ctx context.Context) bool {
	proved, last, err := d.o.Ledger.Drilled(ctx)
	if ctx.Err() != nil {
		return false
	}
	d.o.Failed(err)
	if err != nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.Copy(d.proved, proved)
	maps.Copy(d.last, last)
	return true
}

// round proves what is due, one after another, and says when to look again. In
// the first one a drill that an earlier engine missed is due at once, and only
// once however many were.
func (d *Drills) round(ctx context.Context, first bool) time.Duration {
	f, now, wait := d.o.Force(), time.Now(), look
	var due []string
	for id, p := range f.Parts {
		if p.Pipeline.Drill == nil {
			delete(d.plans, id)
			continue
		}
		next := d.next(id, p, now, first)
		switch halted := f.Halted(p, d.o.Stopped()); {
		case next.IsZero() || halted != "" && halted != "observed":
		case next.After(now):
			wait = min(wait, next.Sub(now))
		default:
			due = append(due, id)
		}
	}
	slices.Sort(due)
	checks := checks{}
	for _, id := range due {
		if ctx.Err() != nil {
			return look
		}
		d.plans[id].next = after(d.plans[id].schedule, time.Now())
		d.drill(ctx, f, f.Parts[id], checks)
	}
	if len(due) > 0 {
		return 0 // what came due meanwhile
	}
	return wait
}

// next is when a part is due. Its last drill counts where an earlier engine
// made it; else, and when the drill was changed, it begins from now.
func (d *Drills) next(id string, p *force.Part, now time.Time, first bool) time.Time {
	of := *p.Pipeline.Drill
	if x := d.plans[id]; x != nil && x.of == of {
		return x.next
	}
	x := &plan{of: of}
	d.plans[id] = x
	var err error
	x.schedule, err = schedule.Parse(pipeline.Schedule{Cron: of.Cron, Timezone: of.Timezone, DST: pipeline.DST{Gap: "shift", Fold: "first"}})
	if err != nil {
		d.o.Log.Error("the schedule of a drill cannot be kept", "pipeline", id, "error", err)
		return time.Time{}
	}
	d.mu.Lock()
	last, ok := d.last[id]
	d.mu.Unlock()
	if !first || !ok || last.After(now) {
		last = now
	}
	x.next = after(x.schedule, last)
	return x.next
}

// after is the next time of a schedule; zero: there is none.
func after(s *schedule.Schedule, t time.Time) time.Time {
	if s == nil {
		return time.Time{}
	}
	next, _ := schedule.Next([]*schedule.Schedule{s}, t)
	return next
}

// drill proves one backup and tells what came of it.
func (d *Drills) drill(ctx context.Context, f *force.Force, p *force.Part, c checks) {
	id := p.Pipeline.ID()
	err := d.prove(ctx, f.SetOf(p), p.Pipeline, c)
	if ctx.Err() != nil {
		return // the next engine finds that it is due
	}
	switch {
	case err != nil:
		d.tell(ctx, pipeline.Event{Pipeline: id, What: "drill-failed", Detail: err.Error()})
	case p.Pipeline.Drill.DryRun || f.Halted(p, d.o.Stopped()) == "observed":
		d.tell(ctx, pipeline.Event{Pipeline: id, What: "drill-proved", Detail: "its programs and secrets are there, and its plan succeeds"})
	default:
		if err := d.run(ctx, p); err != nil {
			d.o.Log.Error("a drill could not be lined up", "pipeline", id, "error", err)
		}
	}
}

// run lines up a real run, unless that of an earlier drill goes on.
func (d *Drills) run(ctx context.Context, p *force.Part) error {
	x := p.Pipeline
	id := x.ID()
	d.mu.Lock()
	before := d.runs[id]
	d.mu.Unlock()
	if before != 0 {
		r, err := d.o.History.Run(ctx, before)
		if err == nil && !r.State.Done() {
			d.o.Log.Warn("a drill is left out: the run of the one before has not ended", "pipeline", id, "run", before)
			return nil
		}
	}
	r, err := d.o.History.Enqueue(ctx, history.Order{
		System: x.System, Pipeline: x.Name, Trigger: "drill", Reason: "drill", Priority: priority.Of(x.Priority),
		Env: map[string]string{"REDUND_DRILL": "true"}, Definition: p.Definition(),
	})
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.runs[id], d.last[id] = r.ID, time.Now()
	d.mu.Unlock()
	d.o.Woken()
	return d.o.History.Event(ctx, pipeline.Event{Run: r.ID, Pipeline: id, What: "drill", Detail: fmt.Sprintf("run %d is to prove the backup", r.ID)})
}

// Ended is told how a run of a drill ended, when no other attempt follows.
func (d *Drills) Ended(ctx context.Context, r pipeline.Run) {
	e := pipeline.Event{Run: r.ID, Pipeline: r.System + "/" + r.Pipeline, What: "drill-proved", Detail: fmt.Sprintf("run %d succeeded", r.ID)}
	d.mu.Lock()
	delete(d.runs, e.Pipeline)
	d.mu.Unlock()
	switch {
	case r.State.Bad():
		e.What, e.Detail = "drill-failed", fmt.Sprintf("run %d %s: %s", r.ID, r.State, r.Error)
	case r.State != pipeline.Succeeded:
		return // cancelled: nothing is known
	}
	d.tell(ctx, e)
}

// tell records what came of a drill, and tells of it.
func (d *Drills) tell(ctx context.Context, e pipeline.Event) {
	e.At = time.Now().UTC().Truncate(time.Microsecond)
	why := ""
	d.mu.Lock()
	d.last[e.Pipeline] = e.At
	if e.What == "drill-proved" {
		d.proved[e.Pipeline] = e.At
	} else {
		why = e.Detail
	}
	d.mu.Unlock()
	if err := d.o.History.Event(ctx, e); err != nil {
		d.o.Log.Warn("what came of a drill could not be recorded", "pipeline", e.Pipeline, "error", err)
	}
	if why != "" {
		d.o.Log.Warn("a drill failed: the backup would not work", "pipeline", e.Pipeline, "error", why)
	} else {
		d.o.Log.Info("a drill proved the backup", "pipeline", e.Pipeline)
	}
	d.o.Told(ctx, e.Pipeline, why)
}
