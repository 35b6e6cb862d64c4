package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/schema/internal/tree"
)

// Issue is one mistake in a value.
type Issue struct {
	Path    []any    // of the value, keys and indexes; of the object for unknown-key, name, required, one-of, excludes, needs
	Keyword string   // one of the Keyword constants
	Names   []string // the keys that are unknown, missing or in each other's way
	Allowed []string // what stands for choice: keys or values
	Meant   string   // the value that does what is meant here, where that is known
	Want    string   // the type or form that is wanted, as "a list"
	Message string   // lower case, in plain words, without the place
}

// The keywords of an Issue.
const (
	KeywordUnknownKey = "unknown-key" // Names: the key
	KeywordName       = "name"        // Names: a key that is not of the right form
	KeywordRequired   = "required"    // Names: the key that is missing
	KeywordOneOf      = "one-of"      // not exactly one of the keys Allowed
	KeywordExcludes   = "excludes"    // both Names
	KeywordNeeds      = "needs"       // Names[0] needs Names[1]
	KeywordExpression = "expression"  // ${{ }} where none is evaluated
	KeywordType       = "type"
	KeywordEnum       = "enum"
	KeywordConst      = "const"
	KeywordPattern    = "pattern"
	KeywordFormat     = "format"
	KeywordMin        = "min"
	KeywordMax        = "max"
	KeywordUnique     = "unique"
	KeywordForm       = "form"   // none of several forms
	KeywordSchema     = "schema" // the schema itself cannot be used
)

// Pipeline checks a pipeline file, every `with` and the primary included.
func (s *Set) Pipeline(v any) []Issue { return s.document(docPipeline, v) }

// Action checks a file of `kind: action`.
func (s *Set) Action(v any) []Issue { return s.document(docAction, v) }

// Config checks the project file.
func (s *Set) Config(v any) []Issue { return s.document(docConfig, v) }

// With checks the `with` of a step at run time: its expressions have been
// evaluated, so a text that holds ${{ is a text like any other.
func (s *Set) With(uses string, with map[string]any) []Issue {
	d := s.step(uses)
	switch {
	case d == nil && free(uses):
		return nil
	case d == nil:
		return []Issue{s.unknownKind(nil, uses)}
	case with == nil:
		with = map[string]any{}
	}
	w := walker{set: s, evaluated: true}
	w.fragment(d, with, nil)
	return sorted(w.issues)
}

// Primary is With for the keys of one kind of primary, and fills their defaults
// in before, as FillPipeline does.
func (s *Set) Primary(kind string, keys map[string]any) []Issue {
	w := walker{set: s, evaluated: true}
	if open, ok := s.primaries[kind]; ok {
		s.fill(open().root, keys)
		w.fragment(open(), keys, nil)
	}
	return sorted(w.issues)
}

// Visit is what Strings calls; either may be nil.
type Visit struct {
	// Expression is called for a string that may hold an expression; braces is
	// false for `if`, which is an expression as a whole.
	Expression func(path []any, text string, braces bool)
	// Path is called for a string that is a path.
	Path func(path []any, text string)
}

// Strings visits the strings of a document ("pipeline", "action" or "config").
// It follows no order and knows nothing of mistakes.
func (s *Set) Strings(doc string, v any, visit Visit) {
	open, ok := s.docs[doc]
	if !ok {
		return
	}
	d := open()
	w := walker{set: s, visit: &visit}
	w.value(d.root, v, forbidden, nil)
}

func (s *Set) document(doc string, v any) []Issue {
	d := s.docs[doc]()
	w := walker{set: s}
	w.leaves(d, v, nil)
	w.value(d.root, v, forbidden, nil)
	return sorted(w.issues)
}

// place is a path as a list from the value to the root; a walk without issues
// makes no garbage of it.
type place struct {
	up  *place
	key string
	i   int // index when key is ""
}

func (p *place) path() []any {
	n := 0
	for at := p; at != nil; at = at.up {
		n++
	}
	out := make([]any, n)
	for at := p; at != nil; at = at.up {
		n--
		if at.key != "" || at.i < 0 {
			out[n] = at.key
		} else {
			out[n] = at.i
		}
	}
	return out
}

