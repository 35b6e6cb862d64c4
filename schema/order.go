package schema

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// order is how keys are written in the schemas, by the sorted keys of their
// object: a map has lost it, and people read keys in the order of what matters.
type order map[string][]string

// Ordered brings sorted keys of an object into the order in which its schema
// has them, which is that of what matters; those of no schema stay sorted.
func (s *Set) Ordered(keys []string) []string { return s.order().of(keys) }

// written reads the order of keys in all schemas. It is needed for people
// alone.
func (s *Set) written() order {
	o := order{}
	for _, name := range []string{"common", docPipeline, docAction, docConfig} {
		text, err := base.ReadFile(name + ".base.json")
		if err == nil {
			o.read(json.NewDecoder(bytes.NewReader(text)), "")
		}
	}
	for _, fragments := range []map[string][]byte{s.fragments.Steps, s.fragments.Primaries} {
		for _, name := range slices.Sorted(maps.Keys(fragments)) {
			o.read(json.NewDecoder(bytes.NewReader(fragments[name])), "")
		}
	}
	return o
}

// read takes one value from d, which stands at key; false: there is none.
func (o order) read(d *json.Decoder, key string) bool {
	t, err := d.Token()
	if err != nil || t == json.Delim('}') || t == json.Delim(']') {
		return false
	}
	switch t {
	case json.Delim('['):
		for o.read(d, "") {
			continue
		}
	case json.Delim('{'):
		var keys []string
		for {
			t, err := d.Token()
			name, ok := t.(string)
			if err != nil || !ok || !o.read(d, name) {
				break
			}
			keys = append(keys, name)
		}
		if key == "properties" {
			o[strings.Join(slices.Sorted(slices.Values(keys)), " ")] = keys
		}
	}
	return true
}

// of brings sorted keys into the order in which they are written; those of an
// object that is written nowhere whole stay as they are.
func (o order) of(keys []string) []string {
	if written, ok := o[strings.Join(keys, " ")]; ok {
		return written
	}
	return keys
}
