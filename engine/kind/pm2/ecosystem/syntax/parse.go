// Package syntax reads JavaScript into a tree, without running it: the
// expressions and statements that configuration files are written with. What it
// need not know of stands in the tree by its text alone.
package syntax

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// deepest bounds how deep expressions lie in each other.
const deepest = 120

// Node is an expression or a statement. It is not changed after it was read.
type Node struct {
	// Op says what it is: string, number, bool, null, undefined, name, template,
	// array, object, field, spread, function, member, index, call, unary, binary,
	// cond, set, sequence, rest, pattern, nothing or unknown; of statements:
	// expression, var, bind, import, export, exports, return, if, declare, block or
	// other.
	Op     string
	Name   string  // of a variable, a member, an operator, a function; the text of a string
	Text   string  // as written
	Number float64 // of a number; of a bool 1 for true
	Kids   []*Node
	// Keys are, of an object, the computed names of its Kids, nil where the kid has
	// a name; of a function its body; of a name that is bound what it is without a
	// value.
	Keys         []*Node
	Line, Column int // from 1
}

// Error is a text that is no JavaScript, with its place.
type Error struct {
	Line, Column int // from 1
	Message      string
}

// Error is the message alone: whoever shows it knows the file.
func (e *Error) Error() string { return e.Message }

// Script reads a file: a block of statements. The error is an *Error.
func Script(src string) (top *Node, err error) {
	defer caught(&err)
	p, err := parserOf(src)
	if err != nil {
		return nil, err
	}
	top = &Node{Op: "block", Line: 1, Column: 1}
	for p.peek().is != end {
		top.Kids = append(top.Kids, p.statement())
	}
	return top, nil
}

// Expression reads a text that is one expression. The error is an *Error.
func Expression(src string) (n *Node, err error) {
	defer caught(&err)
	p, err := parserOf(src)
	if err != nil {
		return nil, err
	}
	n = p.expression()
	if p.peek().is != end {
		p.fail("expected the end, found " + short(p.peek().text))
	}
	return n, nil
}

func parserOf(src string) (*parser, error) {
	l := &lexer{src: src, line: 1}
	list, err := l.all(false)
	if err != nil {
		return nil, err
	}
	return &parser{src: src, list: list}, nil
}

func short(s string) string {
	if len(s) > 20 {
		return strings.ToValidUTF8(s[:20], "") + "…"
	}
	return s
}

// failure ends the reading of a text: it unwinds to whoever was asked for it.
type failure struct{ err *Error }

// caught makes an error of a failure, and of a mistake of ours.
func caught(err *error) {
	switch x := recover().(type) {
	case nil:
	case failure:
		*err = x.err
	default:
		*err = &Error{Message: fmt.Sprintf("it cannot be read: %v", x)}
	}
}

// expression reads one, without commas.
func (p *parser) expression() *Node {
	p.enter()
	defer func() { p.depth-- }()
	from := p.at
	if n := p.arrow(); n != nil {
		return p.done(n, from)
	}
	n := p.binary(1)
	switch t := p.peek(); {
	case p.skip("?"):
		cond := &Node{Op: "cond", Line: n.Line, Column: n.Column, Kids: []*Node{n}}
		cond.Kids = append(cond.Kids, p.expression())
		p.want(":")
		cond.Kids = append(cond.Kids, p.expression())
		n = p.done(cond, from)
	case t.is == punctuation && slices.Contains([]string{"=", "+=", "-=", "*=", "/=", "||=", "&&=", "??="}, t.text):
		p.take()
		set := &Node{Op: "set", Name: t.text, Line: n.Line, Column: n.Column, Kids: []*Node{n, p.expression()}}
		n = p.done(set, from)
	}
	return n
}

func (p *parser) binary(least int) *Node {
	p.enter()
	defer func() { p.depth-- }()
	from := p.at
	n := p.unary()
	for {
		t := p.peek()
		w := power(t)
		if w < least || w == 0 {
			return n
		}
		p.take()
		right := w + 1
		if t.text == "**" {
			right = w
		}
		n = p.done(&Node{Op: "binary", Name: t.text, Line: n.Line, Column: n.Column, Kids: []*Node{n, p.binary(right)}}, from)
	}
}

func (p *parser) unary() *Node {
	p.enter()
	defer func() { p.depth-- }()
	from, t := p.at, p.peek()
	switch {
	case t.is == punctuation && slices.Contains([]string{"!", "-", "+", "~", "++", "--"}, t.text),
		t.is == word && slices.Contains([]string{"typeof", "void", "await", "delete", "yield"}, t.text):
		n := p.node("unary")
		n.Name = p.take().text
		n.Kids = []*Node{p.unary()}
		return p.done(n, from)
	}
	return p.postfix(p.primary(), from)
}

// postfix reads what follows a value: members, calls.
func (p *parser) postfix(n *Node, from int) *Node {
	for {
		t := p.peek()
		more := &Node{Line: t.line, Column: t.column, Kids: []*Node{n}}
		switch {
		case p.skip("."), p.is("?.") && p.ahead(1).is == word:
			p.skip("?.")
			if t = p.peek(); t.is != word {
				p.fail("expected a name after the point")
			}
			more.Op, more.Name = "member", p.take().text
		case p.is("["), p.is("?.") && p.ahead(1).text == "[":
			p.skip("?.")
			p.want("[")
			more.Op = "index"
			more.Kids = append(more.Kids, p.expression())
			p.want("]")
		case p.is("("), p.is("?.") && p.ahead(1).text == "(":
			p.skip("?.")
			more.Op = "call"
			more.Kids = append(more.Kids, p.items("(", ")")...)
		case t.is == template, (p.is("++") || p.is("--")) && !t.newline:
			p.take()
			more.Op = "unknown"
		default:
			return n
		}
		n = p.done(more, from)
	}
}

