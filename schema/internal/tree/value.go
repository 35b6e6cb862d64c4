package tree

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Merge writes into v the keys of a default that it lacks, at every depth.
func Merge(v, defaults any) {
	m, d := Object(v), Object(defaults)
	if m == nil {
		return
	}
	for key, x := range d {
		if have, ok := m[key]; ok {
			Merge(have, x)
		} else {
			m[key] = Clone(x)
		}
	}
}

// Clone copies a value of the schema; its whole numbers become int64, as those
// of a file are.
func Clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, x := range v {
			out[key] = Clone(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = Clone(x)
		}
		return out
	case float64:
		if i := int64(v); float64(i) == v {
			return i
		}
	}
	return v
}

// Values are the entries of a list as one would write them.
func Values(v any) []string {
	var out []string
	for _, x := range List(v) {
		out = append(out, Printed(x))
	}
	return out
}

// Printed is a value as one would write it in a file.
func Printed(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// Flow prints a value in YAML's flow style.
func Flow(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, key+": "+Flow(v[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		var parts []string
		for _, x := range v {
			parts = append(parts, Flow(x))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case string:
		if v == "" || strings.ContainsAny(v, `,:{}[]#&*!|>'"%@`+"`\\") || strings.Trim(v, "0123456789.") == "" || v != strings.TrimSpace(v) {
			return quoted(v)
		}
		return v
	}
	return Printed(Clone(v))
}

// quoted is v in double quotes.
func quoted(v string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"` }
