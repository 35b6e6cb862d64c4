// Package schema holds the JSON Schemas of the language and all that is
// derived from them: the check of decoded files with one precise Issue for
// each mistake, the defaults, the editor's combined schema, what `explain`
// says and the reference pages. It knows no YAML, no place in a file and no
// kind: those who use it hand in plain values and the kinds' fragments.
//
// The schemas are draft-07 with a few keywords of ours:
//
//	x-expr      true: strings may hold ${{ }}, here and below; "inside": only
//	            below; "if": as a bare expression; false: none. A string
//	            elsewhere that holds ${{ is a mistake.
//	x-rules     what keys of one object ask of each other (rules.go)
//	x-dispatch  "uses" or "primary": whose fragment decides (dispatch.go)
//	x-path      the text is a path: of a kind, from where the step works
//	x-default   the default in words, where it is no constant
//	x-form      what a pattern asks for, in words
//	x-secret    the value is a secret: shown as ***
//	x-replaces  of a kind's fragment: the actions of GitHub that it stands for
//	x-outputs   of a kind's fragment: the outputs that it sets
//	x-partial   an object that may hold any key of the root, without defaults
//
// Start with Set, then check.go (how a value is checked), then node.go (the
// schema as it is walked).
package schema

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/redundctl/redundctl/schema/internal/combine"
	"github.com/redundctl/redundctl/schema/internal/decode"
	"github.com/redundctl/redundctl/schema/internal/quick"
	"github.com/redundctl/redundctl/schema/internal/tree"
)

//go:embed common.base.json pipeline.base.json action.base.json config.base.json
var base embed.FS

// The documents of the language.
const (
	docPipeline = "pipeline"
	docAction   = "action"
	docConfig   = "config"
)

// pluginPrefix and actionPrefix begin a `uses` that names no kind.
const (
	pluginPrefix = "plugin:"
	actionPrefix = "./"
)

// Fragments are the schemas of the kinds: of `with` by the word in `uses`, and
// of a primary's keys by the primary's kind.
type Fragments struct{ Steps, Primaries map[string][]byte }

// Set is the whole language: the base schemas and the kinds' fragments. Each
// is read when it is first needed. A Set never changes and is safe for
// concurrent use.
type Set struct {
	fragments        Fragments
	docs             map[string]func() *document
	steps, primaries map[string]func() *document
	uses, kinds      []string // sorted
	decoder          decode.Decoder
	order            func() order // read when it is first needed
}

// New makes a Set of the fragments. A fragment that is no schema shows when it
// is first needed, as an Issue; engine/builtin tests those that are shipped.
func New(f Fragments) *Set {
	s := &Set{fragments: f, docs: map[string]func() *document{}, steps: map[string]func() *document{}, primaries: map[string]func() *document{}}
	for _, doc := range []string{docPipeline, docAction, docConfig} {
		s.docs[doc] = sync.OnceValue(func() *document { return openBase(doc) })
	}
	for uses, text := range f.Steps {
		s.steps[uses] = sync.OnceValue(func() *document { return openFragment("uses/"+uses, text) })
	}
	for kind, text := range f.Primaries {
		s.primaries[kind] = sync.OnceValue(func() *document { return openFragment("primary/"+kind, text) })
	}
	s.order = sync.OnceValue(s.written)
	s.uses = slices.Sorted(maps.Keys(f.Steps))
	s.kinds = slices.Sorted(maps.Keys(f.Primaries))
	return s
}

// document is one schema: as it is written, as it is walked, and as
// jsonschema checks it.
type document struct {
	name  string
	raw   map[string]any // with the common definitions
	root  *node
	quick *quick.Schema
	err   error
	leaf  func() (validator, error)
}

func openBase(doc string) *document {
	raw, err := baseSchema(doc)
	return open(doc, raw, err)
}

func openFragment(name string, text []byte) *document {
	raw, err := tree.Parse(text)
	if err == nil {
		raw = tree.Object(normal(raw))
		if _, ok := raw["x-expr"]; !ok {
			raw["x-expr"] = "inside"
		}
	}
	return open(name, raw, err)
}

// normal brings a schema of a later draft to the few words that are read here:
// $defs become definitions, and x- keys need not be allowed by a pattern.
func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, x := range v {
			if key == "$defs" {
				key = "definitions"
			}
			out[key] = normal(x)
		}
		if patterns := tree.Object(out["patternProperties"]); patterns != nil {
			if delete(patterns, "^x-"); len(patterns) == 0 {
				delete(out, "patternProperties")
			}
		}
		if ref, ok := out["$ref"].(string); ok {
			out["$ref"] = strings.Replace(ref, "#/$defs/", "#/definitions/", 1)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = normal(x)
		}
		return out
	}
	return v
}

