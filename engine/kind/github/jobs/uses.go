package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/expr/value"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/eval"
	"github.com/redundctl/redundctl/engine/kind/github/standin"
	"github.com/redundctl/redundctl/engine/kind/github/workflow"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// use runs the action of a step.
func (x *work) use(ctx context.Context) error {
	if x.spec.Kind != "" {
		return x.standIn(ctx)
	}
	if x.depth >= 10 {
		return eval.Placed(x.spec.Uses, x.file, errors.New("actions use each other too deeply"))
	}
	a, err := workflow.ReadAction(x.job.flow.run.Read, x.spec.Uses.Value)
	if err != nil {
		return eval.Placed(x.spec.Uses, x.file, err)
	}
	if a.Cannot.Text != "" {
		return eval.Placed(workflow.Text{Line: a.Cannot.Line, Column: a.Cannot.Column}, a.Path, errors.New("it cannot run here: "+a.Cannot.Text))
	}
	in, err := x.given(a)
	if err != nil {
		return err
	}
	if a.Main != "" {
		return x.node(ctx, a, in)
	}
	return x.composite(ctx, a, in)
}

// given are the inputs of an action: those of the step, and defaults.
func (x *work) given(a *workflow.Action) (map[string]any, error) {
	out := map[string]any{}
	for _, d := range a.Inputs {
		s, err := eval.Text(d.Default, a.Path, x.view)
		if err != nil {
			return nil, err
		}
		out[d.Name] = s
	}
	for _, v := range x.spec.With {
		s, err := eval.Text(v.Value, x.file, x.view)
		if err != nil {
			return nil, err
		}
		name := v.Name
		for _, d := range a.Inputs {
			if strings.EqualFold(d.Name, name) {
				name = d.Name
			}
		}
		out[name] = s
	}
	for _, d := range a.Inputs {
		if d.Required && out[d.Name] == "" {
			x.out.Say("warning: the input " + d.Name + " of " + a.Path + " is required and not given")
		}
	}
	return out, nil
}

// composite runs the steps of an action.
func (x *work) composite(ctx context.Context, a *workflow.Action, in map[string]any) error {
	j := x.job
	inner := &frame{
		job: j, file: a.Path, steps: map[string]any{}, inputs: in, env: x.nested(), prefix: x.out.Prefix,
		action: filepath.Join(j.flow.run.Scope.Dir, filepath.FromSlash(a.Dir)), depth: x.depth + 1,
	}
	outer := j.ctx
	j.ctx = ctx // the step's time bounds those of its action
	for i, s := range a.Steps {
		inner.step(i, s)
	}
	view := inner.view(inner.variables())
	j.ctx = outer
	for _, o := range a.Outputs {
		s, err := eval.Text(o.Value, a.Path, view)
		if err != nil {
			return err
		}
		x.outputs[o.Name] = s
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case inner.failed:
		return inner.why
	}
	return nil
}

// nested are the variables that the steps of an action see of the step that
// uses it.
func (x *work) nested() map[string]string {
	out := map[string]string{}
	for k, v := range x.frame.env {
		out[k] = v
	}
	for k, v := range x.own {
		out[k] = v
	}
	return out
}

// node runs an action that is a program for node, and has its end run after the
// job.
func (x *work) node(ctx context.Context, a *workflow.Action, in map[string]any) error {
	j := x.job
	dir := filepath.Join(j.flow.run.Scope.Dir, filepath.FromSlash(a.Dir))
	at := *x.frame
	at.action = dir
	program := func(ctx context.Context, file string) error {
		run := *x
		run.frame = &at
		vars := j.environment(&run)
		for k, v := range in {
			vars = append(vars, "INPUT_"+strings.ToUpper(strings.ReplaceAll(k, " ", "_"))+"="+value.Text(v))
		}
		for k, v := range x.state {
			vars = append(vars, "STATE_"+k+"="+v)
		}
		return run.start(ctx, started{argv: []string{"node", filepath.Join(dir, filepath.FromSlash(file))}, dir: j.flow.run.Scope.Dir, env: vars})
	}
	if a.Pre != "" {
		if ok, err := eval.Always(a.PreIf, a.Path, x.view); err != nil {
			return err
		} else if ok {
			if err := program(ctx, a.Pre); err != nil {
				return err
			}
		}
	}
	if a.Post != "" {
		j.posts = append(j.posts, func() {
			if ok, err := eval.Always(a.PostIf, a.Path, x.frame.view(x.env)); err != nil || !ok {
				return
			}
			ctx, cancel := context.WithTimeout(j.outer, afterwards)
			defer cancel()
			if err := program(ctx, a.Post); err != nil {
				x.out.Say("its end failed: " + err.Error())
				j.fail(fmt.Errorf("the end of %s: %w", x.spec.Label(), err))
			}
		})
	}
	return program(ctx, a.Main)
}

