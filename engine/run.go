package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner"
	"github.com/redundctl/redundctl/engine/runner/retry"
	"github.com/redundctl/redundctl/engine/secret"
)

// run runs a request to its end: attempt after attempt, each a row of its own.
func (e *Engine) run(ctx context.Context, q *request) (Report, error) {
	most := max(q.pipeline.Retry.Attempts, 1)
	delay := retry.Delays(q.pipeline.Retry)
	for n := 1; ; n++ {
		rep, err := e.attempt(ctx, q, n)
		failed := rep.Run.State == pipeline.Failed || rep.Run.State == pipeline.TimedOut
		if err != nil || !failed || n == most {
			return rep, err
		}
		wait := delay()
		line := fmt.Sprintf("run %d %s: attempt %d of %d in %s", rep.Run.ID, rep.Run.State, n+1, most, wait)
		e.note("%s", line)
		err = e.history.Event(ctx, pipeline.Event{At: time.Now(), Run: rep.Run.ID, Pipeline: q.pipeline.ID(), What: "retry", Detail: line})
		if err != nil {
			e.log.Warn("a retry could not be recorded", "run", rep.Run.ID, "error", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return rep, nil
		case <-timer.C:
		}
	}
}

// attempt is one row of the history: begun, run, ended.
func (e *Engine) attempt(ctx context.Context, q *request, n int) (Report, error) {
	p := q.pipeline
	run := pipeline.Run{Pipeline: p.Name, System: p.System, Trigger: q.trigger, Slot: q.slot, Reason: q.reason, Attempt: n, Parent: q.parent}
	if n > 1 {
		run.Reason = "retry"
	}
	if !q.slot.IsZero() {
		// To take the slot of a process that died is to write the end of its
		// run, after which nobody looks for what that left.
		if err := e.rescue(ctx); err != nil {
			return Report{}, err
		}
	}
	hash, body := e.o.Project.Definition(p)
	if err := e.history.Begin(ctx, &run, history.Definition{Hash: hash, File: p.File, Body: body}); err != nil {
		return Report{}, err
	}
	e.log.Info("run started", "run", run.ID, "pipeline", p.ID(), "attempt", n)
	j := e.job(q, run)
	rec := &recorder{history: e.history, log: e.log, note: e.note, ctx: ctx}
	result, err := e.inTemp(ctx, j, rec)
	if err != nil {
		result = runner.Result{State: pipeline.Failed, Error: j.Masker.Mask(err.Error())}
	}
	run.State, run.Error, run.Finished = result.State, result.Error, time.Now()
	e.log.Info("run ended", "run", run.ID, "pipeline", p.ID(), "state", run.State, "error", run.Error)
	err = rec.keep(context.WithoutCancel(ctx), "the end of run "+strconv.FormatInt(run.ID, 10), func(ctx context.Context) error {
		return e.history.Finish(ctx, &run)
	})
	return Report{Run: run, Steps: result.Steps}, err
}

// inTemp runs the job with a directory of its own, and keeps what it left
// there to be kept.
func (e *Engine) inTemp(ctx context.Context, j runner.Job, rec *recorder) (runner.Result, error) {
	j.Temp = filepath.Join(e.temp, strconv.FormatInt(j.Run.ID, 10))
	left := filepath.Join(j.Temp, "artifacts")
	if err := os.MkdirAll(left, 0o700); err != nil {
		return runner.Result{}, fmt.Errorf("the directory of the run cannot be made: %w", err)
	}
	defer func() {
		if err := removeTemp(j.Temp); err != nil {
			e.log.Warn("the directory of a run could not be removed", "run", j.Run.ID, "error", err)
		}
	}()
	lines := e.logs.Writer(j.Pipeline.System).Run(j.Run.ID, j.Pipeline.ID())
	j.Open = func(step string) io.WriteCloser { return e.receiver(lines.Step(step), step) }
	result := runner.Run(ctx, j, rec)
	kept := artifacts{from: left, to: filepath.Join(e.o.Project.State, "artifacts", strconv.FormatInt(j.Run.ID, 10)), masker: j.Masker}
	for _, line := range kept.move() {
		e.log.Warn(line, "run", j.Run.ID)
		_ = rec.Event(ctx, pipeline.Event{At: time.Now(), Run: j.Run.ID, Pipeline: j.Pipeline.ID(), What: "artifact", Detail: j.Masker.Mask(line)})
	}
	return result, lines.Flush()
}

// job is what the runner is given, but for what only a real run has.
func (e *Engine) job(q *request, run pipeline.Run) runner.Job {
	project, p := e.o.Project, q.pipeline
	if p.Service != nil {
		p = asStep(p)
	}
	return runner.Job{
		Pipeline: p, Run: run,
		Params: q.params, Env: q.env, Host: e.host, InheritEnv: project.Config.InheritEnv, Vars: project.Config.Vars,
		Secrets: q.secrets, Masker: secret.NewMasker(slices.Concat(q.values, e.hidden)...),
		Root: project.Root, State: project.State, Protected: project.Protected(),
		Action: project.Action, Build: e.build,
		Call: func(ctx context.Context, name string, params map[string]any) (pipeline.Called, error) {
			return e.call(ctx, called{q, run.ID, name, params})
		},
		PlanCall: func(ctx context.Context, name string, params map[string]any) ([]pipeline.Effect, error) {
			return e.planCall(ctx, called{q, 0, name, params})
		},
	}
}

// asStep is a service as a pipeline of one step, for `run`: it goes on until
// it ends or is cancelled.
func asStep(p *pipeline.Pipeline) *pipeline.Pipeline {
	out, s := *p, p.Service
	out.Timeout, out.Retry = 0, pipeline.Retry{}
	out.Steps = []pipeline.Step{{ID: "service", Run: s.Run, Exec: s.Exec, Shell: s.Shell, MemoryLimit: s.MemoryLimit}}
	return &out
}

// build makes the action of one attempt. What is a key of the step itself was
// checked when the file was loaded and has no other form; of what stands in
// `with`, expressions may have made anything.
func (e *Engine) build(uses string, with map[string]any) (pipeline.Action, error) {
	k, ok := e.o.Kinds.Action(uses)
	if !ok {
		return nil, fmt.Errorf("uses: there is no kind %s", uses)
	}
	if !k.Key {
		schemas := e.o.Kinds.Schemas()
		schemas.FillWith(uses, with)
		var wrong []error
		for _, i := range schemas.With(uses, with) {
			where := "with"
			for _, x := range i.Path {
				where += "." + fmt.Sprint(x)
			}
			wrong = append(wrong, fmt.Errorf("%s %s", where, i.Message))
		}
		if len(wrong) > 0 {
			return nil, errors.Join(wrong...)
		}
	}
	return k.Build(with, e.deps)
}

// called is a pipeline that a step of another one runs.
type called struct {
	by     *request
	parent int64
	name   string
	params map[string]any
}

func (e *Engine) call(ctx context.Context, c called) (pipeline.Called, error) {
	q, err := e.nested(c)
	if err != nil {
		return pipeline.Called{}, err
	}
	rep, err := e.run(ctx, q)
	return pipeline.Called{Run: strconv.FormatInt(rep.Run.ID, 10), State: rep.Run.State, Error: rep.Run.Error}, err
}

// nested is the request of a called pipeline. It masks the callers' secrets
// too: a parameter may hold one.
func (e *Engine) nested(c called) (*request, error) {
	found := e.o.Project.Find(c.name)
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("there is no pipeline %s", c.name)
	case 1:
	default:
		return nil, fmt.Errorf("the name %s means %s and %s", c.name, found[0].ID(), found[1].ID())
	}
	above := append(slices.Clip(c.by.above), c.by.pipeline.ID())
	if i := slices.Index(above, found[0].ID()); i >= 0 {
		return nil, fmt.Errorf("a pipeline runs itself: %s", strings.Join(append(above[i:], found[0].ID()), " -> "))
	}
	q := &request{pipeline: found[0], trigger: "pipeline", parent: c.parent, above: above, values: slices.Clone(c.by.values)}
	return q, e.complete(q, c.params)
}