func open(name string, raw map[string]any, err error) *document {
	d := &document{name: name, raw: raw, root: &node{}, err: err}
	if err == nil {
		b := builder{root: raw, refs: map[string]*node{}}
		d.root, d.err, d.quick = b.node(raw), b.err, quick.New(raw)
	}
	d.leaf = sync.OnceValues(func() (validator, error) { return compile(d) })
	return d
}

// baseSchema is a document's own schema with the common definitions.
func baseSchema(doc string) (map[string]any, error) {
	read := func(name string) (map[string]any, error) {
		text, err := base.ReadFile(name + ".base.json")
		if err != nil {
			return nil, err
		}
		raw, err := tree.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s.base.json: %w", name, err)
		}
		return raw, nil
	}
	common, err := read("common")
	if err != nil {
		return nil, err
	}
	raw, err := read(doc)
	if err != nil {
		return nil, err
	}
	raw["definitions"] = common["definitions"]
	expandPartial(raw, raw)
	return raw, nil
}

// expandPartial writes into an object with x-partial the properties of the
// root that it does not have itself, without their defaults.
func expandPartial(root, raw map[string]any) {
	if raw["x-partial"] == true {
		own := tree.Object(raw["properties"])
		for key, v := range tree.Object(root["properties"]) {
			if _, ok := own[key]; !ok && key != "version" && key != "environment" && key != "environments" {
				own[key] = withoutDefaults(v)
			}
		}
		return
	}
	for _, v := range tree.Object(raw["properties"]) {
		if child := tree.Object(v); child != nil {
			expandPartial(root, child)
		}
	}
	if child := tree.Object(raw["additionalProperties"]); child != nil {
		expandPartial(root, child)
	}
}

func withoutDefaults(v any) any {
	m := tree.Object(v)
	if m == nil {
		return v
	}
	out := map[string]any{}
	for key, v := range m {
		switch key {
		case "default":
			out["x-default"] = "the project's own"
		case "properties":
			props := map[string]any{}
			for name, p := range tree.Object(v) {
				props[name] = withoutDefaults(p)
			}
			out[key] = props
		case "additionalProperties", "then", "else":
			out[key] = withoutDefaults(v)
		default:
			out[key] = v
		}
	}
	return out
}

// step finds the fragment that `uses` names; nil: a plugin, an action, or none.
func (s *Set) step(uses string) *document {
	if open, ok := s.steps[uses]; ok {
		return open()
	}
	return nil
}

// free reports whether uses names something whose `with` no fragment decides.
func free(uses string) bool {
	for _, prefix := range []string{pluginPrefix, actionPrefix} {
		if rest, ok := strings.CutPrefix(uses, prefix); ok && rest != "" {
			return true
		}
	}
	return false
}

// Outputs are the outputs that a step kind sets, with their descriptions;
// false: they are not known before the run.
func (s *Set) Outputs(uses string) (map[string]string, bool) {
	d := s.step(uses)
	if d == nil || d.err != nil {
		return nil, false
	}
	raw, ok := d.raw["x-outputs"].(map[string]any)
	if !ok {
		return nil, false
	}
	out := make(map[string]string, len(raw))
	for name, text := range raw {
		out[name], _ = text.(string)
	}
	return out, true
}

// Combined is the self-contained schema of a document ("pipeline", "action" or
// "config") for editors: if and then choose the fragment of a kind. The check
// never uses it; a test holds that both say the same.
func (s *Set) Combined(doc string) ([]byte, error) {
	open, ok := s.docs[doc]
	if !ok {
		return nil, fmt.Errorf("no schema is called %q; there are pipeline, config and action", doc)
	}
	d := open()
	err := d.err
	raw := func(fragments map[string]func() *document) map[string]map[string]any {
		out := map[string]map[string]any{}
		for name, open := range fragments {
			f := open()
			out[name] = f.raw
			if err == nil && f.err != nil {
				err = fmt.Errorf("%s: %w", f.name, f.err)
			}
		}
		return out
	}
	parts := combine.Parts{Base: d.raw, Steps: raw(s.steps), Primaries: raw(s.primaries)}
	if err != nil {
		return nil, err
	}
	return combine.Schema(parts)
}

// Kinds are the words that `uses` and `primary` may hold, sorted.
func (s *Set) Kinds() (steps, primaries []string) { return slices.Clone(s.uses), slices.Clone(s.kinds) }
