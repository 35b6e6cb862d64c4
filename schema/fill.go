package schema

import (
	"github.com/redundctl/redundctl/schema/internal/tree"
)

// FillPipeline writes the defaults of the schema into v, in place and never
// over what is written, those of each `with` and of the primary's kind too; and
// it takes out the keys that are the user's own (x-). v must have passed
// Pipeline.
func (s *Set) FillPipeline(v map[string]any) { s.fillDocument(docPipeline, v) }

// FillAction is FillPipeline for a file of `kind: action`.
func (s *Set) FillAction(v map[string]any) { s.fillDocument(docAction, v) }

// FillConfig is FillPipeline for the project file. What an environment leaves
// out stays out.
func (s *Set) FillConfig(v map[string]any) { s.fillDocument(docConfig, v) }

// FillWith is FillPipeline for the `with` of one step.
func (s *Set) FillWith(uses string, with map[string]any) {
	if d := s.step(uses); d != nil {
		s.fill(d.root, with)
	}
}

func (s *Set) fillDocument(doc string, v map[string]any) { s.fill(s.docs[doc]().root, v) }

func (s *Set) fill(n *node, v map[string]any) {
	if n.anything {
		return
	}
	for key, child := range n.props {
		if !child.filled {
			continue
		}
		x, ok := v[key]
		if !ok {
			v[key] = tree.Clone(child.defaults)
			continue
		}
		tree.Merge(x, child.defaults)
	}
	switch n.dispatch {
	case "uses":
		s.fillUses(v)
	case "primary":
		for _, kind := range s.kinds {
			if keys, ok := v[kind].(map[string]any); ok {
				s.fill(s.primaries[kind]().root, keys)
			}
		}
	}
	for key, x := range v {
		child, own := n.child(key)
		if own {
			delete(v, key)
		}
		if child != nil {
			s.fillValue(child, x)
		}
	}
}

func (s *Set) fillValue(n *node, v any) {
	switch v := v.(type) {
	case map[string]any:
		s.fill(n, v)
	case []any:
		if n.items == nil || n.items.anything {
			return
		}
		for _, x := range v {
			s.fillValue(n.items, x)
		}
	}
}

func (s *Set) fillUses(step map[string]any) {
	uses, _ := step["uses"].(string)
	d := s.step(uses)
	if d == nil {
		return
	}
	with, ok := step["with"].(map[string]any)
	if !ok {
		if _, written := step["with"]; written {
			return
		}
		with = map[string]any{}
		step["with"] = with
	}
	s.fill(d.root, with)
}
