package standby

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redundctl/redundctl/engine/decide"
	"github.com/redundctl/redundctl/engine/failover"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/history/priority"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/probes"
)

// look looks at the primary of one part for each of its slots, and says when it
// is to be looked at again; zero: never.
func (w *Watch) look(ctx context.Context, p *part) time.Time {
	p.looking.Lock()
	defer p.looking.Unlock()
	w.take(p)
	p.spent = nil
	f := w.o.Force()
	now := time.Now()
	var next time.Time
	var errs []error
	for _, s := range p.slots {
		if s.at.After(now) {
			next = earlier(next, s.at)
			continue
		}
		if err := w.slot(ctx, f, p, s); err != nil {
			errs = append(errs, err)
			s.at = time.Now().Add(again)
		}
		if ctx.Err() != nil {
			return time.Time{}
		}
		if !s.finished {
			next = earlier(next, s.at)
		}
	}
	p.slots = slices.DeleteFunc(p.slots, func(s *watched) bool { return s.finished })
	w.o.Failed(errors.Join(errs...))
	return next
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// slot looks at the primary for one slot and does what is to be done.
func (w *Watch) slot(ctx context.Context, f *force.Force, p *part, s *watched) error {
	of := f.Parts[p.id]
	if of != nil {
		ends(&s.Slot, of)
	}
	switch {
	case of == nil && !w.o.Serves(s.System):
		s.finished = true // it is for an engine that does
		return nil
	case of == nil:
		return w.settle(ctx, nil, s, failover.Decision{Act: failover.Skip, Reason: "removed"})
	case s.Decision != "":
		return w.late(ctx, f, p, s)
	case !decide.Asks(f, of, f.Halted(of, w.o.Stopped())):
		return w.unasked(ctx, f, of, s)
	}
	policy, err := w.Policy(ctx, of.Pipeline, &s.Slot)
	if err != nil {
		return err
	}
	r := w.ask(ctx, f, p, pipeline.Window{Slot: s.At, Next: s.Next, Run: s.Dispatched})
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the engine ends: the next one looks
	}
	if err := w.saw(ctx, p.id, s, r); err != nil {
		return err
	}
	d := failover.Decide(policy, w.facts(p.id, &s.Slot), r, time.Now())
	if d.Act == failover.Dispatch {
		if err := w.dispatch(ctx, p, s); err != nil {
			return err
		}
		d = failover.Decide(policy, w.facts(p.id, &s.Slot), r, time.Now())
	}
	if d.Act != failover.Wait {
		return w.settle(ctx, of, s, d)
	}
	s.at = time.Now().Add(of.Pipeline.Primary.Every.Std())
	if d.By.After(time.Now()) && d.By.Before(s.at) {
		s.at = d.By
	}
	return nil
}

// ends moves the end of a slot to the next one as the schedule is now: a run of
// the primary belongs to the latest slot, also after an edit.
func ends(s *ledger.Slot, of *force.Part) {
	if next := decide.After(of, s.At); next.Before(s.Next) {
		s.Next = next
	}
}

// unasked decides an open slot whose primary is not asked any more.
func (w *Watch) unasked(ctx context.Context, f *force.Force, of *force.Part, s *watched) error {
	if why := f.Halted(of, w.o.Stopped()); why != "" {
		return w.settle(ctx, of, s, failover.Decision{Act: failover.Skip, Reason: why})
	}
	return w.settle(ctx, of, s, failover.Decision{Act: failover.Run, Reason: "scheduled"})
}

