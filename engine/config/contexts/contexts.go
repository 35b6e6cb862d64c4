// Package contexts gives the types of what expressions can read.
package contexts

import (
	"sync"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Base are the contexts that are the same in a whole pipeline. vars nil: it is
// not known which there are.
func Base(params map[string]pipeline.Param, secrets []string, vars map[string]any) map[string]*expr.Type {
	text := expr.StringType()
	known := map[string]*expr.Type{}
	for k := range vars {
		known[k] = expr.AnyType()
	}
	declared := map[string]*expr.Type{}
	for _, name := range secrets {
		declared[name] = text
	}
	f := fixed()
	return map[string]*expr.Type{
		"run": f.run, "pipeline": f.pipeline, "primary": f.primary, "env": f.env, "matrix": f.matrix,
		"params": Params(params, "param", "params"),
		"vars":   {Kind: expr.Object, Fields: known, Open: vars == nil, What: "variable", Rule: "unknown-var", Hint: "add it under vars in redund.yaml"},
		"secrets": {Kind: expr.Object, Fields: declared, What: "secret", Rule: "undeclared-secret",
			Hint: "declare it under secrets, so that it can be read"},
	}
}

// same are the contexts that are the same in every file.
type same struct{ run, pipeline, primary, env, matrix *expr.Type }

// ended are the states in which a step or a run ends; a run that reads its own
// may still go on.
var (
	ended = &expr.Type{Kind: expr.String, Values: []string{"succeeded", "failed", "timed-out", "cancelled", "skipped"}}
	state = &expr.Type{Kind: expr.String, Values: append([]string{"queued", "running"}, ended.Values...)}
)

var fixed = sync.OnceValue(func() same {
	text, number := expr.StringType(), expr.NumberType()
	return same{
		run: expr.Closed(map[string]*expr.Type{
			"id": text, "slot": text, "attempt": number, "trigger": text, "reason": text, "state": state, "error": text, "fence": number,
		}),
		pipeline: expr.Closed(map[string]*expr.Type{"name": text, "system": text, "file": text, "category": text}),
		primary:  expr.Closed(map[string]*expr.Type{"kind": text, "verdict": text, "reason": text, "evidence": expr.AnyType(), "url": text}),
		env:      expr.MapOf(text),
		matrix:   &expr.Type{Kind: expr.Object, What: "axis", Rule: "unknown-field", Hint: "only a step with a matrix has one"},
	}
})

// Params are the values of what stands declared under key, each called what.
func Params(declared map[string]pipeline.Param, what, key string) *expr.Type {
	fields := map[string]*expr.Type{}
	for name, p := range declared {
		fields[name] = map[string]*expr.Type{
			"string": expr.StringType(), "integer": expr.NumberType(), "number": expr.NumberType(), "boolean": expr.BoolType(),
		}[p.Type]
		if fields[name] == nil || p.Default == nil && !p.Required {
			fields[name] = expr.AnyType()
		}
	}
	return &expr.Type{Kind: expr.Object, Fields: fields, What: what, Rule: "unknown-" + what, Hint: "declare it under " + key}
}

// Matrix is one combination of a matrix.
func Matrix(m *pipeline.Matrix) *expr.Type {
	if m == nil {
		return &expr.Type{Kind: expr.Object, What: "axis", Rule: "unknown-field", Hint: "the step has no matrix"}
	}
	fields := map[string]*expr.Type{}
	for _, a := range m.Axes {
		fields[a.Name] = expr.AnyType()
	}
	for _, inc := range m.Include {
		for k := range inc {
			fields[k] = expr.AnyType()
		}
	}
	return &expr.Type{Kind: expr.Object, Fields: fields, Open: m.Expr != "", What: "axis"}
}

// Step is a step with these outputs; nil: any.
func Step(outputs map[string]string) *expr.Type {
	out := expr.MapOf(nil)
	if outputs != nil {
		fields := map[string]*expr.Type{}
		for name := range outputs {
			fields[name] = expr.AnyType()
		}
		out = &expr.Type{Kind: expr.Object, Fields: fields, What: "output", Rule: "unknown-output"}
	}
	text := expr.StringType()
	return expr.Closed(map[string]*expr.Type{"outputs": out, "outcome": ended, "conclusion": ended, "exit-code": expr.AnyType(), "error": text})
}
