// Package params fits the values that are given to a pipeline or an action to
// the parameters that it declares.
package params

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// Of gives the values of all declared parameters: those that are given,
// converted to their types, and the defaults of the others. A name that is not
// declared, a value that does not fit and a missing one that is required are
// errors. Null is no value.
func Of(declared map[string]pipeline.Param, given map[string]any) (map[string]any, error) {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, ok := declared[name]; !ok {
			return nil, fmt.Errorf("there is no %s; %s", name, those(declared))
		}
	}
	out := make(map[string]any, len(declared))
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		p := declared[name]
		v := given[name]
		switch {
		case v != nil:
			var err error
			if out[name], err = convert(p, v); err != nil {
				return nil, fmt.Errorf("%s %w", name, err)
			}
		case p.Default != nil:
			out[name] = p.Default
		case p.Required:
			return nil, fmt.Errorf("%s is required", name)
		case p.Type == "string" || p.Type == "":
			out[name] = ""
		default:
			out[name] = nil
		}
	}
	return out, nil
}

func those(declared map[string]pipeline.Param) string {
	if len(declared) == 0 {
		return "none are declared"
	}
	return "declared: " + strings.Join(slices.Sorted(maps.Keys(declared)), ", ")
}

// convert fits a value to the type of a parameter: text is read as the type
// is written, and anything that has a plain text passes as a string.
func convert(p pipeline.Param, v any) (any, error) {
	text, plain := plainText(v)
	switch p.Type {
	case "integer":
		if n, err := strconv.ParseInt(text, 10, 64); plain && err == nil {
			return n, nil
		}
		return nil, fmt.Errorf("must be an integer, not %q", text)
	case "number":
		if n, err := strconv.ParseFloat(text, 64); plain && err == nil && !math.IsInf(n, 0) && !math.IsNaN(n) {
			return n, nil
		}
		return nil, fmt.Errorf("must be a number, not %q", text)
	case "boolean":
		switch {
		case plain && text == "true":
			return true, nil
		case plain && text == "false":
			return false, nil
		}
		return nil, fmt.Errorf("must be true or false, not %q", text)
	case "choice":
		names := make([]string, len(p.Options))
		for i, o := range p.Options {
			names[i], _ = plainText(o)
			if plain && names[i] == text {
				return o, nil
			}
		}
		return nil, fmt.Errorf("must be one of %s, not %q", strings.Join(names, ", "), text)
	}
	if !plain {
		return nil, fmt.Errorf("must be a string, not %s", text)
	}
	return text, nil
}

// plainText is a value as it is written; false for lists and mappings.
func plainText(v any) (string, bool) {
	switch x := v.(type) {
	case nil:
		return "", true
	case string:
		return x, true
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64), true
	case map[string]any, []any:
		b, err := json.Marshal(x)
		if err != nil {
			return "a value", false
		}
		return string(b), false
	}
	return fmt.Sprint(v), true
}
