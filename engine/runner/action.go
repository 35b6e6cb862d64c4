package runner

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/eval"
	"github.com/redundctl/redundctl/engine/runner/params"
)

// fileAction is a step that uses a file of `kind: action`: its steps, as a
// graph of their own, with the step's environment and directory. They have no
// records; what they print and how they fail goes by their names.
type fileAction struct {
	u      *unit
	file   *pipeline.ActionFile
	inputs map[string]any
}

func (u *unit) file() (*fileAction, error) {
	name := path.Clean(u.step.Uses)
	if i := slices.Index(u.files, name); i >= 0 {
		return nil, fmt.Errorf("an action uses itself: %s", strings.Join(append(slices.Clone(u.files[i:]), name), " -> "))
	}
	if u.run.job.Action == nil {
		return nil, fmt.Errorf("action %s cannot be used here", u.step.Uses)
	}
	f, err := u.run.job.Action(u.step.Uses)
	if err != nil {
		return nil, err
	}
	inputs, err := params.Of(f.Inputs, u.with)
	if err != nil {
		return nil, within("with", err)
	}
	return &fileAction{u: u, file: f, inputs: inputs}, nil
}

// graph is the action's steps, none of them begun.
func (a *fileAction) graph() (*graph, error) {
	u := a.u
	return newGraph(&place{
		run:      u.run,
		contexts: eval.With(u.contexts, "inputs", a.inputs),
		env:      u.full,
		dir:      u.where,
		prefix:   u.prefix + u.id + "/",
		files:    append(slices.Clip(u.files), path.Clean(u.step.Uses)),
	}, a.file.Steps)
}

// Run runs the steps to their end.
func (a *fileAction) Run(ctx context.Context, _ *pipeline.Scope) (pipeline.Outputs, error) {
	g, err := a.graph()
	if err != nil {
		return pipeline.Outputs{}, err
	}
	g.finish(ctx)
	o := g.verdict(ctx)
	out := pipeline.Outputs{Env: g.everything()}
	out.Values, err = a.outputs(g)
	if o.State != pipeline.Succeeded {
		return out, errors.New(o.Error)
	}
	return out, err
}

// outputs evaluates what the action declares to hand on.
func (a *fileAction) outputs(g *graph) (map[string]any, error) {
	if len(a.file.Outputs) == 0 {
		return nil, nil
	}
	c := eval.With(g.contexts, "steps", g.seen(&eval.Reads{AllSteps: true}))
	c["env"] = a.u.full.With(g.everything()).Shown
	view := &expr.Env{Contexts: c, Root: a.u.run.job.Root}
	out := make(map[string]any, len(a.file.Outputs))
	for k, o := range a.file.Outputs {
		if !expr.HasExpr(o.Value) {
			out[k] = o.Value
			continue
		}
		v, err := eval.Any(o.Value, view)
		if err != nil {
			return nil, within("outputs."+k, err)
		}
		out[k] = v
	}
	return out, nil
}
