// Package decide says what becomes of slots whose time has come. It knows facts
// and asks nobody.
package decide

import (
	"time"

	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/history/priority"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// mostWaiting is how many runs of one pipeline with `overlap: queue` wait.
const mostWaiting = 1000

// Facts are what is decided by.
type Facts struct {
	Force   *force.Force
	Stopped map[string]time.Time
	Active  map[string]history.Active // by system/name; what is decided is added
}

// Decided is what becomes of slots of one pipeline.
type Decided struct {
	List []history.Decision
	Open []ledger.Slot // their primary is asked first
	Ends []int64       // the runs that a run which is decided ends
}

// Slots decides those of one pipeline, which is in force.
func (x *Facts) Slots(d schedule.Due) (out Decided) {
	p := x.Force.Parts[d.ID]
	n := x.Active[d.ID]
	why := x.Force.Halted(p, x.Stopped)
	standby := Asks(x.Force, p, why)
	for i, slot := range d.Slots {
		y := history.Decision{
			System: p.Pipeline.System, Name: p.Pipeline.Name, Slot: slot, Trigger: "schedule", Reason: why,
			Priority: priority.Of(p.Pipeline.Priority), Definition: p.Definition(),
		}
		if p.Pipeline.Primary != nil && x.Force.Mode(p) == pipeline.Standby {
			y.Trigger = "failover" // also where it is halted: it is a slot of a pipeline in standby
		}
		switch {
		case why != "" && !standby:
		case d.Late:
			y.Run, y.Reason = late(p.Pipeline, i == len(d.Slots)-1)
		case standby:
			y.Run = true
		default:
			y.Run, y.Reason = Beside(p.Pipeline, &n)
		}
		if y.Run && standby {
			out.Open = append(out.Open, ledger.Slot{System: y.System, Name: y.Name, At: slot, Next: After(p, slot), Missed: d.Late})
			continue
		}
		if y.Run {
			n.Queued++
		}
		out.List = append(out.List, y)
	}
	if p.Pipeline.Overlap == "cancel-running" && !standby && !d.Late && len(n.Running)+n.Queued > max(p.Pipeline.Concurrency, 1) {
		out.Ends = n.Running
	}
	x.Active[d.ID] = n
	return out
}

// Asks reports whether the primary of a part is asked about its slots: also
// where what would run is only recorded. halted is what Force.Halted said.
func Asks(f *force.Force, p *force.Part, halted string) bool {
	return (halted == "" || halted == "observed") && p.Pipeline.Primary != nil && f.Mode(p) == pipeline.Standby
}

// After is the slot that follows one; where there is none, a day later.
func After(p *force.Part, slot time.Time) time.Time {
	if next, ok := schedule.Next(p.Schedules, slot); ok {
		return next
	}
	return slot.Add(24 * time.Hour)
}

// late decides a slot that passed while nobody looked.
func late(p *pipeline.Pipeline, newest bool) (run bool, reason string) {
	if p.Missed == "run-all" || p.Missed != "skip" && newest {
		return true, "catch-up"
	}
	return false, "missed"
}

// Beside decides whether a run may begin now, beside those that are active.
func Beside(p *pipeline.Pipeline, n *history.Active) (run bool, reason string) {
	switch p.Overlap {
	case "allow", "cancel-running":
		run = true
	case "queue":
		run = n.Queued < mostWaiting
	default:
		run = len(n.Running)+n.Queued < max(p.Concurrency, 1)
	}
	if run {
		return true, "scheduled"
	}
	return false, "overlap"
}
