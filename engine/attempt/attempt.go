// Package attempt lines up the next attempt of a run that failed.
package attempt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/retry"
)

// Interrupted lets a run whose engine died wait for its next attempt, as what
// it ran under says. One that a person started in the foreground is that
// person's to repeat, and one that a pipeline called, its caller's.
func Interrupted(ctx context.Context, h *history.History, id int64) error {
	w, err := h.Asked(ctx, id)
	if err != nil || w.Trigger == "manual" || w.Trigger == "pipeline" || w.Hash == "" {
		return err
	}
	d, ok, err := h.Definition(ctx, w.Hash)
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("the definition that it ran under is not kept")
	}
	p, err := loaded.Restore(d)
	if err != nil || p.Service != nil {
		return err
	}
	_, err = Next(ctx, h, p.Retry, Ended{w, d})
	return err
}

// Ended is a run with what it was started with and what its next attempt runs
// under.
type Ended struct {
	history.Queued
	Definition history.Definition
}

// Next lets a run that failed wait for its next attempt, unless that was the
// last one, or another run serves its slot by now: then it gives false.
func Next(ctx context.Context, h *history.History, r pipeline.Retry, w Ended) (bool, error) {
	most := max(r.Attempts, 1)
	if !w.State.Bad() || w.Attempt >= most {
		return false, nil
	}
	next, wait := retry.Delays(r), time.Duration(0)
	for range w.Attempt {
		wait = next()
	}
	run, err := h.Enqueue(ctx, history.Order{
		System: w.System, Pipeline: w.Pipeline, Trigger: w.Trigger, Reason: "retry", Slot: w.Slot, Priority: w.Priority,
		Due: time.Now().Add(wait), Attempt: w.Attempt + 1, Parent: w.Parent, Params: w.Params, Env: w.Env, Definition: w.Definition,
	})
	if taken := new(history.SlotTaken); errors.As(err, &taken) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, h.Event(ctx, pipeline.Event{
		Run: w.ID, Pipeline: w.System + "/" + w.Pipeline, What: "retry",
		Detail: fmt.Sprintf("run %d %s: attempt %d of %d is run %d, in %s", w.ID, w.State, run.Attempt, most, run.ID, wait),
	})
}
