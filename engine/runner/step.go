package runner

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/environ"
	"github.com/redundctl/redundctl/engine/runner/eval"
)

// place is what the steps of one graph have in common.
type place struct {
	run      *run
	contexts map[string]any
	env      *environ.Environ
	dir      string       // working directory, absolute
	prefix   string       // of the steps' names in output and events: "post/" in an action
	files    []string     // the action files that stand above, outermost first
	index    []int        // of each step's record; nil: steps of an action have none
	soon     *atomic.Bool // a record follows at once when a step ends
}

// task is one step that is due, with all that it may see. It belongs to the
// goroutine that does it.
type task struct {
	*place
	ctx    context.Context
	step   *pipeline.Step
	id     string
	index  int
	reads  *eval.Reads
	steps  map[string]any    // the `steps` context; nil when nothing is evaluated
	wrote  map[string]string // what earlier or needed steps wrote to REDUND_ENV
	status expr.Status
	each   *expr.Template // an `if` that reads `matrix`: judged for each combination
	reason string         // why it is left out unless that `if` says otherwise
	holds  bool           // it has its place among the steps side by side
	open   eval.Open      // in a dry run: what its `if` cannot know
}

// leaf reports whether the task takes one place among the steps that run side
// by side; the combinations of a matrix and the steps of an action take their
// own.
func (t *task) leaf() bool { return t.step.Matrix == nil && uses(t.step) != actionKind }

const actionKind = "action"

// uses is the kind that runs a step.
func uses(s *pipeline.Step) string {
	switch {
	case s.Kind != "":
		return s.Kind
	case s.Run != "":
		return "run"
	case len(s.Exec) > 0:
		return "exec"
	case strings.HasPrefix(s.Uses, "./"):
		return actionKind
	}
	return s.Uses
}

// due judges step i, whose turn it is: it gives the task to do, or how the
// step ends without one.
func (g *graph) due(ctx context.Context, i int) (*task, ending) {
	s := &g.steps[i]
	if g.index != nil {
		if end, ok := g.recalled(i); ok {
			return nil, end
		}
	}
	if left(ctx) {
		return nil, ending{state: pipeline.Skipped}
	}
	status, reason := g.status(ctx, i)
	if outOfTime(ctx) {
		g.cut = true
		return nil, g.skip(i, leftOut(ctx))
	}
	if s.If == "" && reason != "" {
		g.cut = g.cut || status.Cancelled
		return nil, g.skip(i, reason)
	}
	t := &task{place: g.place, ctx: ctx, step: s, id: s.ID, wrote: g.written(i), status: status, reason: reason}
	if g.index != nil {
		t.index = g.index[i]
	}
	if g.main != nil {
		t.wrote = environ.Merged(g.main.everything(), t.wrote)
	}
	if t.reads = eval.ReadsOf(s); t.reads.Err != nil {
		return nil, g.unfit(t, t.reads.Err)
	}
	if t.reads.Some {
		t.steps = g.seen(t.reads)
	}
	if s.If != "" {
		run, err := t.condition()
		if err != nil {
			return nil, g.unfit(t, fmt.Errorf("if: %w", err))
		}
		if !run {
			g.cut = g.cut || status.Cancelled
			if reason == "" {
				reason = "its if is false"
			}
			return nil, g.skip(i, reason)
		}
	}
	if status.Cancelled && g.handlers == nil {
		g.cut = true
		g.run.cut(pipeline.Cancelled)
		t.ctx = g.after(ctx)
	}
	return t, ending{}
}

// condition judges the step's `if`, unless it reads the matrix: then that is
// done for each combination.
func (t *task) condition() (bool, error) {
	c, err := expr.ParseIf(t.step.If)
	if err != nil {
		return false, err
	}
	if t.step.Matrix != nil {
		for _, r := range c.Refs() {
			if r.Root == "matrix" {
				t.each = c
				return true, nil
			}
		}
	}
	return t.judge(c, nil)
}

// judge evaluates a condition: without a call of always(), success(),
// failure() or cancelled() it means success() as well.
func (t *task) judge(c *expr.Template, matrix map[string]any) (bool, error) {
	asks := c.Calls("always") || c.Calls("success") || c.Calls("failure") || c.Calls("cancelled")
	if !asks && t.reason != "" {
		return false, nil
	}
	view := t.view(matrix, t.env.With(t.wrote).Shown)
	view.Status = t.status
	return c.Truth(view)
}

// view is what the step's expressions see.
func (t *task) view(matrix map[string]any, env map[string]string) *expr.Env {
	c := eval.With(t.contexts, "steps", t.steps)
	c["env"] = env
	if matrix != nil {
		c["matrix"] = matrix
	}
	return &expr.Env{Contexts: c, Root: t.run.job.Root}
}

// skip records that step i is left out.
func (g *graph) skip(i int, reason string) ending {
	t := &task{place: g.place, ctx: context.Background(), step: &g.steps[i], id: g.steps[i].ID}
	if g.index != nil {
		t.index = g.index[i]
	}
	return t.left(pipeline.Skipped, reason)
}

// unfit records that a step cannot even start, because of what is written in
// it.
func (g *graph) unfit(t *task, err error) ending {
	return t.left(pipeline.Failed, err.Error())
}

// left records the end of a step that never starts.
func (t *task) left(state pipeline.State, reason string) ending {
	return newUnit(t, nil, 0).end(verdict{state: state, err: t.run.line(reason)}, pipeline.Outputs{})
}

// do does the step, all of its combinations and attempts.
func (t *task) do() ending {
	if t.step.Matrix != nil {
		return t.matrix()
	}
	return newUnit(t, nil, 0).do(t.ctx)
}
