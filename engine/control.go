package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/history/priority"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/services"
)

// NotServing is the error of what only an engine that serves can do.
var NotServing = errors.New("the engine does not serve") //nolint:errname,staticcheck // reads as a condition

// Trigger records a run that waits for its turn, and does not wait for it. by
// says who asks. A *UsageError says that the request is wrong.
func (e *Engine) Trigger(ctx context.Context, name, by string, r RunRequest) (pipeline.Run, error) {
	s := e.serving.Load()
	if s == nil {
		return pipeline.Run{}, NotServing
	}
	p, err := s.find(name)
	if err != nil {
		return pipeline.Run{}, err
	}
	r.Pipeline = p.Pipeline
	if _, err := s.worker.Request(s.now().SetOf(p), r); err != nil {
		return pipeline.Run{}, err
	}
	return s.ask(ctx, "run by "+by, p, history.Order{Trigger: "api", Reason: "manual", Slot: r.Slot, Params: r.Params, Env: r.Env})
}

// Retry runs again what has ended, as a run of its own under the newest form of
// its pipeline.
func (e *Engine) Retry(ctx context.Context, id int64, by string) (pipeline.Run, error) {
	s := e.serving.Load()
	if s == nil {
		return pipeline.Run{}, NotServing
	}
	w, err := s.history.Asked(ctx, id)
	if err != nil {
		return pipeline.Run{}, err
	}
	if !w.State.Done() {
		return pipeline.Run{}, &UsageError{Message: fmt.Sprintf("run %d is %s: only a run that has ended can be run again", id, w.State)}
	}
	p, err := s.find(w.System + "/" + w.Pipeline)
	if err != nil {
		return pipeline.Run{}, err
	}
	return s.ask(ctx, fmt.Sprintf("run %d again, by %s", id, by), p, history.Order{
		Trigger: "retry", Reason: "retry", Slot: w.Slot, Attempt: w.Attempt + 1, Params: w.Params, Env: w.Env,
	})
}

// ask lines up a run of p that somebody asked for.
func (s *server) ask(ctx context.Context, detail string, p *force.Part, o history.Order) (pipeline.Run, error) {
	if err := s.worker.Keepable(s.now().Set, RunRequest{Pipeline: p.Pipeline, Params: o.Params, Env: o.Env}); err != nil {
		return pipeline.Run{}, err
	}
	o.System, o.Pipeline, o.Definition, o.Priority = p.Pipeline.System, p.Pipeline.Name, p.Definition(), priority.Of(p.Pipeline.Priority)
	run, err := s.history.Enqueue(ctx, o)
	if err != nil {
		return run, err
	}
	s.queue.Wake()
	s.event(ctx, pipeline.Event{Run: run.ID, Pipeline: o.System + "/" + o.Pipeline, What: "asked", Detail: detail})
	return run, nil
}

// find gives the part that a name means.
func (s *server) find(name string) (*force.Part, error) {
	found := s.now().Find(name)
	switch len(found) {
	case 0:
		return nil, &UsageError{Message: fmt.Sprintf("the engine has no pipeline %q", name)}
	case 1:
		return found[0], nil
	}
	ids := make([]string, 0, len(found))
	for _, p := range found {
		ids = append(ids, p.Pipeline.ID())
	}
	return nil, &UsageError{Message: fmt.Sprintf("the name %q means %s: write one of them", name, strings.Join(ids, " and "))}
}

// Cancel asks that a run end, and gives the state that it is in then.
func (e *Engine) Cancel(ctx context.Context, id int64, by string) (pipeline.State, error) {
	state, err := e.history.Cancel(ctx, id, "by "+by)
	if err != nil {
		return state, err
	}
	e.going.Cancel(id)
	if s := e.serving.Load(); s != nil {
		s.queue.Cancel(id)
		s.queue.Wake()
	}
	return state, nil
}

// StopPart stops a system or a pipeline by hand: its runs go on to their end,
// and none begins by itself until StartPart, whatever engine serves.
func (e *Engine) StopPart(ctx context.Context, name, by string) error {
	return e.turn(ctx, name, by, e.history.Stop)
}

// StartPart takes back what StopPart did.
func (e *Engine) StartPart(ctx context.Context, name, by string) error {
	return e.turn(ctx, name, by, e.history.Start)
}

// RestartPart stops a system or a pipeline and starts it again. Runs that go on are
// not touched; services are restarted, errored ones too.
func (e *Engine) RestartPart(ctx context.Context, name, by string) error {
	return e.turn(ctx, name, by, func(ctx context.Context, system, name, by string) error {
		err := e.history.Stop(ctx, system, name, by)
		if err == nil {
			err = e.history.Start(ctx, system, name, by)
		}
		e.serving.Load().kept.Restart(system, name)
		return err
	})
}

// Takeover has the service of a pipeline run here, whatever its primary does, until
// Failback. A *UsageError says that it is none in standby.
func (e *Engine) Takeover(_ context.Context, name, by string) error {
	return e.move(name, by, (*services.Services).Takeover)
}

// Failback gives the service of a pipeline back to its primary.
func (e *Engine) Failback(_ context.Context, name, by string) error {
	return e.move(name, by, (*services.Services).Failback)
}

func (e *Engine) move(name, by string, do func(s *services.Services, id, by string) error) error {
	s := e.serving.Load()
	if s == nil {
		return NotServing
	}
	p, err := s.find(name)
	if err != nil {
		return err
	}
	return do(s.kept, p.Pipeline.ID(), by)
}

// StopSystem is StopPart for a system; a name of anything else is wrong.
func (e *Engine) StopSystem(ctx context.Context, name, by string) error {
	return e.system(name, func() error { return e.StopPart(ctx, name, by) })
}

// StartSystem takes back what StopSystem did.
func (e *Engine) StartSystem(ctx context.Context, name, by string) error {
	return e.system(name, func() error { return e.StartPart(ctx, name, by) })
}

// RestartSystem is RestartPart for a system.
func (e *Engine) RestartSystem(ctx context.Context, name, by string) error {
	return e.system(name, func() error { return e.RestartPart(ctx, name, by) })
}

func (e *Engine) system(name string, do func() error) error {
	s := e.serving.Load()
	if s == nil {
		return NotServing
	}
	if !s.isSystem(name) {
		return &UsageError{Message: fmt.Sprintf("the engine serves no system %q", name)}
	}
	return do()
}

func (s *server) isSystem(name string) bool {
	_, ok := s.now().Set.Project.Config.Systems[name]
	return ok && s.how().Serves(name)
}

func (e *Engine) turn(ctx context.Context, name, by string, do func(ctx context.Context, system, name, by string) error) error {
	s := e.serving.Load()
	if s == nil {
		return NotServing
	}
	system, pipe := name, ""
	if !s.isSystem(name) {
		p, err := s.find(name)
		if err != nil {
			return err
		}
		system, pipe = p.Pipeline.System, p.Pipeline.Name
	}
	if err := do(ctx, system, pipe, by); err != nil {
		return err
	}
	if err := s.readStopped(ctx); err != nil {
		return err
	}
	s.kept.Gone(ctx, system, pipe)
	s.queue.Wake()
	s.care.checkup.Wake()
	return nil
}

// SetDrain changes how long runs may take to end when the engine stops, also
// while it does.
func (e *Engine) SetDrain(d time.Duration) {
	if s := e.serving.Load(); s != nil {
		s.mu.Lock()
		s.drain = d
		s.mu.Unlock()
	}
}
