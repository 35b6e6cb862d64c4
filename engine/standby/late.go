package standby

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/decide"
	"github.com/redundctl/redundctl/engine/failover"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// late looks whether the primary turns up for a slot that the backup serves. The
// last look is at the next slot: what began right before it still shows.
func (w *Watch) late(ctx context.Context, f *force.Force, p *part, s *watched) error {
	of := f.Parts[p.id]
	if of.Pipeline.Primary == nil {
		s.finished = true
		return nil
	}
	now := time.Now()
	s.at = s.later(now, of.Pipeline.Primary.Every.Std())
	r := w.ask(ctx, f, p, pipeline.Window{Slot: s.At, Next: s.Next})
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.know(ctx, p.id, r); err != nil {
		return err
	}
	if f.Mode(of) == pipeline.Replacement {
		return w.seen(ctx, s, r)
	}
	again, err := w.beside(ctx, p, s, r)
	if err != nil {
		return err
	}
	s.finished = s.finished || !again && !now.Before(s.Next)
	return nil
}

// Replaced has the primary looked at beside a run, where the pipeline is to have
// replaced it: until the next slot, for one that still comes.
func (w *Watch) Replaced(r pipeline.Run) {
	f := w.o.Force()
	of := f.Parts[r.System+"/"+r.Pipeline]
	if of == nil || of.Pipeline.Primary == nil || f.Mode(of) != pipeline.Replacement || r.Slot.IsZero() {
		return
	}
	w.Add([]ledger.Slot{{System: r.System, Name: r.Pipeline, At: r.Slot, Next: decide.After(of, r.Slot), Decision: "run", Reason: r.Reason, Run: r.ID}})
}

// seen warns of a primary that goes on though it is replaced, once for a slot.
func (w *Watch) seen(ctx context.Context, s *watched, r pipeline.Reading) error {
	if !s.turnedUp(r) {
		s.finished = !time.Now().Before(s.Next)
		return nil
	}
	s.finished = true
	w.o.Log.Warn("the primary of a pipeline that replaces it was seen running", "pipeline", s.ID(), "slot", pipeline.Time(s.At), "seen", said(r))
	return w.o.Ledger.Tell(ctx, ledger.Line{Slot: s.At, Event: pipeline.Event{
		Pipeline: s.ID(), Run: s.Run, What: "primary-seen", Detail: "the primary runs too, though it is replaced: " + said(r),
	}})
}

// later is when to look for a late primary after a look.
func (s *watched) later(now time.Time, every time.Duration) time.Time {
	if at := now.Add(every); !now.Before(s.Next) || at.Before(s.Next) {
		return at
	}
	return s.Next
}

// beside does what is to be done about a primary beside its backup, and reports
// whether there is to be another look, also after the next slot.
func (w *Watch) beside(ctx context.Context, p *part, s *watched, r pipeline.Reading) (again bool, err error) {
	fence := p.of.Pipeline.Primary.Fence == "cancel-late"
	ends := fence && r.Verdict == pipeline.UnderWay && r.Scheduled && r.Run != s.fenced
	turned := s.turnedUp(r)
	if !turned && !ends {
		return false, nil
	}
	run, err := w.o.History.Run(ctx, s.Run)
	if errors.Is(err, history.ErrNoRun) {
		s.finished = true
		return false, nil
	}
	if err != nil || run.State == pipeline.Queued {
		return ends, err // the last look is still to come
	}
	if run.State.Done() && run.Started.IsZero() {
		s.finished = true // it was skipped or cancelled: nobody ran beside the primary
		return false, nil
	}
	if turned {
		if err := w.turned(ctx, s, r); err != nil {
			return false, err
		}
	}
	s.finished = !fence || run.State.Bad()
	if s.finished || !ends {
		return false, nil
	}
	return w.fence(ctx, p, s, r)
}

// turned records that the primary turned up.
func (w *Watch) turned(ctx context.Context, s *watched, r pipeline.Reading) error {
	began := r.Began
	if began.IsZero() {
		began = time.Now()
	}
	x := s.Slot
	x.Reading, x.Late = r, max(began.Sub(s.At), 0)
	x.Reading.Began = began
	first, err := w.o.Ledger.Late(ctx, x, fmt.Sprintf("the primary turned up %s late, after the backup ran as run %d: %s", x.Late.Round(time.Second), s.Run, said(r)))
	if err != nil {
		return err
	}
	if first {
		w.CameLate(ctx, x)
	}
	return nil
}

// CameLate tells of a primary that turned up after its backup ran, which is
// recorded.
func (w *Watch) CameLate(ctx context.Context, s ledger.Slot) {
	w.o.Log.Warn("a primary turned up late", "pipeline", s.ID(), "slot", pipeline.Time(s.At), "late", s.Late.Round(time.Second).String(), "run", s.Run)
	w.o.Late(ctx, s)
}

