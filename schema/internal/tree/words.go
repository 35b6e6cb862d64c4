package tree

import (
	"fmt"
	"strings"
)

// Words joins names for people; a long list is cut.
func Words(names []string) string {
	const most = 12
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// Or is "a, b or c".
func Or(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// TypeWords says in words what the keyword `type` asks for.
func TypeWords(v any) string {
	kinds := Texts(v)
	if s, ok := v.(string); ok {
		kinds = []string{s}
	}
	names := map[string]string{"string": "a text", "integer": "an integer", "number": "a number", "boolean": "true or false",
		"array": "a list", "object": "a mapping", "null": "nothing"}
	var out []string
	for _, k := range kinds {
		out = append(out, names[k])
	}
	if len(out) == 0 {
		return "something else"
	}
	return Or(out)
}
