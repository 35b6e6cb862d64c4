// Package attempt lines up what comes after a run that failed: its next
// attempt, and where its process died, that it goes on.
package attempt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/retry"
)

// Ended is a run with what it was started with and what its next attempt runs
// under.
type Ended struct {
	history.Queued
	Definition history.Definition
}

// Next lets a run that failed wait for its next attempt, unless that was the
// last one or another run serves its slot by now: then it gives false. When
// somebody has lined it up before, it gives true. Of one that a person started
// in the foreground, and of one that a pipeline called, the attempts are its
// caller's.
func Next(ctx context.Context, h *history.History, r pipeline.Retry, w Ended) (bool, error) {
	most := max(r.Attempts, 1)
	if !w.State.Bad() {
		return false, nil
	}
	if w.Attempt >= most || w.Cancelled || w.Outcome == pipeline.Cancelled || theirs(&w.Queued) {
		return false, h.Settled(ctx, w.ID)
	}
	next, wait := retry.Delays(r), time.Duration(0)
	for range w.Attempt {
		wait = next()
	}
	run, err := h.Enqueue(ctx, history.Order{
		System: w.System, Pipeline: w.Pipeline, Trigger: w.Trigger, Reason: "retry", Slot: w.Slot, Priority: w.Priority,
		Due: time.Now().Add(wait), Attempt: w.Attempt + 1, Parent: w.Parent, Params: w.Params, Env: w.Env, Definition: w.Definition,
		After: w.ID,
	})
	if taken := new(history.SlotTaken); errors.As(err, &taken) {
		return false, h.Settled(ctx, w.ID)
	}
	if errors.Is(err, history.ErrNotQueued) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return true, h.Event(ctx, pipeline.Event{
		Run: w.ID, Pipeline: w.System + "/" + w.Pipeline, What: "retry",
		Detail: fmt.Sprintf("run %d %s: attempt %d of %d is run %d, in %s", w.ID, w.State, run.Attempt, most, run.ID, wait),
	})
}

// theirs reports whether a run was not an engine's own.
func theirs(q *history.Queued) bool { return q.Trigger == "manual" || q.Trigger == "pipeline" }
