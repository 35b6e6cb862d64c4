package workflow

import (
	"cmp"
	"runtime"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"

	"github.com/redundctl/redundctl/engine/expr"
)

const noContainer = "containers are not started here"

// job takes one entry of `jobs`.
func (t *translator) job(j *actionlint.Job) *Job {
	pos := jobPos(j)
	out := &Job{ID: j.ID.Value, Line: pos.Line, Column: pos.Col}
	under := "jobs." + out.ID + "."
	if out.Name = t.text(j.Name); j.Name != nil {
		t.exact(under+"name", j.Name.Pos)
	}
	for _, n := range j.Needs {
		if n != nil {
			out.Needs = append(out.Needs, n.Value)
		}
	}
	if len(j.Needs) > 0 && j.Needs[0] != nil {
		t.exact(under+"needs", j.Needs[0].Pos)
	}
	if out.If = t.condition(j.If); j.If != nil {
		t.exact(under+"if", j.If.Pos)
	}
	if out.Env = t.env(j.Env); j.Env != nil {
		t.exact(under+"env", envPos(j.Env))
	}
	out.Run = t.defaults(under, j.Defaults)
	out.Group = t.group(under, j.Concurrency)
	for _, o := range j.Outputs {
		if o != nil && o.Name != nil {
			out.Outputs = append(out.Outputs, Var{Name: o.Name.Value, Value: t.text(o.Value)})
		}
	}
	if inOrder(out.Outputs); len(out.Outputs) > 0 {
		first := out.Outputs[0].Value
		t.exact(under+"outputs", &actionlint.Pos{Line: first.Line, Col: first.Column})
	}
	if out.Timeout = t.float(j.TimeoutMinutes); j.TimeoutMinutes != nil {
		t.exact(under+"timeout-minutes", j.TimeoutMinutes.Pos)
	}
	if out.Continue = t.boolean(j.ContinueOnError); j.ContinueOnError != nil {
		t.exact(under+"continue-on-error", j.ContinueOnError.Pos)
	}
	t.strategy(under, out, j.Strategy)
	t.place(under, out, j)
	if j.WorkflowCall != nil {
		t.call(under, out, j.WorkflowCall)
		return out
	}
	seen := map[string]bool{}
	for i, s := range j.Steps {
		if s == nil {
			continue
		}
		step := t.step(under, i, s)
		if id := strings.ToLower(step.ID); id != "" && seen[id] {
			t.file.Faults = append(t.file.Faults, Fault{Line: step.Line, Column: step.Column, Message: "two steps of job " + out.ID + " have the id " + step.ID})
		} else {
			seen[id] = true
		}
		out.Steps = append(out.Steps, step)
	}
	if len(out.Steps) == 0 && out.Cannot.Text == "" {
		out.Cannot = Reason{Text: "jobs." + out.ID + ": it has neither steps nor uses", Line: out.Line, Column: out.Column}
	}
	return out
}

// place takes where a job runs, and what that needs.
func (t *translator) place(under string, out *Job, j *actionlint.Job) {
	first := func(r Reason) {
		if out.Cannot.Text == "" {
			out.Cannot = r
		}
	}
	if r := j.RunsOn; r != nil {
		for _, l := range r.Labels {
			if l != nil {
				out.RunsOn = append(out.RunsOn, t.text(l))
			}
		}
		if r.LabelsExpr != nil {
			out.RunsOn = append(out.RunsOn, t.text(r.LabelsExpr))
		}
		pos := jobPos(j)
		if len(out.RunsOn) > 0 {
			pos = &actionlint.Pos{Line: out.RunsOn[0].Line, Col: out.RunsOn[0].Column}
		}
		literal := make([]string, 0, len(out.RunsOn))
		for _, l := range out.RunsOn {
			if !expr.HasExpr(l.Value) {
				literal = append(literal, l.Value)
			}
		}
		if why := Elsewhere(literal); why != "" {
			first(t.cannot(under+"runs-on", pos, why))
		} else if r.Group != nil {
			t.like(under+"runs-on.group", r.Group.Pos, "the job runs on this machine, whatever the group")
		} else {
			t.like(under+"runs-on", pos, "the job runs on this machine, with what is installed here")
		}
	}
	if j.Services != nil {
		first(t.cannot(under+"services", servicesPos(j), noContainer))
	}
	if j.Container != nil {
		first(t.cannot(under+"container", orPos(j.Container.Pos, jobPos(j)), noContainer))
	}
	if j.Permissions != nil {
		t.like(under+"permissions", j.Permissions.Pos, noToken)
	}
	if e := j.Environment; e != nil {
		out.Environment = t.text(e.Name)
		t.text(e.URL)
		t.like(under+"environment", orPos(e.Pos, jobPos(j)), "nobody is asked for approval, no deployment is recorded, and secrets and variables are those of the pipeline")
	}
	if s := j.Snapshot; s != nil {
		pos := jobPos(j)
		if s.ImageName != nil {
			pos = s.ImageName.Pos
		}
		t.like(under+"snapshot", pos, "no image is made of this machine")
	}
}

func orPos(p, or *actionlint.Pos) *actionlint.Pos {
	if p != nil {
		return p
	}
	return or
}

func servicesPos(j *actionlint.Job) *actionlint.Pos { return orPos(j.Services.Pos, jobPos(j)) }

