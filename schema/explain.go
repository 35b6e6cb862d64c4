package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"

	"github.com/redundctl/redundctl/schema/internal/tree"
)

// Topic is what there is to say of one key.
type Topic struct {
	Path        string   `json:"path"`
	Type        string   `json:"type"`
	Default     string   `json:"default"` // as it is written, in words where it is no constant, "" when there is none
	Constant    bool     `json:"-"`       // Default is written as it stands
	Description string   `json:"description"`
	Enum        []string `json:"enum"`
	Example     string   `json:"example"` // as YAML's flow style
	Required    bool     `json:"required"`
	Secret      bool     `json:"secret"`
	Expressions bool     `json:"expressions"` // its text, or texts below it, may hold ${{ }}
	Rules       []string `json:"rules"`       // what its keys ask of each other
	Shape       string   `json:"-"`           // a name that places with the same keys share, or ""
	Keys        []Topic  `json:"keys"`        // of the object or of the list's items, as the schema has them, without theirs
}

// Explain walks the schema: "steps.retry" and "on-failure.if" of a pipeline,
// "http.url" or "uses.http.url" of a step kind, "primary.pm2.process",
// "config.server.listen", "action.inputs.type". An empty path gives the keys
// of a pipeline. The error names what is nearest.
func (s *Set) Explain(path string) (Topic, error) {
	words := strings.FieldsFunc(path, func(r rune) bool { return r == '.' })
	doc := docPipeline
	if len(words) > 0 {
		switch words[0] {
		case docPipeline, docAction, docConfig:
			doc, words = words[0], words[1:]
		}
	}
	root := s.docs[doc]().root
	if doc == docPipeline && len(words) > 0 {
		if words[0] == "uses" && len(words) > 1 {
			words = words[1:]
		}
		if d := s.step(words[0]); d != nil {
			return s.walk(d.root, "uses."+words[0], words[1:])
		}
	}
	prefix := ""
	if doc != docPipeline {
		prefix = doc
	}
	return s.walk(root, prefix, words)
}

func (s *Set) walk(n *node, path string, words []string) (Topic, error) {
	required, mode := false, forbidden
	if strings.HasPrefix(path, "uses.") {
		mode = allowed
	}
	for i, word := range words {
		in := n.keyed()
		next, ok := s.below(in, word)
		if !ok {
			return Topic{}, s.unknown(in, path, words[i])
		}
		required = slices.Contains(in.required, word)
		mode = in.mode(n.mode(mode))
		path, n = tree.Join(path, word), next
	}
	t := n.topic(path, mode)
	t.Required = required
	in, order := n.keyed(), s.order()
	t.Shape = in.shape
	mode = in.mode(n.mode(mode))
	for _, r := range in.rules {
		t.Rules = append(t.Rules, r.words())
	}
	for _, key := range order.of(s.known(in)) {
		child, _ := s.below(in, key)
		k := child.topic(tree.Join(path, key), mode)
		k.Required = slices.Contains(in.required, key)
		t.Keys = append(t.Keys, k)
	}
	return t, nil
}

// keyed is the node that has the keys: of a list, that of its items; of a
// mapping by names, that of what they name.
func (n *node) keyed() *node {
	if len(n.props) > 0 || n.dispatch != "" {
		return n
	}
	for _, deeper := range []*node{n.items, n.extra} {
		if deeper == nil {
			continue
		}
		if in := deeper.keyed(); len(in.props) > 0 {
			return in
		}
	}
	return n
}

// below finds a key of n: its own, a primary's kind, or any name where names
// are free.
func (s *Set) below(n *node, key string) (*node, bool) {
	if child, ok := n.props[key]; ok {
		return child, true
	}
	if n.dispatch == "primary" && s.primaries[key] != nil {
		return s.primaries[key]().root, true
	}
	return nil, false
}

