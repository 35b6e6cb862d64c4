package services

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/redundctl/redundctl/engine/failover/takeover"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/news"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/probes"
	"github.com/redundctl/redundctl/engine/work"
)

// keptState is what is kept of a service.
type keptState = takeover.State

// longestLook is how long one look may take.
const longestLook = 10 * time.Second

// watched is a service whose primary is looked at. Its goroutine alone uses
// primary; all else is guarded by Services.mu.
type watched struct {
	id     string
	cancel context.CancelFunc
	wake   chan struct{} // holds one token: look, or wait, anew

	part    *force.Part
	standby bool   // else it is looked at to warn alone
	why     string // it does not run: observed; or ""
	state   takeover.State
	seen    pipeline.Reading // the last look
	at      time.Time        // of it; zero: there was none
	warned  bool             // replacement: that the primary is up
}

func policy(p *pipeline.Primary) takeover.Policy {
	return takeover.Policy{Failures: max(p.Failures, 1), Recoveries: max(p.Recoveries, 1), Manual: p.Failback == "manual", UnknownIsBad: p.OnUnknown == "run"}
}

// watch looks at the primaries of the services that need it, and no longer at
// others. The caller holds mu.
func (s *Services) watch(ids []string) {
	there := map[string]bool{}
	for _, id := range ids {
		p := s.force.Parts[id]
		there[id] = true
		why := s.force.Halted(p, s.stopped)
		standby := s.standby(p)
		look := p.Pipeline.Primary != nil && (standby || s.force.Mode(p) == pipeline.Replacement) && (why == "" || why == "observed")
		w := s.watched[id]
		switch {
		case !look && w != nil:
			s.unwatch(w)
		case look && w == nil:
			ctx, cancel := context.WithCancel(s.ctx)
			w = &watched{id: id, cancel: cancel, wake: make(chan struct{}, 1)}
			if before, ok := s.restore[id]; ok && standby {
				w.state = takeover.Restored(before)
			}
			s.watched[id] = w
			w.part, w.standby, w.why = p, standby, why
			s.looking.Go(func() { s.look(ctx, w) })
		}
		if look {
			if w.standby && !standby {
				w.state = takeover.State{Known: w.state.Known}
				s.keep(w)
			}
			changed := w.part != p
			w.part, w.standby, w.why = p, standby, why
			if changed {
				w.ring()
			}
		}
		if before, ok := s.restore[id]; ok && !look { // it is over
			s.leave(note{keep: id, state: &keptState{Known: before.Known}})
		}
		delete(s.restore, id)
	}
	for id, w := range s.watched {
		if !there[id] {
			s.unwatch(w)
			s.leave(note{keep: id})
		}
	}
}

// unwatch ends the looks at a primary, and with them a takeover. The caller holds
// mu.
func (s *Services) unwatch(w *watched) {
	w.cancel()
	delete(s.watched, w.id)
	if !w.state.Over() {
		key, _ := news.GivenBack(w.id, "", "")
		s.leave(note{settle: key})
	}
	w.state = takeover.State{Known: w.state.Known}
	s.keep(w)
}

func (w *watched) ring() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// look looks at a primary again and again until ctx is done.
func (s *Services) look(ctx context.Context, w *watched) {
	var primary *probes.Primary
	probing := s.o.Probing
	for first := true; ctx.Err() == nil; first = false {
		probing.Before = primary
		began := time.Now()
		s.mu.Lock()
		part, set := w.part, s.force.SetOf(w.part)
		pace := w.state.Pace(policy(part.Pipeline.Primary), part.Pipeline.Primary.Every.Std())
		s.mu.Unlock()
		var r pipeline.Reading
		x, err := probes.Build(set, part.Pipeline, probing)
		if err != nil {
			r = pipeline.Reading{Verdict: pipeline.Unknown, Reason: err.Error(), Refused: true}
		} else {
			primary = x
			select {
			case s.slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			within, cancel := context.WithTimeout(ctx, max(min(pace, longestLook), time.Second))
			r = primary.Look(within, pipeline.Window{})
			cancel()
			<-s.slots
		}
		if ctx.Err() != nil {
			return
		}
		s.looked(w, part, r)
		if first { // the looks of many services that begin together are spread
			began = began.Add(-time.Duration(rand.Int64N(int64(pace) + 1)))
		}
		s.pause(ctx, w, began)
	}
}

// pause waits until the next look is due; meanwhile time passes for a yield.
func (s *Services) pause(ctx context.Context, w *watched, began time.Time) {
	for {
		s.mu.Lock()
		p := policy(w.part.Pipeline.Primary)
		next := began.Add(w.state.Pace(p, w.part.Pipeline.Primary.Every.Std()))
		tick := w.state.Until()
		s.mu.Unlock()
		due := next
		if !tick.IsZero() && tick.Before(due) {
			due = tick
		}
		timer := time.NewTimer(time.Until(due))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-w.wake:
			timer.Stop()
		case <-timer.C:
		}
		now := time.Now()
		s.mu.Lock()
		s.changed(w, w.state.Tick(now))
		s.mu.Unlock()
		if !now.Before(next) {
			return
		}
	}
}

