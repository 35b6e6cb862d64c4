// Package combine writes the one schema that editors get of a document and
// the fragments of its kinds, in plain draft-07.
package combine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/schema/internal/tree"
)

const expressionPattern = `\$\{\{`

// Parts are the schemas that are combined: the base of the document with the
// common definitions, and the fragments by name.
type Parts struct {
	Base             map[string]any
	Steps, Primaries map[string]map[string]any
}

// expression says whether strings may hold ${{ }}.
type expression int

const (
	forbidden expression = iota
	allowed
	inside // only below
	bare
)

// Schema is the base with the fragments of all kinds, chosen by if and then,
// and with the keywords of ours written out.
func Schema(p Parts) ([]byte, error) {
	c := combiner{parts: p, definitions: map[string]any{}}
	root := c.document(p.Base, forbidden)
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	if len(c.definitions) > 0 {
		root["definitions"] = c.definitions
	}
	text, err := json.MarshalIndent(root, "", " ")
	return append(text, '\n'), err
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// combiner writes schemas out: every $ref but those to the step and to the
// fragments is put in place, for what may stand there depends on where it is.
type combiner struct {
	parts       Parts
	in          map[string]any // whose references are followed
	definitions map[string]any
}

func (c *combiner) document(raw map[string]any, in expression) map[string]any {
	outer := c.in
	c.in = raw
	out := c.schema(raw, in)
	c.in = outer
	return out
}

// fragment puts a kind's schema among the definitions and refers to it.
func (c *combiner) fragment(name string, raw map[string]any) map[string]any {
	name = strings.ReplaceAll(name, "/", ".")
	if _, ok := c.definitions[name]; !ok {
		c.definitions[name] = c.document(raw, inside)
	}
	return map[string]any{"$ref": "#/definitions/" + name}
}

func (c *combiner) any(v any, in expression) any {
	if raw := tree.Object(v); raw != nil {
		return c.schema(raw, in)
	}
	return v
}

// schema writes out one schema. in says whether ${{ }} may stand there.
func (c *combiner) schema(raw map[string]any, in expression) map[string]any {
	if ref, ok := raw["$ref"].(string); ok {
		if ref == "#/definitions/step" {
			return c.step()
		}
		merged := maps.Clone(tree.Object(tree.Resolve(c.in, ref)))
		for key, v := range raw {
			if key != "$ref" {
				merged[key] = v
			}
		}
		return c.schema(merged, in)
	}
	switch raw["x-expr"] {
	case true:
		in = allowed
	case "if":
		in = bare
	case "inside":
		in = inside
	case false:
		in = forbidden
	}
	below := in
	if in == inside {
		below = allowed
	}
	out := map[string]any{}
	for key, v := range raw {
		c.keyword(out, key, v, below)
	}
	c.keys(out, raw)
	if rules := c.rules(raw); len(rules) > 0 {
		out["allOf"] = append(tree.List(out["allOf"]), rules...)
	}
	c.dispatch(out, raw)
	return withExpressions(out, in)
}

func (c *combiner) keyword(out map[string]any, key string, v any, in expression) {
	switch key {
	case "definitions", "$schema":
	case "properties", "patternProperties":
		props := map[string]any{}
		for name, p := range tree.Object(v) {
			props[name] = c.any(p, in)
		}
		out[key] = props
	case "additionalProperties", "items":
		out[key] = c.any(v, in)
	case "then", "else":
		out[key] = c.any(v, in)
	case "allOf", "anyOf", "oneOf":
		all := make([]any, 0, len(tree.List(v)))
		if in == allowed {
			in = inside // the union as a whole takes an expression, not each branch
		}
		for _, x := range tree.List(v) {
			all = append(all, c.any(x, in))
		}
		out[key] = all
	case "format":
		f, ok := tree.Formats()[fmt.Sprint(v)]
		switch {
		case !ok || f.Pattern == "" && v != "text":
			out[key] = v
		case f.Pattern != "":
			out["pattern"] = f.Pattern
		}
		if v == "duration" {
			out["not"] = map[string]any{"pattern": `^[0.dhmsuµn]*$`} // zero
		}
	default:
		if !strings.HasPrefix(key, "x-") {
			out[key] = v
		}
	}
}

// keys lets x- keys in where they are the user's own.
func (c *combiner) keys(out, raw map[string]any) {
	names := tree.Object(raw["propertyNames"])
	if raw["properties"] == nil && names == nil {
		return
	}
	patterns := tree.Object(out["patternProperties"])
	if patterns == nil {
		patterns = map[string]any{}
	}
	patterns["^x-"] = map[string]any{}
	out["patternProperties"] = patterns
	if names != nil {
		out["propertyNames"] = map[string]any{"anyOf": []any{map[string]any{"pattern": names["pattern"]}, map[string]any{"pattern": "^x-"}}}
	}
}

func (c *combiner) rules(raw map[string]any) []any {
	var out []any
	for _, x := range tree.List(raw["x-rules"]) {
		out = append(out, rule(tree.Object(x)))
	}
	return out
}

func requires(keys ...string) map[string]any {
	all := make([]any, len(keys))
	for i, k := range keys {
		all[i] = k
	}
	return map[string]any{"required": all}
}

// rule says one of x-rules in draft-07.
func rule(r map[string]any) map[string]any {
	if one := tree.Texts(r["exactly-one"]); one != nil {
		var branches []any
		for _, key := range one {
			branch := requires(key)
			branch["title"] = "with " + key
			branches = append(branches, branch)
		}
		return map[string]any{"oneOf": branches}
	}
	if most := tree.Texts(r["at-most-one"]); most != nil {
		var pairs []any
		for i, a := range most {
			for _, b := range most[i+1:] {
				pairs = append(pairs, map[string]any{"not": requires(a, b)})
			}
		}
		return map[string]any{"allOf": pairs}
	}
	key, _ := r["key"].(string)
	needs, _ := r["needs"].(string)
	when := requires(key)
	if is, ok := r["is"]; ok {
		when["properties"] = map[string]any{key: map[string]any{"enum": is}}
	}
	return map[string]any{"if": when, "then": requires(needs)}
}

func (c *combiner) step() map[string]any {
	if _, ok := c.definitions["step"]; !ok {
		c.definitions["step"] = true
		raw := tree.Object(tree.Resolve(c.in, "#/definitions/step"))
		c.definitions["step"] = c.schema(raw, forbidden)
	}
	return map[string]any{"$ref": "#/definitions/step"}
}

// dispatch writes the choice of a fragment as if and then.
func (c *combiner) dispatch(out, raw map[string]any) {
	switch raw["x-dispatch"] {
	case "uses":
		c.uses(out)
	case "primary":
		c.primary(out)
	}
}

func (c *combiner) uses(out map[string]any) {
	all := tree.List(out["allOf"])
	names := make([]any, 0, len(c.parts.Steps))
	for _, uses := range sorted(c.parts.Steps) {
		names = append(names, uses)
		raw := c.parts.Steps[uses]
		then := map[string]any{"properties": map[string]any{"with": c.fragment("uses/"+uses, raw)}}
		if len(tree.List(raw["required"])) > 0 || slices.ContainsFunc(tree.List(raw["x-rules"]), func(r any) bool { return tree.Object(r)["exactly-one"] != nil }) {
			then["required"] = []any{"with"}
		}
		when := requires("uses")
		when["properties"] = map[string]any{"uses": map[string]any{"const": uses}}
		all = append(all, map[string]any{"if": when, "then": then})
	}
	out["allOf"] = all
	uses := tree.Object(tree.Object(out["properties"])["uses"])
	uses["anyOf"] = []any{map[string]any{"enum": names}, map[string]any{"pattern": `^(\./|plugin:).`}}
}

func (c *combiner) primary(out map[string]any) {
	props := tree.Object(out["properties"])
	var branches []any
	for _, kind := range sorted(c.parts.Primaries) {
		raw := c.parts.Primaries[kind]
		props[kind] = map[string]any{"description": raw["description"], "allOf": []any{c.fragment("primary/"+kind, raw)}}
		branch := requires(kind)
		branch["title"] = kind
		branches = append(branches, branch)
	}
	if len(branches) > 0 {
		out["oneOf"] = branches
	}
}

// withExpressions lets a text with ${{ }} in where one may stand in place of
// the value, and keeps it out where none is evaluated.
func withExpressions(out map[string]any, in expression) map[string]any {
	text := map[string]any{"type": "string", "pattern": expressionPattern}
	takesText := out["type"] == nil || out["type"] == "string" || slices.Contains(tree.Texts(out["type"]), "string")
	strict := !takesText || out["enum"] != nil || out["pattern"] != nil || out["const"] != nil || out["anyOf"] != nil ||
		out["not"] != nil || out["format"] != nil
	switch {
	case in == forbidden && takesText && out["enum"] == nil && out["const"] == nil && out["if"] == nil && out["not"] == nil && len(out) > 0:
		out["not"] = text
	case in == allowed && strict && len(out) > 0:
		wrapped := map[string]any{}
		for _, key := range []string{"title", "description", "default", "examples"} {
			if v, ok := out[key]; ok {
				wrapped[key] = v
				delete(out, key)
			}
		}
		if out["type"] == "object" || out["type"] == "array" {
			wrapped["if"], wrapped["then"], wrapped["else"] = map[string]any{"type": "string"}, text, out
		} else {
			wrapped["anyOf"] = []any{out, text}
		}
		return wrapped
	}
	return out
}
