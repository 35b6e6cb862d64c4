// Package plan is the dry run of a workflow.
package plan

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/eval"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/order"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/shells"
	"github.com/redundctl/redundctl/engine/kind/github/survey"
	"github.com/redundctl/redundctl/engine/kind/github/workflow"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Of says which jobs would run, in waves along what they need, with their
// combinations and steps, and what of them cannot run here. It starts nothing. The
// error is that nothing can be planned, or the first part that cannot run.
func Of(ctx context.Context, o order.Order, s *pipeline.Scope) ([]pipeline.Effect, error) {
	r, err := order.Open(o, s, "")
	if err != nil {
		return nil, err
	}
	f := r.File
	look, err := survey.Look(r.Read, f.Path)
	var blocked []survey.Blocked
	if err == nil {
		blocked = look.Blocked(r.Event)
	}
	p := &planner{Opened: r, blocked: blocked}
	waves := p.waves()
	p.add("", "runs %s for the event %s, in place", f.Path, r.Event)
	for i := range f.Faults {
		p.add("", "GitHub refuses the file: %s", f.Faults[i].Error())
	}
	for i, wave := range waves {
		for _, j := range wave {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			p.job(i+1, j)
		}
	}
	return p.out, p.err()
}

// planner gathers what a dry run says.
type planner struct {
	*order.Opened
	blocked []survey.Blocked
	out     []pipeline.Effect
}

func (p *planner) add(indent, format string, args ...any) {
	line := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
	if mask := p.Scope.Mask; mask != nil {
		line = mask(line)
	}
	p.out = append(p.out, pipeline.Effect(indent+line))
}

// err is what keeps the run from succeeding.
func (p *planner) err() error {
	for _, b := range p.blocked {
		if !b.Given {
			return errors.New("it cannot run here: " + b.String())
		}
	}
	return nil
}

// waves are the jobs by how far they stand from those that need nothing.
func (p *planner) waves() [][]*workflow.Job {
	var out [][]*workflow.Job
	depth := map[string]int{}
	jobs := p.Wanted()
	for range jobs {
		for _, j := range jobs {
			for _, id := range j.Needs {
				depth[j.ID] = max(depth[j.ID], min(depth[id]+1, len(jobs)-1))
			}
		}
	}
	for _, j := range jobs {
		for len(out) <= depth[j.ID] {
			out = append(out, nil)
		}
		out[depth[j.ID]] = append(out[depth[j.ID]], j)
	}
	return out
}

// job says what one job would do.
func (p *planner) job(wave int, j *workflow.Job) {
	view := p.View(p.File, p.Inputs, p.Scope.Secret)
	p.add("", "wave %d: job %s%s", wave, j.ID, p.combinations(j, view))
	if j.If.Value != "" {
		p.add("  ", "only if: %s", j.If.Value)
	}
	if r := j.Cannot; r.Text != "" {
		p.add("  ", "cannot run here: %s", (&workflow.Fault{File: p.File.Path, Line: r.Line, Column: r.Column, Message: r.Text}).Error())
		return
	}
	if j.Uses.Written() {
		p.add("  ", "runs the workflow %s", j.Uses.Value)
		p.lacks(j.ID, "")
		return
	}
	for i, s := range j.Steps {
		line := fmt.Sprintf("step %d: %s", i+1, s.Label())
		switch {
		case s.Cannot.Text != "" || p.blocks(j.ID, s.Label()):
		case s.Kind != "":
			line += ": " + s.Kind + keys(s)
		case s.Uses.Written():
			line += ": the action " + s.Uses.Value
		default:
			line += ": a script with " + p.shell(j, s)
		}
		if s.If.Value != "" {
			line += ", only if: " + s.If.Value
		}
		p.add("  ", "%s", line)
		p.lacks(j.ID, s.Label())
	}
}

func keys(s *workflow.Step) string {
	var out []string
	for _, k := range s.Keys {
		out = append(out, k.Name+": "+strings.Join(strings.Fields(k.Value.Value), " "))
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, ", ") + ")"
}

func (p *planner) shell(j *workflow.Job, s *workflow.Step) string {
	for _, t := range []workflow.Text{s.Shell, j.Run.Shell, p.File.Run.Shell} {
		if t.Value != "" && !expr.HasExpr(t.Value) {
			if sh, err := shells.Of(t.Value, func(string) bool { return true }); err == nil {
				return sh.String()
			}
			return t.Value
		}
	}
	return "bash -e"
}

// lacks says what of a job's step cannot run.
func (p *planner) lacks(job, step string) {
	for _, b := range p.blocked {
		if b.Job == job && b.Step == step || step == "" && b.Job == job {
			p.add("    ", "cannot run here: %s", b.String())
		}
	}
}

func (p *planner) blocks(job, step string) bool {
	for _, b := range p.blocked {
		if b.Job == job && b.Step == step {
			return true
		}
	}
	return false
}

// combinations says what a matrix makes, as far as it is known.
func (p *planner) combinations(j *workflow.Job, view *expr.Env) string {
	if j.Matrix == nil {
		return ""
	}
	for _, t := range []workflow.Text{j.Matrix.Expr, j.Matrix.Include.Expr, j.Matrix.Exclude.Expr} {
		if strings.Contains(t.Value, "needs.") {
			return ", once for each combination of its matrix, which is known when the jobs it reads have run"
		}
	}
	for _, a := range j.Matrix.Axes {
		if strings.Contains(a.Expr.Value, "needs.") {
			return ", once for each combination of its matrix, which is known when the jobs it reads have run"
		}
	}
	all, err := eval.Combinations(j.Matrix, p.File.Path, view)
	if err != nil {
		return ", whose matrix fails: " + err.Error()
	}
	labels := make([]string, 0, len(all))
	for i, c := range all {
		if i == 10 {
			labels = append(labels, fmt.Sprintf("and %d more", len(all)-i))
			break
		}
		labels = append(labels, c.Label)
	}
	return fmt.Sprintf(", %d combinations: %s", len(all), strings.Join(labels, "; "))
}