// at is the place of a key; an empty key is told from index 0 by its index.
func at(up *place, key string) place { return place{up: up, key: key, i: -1} }

// walker goes through a value beside its schema. It checks the keys of
// objects, and that expressions stand only where they are evaluated.
type walker struct {
	set       *Set
	evaluated bool
	visit     *Visit // nil: it checks
	issues    []Issue
}

func (w *walker) add(p *place, i Issue) {
	if w.visit == nil {
		i.Path = p.path()
		w.issues = append(w.issues, i)
	}
}

func (w *walker) value(n *node, v any, in expression, p *place) {
	if n.expr != inherited {
		in = n.expr
	}
	if text, ok := v.(string); ok {
		if n.path && w.visit != nil && w.visit.Path != nil {
			w.visit.Path(p.path(), text)
		}
		w.text(text, in, p)
		return
	}
	if in == inside {
		in = allowed
	}
	switch v := v.(type) {
	case []any:
		items := n.items
		if items == nil {
			items = anything
		}
		for i, x := range v {
			at := place{up: p, i: i}
			w.value(items, x, in, &at)
		}
	case map[string]any:
		w.object(n, v, in, p)
	}
}

func (w *walker) text(v string, in expression, p *place) {
	switch {
	case w.evaluated:
	case in != bare && !strings.Contains(v, "${{"):
	case w.visit != nil:
		if w.visit.Expression != nil && (in == allowed || in == bare) {
			w.visit.Expression(p.path(), v, in == allowed)
		}
	case in != allowed && in != bare:
		w.add(p, Issue{Keyword: KeywordExpression, Message: "expressions are not evaluated here"})
	}
}

func (w *walker) object(n *node, v map[string]any, in expression, p *place) {
	var unknown []string
	for key, x := range v {
		child, own := n.child(key)
		switch {
		case own:
			continue
		case child != nil:
		case n.dispatch == "primary" && w.set.primaries[key] != nil:
			continue
		case n.closed:
			unknown = append(unknown, key)
			continue
		default:
			child = anything
		}
		if n.dispatch == "uses" && key == "with" && w.step(v, x, p) {
			continue
		}
		at := at(p, key)
		w.value(child, x, in, &at)
	}
	if w.visit == nil {
		w.keys(n, v, unknown, p)
	}
	switch n.dispatch {
	case "uses":
		w.uses(v, p)
	case "primary":
		w.primary(n, v, unknown, p)
	}
}

// keys checks which keys an object has.
func (w *walker) keys(n *node, v map[string]any, unknown []string, p *place) {
	for _, key := range unknown {
		allowed := n.keys
		if n.dispatch == "primary" {
			allowed = slices.Sorted(slices.Values(append(slices.Clone(n.keys), w.set.kinds...)))
		}
		w.add(p, Issue{Keyword: KeywordUnknownKey, Names: []string{key}, Allowed: allowed,
			Message: fmt.Sprintf("unknown key %q", key)})
	}
	for _, key := range n.required {
		if _, ok := v[key]; !ok && !misspelt(key, unknown) {
			w.add(p, Issue{Keyword: KeywordRequired, Names: []string{key}, Message: key + " is missing"})
		}
	}
	for _, r := range n.rules {
		if i, bad := r.check(v, unknown); bad {
			w.add(p, i)
		}
	}
}

// sorted puts issues in an order that does not depend on the order of maps,
// and leaves one of those that say the same.
func sorted(list []Issue) []Issue {
	slices.SortFunc(list, func(a, b Issue) int {
		return cmp.Or(tree.ComparePaths(a.Path, b.Path), cmp.Compare(a.Keyword, b.Keyword),
			slices.Compare(a.Names, b.Names), cmp.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(list, func(a, b Issue) bool {
		return tree.ComparePaths(a.Path, b.Path) == 0 && a.Keyword == b.Keyword && slices.Equal(a.Names, b.Names)
	})
}