// Elsewhere says why a job with these labels does not run on this machine; "":
// it does. The labels are those of GitHub's own machines with Linux, and of a
// machine of one's own with it; what other labels promise nobody knows.
func Elsewhere(labels []string) string {
	for _, l := range labels {
		switch low := strings.ToLower(l); {
		case low == "", strings.HasPrefix(low, "ubuntu-"), low == "linux", low == "self-hosted", low == runnerArch():
		case strings.HasPrefix(low, "windows"):
			return l + " is Windows, and this machine is not"
		case strings.HasPrefix(low, "macos"):
			return l + " is macOS, and this machine is not"
		case low == "x64", low == "arm64", low == "arm", low == "x86":
			return l + " is another processor than this machine has, " + runnerArch()
		default:
			return "the label " + l + " names a runner of somebody's own: what it holds is not known here"
		}
	}
	return ""
}

func runnerArch() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x64"
	case "386":
		return "x86"
	}
	return runtime.GOARCH
}

// call takes a job that is another workflow.
func (t *translator) call(under string, out *Job, c *actionlint.WorkflowCall) {
	out.Uses = t.text(c.Uses)
	for _, in := range c.Inputs {
		if in != nil && in.Name != nil {
			out.With = append(out.With, Var{Name: in.Name.Value, Value: t.value(in.Value)})
		}
	}
	inOrder(out.With)
	for _, s := range c.Secrets {
		if s != nil && s.Name != nil {
			out.Secrets = append(out.Secrets, Var{Name: s.Name.Value, Value: t.text(s.Value)})
		}
	}
	inOrder(out.Secrets)
	pos := &actionlint.Pos{Line: out.Line, Col: out.Column}
	if c.Uses != nil {
		pos = c.Uses.Pos
	}
	if !Local(out.Uses.Value) {
		if r := t.cannot(under+"uses", pos, out.Uses.Value+" lies in another repository, and nothing is fetched here"); out.Cannot.Text == "" {
			out.Cannot = r
		}
	} else {
		t.exact(under+"uses", pos)
	}
	if len(out.With) > 0 {
		t.exact(under+"with", &actionlint.Pos{Line: out.With[0].Value.Line, Col: out.With[0].Value.Column})
	}
	if out.Inherit = c.InheritSecrets; out.Inherit {
		t.exact(under+"secrets", pos)
	} else if len(out.Secrets) > 0 {
		t.exact(under+"secrets", &actionlint.Pos{Line: out.Secrets[0].Value.Line, Col: out.Secrets[0].Value.Column})
	}
}

// strategy takes the matrix of a job.
func (t *translator) strategy(under string, out *Job, s *actionlint.Strategy) {
	if s == nil {
		return
	}
	if out.FailFast = t.boolean(s.FailFast); s.FailFast != nil {
		t.exact(under+"strategy.fail-fast", s.FailFast.Pos)
	}
	if out.MaxParallel = t.integer(s.MaxParallel); s.MaxParallel != nil {
		t.exact(under+"strategy.max-parallel", s.MaxParallel.Pos)
	}
	m := s.Matrix
	if m == nil {
		return
	}
	pos := orPos(m.Pos, &actionlint.Pos{Line: out.Line, Col: out.Column})
	t.exact(under+"strategy.matrix", pos)
	out.Matrix = &Matrix{Line: pos.Line, Column: pos.Col, Expr: t.text(m.Expression)}
	for name, r := range m.Rows {
		if r == nil {
			continue
		}
		a := Axis{Name: name, Expr: t.text(r.Expression)}
		if a.at = a.Expr; r.Name != nil { // a row that is an expression has no name of its own
			a.Name, a.at = r.Name.Value, at(r.Name.Pos, "")
		}
		for _, v := range r.Values {
			a.Values = append(a.Values, raw(v))
		}
		t.reads.values(a.Values, a.at)
		out.Matrix.Axes = append(out.Matrix.Axes, a)
	}
	slices.SortFunc(out.Matrix.Axes, func(a, b Axis) int {
		return cmp.Or(cmp.Compare(a.at.Line, b.at.Line), cmp.Compare(a.at.Column, b.at.Column))
	})
	out.Matrix.Include = t.combinations(under+"strategy.matrix.include", pos, m.Include)
	out.Matrix.Exclude = t.combinations(under+"strategy.matrix.exclude", pos, m.Exclude)
}

func (t *translator) combinations(key string, pos *actionlint.Pos, c *actionlint.MatrixCombinations) Combinations {
	if c == nil {
		return Combinations{}
	}
	t.exact(key, pos)
	out := Combinations{Expr: t.text(c.Expression)}
	for _, x := range c.Combinations {
		switch {
		case x == nil:
		case x.Expression != nil:
			out.List = append(out.List, t.text(x.Expression).Value)
		default:
			m := map[string]any{}
			for _, a := range x.Assigns {
				if a != nil && a.Key != nil {
					m[a.Key.Value] = raw(a.Value)
				}
			}
			t.reads.values(m, Text{Line: pos.Line, Column: pos.Col})
			out.List = append(out.List, m)
		}
	}
	return out
}

// raw is a value of a matrix.
func raw(v actionlint.RawYAMLValue) any {
	switch x := v.(type) {
	case *actionlint.RawYAMLString:
		return typed(x.Value)
	case *actionlint.RawYAMLArray:
		out := make([]any, len(x.Elems))
		for i, e := range x.Elems {
			out[i] = raw(e)
		}
		return out
	case *actionlint.RawYAMLObject:
		out := map[string]any{}
		for k, e := range x.Props {
			out[k] = raw(e)
		}
		return out
	}
	return nil
}
