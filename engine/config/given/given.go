// Package given holds values that one file gives to another against the
// parameters that the other declares.
package given

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// Mistake is a value that is not taken, or one that is missing.
type Mistake struct {
	Name    string
	Unknown bool // there is no parameter of that name
	Missing bool // it is required, and not given
	Want    string
}

// Check finds the mistakes in values, in order. What an expression will give
// is not known; null is no value, as where nothing is written.
func Check(declared map[string]pipeline.Param, values map[string]any) []Mistake {
	var out []Mistake
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if p, ok := declared[name]; !ok {
			out = append(out, Mistake{Name: name, Unknown: true})
		} else if want := unfit(p, values[name]); values[name] != nil && want != "" {
			out = append(out, Mistake{Name: name, Want: want})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		if values[name] == nil && declared[name].Required && declared[name].Default == nil {
			out = append(out, Mistake{Name: name, Missing: true})
		}
	}
	return out
}

// unfit is what a value should be and is not, or "". Text is read as the type
// is written, as it is when the run begins.
func unfit(p pipeline.Param, v any) string {
	text := fmt.Sprint(v)
	switch x := v.(type) {
	case map[string]any, []any:
		if p.Type == "" || p.Type == "string" {
			return "a text"
		}
		return article(p.Type)
	case float64:
		text = strconv.FormatFloat(x, 'f', -1, 64) // 1e3 is a whole number
	}
	if strings.Contains(text, "${{") {
		return ""
	}
	switch p.Type {
	case "integer":
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return article(p.Type)
		}
	case "number":
		if n, err := strconv.ParseFloat(text, 64); err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
			return article(p.Type)
		}
	case "boolean":
		if text != "true" && text != "false" {
			return "true or false"
		}
	case "choice":
		var options []string
		for _, o := range p.Options {
			options = append(options, fmt.Sprint(o))
		}
		if !slices.Contains(options, text) {
			return "one of " + strings.Join(options, ", ")
		}
	}
	return ""
}

func article(kind string) string {
	switch kind {
	case "integer":
		return "an integer"
	case "boolean":
		return "true or false"
	case "choice":
		return "one of its options"
	}
	return "a " + kind
}
