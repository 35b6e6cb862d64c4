package literal

import (
	"math"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/syntax"
)

// eval gives the value of an expression, never nil.
func (m *machine) eval(n *syntax.Node, s *scope) *Value {
	m.step()
	switch n.Op {
	case "string", "number", "bool", "null":
		return constant(n)
	case "undefined":
		return undefined()
	case "name":
		if at := s.find(n.Name); at != nil {
			return at.names[n.Name]
		}
	case "template":
		return m.template(n, s)
	case "array":
		v := &Value{Kind: Array, Line: n.Line, Column: n.Column}
		var known bool
		if v.Items, known = m.values(n.Kids, s); known {
			return v
		}
	case "object":
		return m.object(n, s)
	case "function":
		return &Value{Kind: Opaque, Text: n.Text, Why: "a function", Line: n.Line, Column: n.Column, fn: &function{n, s}}
	case "member":
		return m.member(m.eval(n.Kids[0], s), n.Name, n)
	case "index":
		return m.index(m.eval(n.Kids[0], s), m.eval(n.Kids[1], s), n)
	case "call":
		return m.called(n, s)
	case "unary":
		return m.unary(n, s)
	case "binary":
		return m.binary(n, s)
	case "cond":
		yes, known := m.truth(m.eval(n.Kids[0], s))
		if known && yes {
			return m.eval(n.Kids[1], s)
		}
		no := m.eval(n.Kids[2], s)
		if known {
			return no
		}
		if a := m.eval(n.Kids[1], s); scalar(a) && scalar(no) && a.Canonical() == no.Canonical() {
			return a
		}
	case "set":
		return m.set(n, s)
	case "sequence":
		m.eval(n.Kids[0], s)
		return m.eval(n.Kids[1], s)
	}
	return opaque(n, "it takes running the file")
}

func constant(n *syntax.Node) *Value {
	v := &Value{Line: n.Line, Column: n.Column}
	switch n.Op {
	case "string":
		v.Kind, v.Text = String, n.Name
	case "number":
		v.Kind, v.Number = Number, n.Number
	case "bool":
		v.Kind, v.Bool = Bool, n.Number != 0
	default:
		v.Kind = Null
	}
	return v
}

func scalar(v *Value) bool {
	return v.fn == nil && v.known == "" && (v.Kind == Null || v.Kind == Bool || v.Kind == Number || v.Kind == String)
}

// values evaluates a list with spreads; false: not all of it is known.
func (m *machine) values(list []*syntax.Node, s *scope) ([]*Value, bool) {
	var out []*Value
	for _, k := range list {
		if k.Op != "spread" {
			out = append(out, m.eval(k, s))
			continue
		}
		v := m.eval(k.Kids[0], s)
		if v.Kind != Array {
			return out, false
		}
		m.steps += len(v.Items)
		m.step()
		out = append(out, v.Items...)
	}
	return out, true
}

func (m *machine) object(n *syntax.Node, s *scope) *Value {
	v := &Value{Kind: Object, Line: n.Line, Column: n.Column}
	for i, k := range n.Kids {
		m.step()
		switch {
		case k.Op == "spread":
			from := m.eval(k.Kids[0], s)
			m.merge(v, from)
		case n.Keys[i] != nil:
			name := m.eval(n.Keys[i], s)
			if !scalar(name) || name.Parts != nil {
				v.open = true
				continue
			}
			set(v, k, name.Show(), m.eval(k.Kids[0], s))
		default:
			set(v, k, k.Name, m.eval(k.Kids[0], s))
		}
	}
	return v
}

// merge puts the fields of one object into another.
func (m *machine) merge(to, from *Value) {
	switch from.Kind {
	case Object:
		m.steps += len(from.Fields)
		m.step()
		for _, f := range from.Fields {
			set(to, &syntax.Node{Line: f.Line, Column: f.Column}, f.Key, f.Value)
		}
		to.open = to.open || from.open
	case Opaque:
		to.open = true
	}
}

// set gives a field a value.
func set(v *Value, at *syntax.Node, key string, to *Value) {
	if f := v.Field(key); f != nil {
		f.Value, f.Line, f.Column = to, at.Line, at.Column
		return
	}
	if len(v.Fields) >= MaxFields {
		panic(failure{&Error{Line: v.Line, Column: v.Column, Message: "an object has too many keys"}})
	}
	v.Fields = append(v.Fields, Field{Key: key, Value: to, Line: at.Line, Column: at.Column})
}

// unset reports whether v is a variable of the environment and nothing else, so
// that it may be undefined.
func unset(v *Value) (string, bool) {
	if v.Kind == String && len(v.Parts) == 1 && v.Parts[0].Variable != "" && v.Parts[0].Text == "" {
		return v.Parts[0].Variable, true
	}
	return "", false
}

// truth is whether a value counts as true; a variable is taken as not set.
func (m *machine) truth(v *Value) (yes, known bool) {
	if v.fn != nil {
		return true, true
	}
	if name, ok := unset(v); ok {
		m.assumed[name] = true
		return false, true
	}
	switch v.Kind {
	case Undefined, Null:
		return false, true
	case Bool:
		return v.Bool, true
	case Number:
		return v.Number != 0 && !math.IsNaN(v.Number), true
	case String:
		return v.Text != "", true
	case Array, Object:
		return true, true
	default:
		return false, false
	}
}

