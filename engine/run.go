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

	"github.com/redundctl/redundctl/engine/artifacts"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/record"
	"github.com/redundctl/redundctl/engine/runner"
	"github.com/redundctl/redundctl/engine/runner/retry"
	"github.com/redundctl/redundctl/engine/secret"
	"github.com/redundctl/redundctl/engine/temp"
)

// run runs a request to its end: attempt after attempt, each a row of its own.
func (e *Engine) run(ctx context.Context, q *request) (Report, error) {
	most := max(q.pipeline.Retry.Attempts, 1)
	delay := retry.Delays(q.pipeline.Retry)
	for n := 1; ; n++ {
		rep, err := e.attempt(ctx, q, n)
		if err != nil || !rep.Run.State.Bad() || n == most {
			return rep, err
		}
		wait := delay()
		line := fmt.Sprintf("run %d %s: attempt %d of %d in %s", rep.Run.ID, rep.Run.State, n+1, most, wait)
		e.note("%s", line)
		err = e.history.Event(ctx, pipeline.Event{At: time.Now(), Run: rep.Run.ID, Pipeline: q.pipeline.ID(), What: "retry", Detail: line})
		if err != nil {
			e.log.Warn("a retry could not be recorded", "run", rep.Run.ID, "error", err)
		}
		if !pause(ctx, wait) {
			return rep, nil
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
	if err := e.history.Begin(ctx, &run, q.set.Definition(p)); err != nil {
		return Report{}, err
	}
	return e.execute(ctx, q, run)
}

// execute runs what was begun, and records its end.
func (e *Engine) execute(ctx context.Context, q *request, run pipeline.Run) (Report, error) {
	p, n := q.pipeline, run.Attempt
	e.log.Info("run started", "run", run.ID, "pipeline", p.ID(), "attempt", n)
	j := e.job(q, run)
	running, end := e.going.Begin(ctx, run.ID)
	defer end()
	rec := e.recorder(running)
	result, err := e.inTemp(running, j, rec)
	if err != nil {
		result = runner.Result{State: pipeline.Failed, Error: j.Masker.Mask(err.Error())}
	}
	if errors.Is(context.Cause(ctx), errStopping) {
		// The engine ends in the middle of it, and the next one finds it as a crash
		// would have left it.
		return Report{Run: run, Steps: result.Steps}, errStopping
	}
	run.State, run.Error, run.Finished = result.State, result.Error, time.Now()
	e.log.Info("run ended", "run", run.ID, "pipeline", p.ID(), "state", run.State, "error", run.Error)
	err = rec.Finish(ctx, &run)
	return Report{Run: run, Steps: result.Steps}, err
}

// recorder brings the records of a run to the history; ctx is the run's.
func (e *Engine) recorder(ctx context.Context) *record.Recorder {
	return &record.Recorder{History: e.history, Log: e.log, Note: e.note, Done: ctx.Done(), Failed: func(err error) {
		if s := e.serving.Load(); s != nil {
			s.failed("records", err)
		}
	}}
}

// inTemp runs the job with a directory of its own, and keeps what it left
// there to be kept.
func (e *Engine) inTemp(ctx context.Context, j runner.Job, rec *record.Recorder) (runner.Result, error) {
	j.Temp = filepath.Join(e.temp, strconv.FormatInt(j.Run.ID, 10))
	left := filepath.Join(j.Temp, "artifacts")
	if err := os.MkdirAll(left, 0o700); err != nil {
		return runner.Result{}, fmt.Errorf("the directory of the run cannot be made: %w", err)
	}
	defer func() {
		if err := temp.Remove(j.Temp); err != nil {
			e.log.Warn("the directory of a run could not be removed", "run", j.Run.ID, "error", err)
		}
	}()
	lines := e.logs.Writer(j.Pipeline.System).Run(j.Run.ID, j.Pipeline.ID())
	j.Open = func(step string) io.WriteCloser { return e.receiver(lines.Step(step), step) }
	result := runner.Run(ctx, j, rec)
	kept := filepath.Join(j.State, "artifacts", strconv.FormatInt(j.Run.ID, 10))
	for _, line := range artifacts.Move(left, kept, j.Masker) {
		e.log.Warn(line, "run", j.Run.ID)
		_ = rec.Event(ctx, pipeline.Event{At: time.Now(), Run: j.Run.ID, Pipeline: j.Pipeline.ID(), What: "artifact", Detail: j.Masker.Mask(line)})
	}
	return result, lines.Flush()
}

// job is what the runner is given, but for what only a real run has.
func (e *Engine) job(q *request, run pipeline.Run) runner.Job {
	project, p := q.set.Project, q.pipeline
	if p.Service != nil {
		p = asStep(p)
	}
	return runner.Job{
		Pipeline: p, Run: run,
		Params: q.params, Env: q.env, Host: e.host, InheritEnv: project.Config.InheritEnv, Vars: project.Config.Vars,
		Secrets: q.secrets, Masker: secret.NewMasker(slices.Concat(q.values, q.set.Hidden)...),
		Root: project.Root, State: project.State, Protected: project.Protected(),
		Action: project.Action, Build: q.set.Build,
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
	found := c.by.set.Project.Find(c.name)
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
	q := &request{set: c.by.set, pipeline: found[0], trigger: "pipeline", parent: c.parent, above: above, values: slices.Clone(c.by.values)}
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
