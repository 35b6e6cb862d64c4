// Package difference finds where two values differ.
package difference

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
)

// Paths gives the paths of the keys in which the JSON of two values differs, as
// steps.0.run. Of a list that became longer or shorter it gives the list's own.
func Paths(a, b any) ([]string, error) {
	x, err := plain(a)
	if err != nil {
		return nil, err
	}
	y, err := plain(b)
	if err != nil {
		return nil, err
	}
	var out []string
	walk("", x, y, &out)
	return out, nil
}

func plain(v any) (out any, err error) {
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		return nil, fmt.Errorf("it cannot be compared: %w", err)
	}
	return out, nil
}

func walk(at string, a, b any, out *[]string) {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			keys := map[string]bool{}
			for _, m := range []map[string]any{x, y} {
				for k := range m {
					keys[k] = true
				}
			}
			for _, k := range slices.Sorted(maps.Keys(keys)) {
				walk(join(at, k), x[k], y[k], out)
			}
			return
		}
	case []any:
		if y, ok := b.([]any); ok && len(x) == len(y) {
			for i := range x {
				walk(join(at, strconv.Itoa(i)), x[i], y[i], out)
			}
			return
		}
	}
	if !reflect.DeepEqual(a, b) {
		*out = append(*out, at)
	}
}

func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}
