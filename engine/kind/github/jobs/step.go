package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/console"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/eval"
	"github.com/redundctl/redundctl/engine/kind/github/workflow"
)

// frame is where steps stand: in a job, or in a composite action that one of
// them uses.
type frame struct {
	job    *job
	file   string         // they are written in
	steps  map[string]any // the context
	inputs map[string]any
	env    map[string]string // of the steps around, above the job's
	action string            // the directory of the action, absolute; "": a job's own
	prefix string            // of their output
	depth  int
	failed bool
	why    error // the first failure
}

// view is what expressions see, with an `env` context.
func (f *frame) view(env map[string]string) *expr.Env {
	c := maps.Clone(f.job.known)
	shown := make(map[string]any, len(env))
	for k, v := range env {
		shown[k] = v
	}
	c["env"], c["steps"], c["inputs"] = shown, f.steps, f.inputs
	if f.action != "" {
		github := maps.Clone(c["github"].(map[string]any))
		github["action_path"] = f.action
		c["github"] = github
	}
	gone := f.job.ctx.Err() != nil
	return &expr.Env{Contexts: c, Status: expr.Status{Success: !f.failed && !gone, Failure: f.failed && !gone, Cancelled: gone}, Root: f.job.flow.run.Scope.Dir}
}

// variables are those that steps of the frame have beside the run's, without a
// step's own.
func (f *frame) variables() map[string]string {
	if len(f.env) == 0 {
		return f.job.env
	}
	out := maps.Clone(f.job.env)
	maps.Copy(out, f.env)
	return out
}

// work is one step that runs.
type work struct {
	*frame
	spec    *workflow.Step
	id      string // for people and for GITHUB_ACTION
	env     map[string]string
	own     map[string]string // the step's own `env`
	view    *expr.Env
	out     *console.Console
	outputs map[string]string
	state   map[string]string // of an action, for its end
}

// step runs one step, if its condition says so, and records it.
func (f *frame) step(i int, s *workflow.Step) {
	j := f.job
	if j.outer.Err() != nil {
		j.result = cancelled
		return
	}
	x := &work{frame: f, spec: s, id: s.ID, outputs: map[string]string{}, state: map[string]string{}}
	if x.id == "" {
		x.id = fmt.Sprintf("__run_%d", i+1)
	}
	vars := f.variables()
	view := f.view(vars)
	label := s.Label()
	if expr.HasExpr(label) {
		if t, err := eval.Text(workflow.Text{Value: label, Line: s.Line}, f.file, view); err == nil {
			label = t
		}
	}
	label = j.flow.run.out.Mask.Mask(strings.Join(strings.Fields(label), " "))
	x.out = &console.Console{To: j.flow.run.out, Prefix: f.prefix + " / " + label, Does: x.command}
	given := false
	err := x.settle(vars, view)
	if err == nil {
		// The condition sees the step's own variables.
		var ok bool
		if ok, err = eval.Condition(s.If, f.file, x.view); err == nil && !ok {
			x.record(skipped, skipped)
			return
		}
	}
	if err == nil {
		given, err = eval.Truth(s.Continue, f.file, x.view, false)
	}
	if err == nil {
		err = x.timed()
	}
	x.out.Flush()
	x.end(err, given, label)
}

// settle sets the step's own variables.
func (x *work) settle(vars map[string]string, view *expr.Env) error {
	list, err := eval.Env(x.spec.Env, x.file, view)
	if err != nil {
		return err
	}
	x.env, x.view = vars, view
	if len(list) > 0 {
		x.own = map[string]string{}
		x.env = maps.Clone(vars)
		for i := 0; i < len(list); i += 2 {
			x.env[list[i]], x.own[list[i]] = list[i+1], list[i+1]
		}
		x.view = x.frame.view(x.env)
	}
	return nil
}

// timed runs the step within its time.
func (x *work) timed() error {
	j := x.job
	limit, err := eval.Minutes(x.spec.Timeout, x.file, x.view)
	if err != nil {
		return err
	}
	ctx := j.ctx
	if ctx.Err() != nil { // the job was cancelled, and the step runs all the same
		if j.late == nil {
			j.late, j.ends = context.WithTimeoutCause(j.outer, afterwards, errors.New("the steps after the end of the job took more than 5 minutes"))
		}
		ctx = j.late
	}
	if limit > 0 {
		timed, cancel := context.WithTimeoutCause(ctx, limit, errTime)
		defer cancel()
		ctx = timed
	}
	if x.spec.Cannot.Text != "" {
		return eval.Placed(workflow.Text{Line: x.spec.Cannot.Line, Column: x.spec.Cannot.Column}, x.file, errors.New("it cannot run here: "+x.spec.Cannot.Text))
	}
	if x.spec.Uses.Written() {
		err = x.use(ctx)
	} else {
		err = x.script(ctx)
	}
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), errTime) {
		return fmt.Errorf("timed out after %s", limit.Round(time.Millisecond))
	}
	return err
}

var errTime = errors.New("the step's time is over")

// end records how the step ended, and what that means for those after it.
func (x *work) end(err error, given bool, label string) {
	j := x.job
	switch {
	case j.outer.Err() != nil:
		x.record(cancelled, cancelled)
		j.result = cancelled
	case err == nil:
		x.record(success, success)
	case j.ctx.Err() != nil && j.late == nil:
		x.record(cancelled, cancelled)
		x.out.Say("cancelled: " + context.Cause(j.ctx).Error())
	case given:
		x.record(failure, success)
		x.out.Say("failed: " + err.Error() + " (continue-on-error)")
	default:
		x.record(failure, failure)
		x.out.Say("failed: " + err.Error())
		x.failed = true
		if x.why == nil {
			x.why = fmt.Errorf("step %s: %w", label, err)
		}
		if x.depth == 0 {
			j.status["status"] = failure
			j.fail(x.why)
		}
	}
}

func (x *work) record(outcome, conclusion string) {
	if x.spec.ID != "" {
		x.steps[x.spec.ID] = map[string]any{"outputs": anyMap(x.outputs), "outcome": outcome, "conclusion": conclusion}
	}
}

// command does what a step writes as a command that is its own.
func (x *work) command(c console.Command) bool {
	switch c.Name {
	case "set-output":
		x.outputs[c.Keys["name"]] = c.Data
	case "save-state":
		x.state[c.Keys["name"]] = c.Data
	default:
		return false
	}
	return true
}
