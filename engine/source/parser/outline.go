package parser

import (
	"bytes"
	"strings"
)

// shape is what outline finds: the offset of a quote that is never closed, of
// the innermost bracket or brace that is open at the end, of one that closes the
// wrong kind, and of one inside a plain value in brackets, each -1 when there is
// none.
type shape struct {
	quote, open, wrong, brace int

	closers []byte // what would close all that is open
}

// outline follows quotes, comments, text blocks and brackets through a text
// that is not YAML, to say which of them has no end.
func outline(text []byte) shape {
	o := outliner{text: text, shape: shape{-1, -1, -1, -1, nil}}
	for o.i < len(text) && o.quote < 0 && o.wrong < 0 && o.brace < 0 {
		o.step()
	}
	for j := len(o.stack) - 1; j >= 0; j-- {
		o.closers = append(o.closers, closer(text[o.stack[j]]))
	}
	if len(o.stack) > 0 {
		o.open = o.stack[len(o.stack)-1]
	}
	return o.shape
}

type outliner struct {
	shape
	text  []byte
	i     int
	stack []int // open brackets
	inner bool  // inside a plain value: quotes and brackets are text
}

func closer(open byte) byte {
	if open == '[' {
		return ']'
	}
	return '}'
}

func (o *outliner) step() {
	c := o.text[o.i]
	switch {
	case c == '\n':
		o.inner = false
	case blank(c) || c == '\r':
	case c == '#' && (o.i == 0 || strings.IndexByte(" \t\r\n", o.text[o.i-1]) >= 0):
		o.i += len(o.rest(o.i)) - 1
	case len(o.stack) > 0 && (c == ']' || c == '}'):
		o.close(c)
	case (c == ':' || c == ',') && len(o.stack) > 0, (c == ':' || c == '-' || c == '?') && o.ends(o.i+1) && (c == ':' || !o.inner):
		o.inner = false
	case o.inner && len(o.stack) > 0 && (c == '[' || c == '{'):
		o.brace = o.i
	case o.inner:
	case c == '"' || c == '\'':
		o.quoted(c)
		o.inner = false
	case c == '[' || c == '{':
		o.stack = append(o.stack, o.i)
	case len(o.stack) == 0 && (c == '|' || c == '>'):
		o.block()
		return
	case c == '&' || c == '!':
		for o.i+1 < len(o.text) && !o.ends(o.i+1) {
			o.i++
		}
	default:
		o.inner = true
	}
	o.i++
}

func (o *outliner) rest(i int) []byte {
	if j := bytes.IndexByte(o.text[i:], '\n'); j >= 0 {
		return o.text[i : i+j]
	}
	return o.text[i:]
}

// ends says whether a word ends before byte i.
func (o *outliner) ends(i int) bool {
	return i >= len(o.text) || strings.IndexByte(" \t\r\n", o.text[i]) >= 0
}

func (o *outliner) close(c byte) {
	top := o.stack[len(o.stack)-1]
	if closer(o.text[top]) != c {
		o.wrong = o.i
		return
	}
	o.stack = o.stack[:len(o.stack)-1]
	o.inner = false
}

func (o *outliner) quoted(q byte) {
	start := o.i
	for o.i++; o.i < len(o.text); o.i++ {
		switch c := o.text[o.i]; {
		case c == '\\' && q == '"':
			o.i++
		case c == q && q == '\'' && o.i+1 < len(o.text) && o.text[o.i+1] == q:
			o.i++
		case c == q:
			return
		}
	}
	o.quote = start
}

// block skips a text block: the lines indented further than the one it begins
// on.
func (o *outliner) block() {
	start := bytes.LastIndexByte(o.text[:o.i], '\n') + 1
	depth := indent(o.text[start:])
	o.i += len(o.rest(o.i))
	for o.i < len(o.text) {
		line := o.rest(o.i + 1)
		if len(bytes.TrimSpace(line)) > 0 && indent(line) <= depth {
			break
		}
		o.i += 1 + len(line)
		if o.i+1 > len(o.text) {
			break
		}
	}
}

func indent(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " ")) }
