// Package simulate lives through many days of a project in moments: the engine's
// own scheduler and its own decisions, on a clock that is not real, against
// primaries that are modelled. What came of it is told by a log of what ran when,
// and not by what was decided.
//
// Start with Run. primary.go is the model, which serves as a fake primary
// elsewhere too; watch.go looks at the primary and decides, as an engine does;
// outcome.go judges by the log.
package simulate

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/redundctl/redundctl/engine/failover"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// Options are what is simulated.
type Options struct {
	From time.Time // slots at or after it count
	Days int       // of 24 hours
	// Seed is what chance is derived from, with the identity of the pipeline and
	// the slot: the same seed gives the same result.
	Seed     int64
	Loss     float64       // 0 to 1: the chance that a primary begins no run for a slot
	Lateness Lateness      // how long after the slot it begins
	Duration time.Duration // how long its runs take

	// Plan makes a Plan in place of Seed, Loss and Lateness; nil: none.
	Plan func(id string) Plan
	// Decide is what decides, of several pipelines at once; nil: failover.Decide.
	Decide func(failover.Policy, failover.Slot, pipeline.Reading, time.Time) failover.Decision
	// Settled is told of every slot that counts, when nothing about it can change
	// any more, one after the other; nil: nobody is.
	Settled func(Outcome)
	// Progress is told now and then how much has passed, from 0 to 1; nil: nobody
	// is.
	Progress func(share float64)

	always bool // looks at each interval, also where nothing can have changed
	blind  bool // decides without a look when its time has come between two of them
}

// Result is what came of it.
type Result struct {
	Pipelines int
	Slots     int // that were decided within the days
	ByPrimary int // that the primary delivered, and the backup did not run
	ByBackup  int // that the backup ran
	Missed    int // that nobody delivered
	Doubled   int // of ByBackup: those that the primary delivered too
	// Delay is from the slot to when the primary's run had succeeded or the
	// backup's began, of the slots that were delivered.
	Delay Delays
}

// Run simulates pipelines that have schedules and a primary, each as if it were
// enabled and in standby. The same pipelines in another order give the same. The
// error is that of ctx, or names a schedule that cannot be read.
func Run(ctx context.Context, list []*pipeline.Pipeline, o Options) (Result, error) {
	list = slices.SortedStableFunc(slices.Values(list), func(a, b *pipeline.Pipeline) int { return cmp.Compare(a.ID(), b.ID()) })
	// Pipelines do not touch each other, so they are simulated in groups side by
	// side.
	groups := slices.Collect(slices.Chunk(list, together))
	results := make([]Result, len(groups))
	t := told{Options: o, shares: make([]float64, len(groups))}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, some := range groups {
		g.Go(func() error {
			s := &sim{Options: t.of(i), now: o.From, end: o.From.Add(time.Duration(o.Days) * 24 * time.Hour)}
			err := s.all(ctx, some)
			results[i] = s.result
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return Result{}, err
	}
	var out Result
	for _, r := range results {
		out.add(r)
	}
	return out, nil
}

// together is how many pipelines one clock and one timer serve.
const together = 10

// told hands on what several simulations tell, one after the other.
type told struct {
	Options

	mu     sync.Mutex
	shares []float64
}

// of are the options of one of them.
func (t *told) of(i int) Options {
	o := t.Options
	if o.Decide == nil {
		o.Decide = failover.Decide
	}
	if t.Settled != nil {
		o.Settled = func(x Outcome) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.Settled(x)
		}
	}
	if t.Progress != nil {
		o.Progress = func(share float64) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.shares[i] = share
			sum := 0.0
			for _, x := range t.shares {
				sum += x
			}
			t.Progress(sum / float64(len(t.shares)))
		}
	}
	return o
}

// add counts the slots of other pipelines too.
func (r *Result) add(x Result) {
	r.Pipelines += x.Pipelines
	r.Slots += x.Slots
	r.ByPrimary += x.ByPrimary
	r.ByBackup += x.ByBackup
	r.Missed += x.Missed
	r.Doubled += x.Doubled
	r.Delay.merge(x.Delay)
}

// sim is one simulation. It belongs to one goroutine.
type sim struct {
	Options

	now, end time.Time
	last     time.Time // slots before the end are given before it: jitter moves some
	timer    *schedule.Timer
	parts    map[string]*part
	queue    watches // those that wait for their next look
	result   Result
}

