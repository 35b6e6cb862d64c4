package check

import (
	"github.com/redundctl/redundctl/engine/config/contexts"
	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/config/shape"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/schema"
)

// checkExpressions checks every expression of the file against the contexts
// that exist where it stands.
func (f *File) checkExpressions(written map[string]any) {
	scope := f.scope(nil)
	f.Kinds.Schemas().Strings("pipeline", written, schema.Visit{Path: f.checkPath, Expression: func(at []any, text string, braces bool) {
		f.checkExpression(scope, at, text, braces)
	}})
}

// checkRest checks the expressions and schedules of a file whose shape has
// mistakes, as far as what they mean does not hang on these.
func (f *File) checkRest(v map[string]any, issues []schema.Issue) {
	doubt := contexts.DoubtOf(v, issues)
	sound := shape.Sound(v, mistake.Wrong(issues))
	p, err := f.decode(sound)
	if err != nil {
		return // a value that is too large, which a whole file is told
	}
	f.Pipeline = p
	if !doubt.Of("schedule", "drill", "service") {
		f.checkSchedules(sound)
	}
	scope := f.scope(doubt)
	f.Kinds.Schemas().Strings("pipeline", sound, schema.Visit{Expression: func(at []any, text string, braces bool) {
		f.checkExpression(scope, at, text, braces)
	}})
}

// scope is what the expressions of the pipeline can read.
func (f *File) scope(doubt *contexts.Doubt) *contexts.Scope {
	p := f.Pipeline
	return &contexts.Scope{Pipeline: p, Base: contexts.Base(p.Params, p.Secrets, f.vars()), Doubt: doubt, Outputs: func(s *pipeline.Step) map[string]string {
		if s.Kind != "action" {
			return f.outputs(s)
		}
		a := f.using(s.Uses).action
		if a == nil {
			return nil
		}
		out := map[string]string{}
		for name, o := range a.Outputs {
			out[name] = o.Description
		}
		return out
	}}
}

// outputs are those that a step's kind sets; nil: nobody knows.
func (f *File) outputs(s *pipeline.Step) map[string]string {
	if s.Kind == "run" || s.Kind == "exec" {
		return nil
	}
	known, _ := f.Kinds.Schemas().Outputs(s.Kind)
	return known
}

// checkExpression checks the expressions of one string, and gives what it is
// made of; nil: of none, or it cannot be read.
func (f *File) checkExpression(scope *contexts.Scope, at []any, text string, braces bool) *expr.Template {
	if f.full(diag.Error) {
		return nil
	}
	t, err := f.Templates.Parse(text, braces)
	if err != nil {
		f.add(mistake.Expression(f.source, at, err))
	}
	if t == nil {
		return nil
	}
	roots := scope.At(at, t)
	errs := expr.Check(t, &expr.Types{Roots: roots, NoStatus: braces})
	for _, e := range errs {
		if f.full(mistake.Severity(&e)) {
			continue // to find the place of each of a hundred thousand takes minutes
		}
		f.add(mistake.Expression(f.source, at, &e))
	}
	if key, ok := at[len(at)-1].(string); ok && key == "run" && len(at) < 4 {
		for _, x := range contexts.Injections(t, errs) {
			if f.full(x.Severity) {
				continue
			}
			f.say(f.source.InString(at, x.Offset, x.Width), x.Severity, "shell-injection", x.Message, x.Hint)
		}
	}
	return t
}

// vars are those of redund.yaml; nil: nobody knows.
func (f *File) vars() map[string]any {
	switch {
	case f.Blind:
		return nil
	case f.Config.Vars == nil:
		return map[string]any{}
	}
	return f.Config.Vars
}
