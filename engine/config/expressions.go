package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/config/needs"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// checkExpressionSyntax looks at the expressions of a file that has other
// errors: what they mean cannot be known, how they are written can.
func (f *file) checkExpressionSyntax() {
	f.kinds.Schemas().Strings("pipeline", f.value, func(at []any, text string, braces bool) {
		if _, err := parse(text, braces); err != nil {
			f.problems = append(f.problems, mistake.Expression(f.source, slices.Clone(at), err))
		}
	})
}

// parse reads a string that may hold expressions; nil: it holds none.
func parse(text string, braces bool) (*expr.Template, error) {
	if braces && !expr.HasExpr(text) {
		return nil, nil
	}
	if braces {
		return expr.Parse(text)
	}
	return expr.ParseIf(text)
}

// checkExpressions checks every expression of the file against the contexts
// that exist where it stands.
func (f *file) checkExpressions(written map[string]any) {
	c := &contexts{file: f, order: needs.Of(f.pipeline.Steps)}
	f.kinds.Schemas().Strings("pipeline", written, func(at []any, text string, braces bool) {
		t, err := parse(text, braces)
		switch {
		case err != nil:
			f.problems = append(f.problems, mistake.Expression(f.source, slices.Clone(at), err))
		case t != nil:
			c.check(slices.Clone(at), t, braces)
		}
	})
}

// contexts are the types of what expressions of one pipeline can read.
type contexts struct {
	*file
	order  *needs.Order
	action bool                  // the file is an action, whose own actions are not looked into
	shared map[string]*expr.Type // what is the same everywhere, and what the last place had
	// noMatrix is the context where there is no matrix.
	noMatrix *expr.Type
}

func (c *contexts) check(at []any, t *expr.Template, braces bool) {
	types := &expr.Types{Roots: c.at(at, t), NoStatus: braces}
	for _, e := range expr.Check(t, types) {
		c.problems = append(c.problems, mistake.Expression(c.source, at, &e))
	}
	if key, ok := at[len(at)-1].(string); ok && key == "run" && len(at) < 4 {
		c.injection(at, t)
	}
}

// injection finds values that become part of a script's text, where a quote in
// the value ends the script's own quote.
func (c *contexts) injection(at []any, t *expr.Template) {
	for _, r := range t.Refs() {
		sev := diag.Warning
		switch {
		case r.Root == "primary":
			sev = diag.Error
		case r.Root == "params", r.Root == "inputs", r.Root == "steps" && len(r.Path) > 1 && r.Path[1] == "outputs":
		default:
			continue
		}
		full := strings.Join(append([]string{r.Root}, r.Path...), ".")
		name := strings.ToUpper(strings.NewReplacer("-", "_", "*", "").Replace(r.Path[max(len(r.Path)-1, 0)]))
		c.say(c.source.InString(at, r.Offset, r.Width), sev, "shell-injection",
			fmt.Sprintf("%s becomes part of the script's text, where a quote in it can run anything", full),
			fmt.Sprintf("pass it as env: {%s: ${{ %s }}} and write \"$%s\"", name, full, name))
	}
}

// at gives the contexts at a place, for the expressions of t.
func (c *contexts) at(at []any, t *expr.Template) map[string]*expr.Type {
	if c.shared == nil {
		c.shared = c.common()
		c.noMatrix = c.shared["matrix"]
	}
	// One map serves all: what differs from place to place is set anew, and
	// nobody keeps it.
	roots := c.shared
	roots["matrix"] = c.noMatrix
	list, _ := at[0].(string)
	steps := lists(c.pipeline)[list]
	i := -1
	if len(at) > 1 {
		if n, ok := at[1].(int); ok && n < len(steps) {
			i = n
			roots["matrix"] = matrixType(steps[i].Matrix)
		}
	}
	roots["steps"] = c.stepTypes(t, func(id string) bool {
		switch {
		case i < 0:
			return false // before any step
		case list == "steps":
			return c.order.Before(id, i)
		}
		return true
	})
	return roots
}

