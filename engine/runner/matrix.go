package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// combination is one choice of values, one of each axis.
type combination struct {
	values map[string]any
	label  string // "os=a, node=20": axes in order, then what `include` added
	axes   bool   // it came from the axes, so `include` may add to it
}

// matrixRoom is how many records are kept free for a matrix whose size is not
// known before the step is due.
const matrixRoom = 1 << 15

var errSibling = errors.New("another combination failed")

// room is how many positions a step takes among the records of its run.
func room(s *pipeline.Step) int {
	m := s.Matrix
	if m == nil {
		return 1
	}
	n := 1
	for _, a := range m.Axes {
		if a.Expr != "" {
			return matrixRoom
		}
		n *= max(len(a.Values), 1)
	}
	if m.Expr != "" {
		return matrixRoom
	}
	return n + len(m.Include)
}

// matrix does the step once for each combination.
func (t *task) matrix() ending {
	all, err := t.combinations()
	if err != nil {
		return t.left(pipeline.Failed, "matrix: "+err.Error())
	}
	if len(all) == 0 {
		return t.left(pipeline.Skipped, "its matrix has no combinations")
	}
	ctx, cancel := context.WithCancelCause(t.ctx)
	defer cancel(nil)
	ends := make([]ending, len(all))
	var group errgroup.Group
	if t.step.MaxParallel > 0 {
		group.SetLimit(t.step.MaxParallel)
	}
	for i := range all {
		group.Go(func() error {
			ends[i] = newUnit(t, &all[i], i).do(ctx)
			if ends[i].failed() && t.step.FailFast {
				cancel(errSibling)
			}
			return nil
		})
	}
	_ = group.Wait() // what went wrong stands in the endings
	return together(ends)
}

// together is how a matrix ended: its outputs are, one by one, those of the
// last combination in order that set them.
func together(ends []ending) ending {
	out := ending{state: pipeline.Skipped}
	rank := map[pipeline.State]int{pipeline.Skipped: 0, pipeline.Succeeded: 1, pipeline.Cancelled: 2, pipeline.TimedOut: 3, pipeline.Failed: 4}
	score := func(e *ending) int {
		n := 2 * rank[e.state]
		if e.failed() {
			n++ // before one that may fail
		}
		return n
	}
	for i := range ends {
		e := &ends[i]
		if i == 0 || score(e) > score(&out) {
			out.state, out.continued, out.exit, out.err = e.state, e.continued, e.exit, e.err
		}
		if len(e.outputs) > 0 {
			values := make(map[string]any, len(out.outputs)+len(e.outputs))
			maps.Copy(values, out.outputs)
			maps.Copy(values, e.outputs)
			out.outputs = values
		}
		out.env = merged(out.env, e.env)
	}
	return out
}

// combinations evaluates the matrix and multiplies it out.
func (t *task) combinations() ([]combination, error) {
	view := t.view(nil, t.env.with(t.wrote).shown)
	m := *t.step.Matrix
	if m.Expr != "" {
		v, err := evalAny(m.Expr, view)
		if err != nil {
			return nil, err
		}
		if m, err = matrixOf(v); err != nil {
			return nil, err
		}
	}
	axes := make([]pipeline.Axis, len(m.Axes))
	for i, a := range m.Axes {
		var v any = a.Values
		var err error
		if a.Expr != "" {
			v, err = evalAny(a.Expr, view)
		} else {
			v, err = expr.EvalTree(v, view)
		}
		if err != nil {
			return nil, within(a.Name, err)
		}
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			return nil, fmt.Errorf("%s must be a list with at least one value", a.Name)
		}
		axes[i] = pipeline.Axis{Name: a.Name, Values: list}
	}
	include, err := evalList(m.Include, view)
	if err != nil {
		return nil, within("include", err)
	}
	exclude, err := evalList(m.Exclude, view)
	if err != nil {
		return nil, within("exclude", err)
	}
	return expand(axes, include, exclude), nil
}

