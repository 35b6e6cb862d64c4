package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/expr/value"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/eval"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/group"
	"github.com/redundctl/redundctl/engine/kind/github/workflow"
	"github.com/redundctl/redundctl/engine/runner/matrix"
)

// flow is one workflow that runs: the one that was asked for, or one that a job
// calls.
type flow struct {
	run    *run
	file   *workflow.File
	inputs map[string]any
	secret func(name string) (string, bool) // of those that it may read
	label  string                           // of the job that calls it, with " / "; "": nobody does
	depth  int
	groups []string // concurrency groups that it and those around it hold, in lower case

	results map[string]*ended // by the id of a job; of jobs that are not asked for none
}

// ended is how a job ended. It is settled when done is closed.
type ended struct {
	done    chan struct{}
	result  string
	outputs map[string]string
	why     []string // what failed, in one line each
}

// do runs all jobs, and gives the result of the workflow.
func (w *flow) do(ctx context.Context) string {
	w.results = map[string]*ended{}
	jobs := w.file.Jobs
	if w.depth == 0 {
		jobs = w.run.Wanted()
	}
	for _, j := range jobs {
		w.results[j.ID] = &ended{done: make(chan struct{})}
	}
	fail := func(err error) string {
		for _, j := range jobs {
			e := w.results[j.ID]
			e.result, e.why = failure, []string{err.Error()}
		}
		return failure
	}
	if w.file.Group.Name.Written() {
		name, err := eval.Text(w.file.Group.Name, w.file.Path, w.view(nil))
		if err != nil {
			return fail(err)
		}
		if name != "" {
			release, err := w.hold(ctx, name, w.say)
			if err != nil {
				return fail(err)
			}
			defer release()
			w.groups = append(slices.Clone(w.groups), strings.ToLower(name))
		}
	}
	var all sync.WaitGroup
	for _, j := range jobs {
		all.Go(func() {
			defer close(w.results[j.ID].done)
			w.job(ctx, j, w.results[j.ID])
		})
	}
	all.Wait()
	out := success
	for _, e := range w.results {
		if e.result == failure || e.result == cancelled {
			out = failure
		}
	}
	if ctx.Err() != nil {
		out = cancelled
	}
	return out
}

// hold waits for a concurrency group. One that the workflow or one around it
// holds already is not waited for: it would never come.
func (w *flow) hold(ctx context.Context, name string, say func(string)) (func(), error) {
	if slices.Contains(w.groups, strings.ToLower(name)) {
		return func() {}, nil
	}
	return group.Hold(ctx, w.run.Scope.Dir, name, say)
}

// failure is the error of the whole: the first job that failed, and how many
// others did.
func (w *flow) failure(file string) error {
	var why []string
	for _, j := range w.file.Jobs {
		if e := w.results[j.ID]; e != nil && (e.result == failure || e.result == cancelled) {
			why = append(why, e.why...)
		}
	}
	switch len(why) {
	case 0:
		return errors.New("the workflow failed: " + file)
	case 1:
		return errors.New(w.run.out.Mask.Mask(why[0]))
	}
	return fmt.Errorf("%s (and %d more failed)", w.run.out.Mask.Mask(why[0]), len(why)-1)
}

func (w *flow) say(text string) {
	w.run.out.Say(w.label+w.title(), text)
}

func (w *flow) title() string {
	if w.file.Name.Value != "" && !expr.HasExpr(w.file.Name.Value) {
		return w.file.Name.Value
	}
	return w.file.Path
}

// view is what expressions of the workflow see, with more contexts.
func (w *flow) view(more map[string]any) *expr.Env {
	out := w.run.View(w.file, w.inputs, w.secret)
	maps.Copy(out.Contexts, more)
	return out
}

