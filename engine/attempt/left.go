package attempt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/handlers"
	"github.com/redundctl/redundctl/engine/runner/outputs"
	"github.com/redundctl/redundctl/engine/runner/past"
)

// A run that went on patient times begins to wait before it does so again, up to
// mostWait: a step that kills its engine must not keep it from all else.
const (
	patient  = 3
	mostWait = 10 * time.Second
)

// Left sees to what failed and was left to an engine that serves: runs whose
// process died wait for their turn to go on, or for that of their handlers, and
// the others for their next attempt. It gives whether anything waits. Runs of
// systems that are not served are left to an engine that does. What cannot be
// seen to is told to log and left, but for an error of the history.
func Left(ctx context.Context, h *history.History, serves func(system string) bool, log *slog.Logger) (waits bool, err error) {
	list, err := h.Owed(ctx)
	for i := range list {
		q := &list[i]
		if !serves(q.System) {
			continue
		}
		again, e := left(ctx, h, q)
		if unfit := new(unfit); errors.As(e, &unfit) {
			log.Warn("nothing more can be done about a run that failed: redundctl retry runs it again", "run", q.ID, "error", e)
			e = h.Settled(ctx, q.ID)
		}
		waits, err = waits || again, errors.Join(err, e)
	}
	return waits, err
}

// unfit is the error of a run that is not recorded well enough.
type unfit struct{ error }

func left(ctx context.Context, h *history.History, q *history.Queued) (bool, error) {
	x, err := restore(ctx, h, q)
	if err != nil {
		return false, err
	}
	if x.Pipeline.Service != nil {
		return false, h.Settled(ctx, q.ID)
	}
	if q.Owed == history.Died || q.Owed == history.Cut {
		if waits, err := again(ctx, h, q, x); waits || err != nil {
			return waits, err
		}
	}
	return Next(ctx, h, x.Pipeline.Retry, Ended{*q, x.Definition})
}

// again lets a run whose process died go on, or its handlers run, unless there
// is nothing of both.
func again(ctx context.Context, h *history.History, q *history.Queued, x *Began) (bool, error) {
	var why string
	as := history.Resumed
	if x.Past.Cut {
		as = history.ResumedCut
	}
	if theirs(q) {
		why = "it was not an engine's own"
	} else {
		why = x.Past.Blocked(x.Pipeline)
	}
	if why == "" {
		err := h.Again(ctx, q.ID, as, time.Now().Add(pause(x.before)))
		taken := new(history.SlotTaken)
		switch {
		case errors.Is(err, history.ErrNotQueued):
			return true, nil // somebody has seen to it
		case !errors.As(err, &taken):
			return err == nil, err
		}
		why = taken.Error()
	}
	why = fmt.Sprintf("run %d does not go on: %s", q.ID, why)
	o := over(x)
	runs := len(handlers.After(x.Pipeline, o.State, o.Error)) > 0 && !x.Past.Handled(x.Pipeline)
	switch {
	case runs && (outputs.Lack(q.Params) || outputs.Lack(q.Env)):
		runs, why = false, why+"; nor do its handlers run, since what it was started with held a secret, and was not recorded"
	case runs:
		why += "; its handlers run"
	}
	if err := h.Event(ctx, pipeline.Event{Run: q.ID, Pipeline: q.System + "/" + q.Pipeline, What: "interrupted", Detail: why}); err != nil || !runs {
		return false, err
	}
	err := h.Again(ctx, q.ID, history.Handled, time.Now())
	if errors.Is(err, history.ErrNotQueued) {
		return true, nil
	}
	return err == nil, err
}

// over is how a graph that does not go on has ended.
func over(x *Began) past.Outcome {
	if o := x.Past.Outcome; o.State != "" {
		return o
	}
	return past.Outcome{State: pipeline.Failed, Error: history.Interrupted}
}

// pause is how long a run waits that went on so often before.
func pause(before int) time.Duration {
	if before < patient {
		return 0
	}
	return min(time.Second<<min(before-patient, 10), mostWait)
}

// Began is a run that had begun before: what it began with, and how far it came.
type Began struct {
	Pipeline   *pipeline.Pipeline
	Definition history.Definition
	Past       *past.Past
	before     int // how often it went on
}

// Resume gives how a run that waits and had begun before goes on. One that
// cannot, because too little is kept of it, waits no more: the error is
// history.ErrNotQueued then.
func Resume(ctx context.Context, h *history.History, q *history.Queued) (*Began, error) {
	x, err := restore(ctx, h, q)
	if unfit := new(unfit); errors.As(err, &unfit) {
		return nil, errors.Join(history.ErrNotQueued, err, h.Skip(ctx, q.ID, ""))
	}
	return x, err
}

// GoesOn is called when such a run is claimed. It leaves the event that says so,
// and takes up that somebody asked to cancel it while it waited: then its graph
// does not go on.
func (x *Began) GoesOn(ctx context.Context, h *history.History, q *history.Queued) error {
	ids, err := h.CancelAsked(ctx)
	if slices.Contains(ids, q.ID) && x.Past.Outcome.State == "" {
		x.Past.Outcome = asked
	}
	e := pipeline.Event{Run: q.ID, Pipeline: q.System + "/" + q.Pipeline, What: "resumed", Detail: fmt.Sprintf("run %d goes on where it was", q.ID)}
	if q.Owed == history.Handled {
		x.Past.Outcome, x.Past.Once = over(x), true
		e.What, e.Detail = "handlers", fmt.Sprintf("the handlers of run %d run, which was interrupted", q.ID)
	}
	return errors.Join(err, h.Event(ctx, e))
}

// asked is how a graph ends that somebody asked to cancel.
var asked = past.Outcome{State: pipeline.Cancelled, Error: "cancelled"}

func restore(ctx context.Context, h *history.History, q *history.Queued) (*Began, error) {
	if q.Hash == "" {
		return nil, &unfit{errors.New("no definition is kept with it")}
	}
	d, ok, err := h.Definition(ctx, q.Hash)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &unfit{errors.New("the definition that it ran under is not kept")}
	}
	x := &Began{Definition: d, Past: &past.Past{Cut: q.Owed == history.Cut || q.Owed == history.ResumedCut}}
	if x.Pipeline, err = loaded.Restore(d); err != nil {
		return nil, &unfit{err}
	}
	x.Pipeline.System, x.Pipeline.Name = q.System, q.Pipeline
	events, err := h.Events(ctx, history.EventFilter{Run: q.ID, What: "resumed"})
	if err != nil {
		return nil, err
	}
	x.before = len(events)
	x.Past.Again = x.before < patient
	x.Past.Steps, err = h.Steps(ctx, q.ID)
	for i := range x.Past.Steps {
		if s := &x.Past.Steps[i]; s.State == pipeline.Failed && s.Error == history.Interrupted {
			s.State = pipeline.Running // it had begun, and nobody knows how it ended
		}
	}
	x.Past.Outcome = past.Outcome{State: q.Outcome, Error: q.OutcomeError}
	if q.Outcome == "" {
		x.Past.Outcome = x.Past.Short(x.Pipeline)
	}
	if q.Cancelled && x.Past.Outcome.State == "" {
		x.Past.Outcome = asked
	}
	return x, err
}
