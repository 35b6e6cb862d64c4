package runner

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/environ"
	"github.com/redundctl/redundctl/engine/runner/eval"
	"github.com/redundctl/redundctl/engine/runner/handlers"
	"github.com/redundctl/redundctl/engine/runner/matrix"
	"github.com/redundctl/redundctl/engine/runner/past"
	"github.com/redundctl/redundctl/engine/runner/paths"
	"github.com/redundctl/redundctl/engine/secret"
)

// run is one job on its way.
type run struct {
	job   Job
	rec   Recorder
	mask  func(string) string
	info  pipeline.RunInfo
	width chan struct{}   // one element for each step that runs; nil: no limit
	graph context.Context // while the graph runs: it ends when that is cut short

	ends past.Ends

	mu    sync.Mutex
	steps []pipeline.StepRecord
}

// Run runs the job to its end, handlers included. When ctx ends, the graph
// does too, and the handlers still run.
func Run(ctx context.Context, j Job, rec Recorder) Result {
	r := newRun(j, rec)
	state, failure := r.all(ctx)
	slices.SortFunc(r.steps, func(a, b pipeline.StepRecord) int { return cmp.Compare(a.Index, b.Index) })
	return Result{State: state, Error: failure, Steps: r.steps}
}

func newRun(j Job, rec Recorder) *run {
	if j.Masker == nil {
		j.Masker = secret.NewMasker()
	}
	r := &run{job: j, rec: rec, mask: j.Masker.Mask}
	r.info = pipeline.RunInfo{
		ID: eval.ID(&j.Run), Pipeline: j.Pipeline.Name, System: j.Pipeline.System, Slot: pipeline.Time(j.Run.Slot),
		Attempt: max(j.Run.Attempt, 1), Trigger: j.Run.Trigger, Reason: j.Run.Reason, Fence: j.Run.Fence,
	}
	if n := j.Pipeline.MaxParallel; n > 0 {
		r.width = make(chan struct{}, n)
	}
	return r
}

// all runs the graph, then the handlers.
func (r *run) all(ctx context.Context) (pipeline.State, string) {
	p, err := r.place()
	if err != nil {
		return pipeline.Failed, r.line(err.Error())
	}
	g, err := newGraph(p, r.job.Pipeline.Steps)
	if err != nil {
		return pipeline.Failed, r.line(err.Error())
	}
	next := g.number(0)
	limited, cancel := ctx, context.CancelFunc(func() {})
	if limit := r.job.Pipeline.Timeout.Std(); limit > 0 {
		limited, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w (timeout: %s)", ErrTimeout, r.job.Pipeline.Timeout))
	}
	if o := r.job.Past.Ended(); o.State != "" {
		cancel()
		g.recallAll()
		if !r.job.Past.Once || !r.job.Past.After(next) {
			r.handlers(ctx, g, next, o)
		}
		return o.State, o.Error
	}
	r.graph = limited
	g.finish(limited)
	o := g.verdict(limited)
	r.graph = nil
	cancel()
	if len(handlers.After(r.job.Pipeline, o.State, o.Error)) > 0 && !left(ctx) {
		r.settle(o)
	}
	r.handlers(ctx, g, next, o)
	return o.State, o.Error
}

// cut records how the graph ends once its context has ended: who goes on with
// the run must know it from the first record on that this explains.
func (r *run) cut(state pipeline.State) {
	if (state == pipeline.Cancelled || state == pipeline.Skipped) && r.graph != nil && r.graph.Err() != nil && !left(r.graph) {
		r.settle(r.short(r.graph))
	}
}

// short is how a graph ends that its context has cut short.
func (r *run) short(ctx context.Context) past.Outcome {
	if outOfTime(ctx) {
		return past.Outcome{State: pipeline.TimedOut, Error: r.line(context.Cause(ctx).Error())}
	}
	return past.Outcome{State: pipeline.Cancelled, Error: "cancelled"}
}

// settle records how the graph ended, before what comes after.
func (r *run) settle(o past.Outcome) {
	if err := r.ends.Settle(r.job.Settle, o); err != nil {
		r.event("record", "how the steps ended could not be recorded: "+err.Error())
	}
}

// flush writes ends that nothing carries.
func (r *run) flush() {
	if err := r.job.Flush(context.Background()); err != nil {
		r.event("record", "the ends of steps could not be recorded: "+err.Error())
	}
}

