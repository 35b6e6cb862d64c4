// Package shape turns what people write into what is decoded: a primary's kind
// becomes a field, the axes of a matrix keep their order, and an expression
// stands apart from the value that it will have.
package shape

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// ListNames are the keys of a pipeline that hold steps, in order.
func ListNames() []string {
	return []string{"steps", "on-success", "on-failure", "on-cancel", "always"}
}

// List are the steps that stand under one of these keys; of another: none.
func List(p *pipeline.Pipeline, name string) []pipeline.Step {
	switch name {
	case "steps":
		return p.Steps
	case "on-success":
		return p.OnSuccess
	case "on-failure":
		return p.OnFailure
	case "on-cancel":
		return p.OnCancel
	case "always":
		return p.Always
	}
	return nil
}

// Primary is the shape in which a primary is decoded: its kind's name and
// keys, beside the keys that all kinds share.
func Primary(v any, kinds []string) any {
	in, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for k, x := range in {
		if slices.Contains(kinds, k) {
			out["kind"] = k
			out["with"] = x
			continue
		}
		out[k] = x
	}
	return out
}

// Steps are the shapes in which steps are decoded: matrices with their axes in
// order, and expressions apart from what they stand for.
func Steps(list, at []any, keys func(path []any) []string) []any {
	out := make([]any, len(list))
	for i, x := range list {
		step, ok := x.(map[string]any)
		if !ok {
			out[i] = x
			continue
		}
		step = maps.Clone(step)
		if with, ok := step["with"].(map[string]any); ok {
			step["with"] = clone(with)
		}
		if m, ok := step["matrix"]; ok {
			step["matrix"] = matrix(m, keys(append(slices.Clone(at), i, "matrix")))
		}
		for key, apart := range map[string]string{"timeout": "timeout-expr", "continue-on-error": "continue-expr"} {
			if s, ok := step[key].(string); ok && strings.Contains(s, "${{") {
				delete(step, key)
				step[apart] = s
			}
		}
		if b, ok := step["if"].(bool); ok {
			step["if"] = fmt.Sprint(b)
		}
		out[i] = step
	}
	return out
}

// matrix is the shape in which a matrix is decoded.
func matrix(v any, keys []string) any {
	if s, ok := v.(string); ok {
		return map[string]any{"expr": s}
	}
	in, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{"include": in["include"], "exclude": in["exclude"]}
	var axes []any
	for _, k := range keys {
		switch x := in[k].(type) {
		case []any:
			if k != "include" && k != "exclude" {
				axes = append(axes, map[string]any{"name": k, "values": x})
			}
		case string:
			axes = append(axes, map[string]any{"name": k, "expr": x})
		}
	}
	out["axes"] = axes
	for k, x := range out {
		if x == nil {
			delete(out, k)
		}
	}
	return out
}

// clone copies the mappings and lists of a value, so that filling in defaults
// leaves what was written as it is.
func clone(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, y := range x {
			out[k] = clone(y)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, y := range x {
			out[i] = clone(y)
		}
		return out
	}
	return v
}

// Complete sets what a step is by what was written.
func Complete(s *pipeline.Step, written map[string]any) {
	_, s.HasNeeds = written["needs"]
	s.TimeoutExpr, _ = written["timeout-expr"].(string)
	s.ContinueExpr, _ = written["continue-expr"].(string)
	switch {
	case s.Run != "":
		s.Kind = "run"
	case s.Exec != nil:
		s.Kind = "exec"
	case strings.HasPrefix(s.Uses, "./"):
		s.Kind = "action"
	default:
		s.Kind = s.Uses
	}
}

// Merged is base with over laid on it, key by key; lists are replaced whole.
func Merged(base, over map[string]any) map[string]any {
	out := maps.Clone(base)
	for k, v := range over {
		b, ok1 := out[k].(map[string]any)
		o, ok2 := v.(map[string]any)
		if ok1 && ok2 {
			v = Merged(b, o)
		}
		out[k] = v
	}
	return out
}

// Defaults turns values for the params that are declared into their new
// defaults.
func Defaults(declared any, values map[string]any) map[string]any {
	out := map[string]any{}
	all, _ := declared.(map[string]any)
	for k, v := range values {
		if d, ok := all[k].(map[string]any); ok {
			d = maps.Clone(d)
			d["default"] = v
			out[k] = d
		}
	}
	return out
}

// Sound is a copy of v without what stands at bad paths: what can be relied on
// of a file that has mistakes.
func Sound(v map[string]any, bad [][]any) map[string]any {
	out, _ := clone(v).(map[string]any)
	for _, path := range bad {
		cut(out, path)
	}
	return out
}

// cut takes out what stands at path. Of a list an entry becomes nothing, so
// that those after it keep their places.
func cut(v any, path []any) {
	for i, p := range path {
		last := i == len(path)-1
		switch k := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			if last {
				delete(m, k)
				return
			}
			v = m[k]
		case int:
			l, _ := v.([]any)
			if k >= len(l) {
				return
			}
			if last {
				l[k] = nil
				return
			}
			v = l[k]
		}
	}
}

// Filled are the entries of a list that were not cut.
func Filled(list []any) []any {
	return slices.DeleteFunc(list, func(x any) bool { return x == nil })
}
