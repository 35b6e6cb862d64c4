// Package handlers gives the lists of steps that run after a graph: on-success,
// on-failure, on-cancel and always.
package handlers

import (
	"slices"
	"strconv"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/eval"
)

// List is one list of handlers, and what its steps are told of the run.
type List struct {
	Name   string          // as on-failure
	Steps  []pipeline.Step // a copy, with ids as on-failure.1
	State  pipeline.State  // run.state
	Error  string          // run.error
	Status expr.Status     // what success(), failure() and cancelled() say
	Open   eval.Open       // what of all that is not known, in a dry run
}

// After gives the lists that run when a graph ended so, in order; those without
// steps are left out.
func After(p *pipeline.Pipeline, state pipeline.State, err string) []List {
	failed := state.Bad()
	l := List{State: state, Error: err, Status: expr.Status{
		Success: state == pipeline.Succeeded, Failure: failed, Cancelled: state == pipeline.Cancelled,
	}}
	var out []List
	switch {
	case l.Status.Success:
		out = l.add(out, "on-success", p.OnSuccess)
	case failed:
		out = l.add(out, "on-failure", p.OnFailure)
	case l.Status.Cancelled:
		out = l.add(out, "on-cancel", p.OnCancel)
	}
	return l.add(out, "always", p.Always)
}

// All gives every list for a dry run, each as if the run had ended so. Where
// only the end tells, run.state and run.error are their own expressions.
func All(p *pipeline.Pipeline) []List {
	const state, failure = "${{ run.state }}", "${{ run.error }}"
	ended := eval.Open{Run: true}
	var out []List
	out = List{State: pipeline.Succeeded, Status: expr.Status{Success: true}}.add(out, "on-success", p.OnSuccess)
	out = List{State: state, Error: failure, Status: expr.Status{Failure: true}, Open: ended}.add(out, "on-failure", p.OnFailure)
	out = List{State: pipeline.Cancelled, Error: failure, Status: expr.Status{Cancelled: true}, Open: ended}.add(out, "on-cancel", p.OnCancel)
	return List{State: state, Error: failure, Open: eval.Open{Run: true, Status: true}}.add(out, "always", p.Always)
}

func (l List) add(to []List, name string, steps []pipeline.Step) []List {
	if len(steps) == 0 {
		return to
	}
	l.Name, l.Steps = name, slices.Clone(steps)
	for i := range l.Steps {
		l.Steps[i].ID = name + "." + strconv.Itoa(i+1)
	}
	return append(to, l)
}