// ask looks through the probe of a part, which is made anew when what it was
// made of has changed: a PM2 probe remembers the starts that it saw. Where it has
// run out of time for one slot, it is not asked for others in the same look.
func (w *Watch) ask(ctx context.Context, f *force.Force, p *part, window pipeline.Window) pipeline.Reading {
	of := f.Parts[p.id]
	if set := any(f.SetOf(of)); p.of != of || p.with != set {
		p.of, p.with = of, set
		var probe *probes.Primary
		if probe, p.wrong = w.o.Build(f, of, p.probe); p.wrong == nil {
			p.probe = probe
		}
	}
	if p.wrong != nil {
		return pipeline.Reading{Verdict: pipeline.Unknown, Refused: true, Reason: p.wrong.Error()}
	}
	if p.spent != nil {
		return *p.spent
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	r := p.probe.Look(ctx, window)
	out := ctx.Err() != nil && r.Verdict == pipeline.Unknown
	if p.hung.Store(out); out {
		p.spent = &r
	}
	return r
}

// Policy is what a pipeline says, with what its primary's own history says.
func (w *Watch) Policy(ctx context.Context, p *pipeline.Pipeline, s *ledger.Slot) (failover.Policy, error) {
	x := p.Primary
	out := failover.Policy{Grace: p.Grace.For.Std(), StallAfter: x.StallAfter.Std(), OnUnknown: x.OnUnknown, Dispatch: x.Recover == "dispatch"}
	if !p.Grace.Auto && out.StallAfter > 0 {
		return out, nil
	}
	late, took, err := w.o.Ledger.Learned(ctx, p.ID())
	if err != nil {
		return out, err
	}
	if p.Grace.Auto {
		out.Grace = failover.Auto(late, s.Next.Sub(s.At), x.Every.Std())
	}
	if out.StallAfter == 0 {
		out.StallAfter = failover.Stall(took, p.Timeout.Std())
	}
	return out, nil
}

func (w *Watch) facts(id string, s *ledger.Slot) failover.Slot {
	w.mu.Lock()
	known := w.known[id].Known
	w.mu.Unlock()
	return failover.Slot{At: s.At, Known: known, Seen: s.Seen, Lease: s.Lease, Dispatched: s.Dispatched, Asked: s.Asked, Refused: s.Refused}
}

// saw records what a look showed, where it differs from the one before, and
// takes up what the primary asked for meanwhile.
func (w *Watch) saw(ctx context.Context, id string, s *watched, r pipeline.Reading) error {
	now, ok, err := w.o.Ledger.Slot(ctx, s.System, s.Name, s.At)
	if err != nil || !ok {
		return err
	}
	s.Claimed, s.Lease, s.Fence, s.Decision, s.Missed = now.Claimed, now.Lease, now.Fence, now.Decision, now.Missed
	if err := w.know(ctx, id, r); err != nil {
		return err
	}
	if r.Verdict == pipeline.UnderWay && s.Seen.IsZero() {
		s.Seen = time.Now()
	}
	was := s.Reading
	s.Reading = r
	if was.Verdict == r.Verdict && was.Run == r.Run && was.Reason == r.Reason && was.Began.Equal(r.Began) && was.Ended.Equal(r.Ended) {
		return nil
	}
	story := ""
	if was.Verdict != r.Verdict || was.Run != r.Run {
		story = said(r)
	}
	return w.o.Ledger.Read(ctx, s.Slot, story)
}

// said is a reading in one line.
func said(r pipeline.Reading) string {
	line := string(r.Verdict)
	if r.Reason != "" {
		line += ": " + r.Reason
	}
	if r.URL != "" {
		line += " (" + r.URL + ")"
	}
	return line
}

// know keeps whether the probe of a pipeline ever knew anything.
func (w *Watch) know(ctx context.Context, id string, r pipeline.Reading) error {
	w.mu.Lock()
	was := w.known[id]
	w.mu.Unlock()
	is := ledger.Probe{Known: was.Known || r.Verdict != pipeline.Unknown, Refused: was.Refused && r.Verdict == pipeline.Unknown, Verdict: r.Verdict, Why: r.Reason, Since: was.Since}
	if is.Known == was.Known && is.Refused == was.Refused && is.Verdict == was.Verdict {
		return nil
	}
	is.Since = time.Now()
	if is.Verdict != pipeline.Unknown && was.Verdict == pipeline.Unknown && w.o.Known != nil {
		w.o.Known(ctx, id, r)
	}
	return w.remember(ctx, id, is)
}

func (w *Watch) remember(ctx context.Context, id string, p ledger.Probe) error {
	w.mu.Lock()
	w.known[id] = p
	w.mu.Unlock()
	return w.o.Ledger.Probed(ctx, id, p)
}

// dispatch asks the primary to run, once for a slot: that it is asked is recorded
// before, so that no engine asks again what one that died may have asked.
func (w *Watch) dispatch(ctx context.Context, p *part, s *watched) error {
	asked := s.Slot
	asked.Asked = time.Now()
	d, ok := p.probe.Probe.(pipeline.Dispatcher)
	if !ok {
		s.Asked, s.Refused = asked.Asked, true
		return w.o.Ledger.Read(ctx, s.Slot, "this kind of primary cannot be asked to run")
	}
	if err := w.o.Ledger.Read(ctx, asked, ""); err != nil {
		return err
	}
	s.Asked = asked.Asked
	short, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	var story string
	r, err := d.Dispatch(short, pipeline.Window{Slot: s.At, Next: s.Next})
	switch {
	case err == nil:
		s.Dispatched, story = r.Run, "asked to run: "+said(r)
	case ctx.Err() != nil: // we stop, and it may have taken it
		story = "asked to run; the engine was stopped before it answered"
	default:
		s.Refused, story = true, "asked to run, and refused: "+p.probe.Masker.Mask(err.Error())
	}
	return w.o.Ledger.Read(context.WithoutCancel(ctx), s.Slot, story)
}

// settle records a decision. What would run is skipped where the part is halted
// or enough of it runs already.
func (w *Watch) settle(ctx context.Context, of *force.Part, s *watched, d failover.Decision) error {
	x := ledger.Settled{Slot: s.Slot, Run: d.Act == failover.Run, Reason: d.Reason}
	x.Detail = explain(d, s.Reading)
	var ends []int64
	if of != nil {
		x.Kind = kind(of)
		x.Priority, x.Definition = priority.Of(of.Pipeline.Priority), of.Definition()
		x.Since = of.Pipeline.Covers == "since" && s.Reading.Verdict == pipeline.Delivered
		if x.Run {
			f := w.o.Force()
			active, err := w.o.History.ActiveRuns(ctx)
			if err != nil {
				return err
			}
			n := active[of.Pipeline.ID()]
			halted := f.Halted(of, w.o.Stopped())
			switch ok, why := decide.Beside(of.Pipeline, &n); {
			case halted != "":
				x.Run, x.Reason, x.Detail = false, halted, x.Detail+", but it is "+halted
			case s.Missed: // it is caught up, whatever runs
			case !ok:
				x.Run, x.Reason, x.Detail = false, why, x.Detail+", but enough of its runs are active"
			case of.Pipeline.Overlap == "cancel-running" && len(n.Running)+n.Queued >= max(of.Pipeline.Concurrency, 1):
				ends = n.Running
			}
		}
	}
	run, err := w.o.Ledger.Settle(ctx, x)
	if err != nil {
		return err
	}
	if run.ID == 0 {
		s.finished = true // a run by hand serves it
		return nil
	}
	if !x.Run && x.Reason == "primary-unknown" && s.Reading.Refused {
		w.blind(ctx, s.ID(), s.Reading)
	}
	w.o.Log.Info("slot decided", "pipeline", s.ID(), "slot", pipeline.Time(s.At), "run", run.ID, "decision", x.Detail)
	w.o.Decided(ctx, run, ends)
	s.Decision, s.Reason, s.Run = "run", x.Reason, run.ID
	// After the next slot no run comes any more, but one may go on.
	now := time.Now()
	s.finished = !x.Run || of == nil || !now.Before(s.Next) && s.Reading.Verdict != pipeline.UnderWay
	if !s.finished {
		s.at = s.later(now, of.Pipeline.Primary.Every.Std())
	}
	return nil
}

func kind(of *force.Part) string {
	if of.Pipeline.Primary == nil {
		return ""
	}
	return of.Pipeline.Primary.Kind
}

// blind keeps that a slot was given up because the probe never knew anything.
func (w *Watch) blind(ctx context.Context, id string, r pipeline.Reading) {
	w.mu.Lock()
	p := w.known[id]
	w.mu.Unlock()
	if p.Known || p.Refused {
		return
	}
	p.Refused, p.Why = true, r.Reason
	if err := w.remember(ctx, id, p); err != nil {
		w.o.Log.Warn("what a probe said could not be recorded", "pipeline", id, "error", err)
	}
	if w.o.Blind != nil {
		w.o.Blind(ctx, id, r)
	}
}

// explain is a decision in one line.
func explain(d failover.Decision, r pipeline.Reading) string {
	line := "runs: " + d.Reason
	if d.Act == failover.Skip {
		line = "skipped: " + d.Reason
	}
	if r.Reason != "" {
		line += fmt.Sprintf(" (%s)", r.Reason)
	}
	return line
}
