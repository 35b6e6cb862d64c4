// Package tree reads schemas as plain JSON: what they hold, where a pointer of
// them leads, and the forms of text that the language knows.
package tree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// Parse reads a schema: one JSON object and nothing after it.
func Parse(text []byte) (map[string]any, error) {
	if v, ok := read(text); ok {
		if raw, ok := v.(map[string]any); ok {
			return raw, nil
		}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	var raw map[string]any
	if err := d.Decode(&raw); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text after the schema")
	}
	return raw, nil
}

// Object is v as an object, or nil.
func Object(v any) map[string]any { m, _ := v.(map[string]any); return m }

// List is v as a list, or nil.
func List(v any) []any { l, _ := v.([]any); return l }

// Texts are the texts of a list.
func Texts(v any) []string {
	var out []string
	for _, x := range List(v) {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// Resolve follows a JSON pointer of this document, as "#/definitions/step".
func Resolve(root map[string]any, ref string) any {
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	var v any = root
	for _, key := range strings.Split(pointer, "/") {
		key = Unescape(key)
		if l := List(v); l != nil {
			i, ok := Index(key, len(l))
			if !ok {
				return nil
			}
			v = l[i]
			continue
		}
		v = Object(v)[key]
	}
	return v
}

// Unescape gives a key of a JSON pointer as it is.
func Unescape(s string) string {
	if strings.Contains(s, "%") {
		if t, err := url.PathUnescape(s); err == nil {
			s = t
		}
	}
	if strings.Contains(s, "~") {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "~1", "/"), "~0", "~")
	}
	return s
}

// Index reads an index below n.
func Index(s string, n int) (int, bool) {
	i := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' || i > n {
			return 0, false
		}
		i = i*10 + int(c-'0')
	}
	return i, s != "" && i < n
}

// Instead says what stands there, where that helps.
func Instead(v any) string {
	switch v := v.(type) {
	case nil:
		return ", and nothing is written here"
	case map[string]any:
		return ", not a mapping"
	case []any:
		return ", not a list"
	case bool:
		return fmt.Sprintf(", not %v", v)
	case string:
		return ", not a text"
	}
	return ", not a number"
}