// items reads expressions between brackets, separated by commas.
func (p *parser) items(open, shut string) []*Node {
	var out []*Node
	p.want(open)
	for !p.skip(shut) {
		if p.is(",") {
			p.take()
			out = append(out, &Node{Op: "undefined"})
			continue
		}
		from := p.at
		n := p.node("spread")
		if p.skip("...") {
			n.Kids = []*Node{p.expression()}
			n = p.done(n, from)
		} else {
			n = p.expression()
		}
		out = append(out, n)
		if !p.is(shut) {
			p.want(",")
		}
	}
	return out
}

func (p *parser) primary() *Node {
	from, t := p.at, p.peek()
	n := p.node("literal")
	switch t.is {
	case text:
		n.Op, n.Name = "string", p.take().cooked
	case digits:
		n.Op, n.Number = "number", p.take().number
	case regex:
		p.take()
		n.Op = "unknown"
	case template:
		n.Op = "template"
		p.take()
		for i, piece := range t.pieces {
			n.Kids = append(n.Kids, &Node{Op: "string", Name: piece})
			if i < len(t.inner) {
				in := &parser{src: p.src, list: t.inner[i], depth: p.depth}
				n.Kids = append(n.Kids, in.expression())
				if in.peek().is != end {
					in.fail("expected the end of a template's expression")
				}
			}
		}
	case word:
		return p.named()
	case punctuation:
		switch t.text {
		case "{":
			return p.object()
		case "[":
			n.Op, n.Kids = "array", p.items("[", "]")
		case "(":
			p.take()
			n = p.expression()
			for p.skip(",") {
				n = p.expression()
			}
			p.want(")")
			return n
		default:
			p.fail("unexpected " + t.text)
		}
	default:
		p.fail("unexpected end")
	}
	return p.done(n, from)
}

// named reads what begins with a word.
func (p *parser) named() *Node {
	from := p.at
	n := p.node("literal")
	t := p.take()
	switch t.text {
	case "true", "false":
		if n.Op = "bool"; t.text == "true" {
			n.Number = 1
		}
	case "null":
		n.Op = "null"
	case "undefined":
		n.Op = "undefined"
	case "function", "async":
		p.at = from
		if f := p.function(); f != nil {
			return f
		}
		p.at = from + 1
		n.Op, n.Name = "name", t.text
	case "class":
		for !p.is("{") && p.peek().is != end {
			p.take()
		}
		p.block()
		n.Op = "unknown"
	case "new":
		n.Op = "unknown"
		p.enter()
		p.postfix(p.primary(), p.at)
		p.depth--
	default:
		n.Op, n.Name = "name", t.text
	}
	return p.done(n, from)
}

// block passes over what stands between brackets.
func (p *parser) block() {
	stop := p.matching(p.at)
	if stop < 0 {
		p.fail("a bracket is not closed")
	}
	p.at = min(stop+1, len(p.list)-1)
}

func (p *parser) object() *Node {
	from := p.at
	n := p.node("object")
	p.want("{")
	for !p.skip("}") {
		at := p.at
		f := p.node("field")
		var computed *Node
		switch t := p.peek(); {
		case p.skip("..."):
			f.Op, f.Kids = "spread", []*Node{p.expression()}
		case p.is("["):
			p.take()
			computed = p.expression()
			p.want("]")
			p.value(f, at)
		case t.is == text, t.is == word, t.is == digits:
			p.key(f)
		default:
			p.fail("unexpected " + t.text + " in an object")
		}
		n.Kids, n.Keys = append(n.Kids, p.done(f, at)), append(n.Keys, computed)
		if !p.is("}") {
			p.want(",")
		}
	}
	return p.done(n, from)
}

// key reads a field that begins with its name.
func (p *parser) key(f *Node) {
	at := p.at
	t := p.take()
	switch t.is {
	case text:
		f.Name = t.cooked
	case digits:
		f.Name = strconv.FormatFloat(t.number, 'f', -1, 64)
	default:
		f.Name = t.text
	}
	next := p.peek()
	modifier := t.is == word && slices.Contains([]string{"get", "set", "async"}, t.text)
	switch {
	case modifier && (next.is == word || next.is == text):
		f.Name = p.take().cooked
		if next.is == word {
			f.Name = next.text
		}
		p.value(f, at)
	case t.is == word && (next.text == "," || next.text == "}") && next.is == punctuation:
		f.Kids = []*Node{{Op: "name", Name: t.text, Text: t.text, Line: t.line, Column: t.column}}
	default:
		p.value(f, at)
	}
}

// value reads what stands behind the name of a field: a value, or a method.
func (p *parser) value(f *Node, from int) {
	if p.is("(") {
		p.block()
		if p.is("{") {
			p.block()
		}
		f.Kids = []*Node{p.done(&Node{Op: "unknown", Line: f.Line, Column: f.Column}, from)}
		return
	}
	p.want(":")
	f.Kids = []*Node{p.expression()}
}