// place is what the steps of the pipeline share.
func (r *run) place() (*place, error) {
	j := &r.job
	p := &place{run: r, dir: j.Root, soon: new(atomic.Bool)}
	p.contexts = eval.Contexts(eval.Base{Pipeline: j.Pipeline, Run: &j.Run, Params: j.Params, Vars: j.Vars, Secrets: j.Secrets, Primary: j.Primary})
	var err error
	if p.env, err = environ.New(environ.Base{
		Pipeline: r.job.Pipeline, Host: r.job.Host, Inherit: r.job.InheritEnv, Flags: r.job.Env,
		Contexts: p.contexts, Root: r.job.Root, Run: r.told(),
	}); err != nil {
		return nil, err
	}
	dir := r.job.Pipeline.WorkingDirectory
	if dir == "" {
		return p, nil
	}
	text, err := eval.Text(dir, &expr.Env{Contexts: eval.With(p.contexts, "env", p.env.Shown), Root: r.job.Root})
	if err != nil {
		return nil, within("working-directory", err)
	}
	if !filepath.IsAbs(text) {
		text = filepath.Join(r.job.Root, text)
	}
	p.dir = filepath.Clean(text)
	if expr.HasExpr(dir) {
		if p.dir, err = paths.Inside(r.job.Root, text); err != nil {
			return nil, within("working-directory", err)
		}
	}
	return p, nil
}

// told is what the processes of a run are told of it.
func (r *run) told() map[string]string {
	return map[string]string{
		"REDUND_PIPELINE": r.info.Pipeline, "REDUND_SYSTEM": r.info.System, "REDUND_RUN_ID": r.info.ID, "REDUND_SLOT": r.info.Slot,
		"REDUND_ATTEMPT": strconv.Itoa(r.info.Attempt), "REDUND_FENCE": strconv.FormatInt(r.info.Fence, 10),
		"REDUND_ARTIFACTS": environ.Artifacts(r.job.Temp), "REDUNDANCY_MODE": "true",
	}
}

// number gives each step the position of its record, from first on, and the
// position after them.
func (g *graph) number(first int) int {
	g.index = make([]int, len(g.steps))
	for i := range g.steps {
		g.index[i] = first
		first += matrix.Room(&g.steps[i])
	}
	return first
}

// verdict is how the graph ended.
func (g *graph) verdict(ctx context.Context) past.Outcome {
	switch {
	case g.cut && ctx.Err() != nil:
		return g.run.short(ctx)
	case g.failed != "":
		return past.Outcome{State: pipeline.Failed, Error: "step " + g.failed + ": " + g.ends[g.position(g.failed)].err}
	}
	return past.Outcome{State: pipeline.Succeeded}
}

func (g *graph) position(id string) int {
	return slices.IndexFunc(g.steps, func(s pipeline.Step) bool { return s.ID == id })
}

// after is a context for the steps that still run when ctx has been cancelled.
func (g *graph) after(ctx context.Context) context.Context {
	if g.late == nil {
		g.late, g.stop = bounded(ctx, "the steps after a cancellation")
	}
	return g.late
}

func bounded(ctx context.Context, what string) (context.Context, context.CancelFunc) {
	all, end := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if left(ctx) {
			end(context.Cause(ctx))
		}
	})
	limited, cancel := context.WithTimeoutCause(all, HandlerLimit,
		fmt.Errorf("%s are out of time (limit: %s): %w", what, pipeline.Duration(HandlerLimit), context.DeadlineExceeded))
	return limited, func() { stop(); cancel(); end(nil) }
}

// handlers runs the list that the outcome asks for, then `always`.
func (r *run) handlers(ctx context.Context, g *graph, next int, o past.Outcome) {
	place := *g.place
	place.contexts = maps.Clone(place.contexts)
	place.contexts["run"] = eval.Run(&r.job.Run, o.State, o.Error)
	for _, list := range handlers.After(r.job.Pipeline, o.State, o.Error) {
		if left(ctx) {
			return
		}
		at := place
		h := &graph{
			place: &at, steps: list.Steps, ends: make([]ending, len(list.Steps)), ids: make(map[string]int, len(list.Steps)),
			handlers: &list.Status, main: g,
		}
		for i := range list.Steps {
			h.ids[list.Steps[i].ID] = i
		}
		next = h.number(next)
		limited, cancel := bounded(ctx, "the handlers of "+list.Name)
		h.finish(limited)
		cancel()
		g = h
	}
}

// keep takes over a record that is complete.
func (r *run) keep(rec *pipeline.StepRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps = append(r.steps, *rec)
}

// event adds one line to the account of the run. It tells, and decides
// nothing: one that cannot be written is lost.
func (r *run) event(what, detail string) {
	_ = r.rec.Event(context.Background(), pipeline.Event{
		At: time.Now(), Run: r.job.Run.ID, Pipeline: r.job.Pipeline.ID(), What: what, Detail: r.line(detail),
	})
}

func (r *run) call(ctx context.Context, name string, params map[string]any) (pipeline.Called, error) {
	if r.job.Call == nil {
		return pipeline.Called{}, fmt.Errorf("pipeline %s cannot be run from here", name)
	}
	return r.job.Call(ctx, name, params)
}

func (r *run) planCall(ctx context.Context, name string, params map[string]any) ([]pipeline.Effect, error) {
	if r.job.PlanCall == nil {
		return nil, fmt.Errorf("pipeline %s cannot be planned from here", name)
	}
	return r.job.PlanCall(ctx, name, params)
}
