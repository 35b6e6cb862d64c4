package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const expressionPattern = `\$\{\{`

// Combined is the self-contained schema of a document for editors: the base
// with the fragments of all kinds, chosen by if and then, and with the
// keywords of ours written out in draft-07. The program itself never checks
// with it; a test holds that both say the same.
func (s *Set) Combined(doc string) ([]byte, error) {
	open, ok := s.docs[doc]
	if !ok {
		return nil, fmt.Errorf("no schema is called %q; there are pipeline, config and action", doc)
	}
	d := open()
	if d.err != nil {
		return nil, d.err
	}
	c := combiner{set: s, definitions: map[string]any{}}
	root := c.document(d, forbidden)
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	if len(c.definitions) > 0 {
		root["definitions"] = c.definitions
	}
	if c.err != nil {
		return nil, c.err
	}
	text, err := json.MarshalIndent(root, "", " ")
	return append(text, '\n'), err
}

// combiner writes schemas out: every $ref but those to the step and to the
// fragments is put in place, for what may stand there depends on where it is.
type combiner struct {
	set         *Set
	in          *document // whose references are followed
	definitions map[string]any
	err         error
}

func (c *combiner) document(d *document, in expression) map[string]any {
	if d.err != nil && c.err == nil {
		c.err = fmt.Errorf("%s: %w", d.name, d.err)
	}
	outer := c.in
	c.in = d
	out := c.schema(d.raw, in)
	c.in = outer
	return out
}

// fragment puts a kind's schema among the definitions and refers to it.
func (c *combiner) fragment(d *document) map[string]any {
	name := strings.ReplaceAll(d.name, "/", ".")
	if _, ok := c.definitions[name]; !ok {
		c.definitions[name] = true // a fragment never holds itself; keep the order of work simple
		c.definitions[name] = c.document(d, inside)
	}
	return map[string]any{"$ref": "#/definitions/" + name}
}

func (c *combiner) any(v any, in expression) any {
	if raw := object(v); raw != nil {
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
		merged := maps.Clone(object(resolve(c.in.raw, ref)))
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
		out["allOf"] = append(list(out["allOf"]), rules...)
	}
	c.dispatch(out, raw)
	return withExpressions(out, in)
}

func (c *combiner) keyword(out map[string]any, key string, v any, in expression) {
	switch key {
	case "definitions", "$schema":
	case "properties", "patternProperties":
		props := map[string]any{}
		for name, p := range object(v) {
			props[name] = c.any(p, in)
		}
		out[key] = props
	case "additionalProperties", "items":
		out[key] = c.any(v, in)
	case "then", "else":
		out[key] = c.any(v, in)
	case "allOf", "anyOf", "oneOf":
		all := make([]any, 0, len(list(v)))
		if in == allowed {
			in = inside // the union as a whole takes an expression, not each branch
		}
		for _, x := range list(v) {
			all = append(all, c.any(x, in))
		}
		out[key] = all
	case "format":
		f, ok := formats()[fmt.Sprint(v)]
		switch {
		case !ok || f.pattern == "" && v != "text":
			out[key] = v
		case f.pattern != "":
			out["pattern"] = f.pattern
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
	names := object(raw["propertyNames"])
	if raw["properties"] == nil && names == nil {
		return
	}
	patterns := object(out["patternProperties"])
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
	b := builder{root: raw}
	var out []any
	for _, r := range b.rules(raw["x-rules"]) {
		out = append(out, r.schema())
	}
	if b.err != nil && c.err == nil {
		c.err = b.err
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

// schema says a rule in draft-07.
func (r rule) schema() map[string]any {
	switch {
	case len(r.one) > 0:
		var branches []any
		for _, key := range r.one {
			branch := requires(key)
			branch["title"] = "with " + key
			branches = append(branches, branch)
		}
		return map[string]any{"oneOf": branches}
	case len(r.most) > 0:
		var pairs []any
		for i, a := range r.most {
			for _, b := range r.most[i+1:] {
				pairs = append(pairs, map[string]any{"not": requires(a, b)})
			}
		}
		return map[string]any{"allOf": pairs}
	}
	when := requires(r.key)
	if r.is != nil {
		when["properties"] = map[string]any{r.key: map[string]any{"enum": r.is}}
	}
	return map[string]any{"if": when, "then": requires(r.needs)}
}

func (c *combiner) step() map[string]any {
	if _, ok := c.definitions["step"]; !ok {
		c.definitions["step"] = true
		raw := object(resolve(c.in.raw, "#/definitions/step"))
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
	all := list(out["allOf"])
	for _, uses := range c.set.uses {
		d := c.set.step(uses)
		then := map[string]any{"properties": map[string]any{"with": c.fragment(d)}}
		if len(d.root.required) > 0 || slices.ContainsFunc(d.root.rules, func(r rule) bool { return len(r.one) > 0 }) {
			then["required"] = []any{"with"}
		}
		when := requires("uses")
		when["properties"] = map[string]any{"uses": map[string]any{"const": uses}}
		all = append(all, map[string]any{"if": when, "then": then})
	}
	out["allOf"] = all
	names := make([]any, 0, len(c.set.uses))
	for _, uses := range c.set.uses {
		names = append(names, uses)
	}
	uses := object(object(out["properties"])["uses"])
	uses["anyOf"] = []any{map[string]any{"enum": names}, map[string]any{"pattern": `^(\./|plugin:).`}}
}

func (c *combiner) primary(out map[string]any) {
	props := object(out["properties"])
	var branches []any
	for _, kind := range c.set.kinds {
		d := c.set.primaries[kind]()
		ref := c.fragment(d)
		props[kind] = map[string]any{"description": d.raw["description"], "allOf": []any{ref}}
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
	takesText := out["type"] == nil || out["type"] == "string" || slices.Contains(texts(out["type"]), "string")
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