// looked takes up what a look showed.
func (s *Services) looked(w *watched, of *force.Part, r pipeline.Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, known := w.seen, w.state.Known
	w.seen, w.at = r, time.Now()
	p := policy(of.Pipeline.Primary)
	if !w.standby {
		w.state.Known = known || r.Verdict != pipeline.Unknown
		up := r.Verdict == pipeline.Up
		if up && !w.warned {
			s.o.Log.Warn("the primary of a service that replaces it is up", "pipeline", w.id, "reason", r.Reason)
			s.leave(note{event: pipeline.Event{Pipeline: w.id, What: "primary-seen", Detail: r.Reason}})
		}
		w.warned = up
		return
	}
	unset := w.state.Inconclusive(p)
	s.changed(w, w.state.Look(p, r, w.at))
	if w.state.Known != known {
		s.keep(w)
		n := note{}
		n.settle, n.text = news.Known(w.id, r)
		s.leave(n)
	}
	if !unset && w.state.Inconclusive(p) {
		blind := news.Blind(w.id, r)
		s.leave(note{raise: &blind})
	}
	if before.Verdict != r.Verdict || unset != w.state.Inconclusive(p) {
		s.o.Log.Info("primary", "pipeline", w.id, "verdict", r.Verdict, "reason", r.Reason)
		s.o.Changed()
	}
}

// changed takes up a change of who runs. The caller holds mu.
func (s *Services) changed(w *watched, c takeover.Change) {
	if c == takeover.None {
		return
	}
	s.keep(w)
	s.arrange()
	detail := w.state.Reason
	if w.why == "observed" && !w.state.Held {
		detail = "observed: nothing is started or stopped; " + detail
	}
	n := note{event: pipeline.Event{Pipeline: w.id, What: string(c), Detail: detail}}
	kind := w.part.Pipeline.Primary.Kind
	switch {
	case w.why == "observed":
	case c == takeover.Taken:
		told := news.TakenOver(w.id, kind, detail)
		n.raise = &told
	case c == takeover.Failback:
		n.settle, n.text = news.GivenBack(w.id, kind, detail)
	}
	s.leave(n)
	s.o.Log.Info(string(c), "pipeline", w.id, "reason", detail)
	s.o.Changed()
}

// keep has what is known written down. The caller holds mu.
func (s *Services) keep(w *watched) {
	state := w.state
	s.leave(note{keep: w.id, state: &state})
}

// Takeover has the service of a pipeline run here, whatever its primary does,
// until Failback. by says who asks. A *work.UsageError says that it is none in
// standby.
func (s *Services) Takeover(id, by string) error {
	return s.move(id, func(w *watched, now time.Time) error {
		held := w.state.Held
		c := w.state.Take("by "+by, now)
		if c == takeover.None && !held { // it ran already, or would have, and is kept from now on
			s.keep(w)
			s.arrange()
			s.leave(note{event: pipeline.Event{Pipeline: w.id, What: string(takeover.Taken), Detail: "kept by " + by}})
		}
		s.changed(w, c)
		return nil
	})
}

// Failback gives the service of a pipeline back to its primary: ours stops, and
// starts again if that does not come.
func (s *Services) Failback(id, by string) error {
	return s.move(id, func(w *watched, now time.Time) error {
		if w.state.Over() {
			return &work.UsageError{Message: id + " is with its primary: there is nothing to give back"}
		}
		s.changed(w, w.state.Give(policy(w.part.Pipeline.Primary), "by "+by, now))
		return nil
	})
}

func (s *Services) move(id string, do func(w *watched, now time.Time) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watched[id]
	if w == nil || !w.standby {
		why := "it is no service in standby"
		if s.force != nil {
			if p := s.force.Parts[id]; p != nil && p.Pipeline.Service != nil && s.standby(p) {
				why = "it is " + s.force.Halted(p, s.stopped)
				if !s.open {
					why = "the engine is starting or ending"
				}
			}
		}
		return &work.UsageError{Message: id + " cannot be moved: " + why}
	}
	defer w.ring()
	return do(w, time.Now())
}
