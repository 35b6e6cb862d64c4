// Package work runs and plans what was asked for: one request from its
// parameters and secrets to its recorded end, with its attempts, its artifacts
// and the pipelines that its steps call.
package work

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/artifacts"
	"github.com/redundctl/redundctl/engine/cancel"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/record"
	"github.com/redundctl/redundctl/engine/runner"
	"github.com/redundctl/redundctl/engine/runner/outputs"
	"github.com/redundctl/redundctl/engine/runner/past"
	"github.com/redundctl/redundctl/engine/runner/retry"
	"github.com/redundctl/redundctl/engine/store"
	"github.com/redundctl/redundctl/engine/temp"
)

// Stopping is the cause that ends runs when the engine itself ends: they are left
// as a crash would leave them.
var Stopping = fmt.Errorf("the engine is stopping: %w", runner.ErrLeft) //nolint:errname,staticcheck // reads as a condition

// Worker is what runs work with. Its fields are set before it is used and never
// change; it may be used from several goroutines. To plan, the history and the logs
// may be nil.
type Worker struct {
	Host    func(string) (string, bool) // the environment
	History *history.History
	Logs    *logs.Dir
	Temp    *temp.Runs // outside the state directory
	Log     *slog.Logger
	Output  Output // nil: none
	Going   *cancel.Runs
	// Rescue ends what dead processes left, before a slot of theirs is taken.
	Rescue func(ctx context.Context) error
	// Began is told of each step that begins; nil: nobody is.
	Began func(*pipeline.StepRecord)
	// Delivers gives what the end of a run changes beside the run; it is recorded
	// with it. It, or what it gives, is nil: nothing.
	Delivers func(*pipeline.Pipeline, pipeline.Run) func(*store.Tx) error
	// Left is closed when the engine leaves its runs as they are.
	Left <-chan struct{}
	// Failed is told why a record could not be written, and nil when one could.
	Failed func(error)
}

// Report is one run with its steps.
type Report struct {
	Run   pipeline.Run
	Steps []pipeline.StepRecord
}

// Run runs a request to its end: attempt after attempt, each a row of its own.
func (w *Worker) Run(ctx context.Context, q *Request) (Report, error) {
	most := max(q.pipeline.Retry.Attempts, 1)
	delay := retry.Delays(q.pipeline.Retry)
	for n := 1; ; n++ {
		rep, err := w.attempt(ctx, q, n)
		if err != nil || !rep.Run.State.Bad() || n == most {
			return rep, err
		}
		wait := delay()
		line := fmt.Sprintf("run %d %s: attempt %d of %d in %s", rep.Run.ID, rep.Run.State, n+1, most, wait)
		w.note("%s", line)
		err = w.History.Event(ctx, pipeline.Event{At: time.Now(), Run: rep.Run.ID, Pipeline: q.pipeline.ID(), What: "retry", Detail: line})
		if err != nil {
			w.Log.Warn("a retry could not be recorded", "run", rep.Run.ID, "error", err)
		}
		if !retry.Wait(ctx, wait) {
			return rep, nil
		}
	}
}

// attempt is one row of the history: begun, run, ended.
func (w *Worker) attempt(ctx context.Context, q *Request, n int) (Report, error) {
	p := q.pipeline
	run := pipeline.Run{Pipeline: p.Name, System: p.System, Trigger: q.trigger, Slot: q.slot, Reason: q.reason, Attempt: n, Parent: q.parent}
	if n > 1 {
		run.Reason = "retry"
	}
	if !q.slot.IsZero() {
		// To take the slot of a process that died is to write the end of its
		// run, after which nobody looks for what that left.
		if err := w.Rescue(ctx); err != nil {
			return Report{}, err
		}
	}
	begun := history.Queued{Run: run, Params: kept(q, q.asked), Env: kept(q, q.env)}
	if err := w.History.BeginWith(ctx, &begun, q.set.Definition(p)); err != nil {
		return Report{}, err
	}
	return w.Execute(ctx, q, begun.Run)
}

// kept is what a request was started with, as it is recorded.
func kept(q *Request, values map[string]string) map[string]string {
	if len(values) == 0 {
		return nil
	}
	return outputs.Env(q.masker(), values)
}

// Execute runs what was begun, and records its end.
func (w *Worker) Execute(ctx context.Context, q *Request, run pipeline.Run) (Report, error) {
	p, n := q.pipeline, run.Attempt
	w.Log.Info("run started", "run", run.ID, "pipeline", p.ID(), "attempt", n)
	j := w.job(q, run)
	running, end := w.Going.Begin(ctx, run.ID)
	defer end()
	rec := w.Recorder(running)
	if !q.served {
		rec.Left = nil
	}
	j.Settle = func(ctx context.Context, o past.Outcome) error { return rec.Settle(ctx, run.ID, o.State, o.Error) }
	j.Flush = rec.Flush
	result, err := w.inTemp(running, j, rec)
	if err != nil {
		result = runner.Result{State: pipeline.Failed, Error: j.Masker.Mask(err.Error())}
	}
	if errors.Is(context.Cause(ctx), Stopping) {
		// The engine ends in the middle of it, and the next one finds it as a crash
		// would have left it.
		_ = rec.Flush(ctx)
		return Report{Run: run, Steps: result.Steps}, Stopping
	}
	run.State, run.Error, run.Finished = result.State, result.Error, time.Now()
	w.Log.Info("run ended", "run", run.ID, "pipeline", p.ID(), "state", run.State, "error", run.Error)
	var with func(*store.Tx) error
	if w.Delivers != nil {
		with = w.Delivers(p, run)
	}
	err = rec.Finish(ctx, &run, with)
	if errors.Is(err, record.ErrLeft) {
		err = fmt.Errorf("%w: %w", Stopping, err)
	}
	return Report{Run: run, Steps: result.Steps}, err
}

