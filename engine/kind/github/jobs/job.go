package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/eval"
	"github.com/redundctl/redundctl/engine/kind/github/workflow"
	"github.com/redundctl/redundctl/engine/proc"
	"github.com/redundctl/redundctl/engine/runner/matrix"
)

// usual is how long GitHub lets a job run that names no time; afterwards is how
// long the steps may take that run although their job was cancelled.
const (
	usual      = 360 * time.Minute
	afterwards = 5 * time.Minute
)

// job is one combination of a job that runs.
type job struct {
	flow     *flow
	spec     *workflow.Job
	combo    *matrix.Combination
	needs    map[string]any
	strategy map[string]any
	outer    context.Context // of the workflow; ctx ends before it, by time or a sibling

	ctx    context.Context
	late   context.Context // of steps that run though ctx has ended
	ends   func()          // ends late; nil: there is none
	label  string
	temp   string
	file   string // of the workflow, for places
	status map[string]any
	known  map[string]any // the contexts of the job
	env    map[string]string
	path   []string // what steps put before PATH, the last first
	shell  workflow.Text
	dir    workflow.Text
	left   proc.Left
	posts  []func() // in the order in which they were asked for
	files  int
	held   string // its concurrency group, in lower case

	// How it ended. given is set when a failure is let pass.
	result  string
	why     string
	outputs map[string]string
	given   bool
}

// do runs the job to its end, with all that its steps left running.
func (j *job) do(ctx context.Context) {
	w := j.flow
	j.file, j.result = w.file.Path, failure
	j.status = map[string]any{"status": success, "container": map[string]any{}, "services": map[string]any{}}
	values := map[string]any{}
	if j.combo != nil {
		values = j.combo.Values
	}
	j.known = w.view(map[string]any{"needs": j.needs, "matrix": values, "strategy": j.strategy, "job": j.status}).Contexts
	j.name()
	if ctx.Err() != nil {
		j.stopped(ctx)
		return
	}
	err := j.begin(ctx)
	if err != nil {
		j.fail(err)
	}
	if j.result != success {
		w.run.out.Say(j.label, j.result+j.because())
	}
}

func (j *job) because() string {
	if j.why == "" {
		return ""
	}
	return ": " + j.flow.run.out.Mask.Mask(strings.TrimPrefix(j.why, "job "+j.label+": "))
}

func (j *job) fail(err error) {
	j.result = failure
	if j.why == "" {
		j.why = j.flow.run.out.Mask.Mask("job " + j.label + ": " + err.Error())
	}
}

// stopped settles a job whose context has ended.
func (j *job) stopped(ctx context.Context) {
	j.result = cancelled
	if cause := context.Cause(ctx); !errors.Is(cause, errSibling) && j.outer.Err() == nil && j.why == "" {
		j.why = "job " + j.label + ": " + cause.Error()
	}
}

// name settles what people call the job.
func (j *job) name() {
	j.label = j.flow.label + j.spec.ID
	if j.spec.Name.Value != "" {
		if s, err := eval.Text(j.spec.Name, j.file, j.view()); err == nil {
			j.label = j.flow.label + j.flow.run.out.Mask.Mask(strings.Join(strings.Fields(s), " "))
		}
	}
	if j.combo != nil && !expr.HasExpr(j.spec.Name.Value) {
		j.label += " (" + j.combo.Label + ")"
	}
}

func (j *job) view() *expr.Env {
	return &expr.Env{Contexts: j.known, Status: expr.Status{Success: true}, Root: j.flow.run.Scope.Dir}
}

// begin settles what the job needs, waits for its turn and runs it.
func (j *job) begin(ctx context.Context) error {
	w, spec, view := j.flow, j.spec, j.view()
	var err error
	if j.given, err = eval.Truth(spec.Continue, j.file, view, false); err != nil {
		return err
	}
	if err := j.here(view); err != nil {
		return err
	}
	limit, err := eval.Minutes(spec.Timeout, j.file, view)
	if err != nil {
		return err
	}
	if spec.Group.Name.Written() {
		name, err := eval.Text(spec.Group.Name, j.file, view)
		if err != nil {
			return err
		}
		if name != "" {
			release, err := w.hold(ctx, name, func(s string) { w.run.out.Say(j.label, s) })
			if err != nil {
				if ctx.Err() != nil {
					j.stopped(ctx)
					return nil
				}
				return err
			}
			defer release()
			j.held = strings.ToLower(name)
		}
	}
	if spec.Uses.Written() {
		return j.call(ctx)
	}
	if spec.Tree() {
		select {
		case w.run.tree <- struct{}{}:
			defer func() { <-w.run.tree }()
		case <-ctx.Done():
			j.stopped(ctx)
			return nil
		}
	}
	if limit == 0 {
		limit = usual
	}
	timed, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("timed out after %s", limit))
	defer cancel()
	j.ctx = timed
	return j.steps()
}

// here finds out whether the job may run on this machine.
func (j *job) here(view *expr.Env) error {
	var labels []string
	for _, l := range j.spec.RunsOn {
		v, err := eval.Whole(l, j.file, view)
		if err != nil {
			return err
		}
		switch x := v.(type) {
		case []any:
			for _, y := range x {
				labels = append(labels, fmt.Sprint(y))
			}
		case map[string]any:
		default:
			labels = append(labels, fmt.Sprint(x))
		}
	}
	if why := workflow.Elsewhere(labels); why != "" {
		return eval.Placed(j.spec.RunsOn[0], j.file, errors.New("it cannot run here: runs-on: "+why))
	}
	return nil
}

