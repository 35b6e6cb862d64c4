package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"golang.org/x/sync/errgroup"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/environ"
	"github.com/redundctl/redundctl/engine/runner/eval"
	"github.com/redundctl/redundctl/engine/runner/matrix"
)

var errSibling = errors.New("another combination failed")

// matrix does the step once for each combination.
func (t *task) matrix() ending {
	all, err := t.combinations()
	if err != nil {
		return t.left(pipeline.Failed, "matrix: "+err.Error())
	}
	if len(all) == 0 {
		return t.left(pipeline.Skipped, "its matrix has no combinations")
	}
	ctx, cancel := context.WithCancelCause(t.ctx)
	defer cancel(nil)
	ends := make([]ending, len(all))
	var group errgroup.Group
	if t.step.MaxParallel > 0 {
		group.SetLimit(t.step.MaxParallel)
	}
	for i := range all {
		group.Go(func() error {
			ends[i] = newUnit(t, &all[i], i).do(ctx)
			if ends[i].failed() && t.step.FailFast {
				cancel(errSibling)
			}
			return nil
		})
	}
	_ = group.Wait() // what went wrong stands in the endings
	return together(ends)
}

// together is how a matrix ended: its outputs are, one by one, those of the
// last combination in order that set them.
func together(ends []ending) ending {
	out := ending{state: pipeline.Skipped}
	rank := map[pipeline.State]int{pipeline.Skipped: 0, pipeline.Succeeded: 1, pipeline.Cancelled: 2, pipeline.TimedOut: 3, pipeline.Failed: 4}
	score := func(e *ending) int {
		n := 2 * rank[e.state]
		if e.failed() {
			n++ // before one that may fail
		}
		return n
	}
	for i := range ends {
		e := &ends[i]
		if i == 0 || score(e) > score(&out) {
			out.state, out.continued, out.exit, out.err = e.state, e.continued, e.exit, e.err
		}
		if len(e.outputs) > 0 {
			values := make(map[string]any, len(out.outputs)+len(e.outputs))
			maps.Copy(values, out.outputs)
			maps.Copy(values, e.outputs)
			out.outputs = values
		}
		out.env = environ.Merged(out.env, e.env)
	}
	return out
}

// combinations evaluates the matrix and multiplies it out.
func (t *task) combinations() ([]matrix.Combination, error) {
	view := t.view(nil, t.env.With(t.wrote).Shown)
	m := *t.step.Matrix
	if m.Expr != "" {
		v, err := eval.Any(m.Expr, view)
		if err != nil {
			return nil, err
		}
		if m, err = matrix.Of(v); err != nil {
			return nil, err
		}
	}
	axes := make([]pipeline.Axis, len(m.Axes))
	for i, a := range m.Axes {
		var v any = a.Values
		var err error
		if a.Expr != "" {
			v, err = eval.Any(a.Expr, view)
		} else {
			v, err = expr.EvalTree(v, view)
		}
		if err != nil {
			return nil, within(a.Name, err)
		}
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			return nil, fmt.Errorf("%s must be a list with at least one value", a.Name)
		}
		axes[i] = pipeline.Axis{Name: a.Name, Values: list}
	}
	include, err := eval.List(m.Include, view)
	if err != nil {
		return nil, within("include", err)
	}
	exclude, err := eval.List(m.Exclude, view)
	if err != nil {
		return nil, within("exclude", err)
	}
	return matrix.Expand(axes, include, exclude), nil
}