// common are the contexts that are the same in the whole file.
func (c *contexts) common() map[string]*expr.Type {
	text, number := expr.StringType(), expr.NumberType()
	object := func(fields map[string]*expr.Type) *expr.Type { return expr.Closed(fields) }
	p := c.pipeline
	vars := map[string]*expr.Type{}
	for k := range c.Config.Vars {
		vars[k] = expr.AnyType()
	}
	secrets := map[string]*expr.Type{}
	for _, name := range p.Secrets {
		secrets[name] = text
	}
	return map[string]*expr.Type{
		"run": object(map[string]*expr.Type{
			"id": text, "slot": text, "attempt": number, "trigger": text, "reason": text, "state": text, "error": text, "fence": number,
		}),
		"pipeline": object(map[string]*expr.Type{"name": text, "system": text, "file": text, "category": text}),
		"primary":  object(map[string]*expr.Type{"kind": text, "verdict": text, "reason": text, "evidence": expr.AnyType(), "url": text}),
		"params":   paramTypes(p.Params),
		"env":      expr.MapOf(text),
		"vars":     &expr.Type{Kind: expr.Object, Fields: vars, What: "variable", Rule: "unknown-var", Hint: "add it under vars in " + FileName},
		"secrets": &expr.Type{Kind: expr.Object, Fields: secrets, What: "secret", Rule: "undeclared-secret",
			Hint: "declare it under secrets, so that it can be read"},
		"matrix": &expr.Type{Kind: expr.Object, What: "axis", Rule: "unknown-field", Hint: "only a step with a matrix has one"},
	}
}

func paramTypes(params map[string]pipeline.Param) *expr.Type {
	fields := map[string]*expr.Type{}
	for name, p := range params {
		fields[name] = map[string]*expr.Type{
			"string": expr.StringType(), "integer": expr.NumberType(), "number": expr.NumberType(), "boolean": expr.BoolType(),
		}[p.Type]
		if fields[name] == nil || p.Default == nil && !p.Required {
			fields[name] = expr.AnyType()
		}
	}
	return &expr.Type{Kind: expr.Object, Fields: fields, What: "param", Rule: "unknown-param", Hint: "declare it under params"}
}

func matrixType(m *pipeline.Matrix) *expr.Type {
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

// stepTypes are the steps as the expressions of t see them; one that cannot
// have run before is refused. Only the steps that t names are made, unless it
// names one that there is not: then all, so that the nearest can be told.
func (c *contexts) stepTypes(t *expr.Template, before func(id string) bool) *expr.Type {
	fields := map[string]*expr.Type{}
	add := func(s pipeline.Step) {
		st := c.stepType(s)
		if !before(s.ID) {
			st.Refuse = &expr.Refusal{Rule: "step-order", Message: fmt.Sprintf("the step %s cannot have run yet", s.ID), Hint: "add it to needs, or move it up"}
		}
		fields[s.ID] = st
	}
	for _, r := range t.Refs() {
		if r.Root != "steps" {
			continue
		}
		i, ok := -1, false
		if len(r.Path) > 0 {
			i, ok = c.order.ByID[strings.ToLower(r.Path[0])]
		}
		if !ok {
			for _, s := range c.pipeline.Steps {
				add(s)
			}
			break
		}
		add(c.pipeline.Steps[i])
	}
	return &expr.Type{Kind: expr.Object, Fields: fields, What: "step", Rule: "unknown-step"}
}

func (c *contexts) stepType(s pipeline.Step) *expr.Type {
	outputs := expr.MapOf(nil)
	known, ok := c.kinds.Schemas().Outputs(s.Kind)
	if s.Kind == "action" && !c.action {
		known, ok = c.actions.outputs(s.Uses)
	}
	if ok && s.Run == "" && s.Exec == nil {
		fields := map[string]*expr.Type{}
		for name := range known {
			fields[name] = expr.AnyType()
		}
		outputs = &expr.Type{Kind: expr.Object, Fields: fields, What: "output", Rule: "unknown-output"}
	}
	text := expr.StringType()
	return expr.Closed(map[string]*expr.Type{"outputs": outputs, "outcome": text, "conclusion": text, "exit-code": expr.AnyType(), "error": text})
}
