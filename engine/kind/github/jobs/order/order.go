// Package order settles what is asked of a workflow: which file, for which event
// and with which inputs it runs, and what its expressions and programs are told of
// that. It starts nothing.
package order

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/eval"
	"github.com/redundctl/redundctl/engine/kind/github/local"
	"github.com/redundctl/redundctl/engine/kind/github/workflow"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Order is what is run.
type Order struct {
	File   string         // relative to the step's working directory
	Event  string         // "": schedule, if the workflow has one, else workflow_dispatch
	Inputs map[string]any // of workflow_dispatch
	Job    string         // this one with what it needs; "": all
}

// Opened is a workflow that was read for an order. It is not changed after that.
type Opened struct {
	Order  Order
	Scope  *pipeline.Scope
	File   *workflow.File
	Event  string
	Inputs map[string]any
	Read   workflow.Reader // of what the workflow uses
	Temp   string          // of this run alone; "" in a dry run

	GitHub map[string]any // the context, as it is for all jobs
	Runner map[string]any
	Base   Environment // of every step

	repo local.Repository
}

// Open reads the workflow that is asked for. temp is a directory for what it is
// told, "" in a dry run. The error says what is wrong with the order or the file.
func Open(o Order, s *pipeline.Scope, temp string) (*Opened, error) {
	r := &Opened{Order: o, Scope: s, Temp: temp, repo: local.Open(s.Dir), Read: workflow.Below(s.Dir), Event: o.Event}
	name, text, err := r.text(o.File)
	if err != nil {
		return nil, err
	}
	if r.File, err = workflow.Parse(name, text); err != nil {
		return nil, err
	}
	if r.Event == "" {
		r.Event = "workflow_dispatch"
		if len(r.File.Crons) > 0 {
			r.Event = "schedule"
		}
	}
	if o.Job != "" && r.File.Job(o.Job) == nil {
		return nil, fmt.Errorf("%s has no job %q: it has %s", name, o.Job, ids(r.File))
	}
	if r.Inputs, err = eval.Inputs(r.File.Inputs, o.Inputs, r.Event == "workflow_dispatch"); err != nil {
		return nil, err
	}
	return r, r.settle()
}

func ids(f *workflow.File) string {
	all := make([]string, len(f.Jobs))
	for i, j := range f.Jobs {
		all[i] = j.ID
	}
	return strings.Join(all, ", ")
}

// text reads the workflow itself, which may lie anywhere that the step may
// read.
func (r *Opened) text(file string) (name string, text []byte, err error) {
	path := file
	if r.Scope.Inside != nil {
		if path, err = r.Scope.Inside(file); err != nil {
			return "", nil, err
		}
	} else if !filepath.IsAbs(path) {
		path = filepath.Join(r.Scope.Dir, path)
	}
	name = filepath.ToSlash(file)
	if rel, err := filepath.Rel(r.Scope.Dir, path); err == nil && filepath.IsLocal(rel) {
		name = filepath.ToSlash(rel)
	}
	text, err = workflow.Below(filepath.Dir(path))(filepath.Base(path))
	if errors.Is(err, os.ErrNotExist) {
		return name, nil, fmt.Errorf("there is no workflow %s", name)
	}
	if err != nil {
		return name, nil, fmt.Errorf("the workflow %s cannot be read: %w", name, err)
	}
	return name, text, nil
}

// Wanted are the jobs that run: all, or the one that was asked for with what it
// needs.
func (r *Opened) Wanted() []*workflow.Job {
	if r.Order.Job == "" {
		return r.File.Jobs
	}
	in := map[string]bool{}
	var add func(j *workflow.Job)
	add = func(j *workflow.Job) {
		if j == nil || in[j.ID] {
			return
		}
		in[j.ID] = true
		for _, id := range j.Needs {
			add(r.File.Job(id))
		}
	}
	add(r.File.Job(r.Order.Job))
	return slices.DeleteFunc(slices.Clone(r.File.Jobs), func(j *workflow.Job) bool { return !in[j.ID] })
}

// View is what expressions of a workflow see that runs with these inputs and may
// read these secrets.
func (r *Opened) View(f *workflow.File, inputs map[string]any, secret func(string) (string, bool)) *expr.Env {
	secrets := map[string]any{}
	for _, name := range f.Secrets {
		if secret != nil {
			if v, ok := secret(name); ok {
				secrets[name] = v
			}
		}
	}
	vars := r.Scope.Vars
	if vars == nil {
		vars = map[string]any{}
	}
	c := map[string]any{
		"github": r.GitHub, "vars": vars, "inputs": inputs, "secrets": secrets, "env": map[string]any{}, "needs": map[string]any{},
		"matrix": map[string]any{}, "strategy": map[string]any{}, "job": map[string]any{}, "runner": r.Runner, "steps": map[string]any{}, "jobs": map[string]any{},
	}
	return &expr.Env{Contexts: c, Status: expr.Status{Success: true}, Root: r.Scope.Dir}
}
