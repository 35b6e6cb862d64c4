package workflow

import (
	"strconv"
	"strings"

	"github.com/rhysd/actionlint"

	"github.com/redundctl/redundctl/engine/expr"
)

// step takes one entry of a job's `steps`.
func (t *translator) step(under string, i int, s *actionlint.Step) *Step {
	under += "steps[" + strconv.Itoa(i) + "]."
	pos := orPos(s.Pos, &actionlint.Pos{Line: 1})
	out := &Step{Line: pos.Line, Column: pos.Col}
	if s.ID != nil {
		out.ID = s.ID.Value
		t.exact(under+"id", s.ID.Pos)
	}
	if out.Name = t.text(s.Name); s.Name != nil {
		t.exact(under+"name", s.Name.Pos)
	}
	if out.If = t.condition(s.If); s.If != nil {
		t.exact(under+"if", s.If.Pos)
	}
	if out.Env = t.env(s.Env); s.Env != nil {
		t.exact(under+"env", envPos(s.Env))
	}
	if out.Continue = t.boolean(s.ContinueOnError); s.ContinueOnError != nil {
		t.exact(under+"continue-on-error", s.ContinueOnError.Pos)
	}
	if out.Timeout = t.float(s.TimeoutMinutes); s.TimeoutMinutes != nil {
		t.exact(under+"timeout-minutes", s.TimeoutMinutes.Pos)
	}
	switch x := s.Exec.(type) {
	case *actionlint.ExecRun:
		t.script(under, out, x)
	case *actionlint.ExecAction:
		t.uses(under, out, x)
	}
	if !out.Run.Written() && !out.Uses.Written() && out.Cannot.Text == "" {
		out.Cannot = Reason{Text: strings.TrimSuffix(under, ".") + ": it has neither run nor uses", Line: out.Line, Column: out.Column}
	}
	return out
}

func (t *translator) script(under string, out *Step, x *actionlint.ExecRun) {
	out.Run, out.Shell, out.Dir = t.text(x.Run), t.text(x.Shell), t.text(x.WorkingDirectory)
	if x.Run != nil {
		t.exact(under+"run", x.Run.Pos)
	}
	if x.WorkingDirectory != nil {
		t.exact(under+"working-directory", x.WorkingDirectory.Pos)
	}
	if x.Shell == nil {
		return
	}
	if why := NoShell(x.Shell.Value); why != "" {
		out.Cannot = t.cannot(under+"shell", x.Shell.Pos, why)
		return
	}
	t.exact(under+"shell", x.Shell.Pos)
}

// NoShell says why a shell cannot be started here; "": it may be.
func NoShell(shell string) string {
	switch strings.TrimSpace(shell) {
	case "cmd", "powershell":
		return strings.TrimSpace(shell) + " is a shell of Windows"
	case "", "bash", "sh", "python", "pwsh":
		return ""
	}
	if !strings.Contains(shell, "{0}") && !expr.HasExpr(shell) {
		return strconv.Quote(shell) + " is no shell that GitHub knows, and names no place for the script, {0}"
	}
	return ""
}

func (t *translator) uses(under string, out *Step, x *actionlint.ExecAction) {
	out.Uses = t.text(x.Uses)
	pos := &actionlint.Pos{Line: out.Line, Col: out.Column}
	if x.Uses != nil {
		pos = x.Uses.Pos
	}
	for _, in := range x.Inputs {
		if in != nil && in.Name != nil {
			out.With = append(out.With, Var{Name: in.Name.Value, Value: t.value(in.Value)})
		}
	}
	inOrder(out.With)
	t.text(x.Entrypoint)
	t.text(x.Args)
	switch {
	case Local(out.Uses.Value):
		t.exact(under+"uses", pos)
		if len(out.With) > 0 {
			t.exact(under+"with", &actionlint.Pos{Line: out.With[0].Value.Line, Col: out.With[0].Value.Column})
		}
	case strings.HasPrefix(out.Uses.Value, "docker://"):
		out.Cannot = t.cannot(under+"uses", pos, noContainer)
	case t.standIn(under, pos, out):
	default:
		out.Cannot = t.cannot(under+"uses", pos, out.Uses.Value+" lies in another repository, and nothing is fetched here")
	}
	for _, c := range []struct {
		name string
		text *actionlint.String
	}{{"args", x.Args}, {"entrypoint", x.Entrypoint}} {
		if c.text != nil && !Local(out.Uses.Value) && out.Kind == "" {
			t.cannot(under+"with."+c.name, c.text.Pos, "it is for containers, which are not started here")
		}
	}
}
