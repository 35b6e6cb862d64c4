package runner

import (
	"context"
	"errors"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/matrix"
)

// left reports whether a run is left to another process.
func left(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrLeft) }

// recalled is how step i ended in an earlier process, if it did. A handler that
// had begun there has failed, unless it may begin again.
func (g *graph) recalled(i int) (ending, bool) {
	past, s := g.run.job.Past, &g.steps[i]
	rec, ok := past.At(g.index[i], s.ID)
	switch {
	case ok && s.Matrix != nil && rec.Matrix != "":
		return ending{}, false // each combination asks for itself
	case ok && rec.State.Done():
		return g.run.recall(rec), true
	case past == nil || g.handlers == nil || s.Idempotent && past.Again || !ok && !past.Cut:
		return ending{}, false
	case !ok:
		t := &task{place: g.place, ctx: context.Background(), step: s, id: s.ID, index: g.index[i]}
		return t.left(pipeline.Failed, "it may have run before a power cut"), true
	}
	rec.State = pipeline.Failed
	return g.run.recall(rec), true
}

// recalled is how the combination ended in an earlier process, if it did.
func (u *unit) recalled() (ending, bool) {
	rec, ok := u.run.job.Past.At(u.rec.Index, u.rec.ID)
	if !ok || !rec.State.Done() {
		return ending{}, false
	}
	if rec.Matrix != u.rec.Matrix {
		return u.end(verdict{state: pipeline.Failed, err: "before the interruption this combination was " + rec.Matrix}, pipeline.Outputs{}), true
	}
	return u.run.recall(rec), true
}

// recall takes over the record of an earlier process.
func (r *run) recall(rec pipeline.StepRecord) ending {
	rec.Run = r.job.Run.ID
	r.keep(&rec)
	return ending{state: rec.State, continued: rec.Continued, outputs: rec.Outputs, env: rec.Env, exit: rec.ExitCode, err: rec.Error}
}

// recallAll takes over what is recorded of a graph that does not go on: what
// had begun has failed, and of the rest nothing is told.
func (g *graph) recallAll() {
	for i := range g.steps {
		var ends []ending
		for _, rec := range g.run.job.Past.Of(g.index[i], matrix.Room(&g.steps[i])) {
			if !rec.State.Done() {
				rec.State = pipeline.Failed
			}
			ends = append(ends, g.run.recall(rec))
		}
		if len(ends) > 0 {
			g.settle(i, together(ends))
		}
	}
}
