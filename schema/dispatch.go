package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/schema/internal/tree"
)

// step checks a step's `with` against the fragment of its `uses`; false: no
// fragment decides.
func (w *walker) step(step map[string]any, with any, p *place) bool {
	uses, _ := step["uses"].(string)
	m, ok := with.(map[string]any)
	d := w.set.step(uses)
	if d == nil || !ok {
		return false
	}
	at := at(p, "with")
	w.fragment(d, m, &at)
	return true
}

// uses checks what a step's `uses` names, and the keys that a `with` would
// need that is not there.
func (w *walker) uses(step map[string]any, p *place) {
	uses, ok := step["uses"].(string)
	if !ok || uses == "" {
		return
	}
	d := w.set.step(uses)
	if d == nil {
		if !free(uses) && !expressionIn(uses) {
			at := at(p, "uses")
			w.add(&at, w.set.unknownKind(nil, uses))
		}
		return
	}
	if _, ok := step["with"]; !ok && w.visit == nil {
		at := at(p, "with")
		w.keys(d.root, map[string]any{}, nil, &at)
	}
}

func (s *Set) unknownKind(path []any, uses string) Issue {
	return Issue{Path: path, Keyword: KeywordEnum, Allowed: s.uses, Meant: s.replacement(uses),
		Message: fmt.Sprintf("unknown step kind %q; known are %s, ./FILE and plugin:NAME", uses, tree.Words(s.uses))}
}

// replacement is the kind that does here what an action of GitHub does there,
// or "".
func (s *Set) replacement(uses string) string {
	action, _, _ := strings.Cut(uses, "@")
	for _, kind := range s.uses {
		if slices.Contains(tree.Texts(s.step(kind).raw["x-replaces"]), action) {
			return kind
		}
	}
	return ""
}

// primary checks that a primary is of exactly one kind, and its keys.
func (w *walker) primary(n *node, v map[string]any, unknown []string, p *place) {
	var have []string
	for _, kind := range w.set.kinds {
		x, ok := v[kind]
		if !ok {
			continue
		}
		have = append(have, kind)
		d := w.set.primaries[kind]()
		at := at(p, kind)
		w.fragment(d, x, &at)
	}
	if i, bad := oneOf(w.set.kinds, have, unknown); bad && (len(have) > 0 || len(unknown) == 0) {
		w.add(p, i)
	}
}

// fragment checks a value against a kind's fragment.
func (w *walker) fragment(d *document, v any, p *place) {
	if w.visit == nil {
		w.leaves(d, v, p)
	}
	w.value(d.root, v, inside, p)
}
