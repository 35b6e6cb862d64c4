package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/redundctl/redundctl/schema/internal/tree"
)

// validator is a compiled schema.
type validator = *jsonschema.Schema

// compile hands to jsonschema what it is to check: values. Annotations cost
// time to compile, and what the walk checks (unknown and missing keys) it
// would only say twice and less well.
func compile(d *document) (validator, error) {
	if d.err != nil {
		return nil, d.err
	}
	lean := pruned(d)
	text, err := json.Marshal(lean)
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.Draft = jsonschema.Draft7
	c.LoadURL = func(url string) (io.ReadCloser, error) {
		return nil, fmt.Errorf("%s: no schema outside of this one is read", url)
	}
	for name, f := range tree.Formats() {
		c.Formats[name] = f.Is
	}
	const scheme = "redundctl://schema/"
	if err := c.AddResource(scheme+d.name, bytes.NewReader(text)); err != nil {
		return nil, err
	}
	return c.Compile(scheme + d.name)
}

// pruned is the schema of d without what jsonschema need not see.
func pruned(d *document) map[string]any {
	base := !strings.Contains(d.name, "/")
	p := pruner{used: map[string]bool{}, strip: base}
	out := p.schema(d.raw, true)
	defs := map[string]any{}
	for again := true; again; {
		again = false
		for ref := range p.used {
			name := strings.TrimPrefix(ref, "#/definitions/")
			if _, ok := defs[name]; !ok && name != ref {
				defs[name] = p.schema(tree.Object(tree.Resolve(d.raw, ref)), base)
				again = true
			}
		}
	}
	out["definitions"] = defs
	return out
}

type pruner struct {
	used  map[string]bool
	strip bool
}

// schema copies raw; plain: it stands where the walk checks keys too.
func (p *pruner) schema(raw map[string]any, plain bool) map[string]any {
	out := map[string]any{}
	for key, v := range raw {
		switch key {
		case "description", "default", "examples", "title", "$schema", "definitions":
		case "required":
			if !plain {
				out[key] = v
			}
		case "$ref":
			ref, _ := v.(string)
			p.used[ref] = true
			out[key] = v
		case "properties", "patternProperties":
			props := map[string]any{}
			for name, x := range tree.Object(v) {
				props[name] = p.any(x, plain)
			}
			out[key] = props
		case "additionalProperties":
			if v != false || !plain {
				out[key] = p.any(v, plain)
			}
		case "items":
			out[key] = p.any(v, plain)
		case "then", "else", "if", "not", "propertyNames", "contains":
			out[key] = p.any(v, false)
		case "allOf", "anyOf", "oneOf":
			var all []any
			for _, x := range tree.List(v) {
				all = append(all, p.any(x, false))
			}
			out[key] = all
		default:
			if !strings.HasPrefix(key, "x-") {
				out[key] = v
			}
		}
	}
	return out
}

func (p *pruner) any(v any, plain bool) any {
	if raw := tree.Object(v); raw != nil {
		return p.schema(raw, plain)
	}
	return v
}

// leaves checks the values of v by jsonschema. Whatever it does, a document
// ends in issues and never in a panic.
func (w *walker) leaves(d *document, v any, p *place) {
	if d.err == nil && d.quick.OK(v) {
		return
	}
	s, err := d.leaf()
	if err != nil {
		w.add(p, Issue{Keyword: KeywordSchema, Message: fmt.Sprintf("its schema cannot be used: %v", err)})
		return
	}
	err = validate(s, v)
	var bad *jsonschema.ValidationError
	switch {
	case err == nil:
	case errors.As(err, &bad):
		l := leafReader{walker: w, document: d, root: v, up: p.path()}
		l.read(bad)
	default:
		w.add(p, Issue{Keyword: KeywordSchema, Message: fmt.Sprintf("cannot be checked: %v", err)})
	}
}

func validate(s validator, v any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it holds a value of no JSON type (%v)", r)
		}
	}()
	return s.Validate(v)
}

// leafReader makes issues of the leaves of a ValidationError.
type leafReader struct {
	walker   *walker
	document *document
	root     any
	up       []any
}

func (l *leafReader) read(e *jsonschema.ValidationError) {
	keyword := e.AbsoluteKeywordLocation[strings.LastIndexByte(e.AbsoluteKeywordLocation, '/')+1:]
	if len(e.Causes) > 0 && keyword != "anyOf" && keyword != "oneOf" {
		for _, c := range e.Causes {
			l.read(c)
		}
		return
	}
	if len(e.Causes) > 0 {
		if c := likeliest(e); c != nil {
			l.read(c)
			return
		}
	}
	path, v, skip := l.instance(e.InstanceLocation)
	_, pointer, _ := strings.Cut(e.AbsoluteKeywordLocation, "#")
	parent := pointer[:max(0, strings.LastIndexByte(pointer, '/'))]
	name := strings.HasSuffix(parent, "/propertyNames")
	if text, ok := v.(string); skip || ok && expressionIn(text) && !name && !l.walker.evaluated {
		return
	}
	raw := tree.Object(tree.Resolve(l.document.raw, "#"+parent))
	if parent == "" {
		raw = l.document.raw
	}
	for _, i := range l.issues(keyword, raw, v) {
		i.Path = append(slices.Clone(l.up), path...)
		if name && len(path) > 0 {
			key := fmt.Sprint(path[len(path)-1])
			i = Issue{Path: i.Path[:len(i.Path)-1], Keyword: KeywordName, Names: []string{key}, Want: i.Want,
				Message: fmt.Sprintf("the key %q %s", key, i.Message)}
		}
		l.walker.issues = append(l.walker.issues, i)
	}
}

// likeliest is the branch of a union that the value was meant for: the only
// one whose type is right.
func likeliest(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	var found []*jsonschema.ValidationError
	for _, c := range e.Causes {
		if !otherType(c, e.InstanceLocation) {
			found = append(found, c)
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	return nil
}

// otherType reports whether all that e says is that the value at place is of
// another type.
func otherType(e *jsonschema.ValidationError, place string) bool {
	if len(e.Causes) == 0 {
		return e.InstanceLocation == place && strings.HasSuffix(e.AbsoluteKeywordLocation, "/type")
	}
	for _, c := range e.Causes {
		if !otherType(c, place) {
			return false
		}
	}
	return true
}

// instance finds the value that a JSON pointer leads to. skip: a key on the
// way is the user's own.
func (l *leafReader) instance(pointer string) (path []any, v any, skip bool) {
	v = l.root
	n := l.document.root
	if pointer == "" {
		return nil, v, false
	}
	for _, key := range strings.Split(pointer[1:], "/") {
		key = tree.Unescape(key)
		switch x := v.(type) {
		case []any:
			i, _ := tree.Index(key, len(x))
			path, v = append(path, i), x[i]
			n = n.items
		case map[string]any:
			if n != nil {
				child, own := n.child(key)
				if own {
					return nil, nil, true
				}
				n = child
			}
			path, v = append(path, key), x[key]
		default:
			path = append(path, key)
		}
		if n == nil {
			n = anything
		}
	}
	return path, v, false
}

func expressionIn(s string) bool { return strings.Contains(s, "${{") }
