package eval

import (
	"strconv"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// Run is the context `run` in a state, with the error that the run has then.
func Run(r *pipeline.Run, state pipeline.State, err string) map[string]any {
	return map[string]any{
		"id": ID(r), "slot": pipeline.Time(r.Slot), "attempt": max(r.Attempt, 1), "trigger": r.Trigger,
		"reason": r.Reason, "state": string(state), "error": err, "fence": r.Fence,
	}
}

// ID is the run as text; "" before it was recorded.
func ID(r *pipeline.Run) string {
	if r.ID == 0 {
		return ""
	}
	return strconv.FormatInt(r.ID, 10)
}
