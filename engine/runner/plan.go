package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/eval"
	"github.com/redundctl/redundctl/engine/runner/handlers"
	"github.com/redundctl/redundctl/engine/runner/matrix"
	"github.com/redundctl/redundctl/engine/runner/outputs"
)

// Plan says what Run would do, and changes nothing anywhere. A step that could
// not run says so in its effects and in Planned.Err; the error is that nothing
// can be planned at all.
func Plan(ctx context.Context, j Job) (Planned, error) {
	j.Temp = ""
	r := newRun(j, nil)
	out := Planned{Waves: Waves(j.Pipeline), Steps: []PlanStep{}}
	p, err := r.place()
	if err != nil {
		return out, errors.New(r.line(err.Error()))
	}
	g, err := newGraph(p, j.Pipeline.Steps)
	if err != nil {
		return out, err
	}
	var failed []error
	for i := range g.steps {
		id := g.steps[i].ID
		step, err := r.planStep(&task{place: p, ctx: ctx, step: &g.steps[i], id: id, status: expr.Status{Success: true}})
		if err != nil {
			failed = append(failed, fmt.Errorf("step %s: %w", id, err))
		}
		out.Steps = append(out.Steps, step)
	}
	out.Err = errors.Join(failed...)
	out.Steps = append(out.Steps, r.planHandlers(ctx, p)...)
	return out, nil
}

// planStep is what one step would do; the error is masked and in one line.
func (r *run) planStep(t *task) (PlanStep, error) {
	out := PlanStep{ID: t.id, Uses: newUnit(t, nil, 0).rec.Uses, Effects: []string{}}
	effects, err := t.plan()
	for _, e := range effects {
		out.Effects = append(out.Effects, r.mask(e))
	}
	if err != nil {
		err = errors.New(r.line(err.Error()))
		out.Effects = append(out.Effects, "would fail: "+err.Error())
	}
	return out, err
}

// planHandlers says what the handlers would do, each list as if the run had
// ended so. One that would fail is no error of the plan: it changes nothing in
// a run either.
func (r *run) planHandlers(ctx context.Context, p *place) []PlanStep {
	var out []PlanStep
	for _, l := range handlers.All(r.job.Pipeline) {
		at := *p
		at.contexts = eval.With(p.contexts, "run", eval.Run(&r.job.Run, l.State, l.Error))
		for i := range l.Steps {
			step, _ := r.planStep(&task{place: &at, ctx: ctx, step: &l.Steps[i], id: l.Steps[i].ID, status: l.Status, open: l.Open})
			out = append(out, step)
		}
	}
	return out
}

// plan says what the step would do, all of its combinations.
func (t *task) plan() ([]string, error) {
	t.reads = eval.ReadsOf(t.step)
	if t.reads.Err != nil {
		return nil, t.reads.Err
	}
	t.steps = eval.Unknown(t.reads.Chains)
	var effects []string
	if t.step.If != "" {
		run, told, err := t.planIf()
		if err != nil {
			return nil, within("if", err)
		}
		if effects = told; !run {
			return effects, nil
		}
	}
	if t.step.Matrix == nil {
		more, err := newUnit(t, nil, 0).plan()
		return append(effects, more...), err
	}
	all, err := matrix.Evaluate(t.step.Matrix, t.view(nil, t.env.With(t.wrote).Shown))
	if err != nil {
		if t.unsure() {
			return append(effects, "once for each combination of its matrix, which is known when the steps it reads have run"), nil
		}
		return effects, within("matrix", err)
	}
	var failed []error
	for i := range all {
		more, err := newUnit(t, &all[i], i).plan()
		for _, e := range more {
			effects = append(effects, all[i].Label+": "+e)
		}
		if err != nil {
			failed = append(failed, within(all[i].Label, err))
		}
	}
	return effects, errors.Join(failed...)
}

// planIf judges a condition as far as it is known before anything has run.
func (t *task) planIf() (run bool, told []string, err error) {
	c, err := expr.ParseIf(t.step.If)
	if err != nil {
		return false, nil, err
	}
	if t.open.In(c) {
		return true, []string{"only if: " + t.step.If}, nil
	}
	run, err = t.judge(c, nil)
	if err != nil || run {
		return run, nil, err
	}
	return false, []string{"left out unless: " + t.step.If}, nil
}

// unsure reports whether the step reads what only a run can tell.
func (t *task) unsure() bool { return len(t.reads.Chains) > 0 }

// plan says what the unit would do.
func (u *unit) plan() ([]string, error) {
	effects, err := u.effects()
	if err != nil && u.unsure() {
		return []string{"known when the steps it reads have run (" + u.chains() + ")"}, nil
	}
	out := make([]string, len(effects))
	for i, e := range effects {
		out[i] = string(e)
	}
	return out, err
}

func (u *unit) effects() ([]pipeline.Effect, error) {
	if err := u.prepare(); err != nil {
		return nil, err
	}
	a, err := u.action()
	if err != nil {
		return nil, err
	}
	return a.Plan(u.ctx, u.scope(1, &outputs.Shown{})) // a plan shows nothing else
}

func (u *unit) chains() string {
	names := make([]string, len(u.reads.Chains))
	for i, c := range u.reads.Chains {
		names[i] = strings.Join(append([]string{"steps"}, c...), ".")
	}
	return strings.Join(names, ", ")
}

// Plan says what the steps of the action would do.
func (a *fileAction) Plan(ctx context.Context, _ *pipeline.Scope) ([]pipeline.Effect, error) {
	g, err := a.graph()
	if err != nil {
		return nil, err
	}
	var out []pipeline.Effect
	var failed []error
	for i := range g.steps {
		t := &task{place: g.place, ctx: ctx, step: &g.steps[i], id: g.steps[i].ID, status: expr.Status{Success: true}}
		effects, err := t.plan()
		for _, e := range effects {
			out = append(out, pipeline.Effect(t.id+": "+e))
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("step %s: %w", t.id, err))
		}
	}
	return out, errors.Join(failed...)
}
