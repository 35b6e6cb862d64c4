package simulate

import (
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/redundctl/redundctl/engine/failover"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// watch is one slot from when it is due until nothing about it can change.
type watch struct {
	part   *part
	slot   failover.Slot
	window pipeline.Window
	policy failover.Policy

	base    time.Time        // the step before: looks come at each interval from here on
	reading pipeline.Reading // what it showed
	at      time.Time        // when it is looked at next

	act     failover.Act
	reason  string
	decided time.Time // zero: not yet
	settled bool
	queued  bool   // it is in the queue
	late    string // the run whose lateness was learned
	took    string // the run whose time was learned
}

// open begins to watch a slot.
func (s *sim) open(p *part, slot time.Time) {
	p.given++
	next, ok := schedule.Next(p.schedules, slot)
	if !ok {
		next = slot.Add(longest)
	}
	slot, next = slot.UTC(), next.UTC()
	w := p.spare()
	*w = watch{part: p, base: s.now, window: pipeline.Window{Slot: slot, Next: next}, slot: failover.Slot{At: slot, Known: p.known}}
	w.policy = p.policy(next.Sub(slot))
	p.open = append(p.open, w)
	s.step(w)
}

// spare is a watch to use.
func (p *part) spare() *watch {
	last := len(p.free) - 1
	if last < 0 {
		return &watch{}
	}
	w := p.free[last]
	p.free = p.free[:last]
	return w
}

// policy is what holds for a slot, with what was learned so far.
func (p *part) policy(period time.Duration) failover.Policy {
	out := failover.Policy{
		Grace: p.Grace.For.Std(), StallAfter: p.Primary.StallAfter.Std(), OnUnknown: p.Primary.OnUnknown,
		Dispatch: p.Primary.Recover == "dispatch",
	}
	if p.Grace.Auto {
		out.Grace = failover.Auto(p.late.sorted, period, p.every())
	}
	if out.StallAfter == 0 {
		if p.took.changed {
			p.took.changed, p.stall = false, failover.Stall(p.took.sorted, p.Timeout.Std())
		}
		out.StallAfter = p.stall
	}
	return out
}

// every is the time between two looks.
func (p *part) every() time.Duration {
	if d := p.Primary.Every.Std(); d > 0 {
		return d
	}
	return time.Minute
}

// step is what an engine does about a slot at one instant.
func (s *sim) step(w *watch) {
	if !w.decided.IsZero() {
		s.after(w)
		return
	}
	if !s.blind || s.now.Sub(w.base)%w.part.every() == 0 {
		s.look(w) // where it runs, this is also the look right before the first step
	}
	d := s.decide(w)
	if d.Act == failover.Dispatch {
		d = s.dispatch(w)
	}
	switch d.Act {
	case failover.Run:
		if w.part.Covers == "since" && s.newer(w) {
			return
		}
		w.part.primary.Backup(w.slot.At)
		s.close(w, d)
		s.supersede(w)
		s.wait(w, w.window.Next)
	case failover.Skip:
		s.close(w, d)
		if w.reading.Verdict != pipeline.Delivered {
			s.wait(w, w.window.Next)
			return
		}
		s.supersede(w)
		s.settle(w)
	default:
		s.wait(w, d.By)
	}
}

func (s *sim) decide(w *watch) failover.Decision {
	return s.Decide(w.policy, w.slot, w.reading, s.now)
}

// look asks the primary, and learns of the answer.
func (s *sim) look(w *watch) {
	r, err := w.part.primary.Probe(context.Background(), w.window)
	if err != nil {
		r = pipeline.Reading{Verdict: pipeline.Unknown, Reason: err.Error()}
	}
	w.reading = r
	if r.Verdict != pipeline.Unknown {
		w.slot.Known, w.part.known = true, true
	}
	if r.Verdict == pipeline.UnderWay && w.slot.Seen.IsZero() {
		w.slot.Seen = s.now
	}
	if !r.Scheduled {
		return
	}
	if w.late != r.Run && w.part.Grace.Auto {
		w.late = r.Run
		w.part.late.add(r.Began.Sub(w.slot.At))
	}
	if r.Verdict == pipeline.Delivered && w.took != r.Run {
		w.took = r.Run
		w.part.took.add(r.Ended.Sub(r.Began))
	}
}

// dispatch asks the primary to run, and decides again.
func (s *sim) dispatch(w *watch) failover.Decision {
	w.slot.Asked = s.now
	r, err := w.part.primary.Dispatch(context.Background(), w.window)
	if err != nil {
		w.slot.Refused = true
	} else {
		w.slot.Dispatched, w.window.Run = r.Run, r.Run
		s.look(w)
	}
	return s.decide(w)
}

// newer reports whether the primary has delivered a newer slot, which delivers
// this one too: with `covers: since` only the latest matters.
func (s *sim) newer(w *watch) bool {
	for _, x := range slices.Clone(w.part.open) {
		if x.slot.At.After(w.slot.At) && x.decided.IsZero() {
			s.look(x)
			if d := s.decide(x); d.Act == failover.Skip && x.reading.Verdict == pipeline.Delivered {
				s.close(x, d)
				s.supersede(x)
				s.settle(x)
				return true
			}
		}
	}
	return false
}

// supersede closes the slots before one that was delivered, where only the
// latest matters.
func (s *sim) supersede(w *watch) {
	if w.part.Covers != "since" {
		return
	}
	for _, x := range slices.Clone(w.part.open) {
		if x.slot.At.Before(w.slot.At) && x.decided.IsZero() {
			s.close(x, failover.Decision{Act: failover.Skip, Reason: "superseded"})
			s.settle(x)
		}
	}
}

func (s *sim) close(w *watch, d failover.Decision) {
	w.act, w.reason, w.decided = d.Act, d.Reason, s.now
}

// after looks for late runs of a slot that was decided.
func (s *sim) after(w *watch) {
	s.look(w)
	s.fence(w)
	if !s.now.Before(w.window.Next) {
		s.settle(w)
		return
	}
	s.wait(w, w.window.Next)
}

// fence ends runs of the primary that go on beside the backup: a look shows one,
// so after each there is another look.
func (s *sim) fence(w *watch) {
	for s.ends(w) {
		if err := w.part.primary.Cancel(context.Background(), w.reading); err != nil {
			return // it has ended since the look
		}
		s.look(w)
	}
}

// ends reports whether the last look showed a run to end.
func (s *sim) ends(w *watch) bool {
	r := &w.reading
	return w.act == failover.Run && w.part.Primary.Fence == "cancel-late" && r.Verdict == pipeline.UnderWay && r.Scheduled
}

// wait plans the next step of a slot: by is when something is to be done however
// little the primary shows. The next look that shows something else comes first.
func (s *sim) wait(w *watch, by time.Time) {
	w.base = s.now
	w.at = s.next(w)
	switch decided := !w.decided.IsZero(); {
	case decided && s.ends(w):
		w.at = s.now.Add(w.part.every()) // it stalled, and is ended at the next look
	case decided && (w.at.IsZero() || !by.After(s.now)):
		s.settle(w)
		return
	}
	if by.After(s.now) && (w.at.IsZero() || by.Before(w.at)) {
		w.at = by
	}
	if !w.at.IsZero() { // else nothing will ever change: it stays undecided
		w.queued = true
		heap.Push(&s.queue, w)
	}
}

// next is the first look after now that may show something else than the last
// one; the zero time: there is none.
func (s *sim) next(w *watch) time.Time {
	every := w.part.every()
	if s.always {
		return s.now.Add(every)
	}
	at := w.part.primary.Change(w.window)
	if at.IsZero() {
		return at
	}
	return s.now.Add((at.Sub(s.now) + every - 1) / every * every)
}

// kept is how many of the newest runs of a primary are learned of, as an engine does.
const kept = 200

// sample holds the newest lengths of time.
type sample struct {
	newest  []time.Duration // in a ring
	sorted  []time.Duration
	oldest  int  // in the ring
	changed bool // since somebody set it to false
}

func (x *sample) add(d time.Duration) {
	if len(x.newest) < kept {
		x.newest = append(x.newest, d)
	} else {
		gone := x.newest[x.oldest]
		x.newest[x.oldest] = d
		x.oldest = (x.oldest + 1) % kept
		if gone == d {
			return
		}
		i, _ := slices.BinarySearch(x.sorted, gone)
		x.sorted = slices.Delete(x.sorted, i, i+1)
	}
	i, _ := slices.BinarySearch(x.sorted, d)
	x.sorted, x.changed = slices.Insert(x.sorted, i, d), true
}
