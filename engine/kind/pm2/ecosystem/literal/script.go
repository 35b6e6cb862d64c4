package literal

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/syntax"
)

// The bounds of what a reader does with one text.
const (
	maxSteps = 200_000
	maxCalls = 40
	maxNodes = 50_000
	maxDepth = 40
	maxText  = 64 << 10
	maxTexts = 8 << 20 // of all strings together
)

// MaxFields is how many keys an Object may have.
const MaxFields = 2000

// Options say where a text stands.
type Options struct {
	File string // absolute; what __filename is
	Dir  string // absolute; what __dirname is
	// Data gives the text of a JSON file that the script requires, by its path as
	// written; nil: none is read.
	Data func(path string) ([]byte, error)
}

// Result is what a script exports, as far as it can be known without running it.
type Result struct {
	Value *Value // never nil
	// Assumed are variables of the environment that were taken as not set, for a
	// decision hung on them; Unread are lines that do what is not read. Both are in
	// order, each once.
	Assumed []string
	Unread  []int
}

// Script reads JavaScript, of CommonJS or an ES module, and gives what it
// exports; a function that it exports is read as if it was called. Nothing is
// run: what is not a literal, or made of such by plain expressions, is Opaque.
// The error is an *Error: the text is no JavaScript, or too large.
func Script(src string, o Options) (r Result, err error) {
	if strings.Contains(src, "\x00") {
		return Result{}, &Error{Message: "it holds a NUL byte, and is no text"}
	}
	top, err := syntax.Script(src)
	if err != nil {
		return Result{}, placed(err)
	}
	m := &machine{o: o, assumed: map[string]bool{}}
	defer caught(&err)
	v := m.file(top)
	out := &copier{}
	r.Value = out.copy(v, 0)
	for name := range m.assumed {
		r.Assumed = append(r.Assumed, name)
	}
	slices.Sort(r.Assumed)
	slices.Sort(m.unread)
	r.Unread = slices.Compact(m.unread)
	return r, nil
}

// JSON reads one value as PM2 takes a .json file: as an expression of
// JavaScript, so comments, single quotes and commas at the end are allowed.
func JSON(src string, o Options) (v *Value, err error) {
	if strings.Contains(src, "\x00") {
		return nil, &Error{Message: "it holds a NUL byte, and is no text"}
	}
	n, err := syntax.Expression(src)
	if err != nil {
		return nil, placed(err)
	}
	defer caught(&err)
	m := &machine{o: o, assumed: map[string]bool{}}
	return (&copier{}).copy(m.eval(n, m.globals()), 0), nil
}

func firstOf(s string) string {
	if len(s) > 20 {
		return strings.ToValidUTF8(s[:20], "") + "…"
	}
	return s
}

// failure ends what a reader does: it unwinds to where it began.
type failure struct{ err *Error }

func placed(err error) error {
	if e := new(syntax.Error); errors.As(err, &e) {
		return &Error{Line: e.Line, Column: e.Column, Message: e.Message}
	}
	return err
}

// caught makes an error of what ended a reader.
func caught(err *error) {
	switch x := recover().(type) {
	case nil:
	case failure:
		*err = x.err
	default:
		*err = &Error{Message: fmt.Sprintf("it cannot be read: %v", x)}
	}
}

// machine evaluates what needs no running.
type machine struct {
	o       Options
	steps   int
	calls   int
	assumed map[string]bool
	unread  []int
	module  *Value // module
	def     *Value // export default
}

type scope struct {
	names map[string]*Value
	up    *scope
}

func (s *scope) find(name string) *scope {
	for ; s != nil; s = s.up {
		if _, ok := s.names[name]; ok {
			return s
		}
	}
	return nil
}

// function is one of the text's own.
type function struct {
	*syntax.Node
	in *scope
}

func (m *machine) step() {
	if m.steps++; m.steps > maxSteps {
		panic(failure{&Error{Message: "it takes too much to be read"}})
	}
}

// Values that the reader knows more of than that they cannot be written down are
// Opaque, with a word in `known`.
func marker(word string) *Value { return &Value{Kind: Opaque, known: word, Text: word} }

func opaque(n *syntax.Node, why string) *Value {
	return &Value{Kind: Opaque, Text: n.Text, Why: why, Line: n.Line, Column: n.Column}
}

func stringOf(s string) *Value { return &Value{Kind: String, Text: s} }

func undefined() *Value { return &Value{} }

func (m *machine) globals() *scope {
	exports := &Value{Kind: Object}
	m.module = &Value{Kind: Object, Fields: []Field{{Key: "exports", Value: exports}}}
	s := &scope{names: map[string]*Value{"module": m.module, "exports": exports,
		"__dirname": stringOf(m.o.Dir), "__filename": stringOf(m.o.File)}}
	for _, name := range []string{"process", "require", "console", "Object", "JSON", "String", "Number", "Boolean", "parseInt", "parseFloat", "Array", "import"} {
		s.names[name] = marker(name)
	}
	return s
}

