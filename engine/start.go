package engine

import (
	"context"
	"errors"
	"time"

	"github.com/redundctl/redundctl/engine/attempt"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/overdue"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/record"
	"github.com/redundctl/redundctl/engine/work"
)

// start runs what waited, under the newest good form of its pipeline, and
// returns when it has ended. The error says that it still waits.
func (s *server) start(ctx context.Context, w history.Queued) error {
	f := s.now()
	p := f.Parts[w.System+"/"+w.Pipeline]
	x := work.Waited{Queued: w}
	var b *attempt.Began // nil: it begins
	var err error
	if w.Begun() {
		if b, err = attempt.Resume(ctx, s.history, &w); err != nil {
			s.log.Error("a run that was interrupted does not go on", "run", w.ID, "error", err)
			return err
		}
		p, x.Past = s.began(p, b), b.Past
	} else if p == nil {
		return s.history.Skip(ctx, w.ID, "removed")
	} else if why := f.Halted(p, s.stopped()); (w.Trigger == "schedule" || w.Trigger == "failover" || w.Trigger == "drill") && why != "" {
		return s.history.Skip(ctx, w.ID, why)
	} else if w.Trigger == "failover" {
		if err := s.lastLook(ctx, &w); err != nil {
			return err
		}
	}
	if x.Primary, err = s.ledger.Primary(ctx, p.Pipeline, w.ID); err != nil {
		s.log.Warn("what was seen of the primary could not be read", "run", w.ID, "error", err)
	}
	own := *p // with what it runs with, whatever is in force later
	own.Own, p = f.SetOf(p), &own
	run, err := s.history.Claim(ctx, w.ID, p.Definition())
	if taken := new(history.SlotTaken); errors.As(err, &taken) {
		return s.history.Skip(ctx, w.ID, "superseded")
	}
	// A *history.Leased is of a slot that was granted since the last look.
	if leased := new(history.Leased); !errors.As(err, &leased) && !errors.Is(err, history.ErrNotQueued) && ctx.Err() == nil {
		s.failed("runs", err)
	}
	if err != nil {
		return err
	}
	if b == nil {
		s.meter.Started(run.Slot, run.Started)
	} else if err := b.GoesOn(ctx, s.history, &w); err != nil {
		s.log.Warn("what was asked of a run that goes on could not be read, or the event left", "run", run.ID, "error", err)
	}
	run, givenUp, err := s.overdue.Do(ctx, overdue.Run{Run: run, Of: p.Pipeline, Do: func(ctx context.Context) (pipeline.Run, error) {
		return s.work(ctx, p, x, run)
	}})
	if givenUp {
		err = s.worker.Recorder(ctx).Finish(ctx, &run, nil)
	}
	switch {
	case errors.Is(err, work.Stopping), errors.Is(err, record.ErrLeft):
		return nil
	case err != nil:
		s.log.Error("the end of a run could not be recorded", "run", run.ID, "error", err)
		return nil
	}
	s.meter.Ended(w.System, string(run.State))
	w.Run = run
	again, err := attempt.Next(context.WithoutCancel(ctx), s.history, p.Pipeline.Retry, attempt.Ended{Queued: w, Definition: p.Definition()})
	if err != nil {
		s.log.Error("the next attempt of a run could not be recorded", "run", run.ID, "error", err)
	}
	if again {
		s.queue.Wake()
	}
	s.told(ctx, run, again || err != nil) // seeToLeft lines up what this could not
	return nil
}

// began is the part of a run that had begun before: with what it began with, and
// for the rest with the project as it is.
func (s *server) began(now *force.Part, b *attempt.Began) *force.Part {
	p := &force.Part{Pipeline: b.Pipeline, Own: s.now().Set, Hash: b.Definition.Hash}
	if now != nil && now.Own != nil {
		p.Own = now.Own
	}
	return p
}

// work runs what was claimed, and gives it as it ended.
func (s *server) work(ctx context.Context, p *force.Part, w work.Waited, run pipeline.Run) (pipeline.Run, error) {
	q, err := s.worker.Queued(p.Own, p.Pipeline, w)
	if err != nil {
		// What was asked for cannot be run any more, as after a change of its params.
		run.State, run.Error, run.Finished = pipeline.Failed, err.Error(), time.Now()
		if o := w.Past.Ended(); o.State.Done() && o.State != pipeline.Succeeded {
			run.State, run.Error = o.State, o.Error
		}
		return run, s.worker.Recorder(ctx).Finish(ctx, &run, nil)
	}
	rep, err := s.worker.Execute(ctx, q, run)
	return rep.Run, err
}