func evalAny(s string, view *expr.Env) (any, error) {
	t, err := parse(s, !expr.HasExpr(s))
	if err != nil {
		return nil, err
	}
	return t.Eval(view)
}

func evalList(list []map[string]any, view *expr.Env) ([]map[string]any, error) {
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

// matrixOf reads a matrix that one expression gave. A mapping that came from
// JSON has lost the order of its keys: the axes are then in alphabetical order.
func matrixOf(v any) (m pipeline.Matrix, err error) {
	values, ok := v.(map[string]any)
	if !ok {
		return m, errors.New("the expression must give a mapping of lists")
	}
	mappings := func(v any) (out []map[string]any, ok bool) {
		list, ok := v.([]any)
		for _, x := range list {
			c, is := x.(map[string]any)
			if !is {
				return nil, false
			}
			out = append(out, c)
		}
		return out, ok
	}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		var ok bool
		switch k {
		case "include":
			m.Include, ok = mappings(values[k])
		case "exclude":
			m.Exclude, ok = mappings(values[k])
		default:
			a := pipeline.Axis{Name: k}
			a.Values, ok = values[k].([]any)
			m.Axes = append(m.Axes, a)
		}
		if !ok {
			return m, fmt.Errorf("%s must be a list", k)
		}
	}
	return m, nil
}

// expand is what GitHub makes of a matrix: the product of the axes, the first
// one slowest; without what `exclude` matches; each `include` then adds to
// every combination whose axis values it does not contradict, and where there
// is none becomes one of its own.
func expand(axes []pipeline.Axis, include, exclude []map[string]any) []combination {
	var all []combination
	if len(axes) > 0 {
		all = []combination{{axes: true}}
	}
	for _, a := range axes {
		next := make([]combination, 0, len(all)*len(a.Values))
		for _, c := range all {
			for _, v := range a.Values {
				values := maps.Clone(c.values)
				if values == nil {
					values = map[string]any{}
				}
				values[a.Name] = v
				next = append(next, combination{values: values, axes: true})
			}
		}
		all = next
	}
	all = slices.DeleteFunc(all, func(c combination) bool {
		return slices.ContainsFunc(exclude, func(x map[string]any) bool { return len(x) > 0 && matches(x, c.values) })
	})
	isAxis := func(name string) bool {
		return slices.ContainsFunc(axes, func(a pipeline.Axis) bool { return a.Name == name })
	}
	for _, add := range include {
		choice := map[string]any{} // what it says of the axes
		for k, v := range add {
			if isAxis(k) {
				choice[k] = v
			}
		}
		added := false
		for i := range all {
			if all[i].axes && matches(choice, all[i].values) {
				maps.Copy(all[i].values, add)
				added = true
			}
		}
		if !added {
			all = append(all, combination{values: maps.Clone(add)})
		}
	}
	for i := range all {
		all[i].label = label(axes, all[i].values)
	}
	return all
}

// matches reports whether values holds all that want says.
func matches(want, values map[string]any) bool {
	for k, v := range want {
		if w, ok := values[k]; !ok || !same(v, w) {
			return false
		}
	}
	return true
}

// same compares as JSON does: 1 and 1.0 are the same number.
func same(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, xerr := json.Marshal(a)
	y, yerr := json.Marshal(b)
	return xerr == nil && yerr == nil && string(x) == string(y)
}

func label(axes []pipeline.Axis, values map[string]any) string {
	names := make([]string, 0, len(values))
	for _, a := range axes {
		if _, ok := values[a.Name]; ok {
			names = append(names, a.Name)
		}
	}
	n := len(names)
	for k := range values {
		if !slices.Contains(names[:n], k) {
			names = append(names, k)
		}
	}
	slices.Sort(names[n:])
	for i, k := range names {
		names[i] = k + "=" + short(values[k])
	}
	return strings.Join(names, ", ")
}

// short is a value of a matrix for people.
func short(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case map[string]any, []any:
		b, err := json.Marshal(x)
		if err == nil {
			return string(b)
		}
	}
	return fmt.Sprint(v)
}
