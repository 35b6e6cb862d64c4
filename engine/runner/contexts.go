package runner

import (
	"fmt"
	"maps"
	"strings"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// contexts are those that stand when a run begins and do not change while its
// graph runs; `steps`, `env`, `matrix` and `inputs` are added for each step.
func contexts(j *Job) map[string]any {
	p := j.Pipeline
	secrets := make(map[string]any, len(p.Secrets))
	for _, name := range p.Secrets {
		secrets[name] = j.Secrets[name]
	}
	primary := map[string]any{"kind": "", "verdict": "", "reason": "", "evidence": "", "url": ""}
	if p.Primary != nil {
		primary["kind"] = p.Primary.Kind
	}
	return map[string]any{
		"run":      runContext(&j.Run, pipeline.Running, ""),
		"pipeline": map[string]any{"name": p.Name, "system": p.System, "file": p.File, "category": p.Category},
		"primary":  primary,
		"params":   orEmpty(j.Params),
		"vars":     orEmpty(j.Vars),
		"secrets":  secrets,
	}
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

func runContext(r *pipeline.Run, state pipeline.State, err string) map[string]any {
	return map[string]any{
		"id": runID(r), "slot": pipeline.Time(r.Slot), "attempt": max(r.Attempt, 1), "trigger": r.Trigger,
		"reason": r.Reason, "state": string(state), "error": err, "fence": r.Fence,
	}
}

// withContext is a copy of contexts with one more.
func withContext(contexts map[string]any, name string, v any) map[string]any {
	out := make(map[string]any, len(contexts)+4)
	maps.Copy(out, contexts)
	out[name] = v
	return out
}

// reads is what the expressions of a step read, as far as it decides what
// they are given: of a graph of thousands, a step sees the few it names.
type reads struct {
	some     bool            // there is an expression
	steps    map[string]bool // ids of the steps, in lower case; nil: none
	allSteps bool            // by an id that is not known before evaluation
	secrets  map[string]bool // names in lower case, in `with` and `env`
	all      bool            // all secrets
	chains   [][]string      // what is read of `steps`, name by name
	err      error           // of the first string that cannot be read
}

// readsOf collects what a step reads in all that is evaluated once it is due.
func readsOf(s *pipeline.Step) *reads {
	r := &reads{}
	if m := s.Matrix; m != nil {
		r.text(m.Expr, false)
		for _, a := range m.Axes {
			r.text(a.Expr, false)
			r.tree(a.Values)
		}
		for _, list := range [][]map[string]any{m.Include, m.Exclude} {
			for _, c := range list {
				r.tree(c)
			}
		}
	}
	r.text(s.If, true)
	r.text(s.Run, false)
	r.text(s.WorkingDirectory, false)
	for _, a := range s.Exec {
		r.text(a, false)
	}
	r.secrets, r.all = nil, false // an action is given those of `env` and `with`
	for _, v := range s.Env {
		r.text(v, false)
	}
	r.tree(s.With)
	return r
}

func (r *reads) tree(v any) {
	switch x := v.(type) {
	case string:
		r.text(x, false)
	case map[string]any:
		for _, y := range x {
			r.tree(y)
		}
	case []any:
		for _, y := range x {
			r.tree(y)
		}
	}
}

func (r *reads) text(s string, bare bool) {
	if s == "" || !bare && !expr.HasExpr(s) {
		return
	}
	r.some = true
	t, err := parse(s, bare)
	if err != nil {
		if r.err == nil {
			r.err = err
		}
		return
	}
	for _, ref := range t.Refs() {
		if ref.Root == "steps" {
			r.chains = append(r.chains, ref.Path)
		}
		first := "*"
		if len(ref.Path) > 0 {
			first = strings.ToLower(ref.Path[0])
		}
		switch {
		case ref.Root == "steps" && first == "*":
			r.allSteps = true
		case ref.Root == "steps":
			r.steps = put(r.steps, first)
		case ref.Root == "secrets" && first == "*":
			r.all = true
		case ref.Root == "secrets":
			r.secrets = put(r.secrets, first)
		}
	}
}

func put(m map[string]bool, k string) map[string]bool {
	if m == nil {
		m = map[string]bool{}
	}
	m[k] = true
	return m
}

func parse(s string, bare bool) (*expr.Template, error) {
	if bare {
		return expr.ParseIf(s)
	}
	return expr.Parse(s)
}

// evalText evaluates the expressions in a string.
func evalText(s string, e *expr.Env) (string, error) {
	if !expr.HasExpr(s) {
		return s, nil
	}
	t, err := expr.Parse(s)
	if err != nil {
		return "", err
	}
	return t.Text(e)
}

// evalMap evaluates the values of a map; the error names the key.
func evalMap(m map[string]string, e *expr.Env) (map[string]string, error) {
	if len(m) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		text, err := evalText(v, e)
		if err != nil {
			return nil, fmt.Errorf("env.%s: %w", k, err)
		}
		out[k] = text
	}
	return out, nil
}

// object is what `steps.ID` gives of a step that has ended.
func (e *ending) object() map[string]any {
	outputs := e.outputs
	if outputs == nil {
		outputs = map[string]any{}
	}
	var code any
	if e.exit != nil {
		code = *e.exit
	}
	return map[string]any{"outputs": outputs, "outcome": string(e.state), "conclusion": string(e.conclusion()), "exit-code": code, "error": e.err}
}
