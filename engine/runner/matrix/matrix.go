// Package matrix multiplies out the matrix of a step, as GitHub does.
package matrix

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// Combination is one choice of values, one of each axis.
type Combination struct {
	Values map[string]any
	Label  string // "os=a, node=20": axes in order, then what `include` added
	axes   bool   // it came from the axes, so `include` may add to it
}

// reserve is how many records are kept free for a matrix whose size is not
// known before the step is due.
const reserve = 1 << 15

// Room is how many positions a step takes among the records of its run.
func Room(s *pipeline.Step) int {
	m := s.Matrix
	if m == nil {
		return 1
	}
	n := 1
	for _, a := range m.Axes {
		if a.Expr != "" {
			return reserve
		}
		n *= max(len(a.Values), 1)
	}
	if m.Expr != "" {
		return reserve
	}
	return n + len(m.Include)
}

// Of reads a matrix that one expression gave. A mapping that came from
// JSON has lost the order of its keys: the axes are then in alphabetical order.
func Of(v any) (m pipeline.Matrix, err error) {
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

// Expand is what GitHub makes of a matrix: the product of the axes, the first
// one slowest; without what `exclude` matches; each `include` then adds to
// every combination whose axis values it does not contradict, and where there
// is none becomes one of its own.
func Expand(axes []pipeline.Axis, include, exclude []map[string]any) []Combination {
	var all []Combination
	if len(axes) > 0 {
		all = []Combination{{axes: true}}
	}
	for _, a := range axes {
		next := make([]Combination, 0, len(all)*len(a.Values))
		for _, c := range all {
			for _, v := range a.Values {
				values := maps.Clone(c.Values)
				if values == nil {
					values = map[string]any{}
				}
				values[a.Name] = v
				next = append(next, Combination{Values: values, axes: true})
			}
		}
		all = next
	}
	all = slices.DeleteFunc(all, func(c Combination) bool {
		return slices.ContainsFunc(exclude, func(x map[string]any) bool { return len(x) > 0 && matches(x, c.Values) })
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
			if all[i].axes && matches(choice, all[i].Values) {
				maps.Copy(all[i].Values, add)
				added = true
			}
		}
		if !added {
			all = append(all, Combination{Values: maps.Clone(add)})
		}
	}
	for i := range all {
		all[i].Label = label(axes, all[i].Values)
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