// Recorder brings the records of a run that an engine began to the history; ctx
// is the run's.
func (w *Worker) Recorder(ctx context.Context) *record.Recorder {
	return &record.Recorder{History: w.History, Log: w.Log, Note: w.note, Done: ctx.Done(), Left: w.Left, Failed: w.Failed, Began: w.Began}
}

// inTemp runs the job with a directory of its own, and keeps what it left
// there to be kept.
func (w *Worker) inTemp(ctx context.Context, j runner.Job, rec *record.Recorder) (runner.Result, error) {
	var err error
	if j.Temp, err = w.Temp.Take(); err != nil {
		return runner.Result{}, err
	}
	defer func() {
		if err := w.Temp.Give(j.Temp); err != nil {
			w.Log.Warn("the directory of a run could not be removed", "run", j.Run.ID, "error", err)
		}
	}()
	lines := w.Logs.Writer(j.Pipeline.System).Run(j.Run.ID, j.Pipeline.ID())
	j.Open = func(step string) io.WriteCloser { return w.receiver(lines.Step(step), step) }
	result := runner.Run(ctx, j, rec)
	if w.Temp.Left(j.Temp) {
		_ = rec.Flush(ctx) // Finish tells
		w.keepArtifacts(ctx, j, rec)
	}
	if err := lines.Flush(); err != nil { // health tells of it too
		w.Log.Warn("lines of a log were lost", "run", j.Run.ID, "error", err)
	}
	return result, nil
}

// keepArtifacts keeps what a run left for that, and says what is not kept.
func (w *Worker) keepArtifacts(ctx context.Context, j runner.Job, rec *record.Recorder) {
	kept := filepath.Join(j.State, "artifacts", strconv.FormatInt(j.Run.ID, 10))
	for _, line := range artifacts.Move(filepath.Join(j.Temp, temp.Artifacts), kept, j.Masker) {
		w.Log.Warn(line, "run", j.Run.ID)
		_ = rec.Event(ctx, pipeline.Event{At: time.Now(), Run: j.Run.ID, Pipeline: j.Pipeline.ID(), What: "artifact", Detail: j.Masker.Mask(line)})
	}
}

// job is what the runner is given, but for what only a real run has.
func (w *Worker) job(q *Request, run pipeline.Run) runner.Job {
	project, p := q.set.Project, q.pipeline
	if p.Service != nil {
		p = asStep(p)
	}
	return runner.Job{
		Pipeline: p, Run: run, Past: q.past, Primary: q.primary,
		Params: q.params, Env: q.env, Host: w.Host, InheritEnv: project.Config.InheritEnv, Vars: project.Config.Vars,
		Secrets: q.secrets, Masker: q.masker(),
		Root: project.Root, State: project.State, Protected: project.Protected(),
		Action: project.Action, Build: q.set.Builder(q.secrets),
		Call: func(ctx context.Context, name string, params map[string]any) (pipeline.Called, error) {
			return w.call(ctx, called{q, run.ID, name, params})
		},
		PlanCall: func(ctx context.Context, name string, params map[string]any) ([]pipeline.Effect, error) {
			return w.planCall(ctx, called{q, 0, name, params})
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
	by     *Request
	parent int64
	name   string
	params map[string]any
}

func (w *Worker) call(ctx context.Context, c called) (pipeline.Called, error) {
	q, err := w.nested(c)
	if err != nil {
		return pipeline.Called{}, err
	}
	rep, err := w.Run(ctx, q)
	return pipeline.Called{Run: strconv.FormatInt(rep.Run.ID, 10), State: rep.Run.State, Error: rep.Run.Error}, err
}

// texts are parameters as texts, as far as they are that or can be read again
// from one.
func texts(values map[string]any) map[string]string {
	out := make(map[string]string, len(values))
	for k, v := range values {
		switch v.(type) {
		case string, bool, int, int64, float64:
			out[k] = fmt.Sprint(v)
		default:
			out[k] = outputs.Withheld
		}
	}
	return out
}

// nested is the request of a called pipeline. It masks the callers' secrets
// too: a parameter may hold one.
func (w *Worker) nested(c called) (*Request, error) {
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
	q := &Request{set: c.by.set, pipeline: found[0], trigger: "pipeline", served: c.by.served, parent: c.parent, above: above, values: slices.Clone(c.by.values), asked: texts(c.params)}
	return q, w.complete(q, c.params)
}

// Plan says what Run would do, and changes nothing.
func (w *Worker) Plan(ctx context.Context, q *Request) (runner.Planned, error) {
	p := q.pipeline
	return runner.Plan(ctx, w.job(q, pipeline.Run{Pipeline: p.Name, System: p.System, Trigger: q.trigger, Slot: q.slot, Reason: q.reason, Attempt: 1}))
}

func (w *Worker) planCall(ctx context.Context, c called) ([]pipeline.Effect, error) {
	q, err := w.nested(c)
	if err != nil {
		return nil, err
	}
	got, err := w.Plan(ctx, q)
	var out []pipeline.Effect
	for _, s := range got.Steps {
		for _, x := range s.Effects {
			out = append(out, pipeline.Effect(s.ID+": "+x))
		}
	}
	return out, err
}
