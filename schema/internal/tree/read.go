package tree

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// reader reads JSON as encoding/json does, in a quarter of the time: each start
// reads the schemas of the language. What it does not know to be right it leaves
// to that, also for the error.
type reader struct {
	text []byte
	at   int
}

// maxDepth is far more than any schema has.
const maxDepth = 200

// read gives one value and nothing after it, or ok false.
func read(text []byte) (v any, ok bool) {
	r := reader{text: text}
	if !utf8.Valid(text) {
		return nil, false
	}
	v, ok = r.value(maxDepth)
	return v, ok && r.next() == 0 && r.at == len(text)
}

// next is the byte after white space, 0 at the end.
func (r *reader) next() byte {
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; c {
		case ' ', '\n', '\t', '\r':
		default:
			return c
		}
	}
	return 0
}

// take passes c by, if it comes next.
func (r *reader) take(c byte) bool {
	if r.next() != c {
		return false
	}
	r.at++
	return true
}

func (r *reader) value(depth int) (any, bool) {
	switch c := r.next(); {
	case depth == 0:
		return nil, false
	case c == '{':
		return r.object(depth - 1)
	case c == '[':
		return r.list(depth - 1)
	case c == '"':
		return r.string()
	case c == '-' || c >= '0' && c <= '9':
		return r.number()
	}
	for _, w := range []struct {
		word string
		v    any
	}{{"true", true}, {"false", false}, {"null", nil}} {
		if end := r.at + len(w.word); end <= len(r.text) && string(r.text[r.at:end]) == w.word {
			r.at = end
			return w.v, true
		}
	}
	return nil, false
}

func (r *reader) object(depth int) (any, bool) {
	out := map[string]any{}
	for r.at++; !r.take('}'); {
		if len(out) > 0 && !r.take(',') || r.next() != '"' {
			return nil, false
		}
		key, ok := r.string()
		if !ok || !r.take(':') {
			return nil, false
		}
		before := len(out)
		if out[key], ok = r.value(depth); !ok || len(out) == before {
			return nil, false // a key that stands there twice, too
		}
	}
	return out, true
}

func (r *reader) list(depth int) (any, bool) {
	out := []any{}
	for r.at++; !r.take(']'); {
		if len(out) > 0 && !r.take(',') {
			return nil, false
		}
		v, ok := r.value(depth)
		if !ok {
			return nil, false
		}
		out = append(out, v)
	}
	return out, true
}

// string reads a text; one with an escape is left to encoding/json.
func (r *reader) string() (string, bool) {
	from, plain := r.at, true
	for r.at++; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			if plain {
				return string(r.text[from+1 : r.at-1]), true
			}
			var s string
			err := json.Unmarshal(r.text[from:r.at], &s)
			return s, err == nil
		case c == '\\':
			plain = false
			r.at++
		case c < ' ':
			return "", false
		}
	}
	return "", false
}

func (r *reader) number() (any, bool) {
	from := r.at
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
			r.at++
			continue
		}
		break
	}
	digits := r.text[from:r.at]
	if !json.Valid(digits) {
		return nil, false
	}
	f, err := strconv.ParseFloat(string(digits), 64)
	return f, err == nil
}