func (e *Engine) plan(ctx context.Context, q *request) (runner.Planned, error) {
	p := q.pipeline
	return runner.Plan(ctx, e.job(q, pipeline.Run{Pipeline: p.Name, System: p.System, Trigger: q.trigger, Slot: q.slot, Reason: q.reason, Attempt: 1}))
}

func (e *Engine) planCall(ctx context.Context, c called) ([]pipeline.Effect, error) {
	q, err := e.nested(c)
	if err != nil {
		return nil, err
	}
	got, err := e.plan(ctx, q)
	var out []pipeline.Effect
	for _, s := range got.Steps {
		for _, x := range s.Effects {
			out = append(out, pipeline.Effect(s.ID+": "+x))
		}
	}
	return out, err
}

// patience is how long the end of what was left may take before it is said.
const patience = time.Second

// rescue ends what processes that died left running, and then writes the end
// of their runs. What could not be ended is tried again by the next rescue.
func (e *Engine) rescue(ctx context.Context) error {
	ids, err := e.history.Rescue(ctx, func(engine string) error {
		told := make(chan struct{})
		late := time.AfterFunc(patience, func() {
			defer close(told)
			e.log.Info("ending what an interrupted run left running", "engine", engine)
		})
		err := e.deps.Proc.End(engine, 0)
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