func (m *machine) unary(n *syntax.Node, s *scope) *Value {
	v := m.eval(n.Kids[0], s)
	at := Value{Line: n.Line, Column: n.Column}
	switch n.Name {
	case "await":
		return v
	case "void":
		return undefined()
	case "!":
		if yes, known := m.truth(v); known {
			at.Kind, at.Bool = Bool, !yes
			return &at
		}
	case "-", "+":
		if _, ok := unset(v); ok && n.Name == "+" {
			return v
		}
		if f, ok := numeric(v); ok {
			at.Kind, at.Number = Number, f
			if n.Name == "-" {
				at.Number = -f
			}
			return &at
		}
	}
	return opaque(n, "it takes running the file")
}

func (m *machine) binary(n *syntax.Node, s *scope) *Value {
	a := m.eval(n.Kids[0], s)
	switch n.Name {
	case "||", "&&", "??":
		return m.either(n, a, s)
	}
	b := m.eval(n.Kids[1], s)
	at := &Value{Line: n.Line, Column: n.Column}
	if n.Name == "+" && (a.Kind == String || b.Kind == String) {
		return m.join(n, []*Value{a, b})
	}
	x, first := numeric(a)
	y, second := numeric(b)
	at.Kind = Number
	switch {
	case strings.Contains("=== !== ==", n.Name) || n.Name == "!=":
		for _, v := range []*Value{a, b} {
			if name, ok := unset(v); ok {
				m.assumed[name] = true
				at.Kind, at.Bool = Bool, n.Name[0] == '!'
				return at
			}
		}
		if plainly(a) && plainly(b) {
			at.Kind, at.Bool = Bool, (a.Kind == b.Kind && a.Canonical() == b.Canonical()) != (n.Name[0] == '!')
			return at
		}
	case !first || !second || a.Kind != Number || b.Kind != Number:
	case n.Name == "+":
		at.Number = x + y
		return at
	case n.Name == "-":
		at.Number = x - y
		return at
	case n.Name == "*":
		at.Number = x * y
		return at
	case n.Name == "/":
		at.Number = x / y
		return at
	case n.Name == "<", n.Name == ">":
		at.Kind, at.Bool = Bool, n.Name == "<" && x < y || n.Name == ">" && x > y
		return at
	}
	return opaque(n, "it takes running the file")
}

func plainly(v *Value) bool { return scalar(v) && v.Parts == nil || v.Kind == Undefined }

// either is `a || b` and what is like it.
func (m *machine) either(n *syntax.Node, a *Value, s *scope) *Value {
	name, variable := unset(a)
	if variable && n.Name != "&&" {
		b := m.eval(n.Kids[1], s)
		if scalar(b) && b.Parts == nil && b.Show() != "" && b.Kind != Null {
			return &Value{Kind: String, Text: b.Show(), Parts: []Part{{Variable: name, Text: b.Show()}}, Line: n.Line, Column: n.Column}
		}
		m.assumed[name] = true
		return b
	}
	yes, known := m.truth(a)
	if n.Name == "??" {
		yes, known = a.Kind != Null && a.Kind != Undefined, a.Kind != Opaque
	}
	switch {
	case !known:
		return opaque(n, "it takes running the file")
	case yes == (n.Name == "&&"):
		return m.eval(n.Kids[1], s)
	}
	return a
}

// numeric is a value as a number.
func numeric(v *Value) (float64, bool) {
	switch {
	case v.Kind == Number:
		return v.Number, true
	case v.Kind == Bool && v.Bool:
		return 1, true
	case v.Kind == Bool, v.Kind == Null:
		return 0, true
	case v.Kind == String && v.Parts == nil:
		return parseNumber(strings.TrimSpace(v.Text))
	}
	return 0, false
}

func (m *machine) template(n *syntax.Node, s *scope) *Value {
	var parts []*Value
	for _, k := range n.Kids {
		parts = append(parts, m.eval(k, s))
	}
	return m.join(n, parts)
}

// join makes one string of values.
func (m *machine) join(n *syntax.Node, list []*Value) *Value {
	out := &Value{Kind: String, Line: n.Line, Column: n.Column}
	var parts []Part
	plain := true
	var b strings.Builder
	for _, v := range list {
		switch {
		case v.Parts != nil:
			parts, plain = append(parts, v.Parts...), false
		case scalar(v):
			parts = append(parts, Part{Text: v.Show()})
		default:
			return opaque(n, "it takes running the file")
		}
		b.WriteString(v.Show())
		if m.steps += b.Len() / 64; b.Len() > maxText || len(parts) > 1000 {
			return opaque(n, "it is too long")
		}
	}
	m.step()
	if out.Text = b.String(); !plain {
		out.Parts = slices.DeleteFunc(parts, func(p Part) bool { return p == Part{} })
	}
	return out
}

// set is an assignment.
func (m *machine) set(n *syntax.Node, s *scope) *Value {
	to, v := n.Kids[0], m.eval(n.Kids[1], s)
	if n.Name != "=" {
		old := *n
		old.Op, old.Name = "binary", strings.TrimSuffix(n.Name, "=")
		v = m.eval(&old, s)
	}
	switch to.Op {
	case "name":
		if at := s.find(to.Name); at != nil {
			at.names[to.Name] = v
		} else {
			s.names[to.Name] = v
		}
	case "member", "index":
		in := m.eval(to.Kids[0], s)
		key := stringOf(to.Name)
		if to.Op == "index" {
			key = m.eval(to.Kids[1], s)
		}
		switch {
		case in.Kind == Object && scalar(key) && key.Parts == nil:
			set(in, to, key.Show(), v)
		case in.known == "": // of process and the like nothing is kept
			m.unread = append(m.unread, n.Line)
		}
	}
	return v
}
