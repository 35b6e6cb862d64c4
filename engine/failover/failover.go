// Package failover decides for one slot of a backed-up pipeline: whether the
// primary delivered it, whether the backup runs, or whether to look again. It
// knows facts and asks nobody, so its table of cases is its test.
//
// Start with Decide; Grace and Stall say how long it waits.
package failover

import (
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// Policy is what a pipeline says of its primary, with what was learned in place.
type Policy struct {
	Grace      time.Duration // how long after the slot the primary may still deliver
	StallAfter time.Duration // how long its run may take
	OnUnknown  string        // run or skip
	Dispatch   bool          // it is asked to run before the backup does
}

// Slot is what is known of one slot beside the newest reading.
type Slot struct {
	At time.Time
	// Known reports that the probe of this pipeline was conclusive once: it has
	// said anything but Unknown, for whatever slot.
	Known bool
	// Seen is when the primary's run for the slot was first seen to go on; zero:
	// never.
	Seen time.Time
	// Lease is until when the primary may go on because it asked whether it may;
	// zero: it did not ask.
	Lease time.Time
	// Dispatched is the id of the run that was asked for, since Asked; a zero
	// Asked says that none was. Refused says that the primary did not take it.
	Dispatched string
	Asked      time.Time
	Refused    bool
}

// Act is what is done about a slot.
type Act string

// The acts. Wait decides nothing.
const (
	Wait     Act = "wait"
	Run      Act = "run"
	Skip     Act = "skip"
	Dispatch Act = "dispatch"
)

// Decision is what is done about a slot, and why.
type Decision struct {
	Act    Act
	Reason string // as runs have it; "" to wait and to dispatch
	// By is when it has to be decided again at the latest, however seldom the
	// probe is asked; zero unless Act is Wait.
	By time.Time
}

// Decide says what is done about a slot when the newest look at its primary
// showed r.
func Decide(p Policy, s Slot, r pipeline.Reading, now time.Time) Decision {
	switch r.Verdict {
	case pipeline.Delivered:
		return Decision{Act: Skip, Reason: delivered(s, r)}
	case pipeline.NotDelivered:
		return Decision{Act: Run, Reason: "primary-failed"}
	case pipeline.UnderWay:
		end := s.Lease
		if end.IsZero() {
			end = began(s, r, now).Add(p.StallAfter)
		}
		if now.Before(end) {
			return wait(end)
		}
		return Decision{Act: Run, Reason: "primary-stalled"}
	}
	switch end := s.At.Add(p.Grace); {
	case now.Before(s.Lease):
		return wait(s.Lease)
	case !s.Lease.IsZero():
		return Decision{Act: Run, Reason: "primary-stalled"}
	case now.Before(end):
		return wait(end)
	case !s.Asked.IsZero() && !s.Refused:
		// Whoever took it may need a moment to show it, but not for ever.
		if give := s.Asked.Add(p.StallAfter); now.Before(give) {
			return wait(give)
		}
		return Decision{Act: Run, Reason: "primary-stalled"}
	}
	if r.Verdict == pipeline.Nothing {
		return missing(p, s)
	}
	if r.Refused && !s.Known || p.OnUnknown == "skip" {
		return Decision{Act: Skip, Reason: "primary-unknown"}
	}
	return Decision{Act: Run, Reason: "primary-unknown"}
}

// missing decides where the primary has not come by the end of its grace.
func missing(p Policy, s Slot) Decision {
	if p.Dispatch && s.Asked.IsZero() {
		return Decision{Act: Dispatch}
	}
	return Decision{Act: Run, Reason: "primary-missing"}
}

func wait(by time.Time) Decision { return Decision{Act: Wait, By: by} }

// delivered names who brought a success about.
func delivered(s Slot, r pipeline.Reading) string {
	switch {
	case s.Dispatched != "" && r.Run == s.Dispatched:
		return "dispatched"
	case !s.Lease.IsZero():
		return "claimed-by-primary"
	}
	return "primary-succeeded"
}

// began is since when the primary's run goes on.
func began(s Slot, r pipeline.Reading, now time.Time) time.Time {
	switch {
	case !r.Began.IsZero():
		return r.Began
	case !s.Seen.IsZero():
		return s.Seen
	}
	return now
}
