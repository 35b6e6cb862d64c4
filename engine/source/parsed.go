package source

import (
	"bytes"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// parsed explains what the parser finds. It reads ahead of its mistake, so the
// place is looked for: the shortest beginning of the text that has it.
func (f *File) parsed(text string, line, read int) slip {
	if o := outline(f.Text); strings.Contains(text, "',' or") || strings.Contains(text, "node content") && (o.open >= 0 || o.wrong >= 0 || o.brace >= 0) {
		return f.flow(text, line)
	}
	s := slip{off: f.shortest(text, read), width: 1}
	if c := clip(f.Text[s.off:], 1); c == "[" || c == "{" {
		s.off = f.shortestFlow(text, s.off) // it fails there only because the text was cut
	}
	switch {
	case strings.Contains(text, "expected key"), strings.Contains(text, "'-' indicator"):
		s.width = len(bytes.TrimRight(f.lineAt(s.off), " \t\r"))
		if c := clip(f.Text[s.off:], 1); c == "]" || c == "}" {
			s.width, s.message, s.hint = 1, fmt.Sprintf("this %s closes nothing", c), ""
			break
		}
		start := bytes.LastIndexByte(f.Text[:s.off], '\n') + 1
		if len(bytes.Trim(f.Text[start:s.off], " \t")) > 0 {
			s.message = "something stands after a value that has ended"
			s.hint = "put the whole value in quotes; inside single quotes a quote is written twice"
			break
		}
		s.message = "this line fits neither the mapping nor the list above it"
		s.hint = "give what belongs together the same indentation"
	case strings.Contains(text, "node content"):
		s.message, s.hint = "a value is missing here", "text that begins with a bracket, brace or comma needs quotes"
	case strings.Contains(text, "<document start>"):
		s.message, s.hint = "something stands after the value that is the whole document", ""
	case strings.Contains(text, "tag handle"):
		s.message, s.hint = "the tag begins with a handle that is not declared", "leave it out; text that begins with ! needs quotes"
	case strings.Contains(text, "incompatible"):
		s.message, s.hint = "this version of YAML cannot be read", "leave the line out"
	}
	return s
}

// flow explains a mistake inside brackets or braces.
func (f *File) flow(text string, line int) slip {
	o := outline(f.Text)
	switch {
	case o.brace >= 0:
		return slip{
			off: o.brace, width: 1, message: fmt.Sprintf("a %c stands inside a value that has no quotes", f.Text[o.brace]),
			hint: `inside brackets and braces, text like ${{ … }} needs quotes: "${{ … }}"`,
		}
	case o.wrong >= 0:
		return slip{off: o.wrong, width: 1, message: fmt.Sprintf("this %c does not close the %c of line %d", f.Text[o.wrong], f.Text[o.open], f.place(o.open).Line)}
	case o.open >= 0:
		return slip{off: o.open, width: 1, message: fmt.Sprintf("this %c is never closed", f.Text[o.open])}
	}
	off := f.shortestFlow(text, f.lineStart(line+1))
	return slip{off: off, width: 1, message: "a comma or the closing bracket is missing before this", hint: "values with spaces, colons or quotes inside need quotes around them"}
}

// effort is how many bytes may be parsed again to find a place.
const effort = 4 << 20

// shortest finds the last byte of the shortest beginning of the text that has
// the same mistake, going back line by line from where the scanner stood, then
// along that line.
func (f *File) shortest(text string, read int) int {
	budget := effort
	fails := func(end int) bool {
		budget -= end + 64
		return failure(yaml.NewDecoder(bytes.NewReader(f.Text[:end]))) == text
	}
	read = min(read+ahead, len(f.Text))
	lineEnd := func(from int) int {
		if i := bytes.IndexByte(f.Text[from:], '\n'); i >= 0 {
			return from + i + 1
		}
		return len(f.Text)
	}
	start := bytes.LastIndexByte(f.Text[:max(read-1, 0)], '\n') + 1
	for start > 0 && budget > 0 && fails(start) {
		start = bytes.LastIndexByte(f.Text[:start-1], '\n') + 1
	}
	end := lineEnd(start)
	first := start
	for first < end && blank(f.Text[first]) {
		first++
	}
	if first == end || f.Text[first] == '\n' {
		first = start
	}
	for at := first; at < end && budget > 0; at++ {
		if fails(at + 1) {
			if f.Text[at] == ':' {
				return first
			}
			return f.wordStart(at, first)
		}
	}
	return first
}

// wordStart goes back to where the word at a byte begins.
func (f *File) wordStart(at, first int) int {
	if strings.IndexByte("[]{},\"'", f.Text[at]) >= 0 {
		return at
	}
	for at > first && strings.IndexByte(" \t[]{},\"'", f.Text[at-1]) < 0 {
		at--
	}
	return at
}

// shortestFlow is the same inside brackets: the first place at which closing
// everything that is open no longer helps.
func (f *File) shortestFlow(text string, from int) int {
	budget := effort
	for at := from; at < len(f.Text) && budget > 0; at++ {
		if blank(f.Text[at]) {
			continue
		}
		head := f.Text[:at+1]
		o := outline(head)
		if o.quote >= 0 {
			continue
		}
		budget -= 2 * len(head)
		if failure(yaml.NewDecoder(bytes.NewReader(append(bytes.Clone(head), o.closers...)))) == text {
			return at
		}
	}
	return min(from, max(0, len(f.Text)-1))
}

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
