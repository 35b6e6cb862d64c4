package eval

import (
	"errors"
	"fmt"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/kind/github/workflow"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/matrix"
)

// mostCombinations is how many jobs GitHub lets a matrix make.
const mostCombinations = 256

// Combinations multiplies a matrix out; a job without one has the one that is
// nil.
func Combinations(m *workflow.Matrix, file string, view *expr.Env) ([]*matrix.Combination, error) {
	if m == nil {
		return []*matrix.Combination{nil}, nil
	}
	at := workflow.Text{Line: m.Line, Column: m.Column}
	bad := func(err error) error { return Placed(at, file, fmt.Errorf("matrix: %w", err)) }
	x, err := evaluated(m, file, view)
	if err != nil {
		return nil, err
	}
	n := 1
	for _, a := range x.Axes {
		if len(a.Values) == 0 {
			return nil, bad(fmt.Errorf("%s has no values", a.Name))
		}
		if n *= len(a.Values); n > 1<<16 {
			break
		}
	}
	if n > mostCombinations*4 || len(x.Include) > mostCombinations*4 {
		return nil, bad(fmt.Errorf("it makes more than %d jobs", mostCombinations))
	}
	all := matrix.Expand(x.Axes, x.Include, x.Exclude)
	switch {
	case len(all) == 0:
		return nil, bad(errors.New("it makes no job"))
	case len(all) > mostCombinations:
		return nil, bad(fmt.Errorf("it makes %d jobs, more than %d", len(all), mostCombinations))
	}
	out := make([]*matrix.Combination, len(all))
	for i := range all {
		out[i] = &all[i]
	}
	return out, nil
}

// evaluated is a matrix after its expressions.
func evaluated(m *workflow.Matrix, file string, view *expr.Env) (pipeline.Matrix, error) {
	if m.Expr.Written() {
		v, err := Whole(m.Expr, file, view)
		if err != nil {
			return pipeline.Matrix{}, err
		}
		x, err := matrix.Of(v)
		if err != nil {
			return x, Placed(m.Expr, file, fmt.Errorf("matrix: %w", err))
		}
		return x, nil
	}
	at := workflow.Text{Line: m.Line, Column: m.Column}
	var out pipeline.Matrix
	for _, a := range m.Axes {
		var v any
		var err error
		if a.Expr.Written() {
			v, err = Whole(a.Expr, file, view)
		} else if v, err = expr.EvalTree(a.Values, view); err != nil {
			err = Placed(at, file, err)
		}
		if err != nil {
			return out, err
		}
		list, ok := v.([]any)
		if !ok {
			return out, Placed(at, file, fmt.Errorf("matrix: %s is no list", a.Name))
		}
		out.Axes = append(out.Axes, pipeline.Axis{Name: a.Name, Values: list})
	}
	var err error
	if out.Include, err = mappings(m.Include, file, view); err == nil {
		out.Exclude, err = mappings(m.Exclude, file, view)
	}
	return out, err
}

// mappings are the entries of include or exclude.
func mappings(c workflow.Combinations, file string, view *expr.Env) ([]map[string]any, error) {
	var v any
	var err error
	if c.Expr.Written() {
		v, err = Whole(c.Expr, file, view)
	} else {
		v, err = expr.EvalTree(c.List, view)
	}
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok && v != nil {
		return nil, Placed(c.Expr, file, errors.New("matrix: include and exclude are lists"))
	}
	var out []map[string]any
	for _, x := range list {
		m, ok := x.(map[string]any)
		if !ok {
			return nil, Placed(c.Expr, file, errors.New("matrix: include and exclude are lists of mappings"))
		}
		out = append(out, m)
	}
	return out, nil
}
