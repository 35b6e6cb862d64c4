package runner

import (
	"context"
	"errors"
	"maps"

	"golang.org/x/sync/errgroup"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/environ"
	"github.com/redundctl/redundctl/engine/runner/matrix"
	"github.com/redundctl/redundctl/engine/runner/past"
)

var errSibling = errors.New(past.Sibling)

// matrix does the step once for each combination.
func (t *task) matrix() ending {
	all, err := matrix.Evaluate(t.step.Matrix, t.view(nil, t.env.With(t.wrote).Shown))
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