// steps runs the steps, and then what they asked to be run at the end.
func (j *job) steps() (err error) {
	r := j.flow.run
	if j.temp, err = os.MkdirTemp(r.Temp, "job-"); err != nil {
		return fmt.Errorf("the directory of the job cannot be made: %w", err)
	}
	defer os.RemoveAll(j.temp)
	defer j.left.End(0)
	defer func() {
		if j.ends != nil {
			j.ends()
		}
	}()
	if err := os.Mkdir(filepath.Join(j.temp, "temp"), 0o700); err != nil {
		return err
	}
	runner := map[string]any{}
	for k, v := range r.Runner {
		runner[k] = v
	}
	runner["temp"] = filepath.Join(j.temp, "temp")
	github := map[string]any{}
	for k, v := range r.GitHub {
		github[k] = v
	}
	github["job"] = j.spec.ID
	j.known["runner"], j.known["github"] = runner, github
	if err := j.environ(); err != nil {
		return err
	}
	top := &frame{job: j, file: j.file, steps: map[string]any{}, inputs: j.flow.inputs, prefix: j.label}
	j.result = success
	for i, s := range j.spec.Steps {
		top.step(i, s)
	}
	for _, post := range slices.Backward(j.posts) {
		if j.outer.Err() == nil {
			post()
		}
	}
	switch {
	case j.outer.Err() != nil:
		j.result = cancelled
	case j.ctx.Err() != nil:
		j.stopped(j.ctx)
	}
	return j.hand(top)
}

// environ settles the variables of the job, and its defaults.
func (j *job) environ() error {
	w := j.flow
	j.env = map[string]string{}
	shown := map[string]any{}
	j.known["env"] = shown
	for _, e := range []workflow.Env{w.file.Env, j.spec.Env} {
		list, err := eval.Env(e, j.file, j.view())
		if err != nil {
			return err
		}
		for i := 0; i < len(list); i += 2 {
			j.env[list[i]] = list[i+1]
			shown[list[i]] = list[i+1]
		}
	}
	pick := func(a, b workflow.Text) workflow.Text {
		if a.Value != "" {
			return a
		}
		return b
	}
	j.shell, j.dir = pick(j.spec.Run.Shell, w.file.Run.Shell), pick(j.spec.Run.Dir, w.file.Run.Dir)
	return nil
}

// hand settles the outputs of the job. One that holds a secret is left out, as on
// GitHub.
func (j *job) hand(top *frame) error {
	j.outputs = map[string]string{}
	view := top.view(j.env)
	for _, o := range j.spec.Outputs {
		s, err := eval.Text(o.Value, j.file, view)
		if err != nil {
			return err
		}
		if j.secretive(s) {
			j.flow.run.out.Say(j.label, "warning: the output "+o.Name+" is left out, for it may hold a secret")
			s = ""
		}
		j.outputs[o.Name] = s
	}
	return nil
}

func (j *job) secretive(s string) bool {
	r := j.flow.run
	return r.out.Mask.Holds(s) || r.Scope.Mask != nil && r.Scope.Mask(s) != s
}

// groups are the concurrency groups that are held around what the job calls.
func (j *job) groups() []string {
	out := slices.Clone(j.flow.groups)
	if j.held != "" {
		out = append(out, j.held)
	}
	return out
}

// call runs the workflow that the job is.
func (j *job) call(ctx context.Context) error {
	w, view := j.flow, j.view()
	name := strings.TrimPrefix(j.spec.Uses.Value, "./")
	if w.depth >= 9 {
		return eval.Placed(j.spec.Uses, j.file, errors.New("workflows call each other too deeply"))
	}
	source, err := w.run.Read(name)
	if err != nil {
		return eval.Placed(j.spec.Uses, j.file, errors.New("there is no workflow "+name))
	}
	f, err := workflow.Parse(name, source)
	if err != nil {
		return err
	}
	if f.Call == nil {
		return eval.Placed(j.spec.Uses, j.file, errors.New(name+" has no on.workflow_call: nobody may call it"))
	}
	given := map[string]any{}
	for _, v := range j.spec.With {
		if given[v.Name], err = eval.Whole(v.Value, j.file, view); err != nil {
			return err
		}
	}
	in, err := eval.Inputs(f.Call.Inputs, given, true)
	if err != nil {
		return eval.Placed(j.spec.Uses, j.file, err)
	}
	secret := w.secret
	if !j.spec.Inherit {
		handed := map[string]string{}
		for _, v := range j.spec.Secrets {
			if handed[strings.ToLower(v.Name)], err = eval.Text(v.Value, j.file, view); err != nil {
				return err
			}
		}
		outer := w.secret
		secret = func(name string) (string, bool) {
			if v, ok := handed[strings.ToLower(name)]; ok {
				return v, true
			}
			if strings.EqualFold(name, workflow.TokenName) && outer != nil {
				return outer(name) // GitHub's own is always handed on
			}
			return "", false
		}
	}
	inner := &flow{run: w.run, file: f, inputs: in, secret: secret, label: j.label + " / ", depth: w.depth + 1, groups: j.groups()}
	j.result = inner.do(ctx)
	if j.result != success {
		j.why = inner.failure(name).Error() // which names the job with this one
	}
	if j.result == cancelled {
		j.stopped(ctx)
	}
	results := map[string]any{}
	for id, e := range inner.results {
		results[id] = map[string]any{"result": e.result, "outputs": anyMap(e.outputs)}
	}
	j.outputs = map[string]string{}
	for _, o := range f.Call.Outputs {
		if j.outputs[o.Name], err = eval.Text(o.Value, name, inner.view(map[string]any{"jobs": results})); err != nil {
			return err
		}
	}
	return nil
}
