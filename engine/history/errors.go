package history

import (
	"errors"
	"fmt"

	"github.com/redundctl/redundctl/engine/history/leased"
)

// Interrupted is the error of a run or a step whose process died.
const Interrupted = "interrupted"

// ErrNoRun says that no run has the id asked for.
var ErrNoRun = errors.New("no such run")

// ErrNotQueued says that a run does not wait any more: it was claimed,
// cancelled or skipped, here or by another process.
var ErrNotQueued = errors.New("the run is not queued any more")

// ErrOvertaken says that another process has claimed the run since: what this
// one has to say about it is not written.
var ErrOvertaken = errors.New("the run was taken over by another process; nothing more of it is recorded from here")

// SlotTaken is the error of Begin for a slot that a run serves already, or that
// the primary delivered.
type SlotTaken struct {
	Run       int64
	Active    bool   // it still runs; else it has succeeded
	Delivered string // the reason of a decision that no run was needed; "": one was
}

// Error says which run has the slot.
func (e *SlotTaken) Error() string {
	switch {
	case e.Active:
		return fmt.Sprintf("run %d of this slot is active", e.Run)
	case e.Delivered == "superseded":
		return "a later slot has delivered this one too"
	case e.Delivered != "":
		return fmt.Sprintf("the primary delivered this slot (%s)", e.Delivered)
	}
	return fmt.Sprintf("run %d of this slot has succeeded", e.Run)
}

// Leased is the error of Claim for a slot that was granted to the primary.
type Leased = leased.Error
