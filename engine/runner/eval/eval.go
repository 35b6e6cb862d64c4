// Package eval evaluates what a step holds: texts, maps and trees with
// expressions in them, and what these expressions read.
package eval

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Reads is what the expressions of a step read, as far as it decides what
// they are given: of a graph of thousands, a step sees the few it names.
type Reads struct {
	Some       bool            // there is an expression
	Steps      map[string]bool // ids of the steps, in lower case; nil: none
	AllSteps   bool            // by an id that is not known before evaluation
	Secrets    map[string]bool // names in lower case, in `with` and `env`
	AllSecrets bool            // all secrets
	Chains     [][]string      // what is read of `steps`, name by name
	Err        error           // of the first string that cannot be read
}

// ReadsOf collects what a step reads in all that is evaluated once it is due.
func ReadsOf(s *pipeline.Step) *Reads {
	r := &Reads{}
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
	r.text(s.TimeoutExpr, false)
	r.text(s.ContinueExpr, false)
	for _, a := range s.Exec {
		r.text(a, false)
	}
	r.Secrets, r.AllSecrets = nil, false // an action is given those of `env` and `with`
	for _, v := range s.Env {
		r.text(v, false)
	}
	r.tree(s.With)
	return r
}

func (r *Reads) tree(v any) {
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

func (r *Reads) text(s string, bare bool) {
	if s == "" || !bare && !expr.HasExpr(s) {
		return
	}
	r.Some = true
	t, err := parse(s, bare)
	if err != nil {
		if r.Err == nil {
			r.Err = err
		}
		return
	}
	for _, ref := range t.Refs() {
		if ref.Root == "steps" {
			r.Chains = append(r.Chains, ref.Path)
		}
		first := "*"
		if len(ref.Path) > 0 {
			first = strings.ToLower(ref.Path[0])
		}
		switch {
		case ref.Root == "steps" && first == "*":
			r.AllSteps = true
		case ref.Root == "steps":
			r.Steps = put(r.Steps, first)
		case ref.Root == "secrets" && first == "*":
			r.AllSecrets = true
		case ref.Root == "secrets":
			r.Secrets = put(r.Secrets, first)
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

// Text evaluates the expressions in a string.
func Text(s string, e *expr.Env) (string, error) {
	if !expr.HasExpr(s) {
		return s, nil
	}
	t, err := expr.Parse(s)
	if err != nil {
		return "", err
	}
	return t.Text(e)
}

// Map evaluates the values of a map; the error names the key.
func Map(m map[string]string, e *expr.Env) (map[string]string, error) {
	if len(m) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		text, err := Text(v, e)
		if err != nil {
			return nil, fmt.Errorf("env.%s: %w", k, err)
		}
		out[k] = text
	}
	return out, nil
}

// Any evaluates one expression, with or without braces.
func Any(s string, view *expr.Env) (any, error) {
	t, err := parse(s, !expr.HasExpr(s))
	if err != nil {
		return nil, err
	}
	return t.Eval(view)
}

// List evaluates the texts of a list of mappings.
func List(list []map[string]any, view *expr.Env) ([]map[string]any, error) {
	out := make([]map[string]any, len(list))
	for i, m := range list {
		v, err := expr.EvalTree(m, view)
		if err != nil {
			return nil, err
		}
		out[i], _ = v.(map[string]any)
	}
	return out, nil
}

// Clone is a deep copy of a tree.
func Clone(v any) any {
	switch x := v.(type) {
	case map[string]any:
		if x == nil {
			return nil
		}
		out := make(map[string]any, len(x))
		for k, y := range x {
			out[k] = Clone(y)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, y := range x {
			out[i] = Clone(y)
		}
		return out
	}
	return v
}

// Written reports whether a text stands as it is somewhere in a tree.
func Written(v any, text string) bool {
	switch x := v.(type) {
	case string:
		return x == text && !expr.HasExpr(x)
	case map[string]any:
		for _, y := range x {
			if Written(y, text) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(x, func(y any) bool { return Written(y, text) })
	}
	return false
}

// Unknown is a `steps` context in which each value that is read stands for
// itself, as it is written: what a step will hand on is not known before it
// has run.
func Unknown(chains [][]string) map[string]any {
	out := map[string]any{}
	for _, c := range chains {
		at := out
		for i, k := range c {
			if i == len(c)-1 {
				if _, ok := at[k]; !ok {
					at[k] = "${{ steps." + strings.Join(c, ".") + " }}"
				}
				break
			}
			next, ok := at[k].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[k] = next
			}
			at = next
		}
	}
	return out
}
