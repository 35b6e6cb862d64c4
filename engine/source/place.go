package source

import (
	"sort"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// token is the place of a scalar as it is written, with its quotes; of
// anything else, where it begins.
func (f *File) token(n *yaml.Node) Pos {
	if t, ok := f.locate(n); ok {
		return f.span(t.start, max(t.end, t.start+1))
	}
	return f.start(n)
}

// step is one node on the way along a path.
type step struct {
	key, value *yaml.Node // key is nil in a list and at the root
	aliased    bool       // it stands where an anchor is, not where the path leads
}

// walk follows a path as far as it goes; the last step is the value at the
// path, or its nearest ancestor when whole is false.
func (f *File) walk(path []any) (steps []step, whole bool) {
	if f.root == nil {
		return nil, false
	}
	steps = append(steps, step{value: f.root})
	for _, name := range path {
		last := steps[len(steps)-1]
		n, aliased := last.value, last.aliased
		if n.Kind == yaml.AliasNode {
			n, aliased = n.Alias, true
		}
		next := step{aliased: aliased}
		switch at := name.(type) {
		case string:
			next.key, next.value = entry(n, at)
		case int:
			if n.Kind == yaml.SequenceNode && at >= 0 && at < len(n.Content) {
				next.value = n.Content[at]
			}
		}
		if next.value == nil {
			return steps, false
		}
		steps = append(steps, next)
	}
	return steps, true
}

// entry finds a key of a mapping: the first of its name, as the value has it.
func entry(n *yaml.Node, name string) (key, value *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; k.Value == name && k.Kind == yaml.ScalarNode {
			return k, n.Content[i+1]
		}
	}
	return nil, nil
}

// At is the place of the value at a path of keys (string) and indexes (int),
// or of its nearest ancestor that exists: for a value that is missing the key
// of the mapping that should hold it.
func (f *File) At(path []any) Pos {
	steps, whole := f.walk(path)
	if len(steps) == 0 {
		return Pos{}
	}
	last := steps[len(steps)-1]
	if !whole && last.key != nil || last.key != nil && last.value.Kind == yaml.ScalarNode && last.value.Value == "" && last.value.Style == 0 {
		return f.token(last.key)
	}
	return f.token(last.value)
}

// KeyAt is the place of the key at a path; At of it when it has none.
func (f *File) KeyAt(path []any) Pos {
	steps, whole := f.walk(path)
	if whole && steps[len(steps)-1].key != nil {
		return f.token(steps[len(steps)-1].key)
	}
	return f.At(path)
}

// InString is the place of width bytes at an offset of the value of the scalar
// at a path: exact in every style of scalar.
func (f *File) InString(path []any, offset, width int) Pos {
	steps, whole := f.walk(path)
	if !whole {
		return f.At(path)
	}
	n := steps[len(steps)-1].value
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	t, ok := f.locate(n)
	if !ok || offset < 0 || offset >= len(t.from) {
		return f.At(path)
	}
	start := t.from[offset]
	end := start
	if width > 0 {
		last := min(offset+width, len(t.from)-1) - 1
		end = t.from[max(last, offset)]
		end += max(1, sort.Search(len(f.Text)-end, func(k int) bool { return k > 0 && utf8.RuneStart(f.Text[end+k]) }))
	}
	return f.span(start, end)
}

// Keys lists the keys of the mapping at a path in the order written.
func (f *File) Keys(path []any) []string {
	steps, whole := f.walk(path)
	if !whole {
		return nil
	}
	n := steps[len(steps)-1].value
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	keys := make([]string, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; k.Kind == yaml.ScalarNode && k.Tag != "!!merge" {
			keys = append(keys, k.Value)
		}
	}
	return keys
}