// turnedUp reports whether a reading shows a run of the primary that was not
// there when the slot was decided.
func (s *watched) turnedUp(r pipeline.Reading) bool {
	switch r.Verdict {
	case pipeline.Delivered, pipeline.UnderWay, pipeline.NotDelivered:
	default:
		return false
	}
	before := s.Reading
	switch before.Verdict {
	case pipeline.Nothing, pipeline.Unknown, "":
		return true
	}
	return r.Run != before.Run || before.Verdict != pipeline.Delivered && r.Verdict == pipeline.Delivered
}

// fence ends a run of the primary that goes on beside the backup. Then there is
// another look at once: there may be a second one.
func (w *Watch) fence(ctx context.Context, p *part, s *watched, r pipeline.Reading) (again bool, err error) {
	c, ok := p.probe.Probe.(pipeline.Canceller)
	if !ok {
		s.finished = true
		return false, nil
	}
	short, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if err := c.Cancel(short, r); err != nil {
		// Asked again with the next look: by then it may have ended by itself.
		w.o.Log.Warn("a late primary could not be ended", "pipeline", p.id, "slot", pipeline.Time(s.At), "error", p.probe.Masker.Mask(err.Error()))
		return false, nil
	}
	s.fenced, s.at = r.Run, time.Now()
	return true, w.o.Ledger.Tell(ctx, ledger.Line{Slot: s.At, Event: pipeline.Event{Pipeline: p.id, Run: s.Run, What: "fenced", Detail: "the late run " + r.Run + " of the primary was cancelled"}})
}

// LastLook asks the primary once more about the slot of a run that waits, and
// says when the run is to begin: zero, now. The error is history.ErrNotQueued
// where it was skipped. A look that fails does not hold it up.
func (w *Watch) LastLook(ctx context.Context, q *history.Queued) (after time.Time, err error) {
	var now time.Time // zero
	f := w.o.Force()
	id := q.System + "/" + q.Pipeline
	of := f.Parts[id]
	if of == nil || of.Pipeline.Primary == nil || f.Mode(of) != pipeline.Standby || q.Reason == "scheduled" {
		return now, nil
	}
	s, ok, err := w.o.Ledger.Slot(ctx, q.System, q.Pipeline, q.Slot)
	if err != nil || !ok {
		return now, err
	}
	ends(&s, of)
	w.mu.Lock()
	p := w.parts[id]
	w.mu.Unlock()
	if p == nil {
		p = &part{id: id}
	}
	p.looking.Lock()
	defer p.looking.Unlock()
	p.spent = nil
	policy, err := w.Policy(ctx, of.Pipeline, &s)
	if err != nil {
		return now, err
	}
	r := w.ask(ctx, f, p, pipeline.Window{Slot: s.At, Next: s.Next, Run: s.Dispatched})
	// The primary may have asked for the slot while it was looked at.
	if s, ok, err = w.o.Ledger.Slot(ctx, q.System, q.Pipeline, q.Slot); err != nil || !ok {
		return now, err
	}
	d := failover.Decide(policy, w.facts(id, &s), r, time.Now())
	if d.Act == failover.Run && s.Lease.After(time.Now()) && (s.Claimed == "" || r.Run == "" || r.Run == s.Claimed) {
		if err := w.o.Ledger.Release(ctx, s); err != nil {
			return now, err
		}
	}
	switch {
	case d.Act == failover.Dispatch, d.Act == failover.Run && (d.Reason == q.Reason || !strings.HasPrefix(q.Reason, "primary-")):
		return now, nil // as it was decided; another attempt says why itself
	case s.Lease.IsZero() && (r.Verdict == pipeline.Unknown || r.Verdict == pipeline.Nothing):
		return now, nil // nothing speaks against it
	}
	s.Reading = r
	if r.Verdict == pipeline.UnderWay && s.Seen.IsZero() {
		s.Seen = time.Now()
		if err := w.o.Ledger.Read(ctx, s, said(r)); err != nil {
			return now, err
		}
	}
	t := ledger.Turn{Run: q.ID, Kind: kind(of), Slot: s, Reason: d.Reason, Detail: "last look before the first step: " + explain(d, r)}
	switch d.Act {
	case failover.Skip:
		t.Skip = true
	case failover.Wait:
		t.Due, t.Reason, t.Detail = time.Now().Add(of.Pipeline.Primary.Every.Std()), q.Reason, ""
		if d.By.After(time.Now()) && d.By.Before(t.Due) {
			t.Due = d.By
		}
	}
	if err := w.o.Ledger.Turn(ctx, t); err != nil {
		return now, err
	}
	if d.Act == failover.Run {
		return now, nil
	}
	w.o.Log.Info("last look before the first step", "pipeline", id, "slot", pipeline.Time(s.At), "run", q.ID, "primary", said(r), "skipped", t.Skip)
	if !t.Skip {
		return t.Due, nil
	}
	run := q.Run
	run.State, run.Reason = pipeline.Skipped, d.Reason
	w.o.Decided(ctx, run, nil)
	return now, history.ErrNotQueued
}
