package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/redundctl/redundctl/engine/decide"
	"github.com/redundctl/redundctl/engine/history"
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

// due decides what becomes of slots whose time has come, and records it. What
// cannot be recorded is given again: then it counts as missed.
func (s *server) due(ctx context.Context, list []schedule.Due) {
	f := s.now()
	active, err := s.history.ActiveRuns(ctx)
	if err != nil {
		s.putOff(ctx, list, err)
		return
	}
	x := decide.Facts{Force: f, Stopped: s.stopped(), Active: active}
	var decisions []history.Decision
	ended := map[string][]int64{} // what a slot of a pipeline ends, if it runs
	for _, d := range list {
		if f.Parts[d.ID] == nil {
			continue // it was removed meanwhile
		}
		var list []history.Decision
		list, ended[d.ID] = x.Slots(d)
		decisions = append(decisions, list...)
	}
	for most := firstPart; len(decisions) > 0; most = min(2*most, portion) {
		some := decisions[:min(most, len(decisions))]
		decisions = decisions[len(some):]
		runs, err := s.history.Decide(ctx, some)
		if err != nil {
			s.putOff(ctx, list, err) // what was decided already stays so
			return
		}
		s.decided(ctx, some, runs, ended)
	}
	s.failed("schedules", nil)
	for _, d := range list {
		s.skipped(ctx, d)
	}
}

// decided takes up what was recorded. A run with the ID 0 says that its slot
// was decided before.
func (s *server) decided(ctx context.Context, list []history.Decision, runs []pipeline.Run, ended map[string][]int64) {
	wake := false
	for i, r := range runs {
		if r.ID == 0 {
			continue
		}
		s.meter.Decided(list[i].Run, list[i].Reason)
		if r.State != pipeline.Queued {
			continue
		}
		wake = true
		for _, id := range ended[r.System+"/"+r.Pipeline] {
			// It stands in the history too: the next engine must not go on with it.
			if _, err := s.Cancel(ctx, id, "by the slot "+pipeline.Time(r.Slot)); err != nil {
				s.log.Warn("that a run is cancelled could not be recorded", "run", id, "error", err)
				s.queue.Cancel(id) // it is ended all the same
			}
		}
	}
	if wake {
		s.queue.Wake()
	}
}

// skipped says once that there were more slots than are caught up, also those
// before slots that were put off.
func (s *server) skipped(ctx context.Context, d schedule.Due) {
	s.mu.Lock()
	n := d.Skipped + s.untold[d.ID]
	delete(s.untold, d.ID)
	known := s.force.Parts[d.ID] != nil
	s.mu.Unlock()
	if n == 0 || !known {
		return
	}
	line := fmt.Sprintf("%d slots before %s passed unserved, more than limits.catch-up", n, pipeline.Time(d.Slots[0]))
	s.log.Warn(line, "pipeline", d.ID)
	s.event(ctx, pipeline.Event{Pipeline: d.ID, What: "missed", Detail: line})
}

// putOff has slots that could not be recorded given again later.
func (s *server) putOff(ctx context.Context, list []schedule.Due, err error) {
	if ctx.Err() != nil {
		return // the next engine finds them
	}
	s.failed("schedules", err)
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
	s.parts.Go(func() error {
		if retry.Wait(ctx, againEvery) {
			s.giveAgain()
		}
		return nil
	})
}

// giveAgain has the timer give once more what was put off, and all after it:
// what is decided already is left alone.
func (s *server) giveAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []schedule.Entry
	for id, first := range s.late {
		if p := s.force.Parts[id]; p != nil {
			entries = append(entries, schedule.Entry{ID: id, Schedules: p.Schedules, After: first.Add(-time.Microsecond)})
		}
	}
	clear(s.late)
	s.timer.Set(entries...)
}
