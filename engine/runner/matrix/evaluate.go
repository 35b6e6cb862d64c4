package matrix

import (
	"fmt"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/eval"
)

// Evaluate evaluates the expressions of a matrix and multiplies it out.
func Evaluate(given *pipeline.Matrix, view *expr.Env) ([]Combination, error) {
	m := *given
	if m.Expr != "" {
		v, err := eval.Any(m.Expr, view)
		if err != nil {
			return nil, err
		}
		if m, err = Of(v); err != nil {
			return nil, err
		}
	}
	axes := make([]pipeline.Axis, len(m.Axes))
	for i, a := range m.Axes {
		var v any = a.Values
		var err error
		if a.Expr != "" {
			v, err = eval.Any(a.Expr, view)
		} else {
			v, err = expr.EvalTree(v, view)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Name, err)
		}
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			return nil, fmt.Errorf("%s must be a list with at least one value", a.Name)
		}
		axes[i] = pipeline.Axis{Name: a.Name, Values: list}
	}
	include, err := eval.List(m.Include, view)
	if err != nil {
		return nil, fmt.Errorf("include: %w", err)
	}
	exclude, err := eval.List(m.Exclude, view)
	if err != nil {
		return nil, fmt.Errorf("exclude: %w", err)
	}
	return Expand(axes, include, exclude), nil
}
