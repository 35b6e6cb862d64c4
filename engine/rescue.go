package engine

import (
	"context"
	"time"

	"github.com/redundctl/redundctl/engine/attempt"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// patience is how long the end of what was left may take before it is said.
const patience = time.Second

// rescue ends what processes that died left running, then writes the end of
// their runs, and lets those that may be tried again wait for an engine. What
// could not be ended is tried again by the next rescue.
func (e *Engine) rescue(ctx context.Context) error {
	ids, err := e.history.Rescue(ctx, func(engine string) error {
		told := make(chan struct{})
		late := time.AfterFunc(patience, func() {
			defer close(told)
			e.log.Info("ending what an interrupted run left running", "engine", engine)
		})
		err := e.proc.End(engine, 0)
		if !late.Stop() {
			<-told
		}
		if err != nil {
			e.log.Warn("what an interrupted run left running could not be ended", "engine", engine, "error", err)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		e.log.Warn("a run was interrupted: the process that ran it ended", "run", id)
		if err := attempt.Interrupted(ctx, e.history, id); err != nil {
			e.log.Warn("an interrupted run could not be lined up again: redundctl retry does that", "run", id, "error", err)
		}
	}
	if s := e.serving.Load(); s != nil && len(ids) > 0 {
		s.queue.Wake()
	}
	return nil
}

// event leaves a trace for people. That it cannot be left ends nothing.
func (e *Engine) event(ctx context.Context, x pipeline.Event) {
	if err := e.history.Event(ctx, x); err != nil {
		e.log.Warn("an event could not be recorded", "event", x.What, "error", err)
	}
}