// file evaluates a whole script and gives what it exports.
func (m *machine) file(top *syntax.Node) *Value {
	s := &scope{names: map[string]*Value{}, up: m.globals()}
	m.block(top, s)
	v := m.def
	if v == nil {
		v = m.module.Get("exports")
	}
	for range 3 {
		if v.fn == nil {
			break
		}
		v = m.call(v.fn, nil)
	}
	if d := v.Get("default"); d != nil && v.Get("apps") == nil {
		v = d
	}
	return v
}

// block runs statements; the value is that of a return.
func (m *machine) block(n *syntax.Node, s *scope) (*Value, bool) {
	for _, k := range n.Kids {
		if k.Op == "declare" && k.Name != "" {
			s.names[k.Name] = &Value{Kind: Opaque, Text: k.Text, Why: "a function", fn: &function{k, s}}
		}
	}
	for _, k := range n.Kids {
		if v, returned := m.statement(k, s); returned {
			return v, true
		}
	}
	return nil, false
}

func (m *machine) statement(n *syntax.Node, s *scope) (*Value, bool) {
	m.step()
	switch n.Op {
	case "expression":
		m.eval(n.Kids[0], s)
	case "var":
		m.declare(n, s)
	case "exports":
		m.declare(n.Kids[0], s)
		for _, d := range n.Kids[0].Kids {
			if d.Kids[0].Op == "name" {
				set(m.module.Get("exports"), &syntax.Node{}, d.Kids[0].Name, s.names[d.Kids[0].Name])
			}
		}
	case "export":
		m.def = m.eval(n.Kids[0], s)
	case "import":
		from := m.require(n.Name, n)
		for _, k := range n.Kids {
			s.names[k.Name] = from
			if from.known != "" && k.Text != "default" && k.Text != from.known && k.Text == k.Name {
				if known := marker(from.known + "." + k.Text); callable(known.known) {
					s.names[k.Name] = known
				}
			}
		}
	case "return":
		if len(n.Kids) == 0 {
			return undefined(), true
		}
		return m.eval(n.Kids[0], s), true
	case "if":
		yes, known := m.truth(m.eval(n.Kids[0], s))
		switch {
		case !known:
			m.unread = append(m.unread, n.Line)
		case yes:
			return m.statement(n.Kids[1], s)
		case len(n.Kids) > 2:
			return m.statement(n.Kids[2], s)
		}
	case "block":
		return m.block(n, &scope{names: map[string]*Value{}, up: s})
	case "other":
		m.unread = append(m.unread, n.Line)
	}
	return nil, false
}

func (m *machine) declare(n *syntax.Node, s *scope) {
	for _, d := range n.Kids {
		v := undefined()
		if len(d.Kids) > 1 {
			v = m.eval(d.Kids[1], s)
		}
		m.bind(d.Kids[0], v, s)
	}
}

// bind gives names their values.
func (m *machine) bind(to *syntax.Node, v *Value, s *scope) {
	switch to.Op {
	case "name":
		if len(to.Keys) > 0 && v.Kind == Undefined {
			v = m.eval(to.Keys[0], s)
		}
		s.names[to.Name] = v
	case "pattern":
		for _, k := range to.Kids {
			m.bind(k, m.member(v, k.Text, &syntax.Node{Text: k.Text}), s)
		}
	}
}

// call calls a function of the text's own.
func (m *machine) call(f *function, args []*Value) *Value {
	if m.calls++; m.calls > maxCalls {
		panic(failure{&Error{Message: "its functions call each other too deep"}})
	}
	defer func() { m.calls-- }()
	s := &scope{names: map[string]*Value{}, up: f.in}
	for i, p := range f.Kids {
		v := undefined()
		switch {
		case p.Op == "rest":
			v = &Value{Kind: Array, Items: slices.Clone(args[min(i, len(args)):])}
			p = &syntax.Node{Op: "name", Name: p.Name}
		case i < len(args):
			v = args[i]
		}
		m.bind(p, v, s)
	}
	if v, returned := m.statement(f.Keys[0], s); returned {
		return v
	}
	return undefined()
}

// copier makes a bounded tree of values that may share parts, or lie in
// themselves.
type copier struct{ nodes, texts int }

func (c *copier) copy(v *Value, depth int) *Value {
	if c.nodes++; c.nodes > maxNodes || depth > maxDepth || c.texts > maxTexts {
		panic(failure{&Error{Line: v.Line, Column: v.Column, Message: "what it describes is too large or too deep"}})
	}
	out := *v
	out.fn, out.known, out.open = nil, "", false
	if v.fn != nil {
		out.Kind, out.Why = Opaque, "a function"
	}
	c.texts += len(v.Text)
	out.Items, out.Fields = nil, nil
	for _, x := range v.Items {
		out.Items = append(out.Items, c.copy(x, depth+1))
	}
	for _, f := range v.Fields {
		if f.Value.Kind == Undefined && f.Value.fn == nil {
			continue
		}
		f.Value = c.copy(f.Value, depth+1)
		out.Fields = append(out.Fields, f)
	}
	return &out
}
