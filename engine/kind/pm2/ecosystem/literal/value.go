// Package literal reads values out of source text without running it: JSON as
// PM2 takes it, YAML, and of JavaScript the literals and the few plain
// expressions that configuration files are written with. Every reader bounds
// what it does, whatever the text is.
//
// Value is what comes out; JSON, YAML and Script are the readers.
package literal

import (
	"sort"
	"strconv"
	"strings"
)

// Kind says what a Value is.
type Kind uint8

// The kinds of Values.
const (
	Undefined Kind = iota // the zero Value
	Null
	Bool
	Number
	String
	Array
	Object
	// Opaque is what cannot be known without running the text.
	Opaque
)

// Value is one value, with its place. It is not changed once a reader gave it,
// and is a tree of bounded size: values that the source shares are copied.
type Value struct {
	Kind   Kind
	Bool   bool
	Number float64
	// Text is a String with every part of Parts at its default, and of an Opaque
	// the text that it was written with.
	Text string
	// Parts are those of a String that is made with variables of the environment;
	// nil: Text is all of it.
	Parts  []Part
	Items  []*Value // of an Array
	Fields []Field  // of an Object, in order, each key once
	// Why says of an Opaque, in some words, what cannot be known.
	Why string

	Line, Column int // from 1; 0: nowhere in the text

	// While a script is read: a function of its own, a word for what the reader
	// knows, and whether an Object has keys that are not known.
	fn    *function
	known string
	open  bool
}

// Part is a piece of a String: a text, or a variable of the environment.
type Part struct {
	Text     string // of a variable: what is taken where it is not set
	Variable string // "": Text is the piece
}

// Field is one key of an Object.
type Field struct {
	Key          string
	Value        *Value
	Line, Column int
}

// Get gives the value of a key; nil: there is none, or v is no Object.
func (v *Value) Get(key string) *Value {
	if f := v.Field(key); f != nil {
		return f.Value
	}
	return nil
}

// Field gives a key with its place; nil: there is none, or v is no Object.
func (v *Value) Field(key string) *Field {
	if v == nil || v.Kind != Object {
		return nil
	}
	for i := range v.Fields {
		if v.Fields[i].Key == key {
			return &v.Fields[i]
		}
	}
	return nil
}

// Variables are the names of the variables of the environment that a String is
// made with.
func (v *Value) Variables() []string {
	var out []string
	if v != nil {
		for _, p := range v.Parts {
			if p.Variable != "" {
				out = append(out, p.Variable)
			}
		}
	}
	return out
}

// Show is the value as JavaScript shows it where it is made a text.
func (v *Value) Show() string {
	if v == nil {
		return ""
	}
	switch v.Kind {
	case Null:
		return "null"
	case Bool:
		return strconv.FormatBool(v.Bool)
	case Number:
		return number(v.Number)
	case String, Opaque:
		return v.Text
	case Array:
		var parts []string
		for _, x := range v.Items {
			parts = append(parts, x.Show())
		}
		return strings.Join(parts, ",")
	case Object:
		return "[object Object]"
	}
	return ""
}

func number(n float64) string {
	if n == 0 {
		return "0"
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

// Canonical is a text that is the same for values that mean the same, wherever
// and in which order they were written: variables stand in it by their names, and
// what could not be known by its source.
func (v *Value) Canonical() string {
	var b strings.Builder
	v.canonical(&b)
	return b.String()
}

func (v *Value) canonical(b *strings.Builder) {
	if v == nil {
		b.WriteString("undefined")
		return
	}
	switch v.Kind {
	case String:
		if v.Parts == nil {
			b.WriteString(strconv.Quote(v.Text))
			return
		}
		for _, p := range v.Parts {
			b.WriteString("$" + p.Variable + strconv.Quote(p.Text))
		}
	case Opaque:
		b.WriteString("`" + v.Text + "`")
	case Array:
		b.WriteByte('[')
		for _, x := range v.Items {
			x.canonical(b)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case Object:
		order := make([]int, len(v.Fields))
		for i := range order {
			order[i] = i
		}
		sort.Slice(order, func(i, j int) bool { return v.Fields[order[i]].Key < v.Fields[order[j]].Key })
		b.WriteByte('{')
		for _, i := range order {
			b.WriteString(strconv.Quote(v.Fields[i].Key) + ":")
			v.Fields[i].Value.canonical(b)
			b.WriteByte(',')
		}
		b.WriteByte('}')
	default:
		b.WriteString(v.Show())
	}
}

// Error is a text that cannot be read, with its place.
type Error struct {
	Line, Column int // from 1; 0: nobody knows
	Message      string
}

// Error is the message alone: whoever shows it knows the file.
func (e *Error) Error() string { return e.Message }
