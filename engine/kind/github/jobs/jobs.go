// Package jobs runs a workflow of GitHub Actions on this machine, in place: in
// the work tree that is here, without containers and without a token of
// GitHub's. What workflows mean is GitHub's word
// (https://docs.github.com/en/actions/reference/workflows-and-actions); where
// one machine cannot keep it, the translation says so.
//
// On GitHub each job has a work tree of its own. Here there is one: jobs that
// check it out take turns, all others run side by side.
//
// Start with this file, then flow.go (the jobs of a workflow), job.go (the
// steps of a job) and step.go.
package jobs

import (
	"context"
	"fmt"
	"os"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/console"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/order"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Tools are what it is run with.
type Tools struct {
	Deps kind.Deps
	// Kind gives the step kind that stands in for an action of GitHub's; ok is
	// false for one that there is none of.
	Kind func(name string) (k kind.Action, ok bool)
}

// run is one run of a workflow with all that it calls.
type run struct {
	*order.Opened
	tools Tools
	out   *console.Printer
	tree  chan struct{} // held by a job that works on the work tree
}

// Run runs the workflow to its end. Everything that it started has ended then.
// The outputs are `result`, success or failure or cancelled, and `jobs`: by the
// id of each, its `result` and `outputs`.
func Run(ctx context.Context, t Tools, o order.Order, s *pipeline.Scope) (out pipeline.Outputs, err error) {
	temp, err := os.MkdirTemp(s.Temp, "workflow-")
	if err != nil {
		return out, fmt.Errorf("the directory of the workflow cannot be made: %w", err)
	}
	defer os.RemoveAll(temp)
	open, err := order.Open(o, s, temp)
	if err != nil {
		return out, err
	}
	f := open.File
	r := &run{Opened: open, tools: t, out: console.New(s.Out, s.Mask), tree: make(chan struct{}, 1)}
	w := &flow{run: r, file: f, inputs: open.Inputs, secret: s.Secret}
	result := w.do(ctx)
	jobs := map[string]any{}
	for _, j := range f.Jobs {
		if at := w.results[j.ID]; at != nil {
			jobs[j.ID] = map[string]any{"result": at.result, "outputs": anyMap(at.outputs)}
		}
	}
	out.Values = map[string]any{"result": result, "jobs": jobs}
	switch {
	case ctx.Err() != nil:
		return out, context.Cause(ctx)
	case result != success:
		return out, w.failure(o.File)
	}
	return out, nil
}

// The results of jobs, steps and runs, in GitHub's words.
const (
	success   = "success"
	failure   = "failure"
	cancelled = "cancelled"
	skipped   = "skipped"
)

func anyMap(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
