// Package due takes the slots whose time has come and has each of them decided
// and recorded, or left open until its primary was asked. What cannot be
// recorded is given again later: no slot is without its record.
package due

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/decide"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/retry"
	"github.com/redundctl/redundctl/engine/schedule"
)

// portion is how many decisions go in one transaction at most: after a long
// sleep there are many, and runs that wait for their turn write between them. The
// first ones are few, so that the first runs begin at once. What failed is tried
// again after againEvery.
const (
	firstPart  = 8
	portion    = 64
	againEvery = 5 * time.Second
)

// Options are what slots are taken with. The functions are called by the
// goroutine of Take, but for Again.
type Options struct {
	History *history.History
	Log     *slog.Logger
	Force   func() *force.Force
	Stopped func() map[string]time.Time
	// Open takes slots over whose primary is to be asked.
	Open func(ctx context.Context, list []ledger.Slot) error
	// Decided is told what was recorded, with the runs that a run ends.
	Decided func(ctx context.Context, run pipeline.Run, ends []int64)
	// Woken is told when runs wait.
	Woken func()
	// Again has the slots of entries given once more.
	Again func(list []schedule.Entry)
	Event func(ctx context.Context, e pipeline.Event)
	// Failed is told why slots cannot be recorded, and nil when they can be.
	Failed func(error)
	// Go runs what waits until slots are given again.
	Go func(func() error)
}

// Slots takes them. Take is for one goroutine at a time.
type Slots struct {
	o Options

	mu     sync.Mutex
	late   map[string]time.Time // slots that are to be given again, and all after them
	untold map[string]int       // how many slots passed unserved before them
}

// New gives what takes slots.
func New(o Options) *Slots {
	return &Slots{o: o, late: map[string]time.Time{}, untold: map[string]int{}}
}

// PutOff is of how many pipelines slots wait to be given again.
func (s *Slots) PutOff() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.late)
}

// Forget drops what waits to be given again of pipelines that are gone, or whose
// new schedule has no slots before now.
func (s *Slots) Forget(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		delete(s.late, id)
		delete(s.untold, id)
	}
}

// Take decides what becomes of slots whose time has come, and records it. What
// cannot be recorded is given again: then it counts as missed.
func (s *Slots) Take(ctx context.Context, list []schedule.Due) {
	f := s.o.Force()
	active, err := s.o.History.ActiveRuns(ctx)
	if err != nil {
		s.putOff(ctx, list, err)
		return
	}
	x := decide.Facts{Force: f, Stopped: s.o.Stopped(), Active: active}
	var decisions []history.Decision
	var open []ledger.Slot
	ends := map[string][]int64{} // what a slot of a pipeline ends, if it runs
	for _, d := range list {
		if f.Parts[d.ID] == nil {
			continue // it was removed meanwhile
		}
		y := x.Slots(d)
		decisions, open, ends[d.ID] = append(decisions, y.List...), append(open, y.Open...), y.Ends
	}
	for most := firstPart; len(decisions) > 0; most = min(2*most, portion) {
		some := decisions[:min(most, len(decisions))]
		decisions = decisions[len(some):]
		runs, err := s.o.History.Decide(ctx, some)
		if err != nil {
			s.putOff(ctx, list, err) // what was decided already stays so
			return
		}
		s.decided(ctx, runs, ends)
	}
	if len(open) > 0 {
		if err := s.o.Open(ctx, open); err != nil {
			s.putOff(ctx, list, err)
			return
		}
	}
	s.o.Failed(nil)
	for _, d := range list {
		s.skipped(ctx, d)
	}
}

// decided tells what was recorded. A run with the ID 0 says that its slot was
// decided before.
func (s *Slots) decided(ctx context.Context, runs []pipeline.Run, ends map[string][]int64) {
	wake := false
	for _, r := range runs {
		if r.ID == 0 {
			continue
		}
		s.o.Decided(ctx, r, ends[r.System+"/"+r.Pipeline])
		wake = wake || r.State == pipeline.Queued
	}
	if wake {
		s.o.Woken()
	}
}

// skipped says once that there were more slots than are caught up, also those
// before slots that were put off.
func (s *Slots) skipped(ctx context.Context, d schedule.Due) {
	known := s.o.Force().Parts[d.ID] != nil
	s.mu.Lock()
	n := d.Skipped + s.untold[d.ID]
	delete(s.untold, d.ID)
	s.mu.Unlock()
	if n == 0 || !known {
		return
	}
	line := fmt.Sprintf("%d slots before %s passed unserved, more than limits.catch-up", n, pipeline.Time(d.Slots[0]))
	s.o.Log.Warn(line, "pipeline", d.ID)
	s.o.Event(ctx, pipeline.Event{Pipeline: d.ID, What: "missed", Detail: line})
}

// putOff has slots that could not be recorded given again later.
func (s *Slots) putOff(ctx context.Context, list []schedule.Due, err error) {
	if ctx.Err() != nil {
		return // the next engine finds them
	}
	s.o.Failed(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	waits := len(s.late) > 0
	for _, d := range list {
		if d.Skipped > 0 {
			s.untold[d.ID] += d.Skipped
		}
		if first, ok := s.late[d.ID]; !ok || d.Slots[0].Before(first) {
			s.late[d.ID] = d.Slots[0]
		}
	}
	if waits {
		return // somebody is about to give them again
	}
	s.o.Go(func() error {
		if retry.Wait(ctx, againEvery) {
			s.giveAgain()
		}
		return nil
	})
}

// giveAgain has the timer give once more what was put off, and all after it:
// what is decided already is left alone.
func (s *Slots) giveAgain() {
	f := s.o.Force()
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []schedule.Entry
	for id, first := range s.late {
		if p := f.Parts[id]; p != nil {
			entries = append(entries, schedule.Entry{ID: id, Schedules: p.Schedules, After: first.Add(-time.Microsecond)})
		}
	}
	clear(s.late)
	s.o.Again(entries)
}
