// Package takeover decides whether a service in standby runs: of the looks at its
// primary, one after the other. It knows facts and asks nobody, so its table of
// cases is its test.
//
// Start with State.Look; Tick is for the time between two looks, Take and Give
// are for people.
package takeover

import (
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

const (
	// Yield is how long ours is stopped at most for a primary that begins to come
	// back.
	Yield = 30 * time.Second
	// within is how long a start of ours after a yield is remembered, and free how
	// many of these come without a pause.
	within = 10 * time.Minute
	free   = 2
	// firstPause doubles with each further start, up to longestPause.
	firstPause   = 30 * time.Second
	longestPause = 5 * time.Minute
)

// Policy is what a pipeline says of its primary.
type Policy struct {
	Failures, Recoveries int
	Manual               bool // ours is kept until somebody gives it back
	UnknownIsBad         bool // on-unknown: run
}

// Phase is who runs.
type Phase string

// The phases.
const (
	Primary  Phase = "primary" // theirs, or at least not ours
	Ours     Phase = "ours"
	Yielding Phase = "yielding" // neither: ours was stopped, for theirs begins to come back
)

// State is what is known of one service and its primary. The zero value is one
// that nobody looked at yet. What is exported is kept over the end of the engine.
type State struct {
	Phase Phase     `json:"phase"` // "": Primary
	Since time.Time `json:"since"` // of the takeover; zero: there is none
	Known bool      `json:"known"` // a look was conclusive once
	// Held reports that somebody took over by hand: it lasts until somebody gives
	// back.
	Held   bool        `json:"held"`
	Again  []time.Time `json:"again"`  // when ours started again after a yield, within 10 minutes
	Reason string      `json:"reason"` // one line: why it is in this phase

	good, bad int
	until     time.Time        // Yielding: when ours starts again
	pausing   bool             // Yielding: it started again too often, and looks that are bad do not hasten it
	unsure    bool             // restored: ours waits for one look
	last      pipeline.Verdict // of the newest look, also of one that says nothing
	alive     bool             // a copy of the primary lived when a look last told
	began     time.Time        // when the primary was last seen to have been started
	started   bool             // the newest look showed a start that came after the takeover
	looks     int
}

// Change is what came of a look, as people are told it; "": nothing.
type Change string

// The changes.
const (
	None     Change = ""
	Taken    Change = "takeover"    // ours starts
	Yielded  Change = "yielded"     // ours stops for a while
	Again    Change = "taken-again" // ours starts again
	Failback Change = "failback"    // the primary has it again
)

// Restored is a state as it was kept, in an engine that begins: ours then waits
// for one look, for the primary may be back.
func Restored(s State) State {
	if s.Phase == Yielding {
		s.Phase = Ours
	}
	s.unsure = s.Phase == Ours && !s.Held
	return s
}

// Runs reports whether ours is to run.
func (s *State) Runs() bool { return s.Phase == Ours && !s.unsure }

// Over reports whether there is no takeover.
func (s *State) Over() bool { return s.Phase != Ours && s.Phase != Yielding }

// Inconclusive reports that no look was conclusive though there were enough of
// them: the probe is not set up.
func (s *State) Inconclusive(p Policy) bool { return !s.Known && s.looks >= p.Failures }

// Pace is how long to wait before the next look. While ours yields, looks come so
// fast that enough of them fit in.
func (s *State) Pace(p Policy, every time.Duration) time.Duration {
	if s.Phase != Yielding {
		return every
	}
	return max(min(every, Yield/time.Duration(p.Failures+p.Recoveries+1)), 100*time.Millisecond)
}

// Until is when Tick must be called at the latest; zero: never.
func (s *State) Until() time.Time {
	if s.Phase == Yielding {
		return s.until
	}
	return time.Time{}
}

// Look takes in what a look at the primary showed.
func (s *State) Look(p Policy, r pipeline.Reading, now time.Time) Change {
	s.looks++
	s.count(p, r)
	switch s.Phase {
	case Ours:
		return s.ours(p, r, now)
	case Yielding:
		return s.yielding(p, r, now)
	}
	if s.bad >= p.Failures && !s.alive {
		return s.take(r.Reason, now)
	}
	return None
}

// count counts good looks in a row, and bad ones. One that says nothing breaks
// neither, and neither does one that is refused as long as no other came.
func (s *State) count(p Policy, r pipeline.Reading) {
	verdict := r.Verdict
	if verdict == pipeline.Unknown && p.UnknownIsBad && (s.Known || !r.Refused) {
		verdict = pipeline.Down
	}
	switch r.Verdict {
	case pipeline.Up, pipeline.Down, pipeline.Starting:
		s.Known = true
		s.started = r.Began.After(s.began) && r.Began.After(s.Since)
		if r.Began.After(s.began) {
			s.began = r.Began
		}
		s.alive = r.Alive && r.Verdict == pipeline.Down
	}
	s.last = r.Verdict
	switch verdict {
	case pipeline.Up:
		s.good, s.bad = s.good+1, 0
	case pipeline.Starting:
		s.good, s.bad = 0, 0
	case pipeline.Down:
		s.good, s.bad = 0, s.bad+1
	}
}

// take begins a takeover.
func (s *State) take(reason string, now time.Time) Change {
	s.Phase, s.Since, s.Reason = Ours, now, reason
	s.good, s.bad, s.unsure, s.pausing, s.until = 0, 0, false, false, time.Time{}
	return Taken
}

// ours is a look while ours runs: at the first sign of the primary it stops.
func (s *State) ours(p Policy, r pipeline.Reading, now time.Time) Change {
	waited := s.unsure
	s.unsure = false
	// A start that has failed already counts too: what binds a port that ours holds
	// comes up only once ours is gone.
	back := r.Verdict == pipeline.Up || r.Verdict == pipeline.Starting || r.Verdict == pipeline.Down && (s.alive || s.started && !waited)
	if !back || s.Held || p.Manual {
		if waited {
			return Again
		}
		return None
	}
	s.good = 0
	if r.Verdict == pipeline.Up {
		s.good = 1
	}
	return s.yield(p, r.Reason, now)
}

// yield stops ours for the primary, or closes the takeover at once.
func (s *State) yield(p Policy, reason string, now time.Time) Change {
	s.Phase, s.Reason, s.bad, s.until, s.pausing = Yielding, reason, 0, now.Add(Yield), false
	if s.good >= p.Recoveries {
		return s.close(reason)
	}
	return Yielded
}

// close ends a takeover.
func (s *State) close(reason string) Change {
	s.Phase, s.Reason, s.Since, s.until, s.Held = Primary, reason, time.Time{}, time.Time{}, false
	s.good, s.bad = 0, 0
	return Failback
}

// yielding is a look while neither runs.
func (s *State) yielding(p Policy, r pipeline.Reading, now time.Time) Change {
	switch {
	case s.good >= p.Recoveries:
		return s.close(r.Reason)
	case s.bad >= p.Failures && !s.alive && !s.pausing:
		return s.again(r.Reason, now)
	}
	return s.Tick(now)
}

// Tick takes in that time has passed.
func (s *State) Tick(now time.Time) Change {
	if s.Phase != Yielding || now.Before(s.until) {
		return None
	}
	if s.last == pipeline.Up || s.alive {
		s.until = now.Add(Yield) // it is there: ours beside it would be a second one
		return None
	}
	return s.again("the primary did not come back within "+Yield.String(), now)
}

// again starts ours after a yield; from the third time in 10 minutes on after a
// pause that grows.
func (s *State) again(reason string, now time.Time) Change {
	for len(s.Again) > 0 && now.Sub(s.Again[0]) >= within {
		s.Again = s.Again[1:]
	}
	if n := len(s.Again) - free; n >= 0 && !s.pausing {
		pause := longestPause
		if n < 5 {
			pause = min(firstPause<<n, longestPause)
		}
		s.pausing, s.until, s.Reason = true, now.Add(pause), reason
		return None
	}
	s.Phase, s.Reason, s.until, s.pausing = Ours, reason, time.Time{}, false
	s.good, s.bad = 0, 0
	s.Again = append(s.Again, now)
	return Again
}

// Take is a takeover by hand: whatever the primary does, it lasts until Give.
func (s *State) Take(reason string, now time.Time) Change {
	ours := s.Runs()
	s.Held = true
	if ours {
		s.Reason = reason
		return None
	}
	since := s.Since
	s.take(reason, now)
	if !since.IsZero() {
		s.Since = since
	}
	return Taken
}

// Give gives back by hand: ours stops, and yields as it does for a primary that
// begins to come back. It does nothing where there is no takeover.
func (s *State) Give(p Policy, reason string, now time.Time) Change {
	if s.Phase != Ours {
		return None
	}
	s.Held, s.unsure, s.good = false, false, 0
	return s.yield(p, reason, now)
}