// needs waits for what a job needs, and gives its context and how all that it
// depends on stands.
func (w *flow) needs(j *workflow.Job) (needs map[string]any, status expr.Status) {
	needs, status = map[string]any{}, expr.Status{Success: true}
	seen := map[string]bool{}
	var ask func(id string, direct bool)
	ask = func(id string, direct bool) {
		e, of := w.results[id], w.file.Job(id)
		if e == nil || of == nil {
			return
		}
		<-e.done
		if direct {
			needs[of.ID] = map[string]any{"result": e.result, "outputs": anyMap(e.outputs)}
		}
		if seen[id] {
			return
		}
		seen[id] = true
		status.Success = status.Success && e.result == success
		status.Failure = status.Failure || e.result == failure
		for _, more := range of.Needs {
			ask(more, false)
		}
	}
	for _, id := range j.Needs {
		ask(id, true)
	}
	return needs, status
}

// job runs a job with all of its combinations, once what it needs has ended.
func (w *flow) job(ctx context.Context, j *workflow.Job, e *ended) {
	needs, status := w.needs(j)
	status.Cancelled = ctx.Err() != nil
	view := w.view(map[string]any{"needs": needs})
	view.Status = status
	label := w.label + j.Label()
	failed := func(err error) {
		e.result, e.why = failure, append(e.why, "job "+label+": "+err.Error())
		w.run.out.Say(label, "failed: "+err.Error())
	}
	go1, err := eval.Condition(j.If, w.file.Path, view)
	switch {
	case err != nil:
		failed(err)
		return
	case ctx.Err() != nil:
		e.result = cancelled
		return
	case !go1:
		e.result = skipped
		w.run.out.Say(label, "skipped")
		return
	}
	if j.Cannot.Text != "" {
		failed(&workflow.Fault{File: w.file.Path, Line: j.Cannot.Line, Column: j.Cannot.Column, Message: "it cannot run here: " + j.Cannot.Text})
		if given, err := eval.Truth(j.Continue, w.file.Path, view, false); err == nil && given {
			e.result, e.why = success, nil
		}
		return
	}
	combos, err := eval.Combinations(j.Matrix, w.file.Path, view)
	if err != nil {
		failed(err)
		return
	}
	w.combos(ctx, j, e, multiplied{needs: needs, combos: combos, view: view})
}

// multiplied are the combinations of a job.
type multiplied struct {
	needs  map[string]any
	combos []*matrix.Combination
	view   *expr.Env
}

var errSibling = errors.New("another combination failed")

// combos runs the combinations of a job, as many side by side as it says.
func (w *flow) combos(ctx context.Context, j *workflow.Job, e *ended, m multiplied) {
	fast, err := eval.Truth(j.FailFast, w.file.Path, m.view, true)
	width := len(m.combos)
	if v, bad := eval.Whole(j.MaxParallel, w.file.Path, m.view); bad != nil {
		err = bad
	} else if n := value.AsNumber(v); n >= 1 && n < float64(width) {
		width = int(n)
	}
	if err != nil {
		e.result, e.why = failure, append(e.why, "job "+w.label+j.Label()+": "+err.Error())
		return
	}
	side := width
	if j.Tree() {
		side = 1 // they take turns anyway: then in their order
	}
	room := make(chan struct{}, side)
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	all := make([]*job, len(m.combos))
	var group sync.WaitGroup
	for i, c := range m.combos {
		x := &job{flow: w, spec: j, combo: c, needs: m.needs, outer: ctx, strategy: map[string]any{
			"fail-fast": fast, "job-index": i, "job-total": len(m.combos), "max-parallel": width,
		}}
		all[i] = x
		room <- struct{}{}
		group.Go(func() {
			defer func() { <-room }()
			x.do(inner)
			if x.result == failure && !x.given && fast {
				cancel(errSibling)
			}
		})
	}
	group.Wait()
	e.result, e.outputs = success, map[string]string{}
	for _, x := range all {
		switch {
		case x.given && x.result == failure:
		case x.result == failure:
			e.result = failure
			e.why = append(e.why, x.why)
		case x.result == cancelled && e.result != failure:
			e.result = cancelled
		}
		if x.result == cancelled && x.why != "" {
			e.why = append(e.why, x.why)
		}
		for k, v := range x.outputs {
			if v != "" || e.outputs[k] == "" {
				e.outputs[k] = v
			}
		}
	}
}
