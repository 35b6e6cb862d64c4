package parser

import (
	"bytes"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// parsed explains what the parser finds. It reads ahead of its mistake, so the
// place is looked for: the shortest beginning of the text that has it.
func (t text) parsed(said string, line, read int) Mistake {
	if o := outline(t); strings.Contains(said, "',' or") || strings.Contains(said, "node content") && (o.open >= 0 || o.wrong >= 0 || o.brace >= 0) {
		return t.flow(said, line)
	}
	s := Mistake{Offset: t.shortest(said, read), Width: 1}
	if c := clip(t[s.Offset:], 1); c == "[" || c == "{" {
		s.Offset = t.shortestFlow(said, s.Offset) // it fails there only because the text was cut
	}
	switch {
	case strings.Contains(said, "expected key"), strings.Contains(said, "'-' indicator"):
		s.Width = len(bytes.TrimRight(t.lineAt(s.Offset), " \t\r"))
		if c := clip(t[s.Offset:], 1); c == "]" || c == "}" {
			s.Width, s.Message, s.Hint = 1, fmt.Sprintf("this %s closes nothing", c), ""
			break
		}
		start := bytes.LastIndexByte(t[:s.Offset], '\n') + 1
		if len(bytes.Trim(t[start:s.Offset], " \t")) > 0 {
			s.Message = "something stands after a value that has ended"
			s.Hint = "put the whole value in quotes; inside single quotes a quote is written twice"
			break
		}
		s.Message = "this line fits neither the mapping nor the list above it"
		s.Hint = "give what belongs together the same indentation"
	case strings.Contains(said, "node content"):
		s.Message, s.Hint = "a value is missing here", "text that begins with a bracket, brace or comma needs quotes"
	case strings.Contains(said, "<document start>"):
		s.Message, s.Hint = "something stands after the value that is the whole document", ""
	case strings.Contains(said, "tag handle"):
		s.Message, s.Hint = "the tag begins with a handle that is not declared", "leave it out; text that begins with ! needs quotes"
	case strings.Contains(said, "incompatible"):
		s.Message, s.Hint = "this version of YAML cannot be read", "leave the line out"
	}
	return s
}

// flow explains a mistake inside brackets or braces.
func (t text) flow(said string, line int) Mistake {
	o := outline(t)
	switch {
	case o.brace >= 0:
		return Mistake{
			Offset: o.brace, Width: 1, Message: fmt.Sprintf("a %c stands inside a value that has no quotes", t[o.brace]),
			Hint: `inside brackets and braces, text like ${{ … }} needs quotes: "${{ … }}"`,
		}
	case o.wrong >= 0:
		return Mistake{Offset: o.wrong, Width: 1, Message: fmt.Sprintf("this %c does not close the %c of line %d", t[o.wrong], t[o.open], bytes.Count(t[:o.open], []byte("\n"))+1)}
	case o.open >= 0:
		return Mistake{Offset: o.open, Width: 1, Message: fmt.Sprintf("this %c is never closed", t[o.open])}
	}
	off := t.shortestFlow(said, t.lineStart(line+1))
	return Mistake{Offset: off, Width: 1, Message: "a comma or the closing bracket is missing before this", Hint: "values with spaces, colons or quotes inside need quotes around them"}
}

// effort is how many bytes may be parsed again to find a place.
const effort = 1 << 20

// shortest finds the last byte of the shortest beginning of the text that has
// the same mistake, going back line by line from where the scanner stood, then
// along that line.
func (t text) shortest(said string, read int) int {
	budget := effort
	fails := func(end int) bool {
		budget -= end + 64
		return failure(yaml.NewDecoder(bytes.NewReader(t[:end]))) == said
	}
	read = min(read+ahead, len(t))
	lineEnd := func(from int) int {
		if i := bytes.IndexByte(t[from:], '\n'); i >= 0 {
			return from + i + 1
		}
		return len(t)
	}
	start := bytes.LastIndexByte(t[:max(read-1, 0)], '\n') + 1
	for start > 0 && budget > 0 && fails(start) {
		start = bytes.LastIndexByte(t[:start-1], '\n') + 1
	}
	end := lineEnd(start)
	first := start
	for first < end && blank(t[first]) {
		first++
	}
	if first == end || t[first] == '\n' {
		first = start
	}
	for at := first; at < end && budget > 0; at++ {
		if fails(at + 1) {
			if t[at] == ':' {
				return first
			}
			return t.wordStart(at, first)
		}
	}
	return first
}

// wordStart goes back to where the word at a byte begins.
func (t text) wordStart(at, first int) int {
	if strings.IndexByte("[]{},\"'", t[at]) >= 0 {
		return at
	}
	for at > first && strings.IndexByte(" \t[]{},\"'", t[at-1]) < 0 {
		at--
	}
	return at
}

// shortestFlow is the same inside brackets: the first place at which closing
// everything that is open no longer helps.
func (t text) shortestFlow(said string, from int) int {
	budget := effort
	for at := from; at < len(t) && budget > 0; at++ {
		if blank(t[at]) {
			continue
		}
		head := t[:at+1]
		o := outline(head)
		if o.quote >= 0 {
			continue
		}
		budget -= 2 * len(head)
		if failure(yaml.NewDecoder(bytes.NewReader(append(bytes.Clone(head), o.closers...)))) == said {
			return at
		}
	}
	return min(from, max(0, len(t)-1))
}
