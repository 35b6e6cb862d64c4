package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/schema/internal/tree"
)

// node is one schema as it is walked beside a value. Only what concerns the
// keys of objects, expressions and defaults stands here; types, ranges and
// forms are checked by jsonschema.
type node struct {
	raw      map[string]any   // with those of $ref merged in, for descriptions
	props    map[string]*node // by key
	keys     []string         // of props, sorted
	extra    *node            // of other keys; nil: anything, or nothing if closed
	closed   bool             // other keys are mistakes
	own      bool             // x- keys are the user's own; false: they are data
	items    *node            // of a list; nil: anything
	required []string
	rules    []rule
	expr     expression
	dispatch string
	path     bool // a text is a path
	defaults any
	filled   bool   // defaults says something
	anything bool   // nothing below is known
	shape    string // the definition that it is, as "retry", or ""
	either   bool   // one of what its items or props are, or a list of them
	types    []string
}

// expression says whether strings may hold ${{ }}.
type expression int

const (
	inherited expression = iota
	forbidden
	allowed
	inside // only below: the mapping or list itself must be written out
	bare
)

// builder makes nodes of one document; every $ref without siblings is built
// once.
type builder struct {
	root map[string]any
	refs map[string]*node
	err  error
}

func (b *builder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf(format, args...)
	}
}

func (b *builder) node(v any) *node {
	raw := tree.Object(v)
	if raw == nil {
		return &node{anything: v != false, closed: v == false}
	}
	n := &node{raw: map[string]any{}}
	if ref, ok := raw["$ref"].(string); ok {
		if len(raw) == 1 {
			return b.reference(ref)
		}
		*n = *b.reference(ref)
		n.raw = maps.Clone(n.raw)
	}
	b.read(n, raw)
	n.keys = slices.Sorted(maps.Keys(n.props))
	n.types = b.types(n.raw)
	n.anything = n.props == nil && n.extra == nil && n.items == nil && !n.closed && n.expr == inherited
	return n
}

func (b *builder) reference(ref string) *node {
	if n, ok := b.refs[ref]; ok {
		return n
	}
	target, ok := tree.Resolve(b.root, ref).(map[string]any)
	if !ok {
		b.fail("%s leads nowhere", ref)
		return &node{anything: true}
	}
	n := &node{}
	b.refs[ref] = n
	*n = *b.node(target)
	n.shape = strings.TrimPrefix(ref, "#/definitions/")
	return n
}

func (b *builder) read(n *node, raw map[string]any) {
	for key, v := range raw {
		switch key {
		case "then", "else":
			b.read(n, tree.Object(v)) // one object or a list of them
			n.either = true
			continue
		case "if", "$ref", "definitions", "allOf":
			continue
		case "type":
			if _, ok := n.raw["type"]; ok && raw["if"] == nil {
				continue // of the other branch
			}
		case "properties":
			n.props = maps.Clone(n.props)
			if n.props == nil {
				n.props = map[string]*node{}
			}
			for name, p := range tree.Object(v) {
				n.props[name] = b.node(p)
			}
			n.own = true
		case "propertyNames":
			n.own = true
		case "additionalProperties":
			if n.closed = v == false; !n.closed {
				n.extra = b.node(v)
			}
		case "items":
			n.items = b.node(v)
		case "required":
			n.required = tree.Texts(v)
			slices.Sort(n.required)
		case "x-rules":
			n.rules = b.rules(v)
		case "x-dispatch":
			n.dispatch, _ = v.(string)
		case "x-expr":
			n.expr = b.expression(v)
		case "x-path":
			n.path = v == true
		case "default":
			n.defaults, n.filled = v, true
		}
		n.raw[key] = v
	}
	if ref, ok := raw["$ref"].(string); ok && n.props == nil {
		target := b.reference(ref) // below then or else
		n.props, n.closed, n.own, n.rules, n.required = target.props, target.closed, target.own, target.rules, target.required
		n.shape = target.shape
	}
}

// types are the JSON types that raw takes, those of its branches too.
func (b *builder) types(raw map[string]any) []string {
	if ref, ok := raw["$ref"].(string); ok {
		raw = tree.Object(tree.Resolve(b.root, ref))
	}
	out := tree.Texts(raw["type"])
	if one, ok := raw["type"].(string); ok {
		out = []string{one}
	}
	for _, branch := range append(tree.List(raw["anyOf"]), tree.List(raw["oneOf"])...) {
		for _, t := range b.types(tree.Object(branch)) {
			if !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out
}

func (b *builder) expression(v any) expression {
	switch v {
	case true:
		return allowed
	case false:
		return forbidden
	case "inside":
		return inside
	case "if":
		return bare
	}
	b.fail("x-expr is true, false, inside or if, not %v", v)
	return forbidden
}

// child is the node of a key, or nil when the key is not known. skip: the key
// is the user's own.
func (n *node) child(key string) (c *node, skip bool) {
	if c, ok := n.props[key]; ok {
		return c, false
	}
	if n.own && strings.HasPrefix(key, "x-") {
		return nil, true
	}
	if n.closed {
		return nil, false
	}
	return n.extra, false
}

// anything is the node of what no schema describes.
var anything = &node{anything: true}
