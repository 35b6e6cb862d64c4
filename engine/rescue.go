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
// their runs; what comes after that is for an engine that serves. What could
// not be ended is tried again by the next rescue.
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
	}
	return nil
}

// seeToLeft does what is left to an engine that serves: runs whose process died
// go on, or their handlers run, or they are tried again.
func (s *server) seeToLeft(ctx context.Context) error {
	waits, err := attempt.Left(ctx, s.history, s.how().Serves, s.log)
	if waits {
		s.queue.WakeAll()
	}
	return err
}

// event leaves a trace for people. That it cannot be left ends nothing.
func (e *Engine) event(ctx context.Context, x pipeline.Event) {
	if err := e.history.Event(ctx, x); err != nil {
		e.log.Warn("an event could not be recorded", "event", x.What, "error", err)
	}
}