func (s *Set) known(n *node) []string {
	if n.dispatch == "primary" {
		return slices.Sorted(slices.Values(append(slices.Clone(s.kinds), n.keys...)))
	}
	return n.keys
}

func (s *Set) unknown(n *node, path, word string) error {
	all := s.known(n)
	if path == "" {
		all = append(slices.Clone(all), s.uses...)
	}
	for depth := 1; depth <= 3 && path == ""; depth++ {
		at := n.find(word, depth)
		if in := n.props["steps"]; in != nil && in.find(word, depth-1) != "" { // where people mean it most
			at = tree.Join("steps", in.find(word, depth-1))
		}
		if at != "" {
			return fmt.Errorf("there is no key %q at the top; did you mean %s?", word, at)
		}
	}
	best, distance := "", 4
	for _, name := range all {
		if d := levenshtein.Distance(name, word, nil); d < distance && d < len(name) {
			best, distance = name, d
		}
	}
	switch {
	case best != "":
		return fmt.Errorf("there is no key %q; did you mean %s?", tree.Join(path, word), tree.Join(path, best))
	case len(all) == 0:
		return fmt.Errorf("there is no key %q; %s has no keys", tree.Join(path, word), path)
	case path == "":
		return fmt.Errorf("there is no key %q; the keys are %s", word, tree.Words(n.keys))
	}
	return fmt.Errorf("there is no key %q; %s has the keys %s", tree.Join(path, word), path, tree.Words(all))
}

// find looks for a key so many levels below n, and gives its path.
func (n *node) find(word string, depth int) string {
	n = n.keyed()
	if n.props[word] != nil && depth == 0 {
		return word
	}
	for _, name := range n.keys {
		if child := n.props[name]; child != nil && depth > 0 {
			if at := child.find(word, depth-1); at != "" {
				return name + "." + at
			}
		}
	}
	return ""
}

// mode is whether strings below n may hold an expression.
func (n *node) mode(in expression) expression {
	if n.expr != inherited {
		return n.expr
	}
	return in
}

func (n *node) topic(path string, in expression) Topic {
	t := Topic{Path: path, Type: n.typeName(), Enum: tree.Values(n.raw["enum"])}
	t.Expressions = n.mode(in) != forbidden
	_, t.Secret = n.raw["x-secret"]
	t.Description, _ = n.raw["description"].(string)
	if c, ok := n.raw["const"]; ok {
		t.Enum = []string{tree.Printed(c)}
	}
	if n.filled {
		t.Default, t.Constant = tree.Flow(n.defaults), true
	} else if words, ok := n.raw["x-default"].(string); ok {
		t.Default = words
	}
	if all := tree.List(n.raw["examples"]); len(all) > 0 {
		t.Example = tree.Flow(all[0])
	}
	return t
}

// typeName is the type as the reference names it.
func (n *node) typeName() string {
	if f, ok := n.raw["format"].(string); ok {
		if name, ok := map[string]string{"duration": "duration", "duration-or-zero": "duration", "grace": "duration or auto",
			"size": "size", "text": "text", "regex": "regular expression"}[f]; ok {
			return name
		}
	}
	switch {
	case n.either && n.props != nil:
		return "mapping or list of mappings"
	case n.raw["const"] != nil:
		return "constant"
	case n.raw["type"] == "array" && n.items != nil && n.items.raw["type"] != nil:
		return "list of " + plural(n.items.typeName())
	case n.raw["type"] == "object" && n.extra != nil && n.extra.raw["type"] != nil && len(n.props) == 0:
		return "mapping to " + plural(n.extra.typeName())
	}
	names := map[string]string{"string": "text", "integer": "integer", "number": "number", "boolean": "boolean", "array": "list", "object": "mapping"}
	var out []string
	for _, k := range n.types {
		if name := names[k]; name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return "any"
	}
	return tree.Or(out)
}

func plural(name string) string {
	switch name {
	case "text", "integer", "number", "boolean", "duration", "size", "mapping":
		return name + "s"
	}
	return name
}
