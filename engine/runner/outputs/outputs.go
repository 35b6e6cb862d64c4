// Package outputs holds what a step hands on to its limits, and keeps secrets
// out of what is recorded of it.
package outputs

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/secret"
)

// Withheld stands in the record for an output that holds a secret; the value
// itself is passed on in memory alone.
const Withheld = "(withheld: holds a secret)"

// The limits of section "Step kinds": of one output, and of all of a step.
const (
	oneOutput  = 1 << 20
	allOutputs = 4 << 20
)

// Limit gives the outputs within the limits: text is cut between two characters,
// any other value is left out.
func Limit(values map[string]any) (map[string]any, bool) {
	left, cut := allOutputs, false
	var out map[string]any
	for _, k := range slices.Sorted(maps.Keys(values)) {
		n := size(values[k])
		if room := min(oneOutput, left); n > room {
			cut, n = true, 0
			if out == nil {
				out = maps.Clone(values)
			}
			out[k] = nil
			if s, ok := values[k].(string); ok {
				out[k], n = strings.ToValidUTF8(s[:room], ""), room
			}
		}
		left -= n
	}
	if out == nil {
		out = values
	}
	return out, cut
}

// size is about how many bytes a value takes as JSON.
func size(v any) int {
	switch x := v.(type) {
	case string:
		return len(x)
	case map[string]any:
		n := 2
		for k, y := range x {
			n += len(k) + size(y) + 4
		}
		return n
	case []any:
		n := 2
		for _, y := range x {
			n += size(y) + 1
		}
		return n
	}
	return 8
}

// Record gives the outputs as they are recorded: one that holds a secret is not.
func Record(m *secret.Masker, values map[string]any) map[string]any {
	return without(m, values, func(v any) bool { return holds(m, v) }, Withheld)
}

// Env gives what a step wrote to REDUND_ENV as it is recorded: a value that
// holds a secret is not.
func Env(m *secret.Masker, values map[string]string) map[string]string {
	return without(m, values, m.Holds, Withheld)
}

// without gives the values with another one in place of each that holds a secret,
// or whose name does.
func without[V any](m *secret.Masker, values map[string]V, holds func(V) bool, instead V) map[string]V {
	var out map[string]V
	for k, v := range values {
		key := m.Mask(k)
		if key == k && !holds(v) {
			continue
		}
		if out == nil {
			out = maps.Clone(values)
		}
		delete(out, k)
		out[key] = instead
	}
	if out == nil {
		return values
	}
	return out
}

// holds reports whether a value holds a secret: in one of its texts, or in
// the JSON that it is recorded as.
func holds(m *secret.Masker, v any) bool {
	if s, ok := v.(string); ok {
		return m.Holds(s)
	}
	if inTexts(m, v) {
		return true
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	return enc.Encode(v) != nil || m.Holds(b.String())
}

func inTexts(m *secret.Masker, v any) bool {
	switch x := v.(type) {
	case string:
		return m.Holds(x)
	case map[string]any:
		for k, y := range x {
			if m.Holds(k) || inTexts(m, y) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(x, func(y any) bool { return inTexts(m, y) })
	}
	return false
}

// Lack reports whether a value was not recorded: nothing can be started with
// these again.
func Lack(values map[string]string) bool {
	return slices.Contains(slices.Collect(maps.Values(values)), Withheld)
}
