// Package decide says what becomes of slots whose time has come. It knows facts
// and asks nobody.
package decide

import (
	"time"

	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/history/priority"
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

// Slots decides those of one pipeline, which is in force. A run that is decided
// ends the runs of ended.
func (x *Facts) Slots(d schedule.Due) (list []history.Decision, ended []int64) {
	p := x.Force.Parts[d.ID]
	n := x.Active[d.ID]
	why := x.Force.Halted(p, x.Stopped)
	if why == "" && p.Pipeline.Primary != nil && x.Force.Mode(p) == pipeline.Standby {
		why = "primary-unknown" // nobody asks the primary yet
	}
	list = make([]history.Decision, 0, len(d.Slots))
	for i, slot := range d.Slots {
		y := history.Decision{
			System: p.Pipeline.System, Name: p.Pipeline.Name, Slot: slot, Trigger: "schedule", Reason: why,
			Priority: priority.Of(p.Pipeline.Priority), Definition: p.Definition(),
		}
		switch {
		case why != "":
		case d.Late:
			y.Run, y.Reason = late(p.Pipeline, i == len(d.Slots)-1)
		default:
			y.Run, y.Reason = punctual(p.Pipeline, &n)
		}
		if y.Run {
			n.Queued++
		}
		list = append(list, y)
	}
	if p.Pipeline.Overlap == "cancel-running" && !d.Late && len(n.Running)+n.Queued > max(p.Pipeline.Concurrency, 1) {
		ended = n.Running
	}
	x.Active[d.ID] = n
	return list, ended
}

// late decides a slot that passed while nobody looked.
func late(p *pipeline.Pipeline, newest bool) (run bool, reason string) {
	if p.Missed == "run-all" || p.Missed != "skip" && newest {
		return true, "catch-up"
	}
	return false, "missed"
}

// punctual decides a slot whose time is now, beside the runs that are active.
func punctual(p *pipeline.Pipeline, n *history.Active) (run bool, reason string) {
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