// saver is an action that has something to do once the job has succeeded.
type saver interface {
	Save(ctx context.Context, s *pipeline.Scope) error
}

// standIn runs the step kind that stands in for an action of GitHub's.
func (x *work) standIn(ctx context.Context) error {
	j := x.job
	a, err := x.build()
	if err != nil {
		return err
	}
	scope := j.scope(x)
	got, err := a.Run(ctx, scope)
	for k, v := range got.Values {
		x.outputs[k] = value.Text(v)
	}
	for k, v := range got.Env {
		j.env[k] = v
	}
	x.out.Flush()
	var left *pipeline.Skip
	if errors.As(err, &left) {
		x.out.Say(left.Reason)
		return nil
	}
	if err != nil {
		return err
	}
	if s, ok := a.(saver); ok && x.spec.Saves {
		j.posts = append(j.posts, func() {
			if j.result != success || j.ctx.Err() != nil {
				return
			}
			ctx, cancel := context.WithTimeout(j.outer, afterwards)
			defer cancel()
			if err := s.Save(ctx, scope); err != nil {
				x.out.Say("warning: nothing was saved: " + err.Error())
			}
			x.out.Flush()
		})
	}
	return nil
}

// build makes the action that stands in, of what the step gives it.
func (x *work) build() (pipeline.Action, error) {
	r := x.job.flow.run
	k, ok := kind.Action{}, false
	if r.tools.Kind != nil {
		k, ok = r.tools.Kind(x.spec.Kind)
	}
	if !ok {
		return nil, fmt.Errorf("nothing here runs %s", x.spec.Kind)
	}
	with, err := defaults(k.Fragment)
	if err != nil {
		return nil, err
	}
	for _, key := range x.spec.Keys {
		s, err := eval.Text(key.Value, x.file, x.view)
		if err != nil {
			return nil, err
		}
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		v, err := formed(key.Form, s)
		if err != nil {
			return nil, eval.Placed(key.Value, x.file, fmt.Errorf("%s: %w", key.Name, err))
		}
		with[key.Name] = v
	}
	for key, name := range k.Secrets {
		if _, written := with[key]; !written && x.job.flow.secret != nil {
			if v, ok := x.job.flow.secret(name); ok && v != "" {
				with[key] = v
			}
		}
	}
	return k.Build(with, r.tools.Deps)
}

// formed is a text as the value of a key.
func formed(form standin.Form, s string) (any, error) {
	switch form {
	case standin.AsNumber:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 {
			return nil, errors.New("it must be a whole number")
		}
		return n, nil
	case standin.AsBool:
		switch strings.ToLower(s) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, errors.New("it must be true or false")
	case standin.AsLines:
		var out []any
		for l := range strings.Lines(s) {
			if l = strings.TrimSpace(l); l != "" {
				out = append(out, l)
			}
		}
		return out, nil
	}
	return s, nil
}

// defaults are those that a kind's schema has for its keys.
func defaults(fragment []byte) (map[string]any, error) {
	var f struct {
		Properties map[string]struct {
			Default any `json:"default"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(fragment, &f); err != nil {
		return nil, err
	}
	out := map[string]any{}
	for k, p := range f.Properties {
		switch v := p.Default.(type) {
		case nil:
		case float64:
			if v == float64(int64(v)) {
				out[k] = int64(v)
			} else {
				out[k] = v
			}
		default:
			out[k] = v
		}
	}
	return out, nil
}

// scope is what a kind that stands in is given to work in.
func (j *job) scope(x *work) *pipeline.Scope {
	r := j.flow.run
	s := *r.Scope
	s.Env = j.environment(x)
	s.Step, s.Attempt, s.Out, s.Temp = s.Step+"."+j.spec.ID+"."+x.id, 1, x.out, filepath.Join(j.temp, "temp")
	if j.combo != nil {
		s.Matrix = j.combo.Label
	}
	s.Secret = j.flow.secret
	s.Inside = func(path string) (string, error) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(s.Dir, path)
		}
		if rel, err := filepath.Rel(s.Temp, path); err == nil && filepath.IsLocal(rel) {
			return filepath.Clean(path), nil // what RUNNER_TEMP names is the job's
		}
		if r.Scope.Inside == nil {
			return filepath.Clean(path), nil
		}
		return r.Scope.Inside(path)
	}
	return &s
}