// part is one pipeline.
type part struct {
	*pipeline.Pipeline

	id        string
	place     int // among all, in the order of their ids
	schedules []*schedule.Schedule
	primary   *Primary
	known     bool // its probe was conclusive once
	late      sample
	took      sample
	stall     time.Duration // what took says
	open      []*watch      // slots that are not settled, in order
	free      []*watch      // that may be used again
	given     int           // slots that the timer gave
}

// all simulates pipelines, which are in the order of their ids, from begin to end.
func (s *sim) all(ctx context.Context, list []*pipeline.Pipeline) error {
	if err := s.begin(list); err != nil {
		return err
	}
	if err := s.run(ctx); err != nil {
		return err
	}
	s.finish()
	return nil
}

// begin makes the parts and gives their schedules to the timer.
func (s *sim) begin(list []*pipeline.Pipeline) error {
	var zones schedule.Zones
	s.parts = make(map[string]*part, len(list))
	s.timer = schedule.NewTimer(schedule.TimerOptions{Now: s.clock})
	entries := make([]schedule.Entry, 0, len(list))
	for i, p := range list {
		x := &part{Pipeline: p, id: p.ID(), place: i}
		x.took.changed = true
		for _, one := range p.Schedule {
			parsed, err := zones.Parse(one)
			if err != nil {
				return fmt.Errorf("the schedule of %s: %w", x.id, err)
			}
			x.schedules = append(x.schedules, parsed)
			if last := s.end.Add(one.Jitter.Std()); last.After(s.last) {
				s.last = last
			}
		}
		plan := s.Lateness.plan(s.Seed, x.id, s.Loss)
		if s.Plan != nil {
			plan = s.Plan(x.id)
		}
		x.primary = NewPrimary(PrimaryOptions{Schedules: x.schedules, From: s.From, Until: s.end, Plan: plan, Duration: s.Duration, Now: s.clock})
		s.parts[x.id] = x
		entries = append(entries, schedule.Entry{ID: x.id, Schedules: x.schedules, After: before(s.From)})
	}
	s.result.Pipelines = len(s.parts)
	s.timer.Set(entries...)
	return nil
}

func (s *sim) clock() time.Time { return s.now }

// share is how much of the days has passed, from 0 to 1.
func (s *sim) share() float64 {
	return min(float64(s.now.Sub(s.From))/float64(s.end.Sub(s.From)), 1)
}

// often is how many events go by between two looks at whether to go on.
const often = 4096

// run goes from one instant at which something happens to the next, until all
// slots are settled.
func (s *sim) run(ctx context.Context) error {
	_, slot := s.timer.Take(before(s.From))
	for n := 0; ; n++ {
		if n%often == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if s.Progress != nil {
				s.Progress(s.share())
			}
		}
		more := !slot.IsZero() && slot.Before(s.last)
		switch {
		case more && (len(s.queue) == 0 || !s.queue[0].at.Before(slot)):
			s.now = slot.UTC()
			var due []schedule.Due
			due, slot = s.timer.Take(s.now)
			for _, d := range due {
				for _, t := range d.Slots {
					if t.Before(s.end) {
						s.open(s.parts[d.ID], t)
					}
				}
			}
		case len(s.queue) > 0:
			w := heap.Pop(&s.queue).(*watch)
			if w.queued = false; w.settled {
				w.part.free = append(w.part.free, w)
				continue
			}
			s.now = w.at
			s.step(w)
		default:
			return nil
		}
	}
}

// finish counts what was never decided, and what the scheduler did not give,
// neither of which anybody delivers.
func (s *sim) finish() {
	s.now = s.end
	for _, id := range slices.Sorted(maps.Keys(s.parts)) {
		p := s.parts[id]
		for _, w := range slices.Clone(p.open) {
			s.settle(w)
		}
		if lost := p.primary.Slots() - p.given; lost > 0 {
			s.result.Slots += lost
			s.result.Missed += lost
		}
	}
}

// watches is a heap, the one that is due first on top.
type watches []*watch

func (q watches) Len() int { return len(q) }
func (q watches) Less(i, j int) bool {
	a, b := q[i], q[j]
	if c := a.at.Compare(b.at); c != 0 {
		return c < 0
	}
	return cmp.Or(cmp.Compare(a.part.place, b.part.place), a.slot.At.Compare(b.slot.At)) < 0
}
func (q watches) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is for container/heap.
func (q *watches) Push(x any) { *q = append(*q, x.(*watch)) }

// Pop is for container/heap.
func (q *watches) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return w
}
