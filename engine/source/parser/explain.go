// Package parser is yaml.v3 with its mistakes explained. What yaml.v3 says of
// a text that is not YAML has no column, and as its line one too low (what its
// parser, not its scanner, found), that of the enclosing collection, or none at
// all on the first line. So the place is looked for when there is a mistake;
// a text without one pays nothing.
package parser

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Kind says which of our rules a mistake belongs to.
type Kind int

// A text is not YAML, nested too deeply even for the parser, or goes on after
// its document.
const (
	Syntax Kind = iota
	Depth
	Documents
)

// Mistake is what is wrong with a text: the bytes that it is about, and in
// plain words what and what to do.
type Mistake struct {
	Kind          Kind
	Offset, Width int
	Message, Hint string
}

// text is a text that is not YAML.
type text []byte

var yamlLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^yaml: (?:line (\d+): )?(?:while [a-z ]+: )?`) })

// Next reads the next document of a stream; io.EOF when there is none. A panic
// of yaml.v3 is an error like any other.
func Next(d *yaml.Decoder) (doc *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: the parser gave up: %v", r)
		}
	}()
	doc = new(yaml.Node)
	if err := d.Decode(doc); err != nil {
		return nil, err
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 {
		return nil, io.EOF
	}
	return doc, nil
}

// Explain finds what err, which Next gave for a text, means and where.
func Explain(source []byte, err error) Mistake {
	t := text(source)
	said := err.Error()
	line := 0
	if m := yamlLine().FindStringSubmatch(said); m != nil {
		line, _ = strconv.Atoi(m[1]) // absent is 0
		said = said[len(m[0]):]
	}
	read := t.reached()
	if strings.HasPrefix(said, "exceeded max depth") {
		return Mistake{Kind: Depth, Offset: read, Width: 1}
	}
	s, known := t.scanned(said, line, read)
	if !known {
		s = t.parsed(said, line, read)
	}
	if s.Message == "" {
		s.Message = said
	}
	if strings.Contains(said, "<document start>") && t.ended(s.Offset) {
		s.Kind, s.Message, s.Hint = Documents, "text stands after the end of the document", "put each document into a file of its own"
	}
	s.Width = max(s.Width, 1)
	return s
}

// ended says whether a document end mark stands before off.
func (t text) ended(off int) bool {
	return bytes.Contains(t[:off], []byte("\n...")) || bytes.HasPrefix(t, []byte("..."))
}

// ahead is how many runes the scanner holds before it looks at the first.
const ahead = 4

// drip gives a text byte by byte and then line breaks, and counts: so it is
// known how far the scanner got.
type drip struct {
	text []byte
	n    int
}

func (d *drip) Read(p []byte) (int, error) {
	switch {
	case d.n < len(d.text):
		p[0] = d.text[d.n]
	case d.n < len(d.text)+16:
		p[0] = '\n'
	default:
		return 0, io.EOF
	}
	d.n++
	return 1, nil
}

// reached is where the scanner of yaml.v3 stood when it met the mistake.
func (t text) reached() int {
	d := &drip{text: t}
	_ = failure(yaml.NewDecoder(d)) // the same as before
	i := d.n
	for range ahead {
		if i > len(t) {
			i--
			continue
		}
		_, n := utf8.DecodeLastRune(t[:i])
		i -= n
	}
	return max(0, min(i, len(t)))
}

// failure is the error of a whole stream, "" when there is none.
func failure(d *yaml.Decoder) string {
	for {
		if _, err := Next(d); errors.Is(err, io.EOF) {
			return ""
		} else if err != nil {
			return yamlLine().ReplaceAllString(err.Error(), "")
		}
	}
}

// scanned explains what the scanner finds, whose place is where it stands.
func (t text) scanned(said string, line, read int) (Mistake, bool) {
	s := Mistake{Offset: read, Width: 1}
	switch said {
	case "mapping values are not allowed in this context":
		return t.colon(read), true
	case "block sequence entries are not allowed in this context":
		s.Message, s.Hint = "a list item cannot begin here", `put the list on the lines below its key; text that begins with "- " needs quotes`
	case "mapping keys are not allowed in this context":
		s.Message, s.Hint = "a key cannot begin here", `text that begins with "? " needs quotes`
	case "found character that cannot start any token":
		return t.starts(read), true
	case "found a tab character that violates indentation", "found a tab character where an indentation space is expected":
		return t.tab(read), true
	case "could not find expected ':'":
		s.Offset = t.lineStart(line)
		s.Width = len(bytes.TrimRight(t.lineAt(s.Offset), " \t\r\n"))
		s.Message, s.Hint = "this is neither a key with its colon nor part of the value above", "write key: value, or indent it further than the key it belongs to"
	case "found unknown escape character":
		s.Width = 2
		s.Message, s.Hint = fmt.Sprintf("%s is not an escape sequence", clip(t[read:], 2)), `write \\ for a backslash, or use single quotes`
	case "did not find expected hexdecimal number", "found invalid Unicode character escape code":
		s.Width = 2
		s.Message, s.Hint = "an escape sequence lacks its hexadecimal digits", `\x takes two, \u four, \U eight; write \\ for a backslash`
	case "did not find expected alphabetic or numeric character":
		s.Message, s.Hint = fmt.Sprintf("a name must follow %s", clip(t[read:], 1)), "text that begins so needs quotes, as a cron expression with a star does"
	case "did not find expected comment or line break":
		s.Message, s.Hint = "only a number, + or - and a comment may follow | or >", "put the text on the lines below"
	case "found an indentation indicator equal to 0":
		s.Message, s.Hint = "the indentation of a text block must be 1 to 9", ""
	case "found unexpected end of stream":
		return t.unclosedQuote(line), true
	case "found unexpected document indicator":
		s.Width = 3
		s.Message, s.Hint = "a document mark stands inside quotes", "a quote above is not closed"
	default:
		if name, ok := strings.CutPrefix(said, "unknown anchor '"); ok {
			return t.unknown(strings.TrimSuffix(name, "' referenced")), true
		}
		return s, false
	}
	return s, true
}

// clip is the first bytes of a text.
func clip(b []byte, n int) string { return string(b[:min(n, len(b))]) }

// lineStart is the first byte of a line that is not a blank, by yaml.v3's
// count of lines.
func (t text) lineStart(line int) int {
	off := LineStart(t, line)
	for off < len(t) && blank(t[off]) {
		off++
	}
	return off
}

// lineAt is the rest of the line from off.
func (t text) lineAt(off int) []byte {
	rest := t[off:]
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// colon explains a colon where no key can be: a value with a colon in it, or
// a key that is indented too far.
func (t text) colon(off int) Mistake {
	start := bytes.LastIndexByte(t[:off], '\n') + 1
	before := t[start:off]
	key := bytes.TrimLeft(before, " ")
	if !bytes.Contains(before, []byte(": ")) && start > 0 && !bytes.HasPrefix(key, []byte("- ")) && len(key) < len(before) {
		return Mistake{
			Offset: off - len(key), Width: len(key),
			Message: "this key is indented further than the lines above allow",
			Hint:    "give the keys of one mapping the same indentation and each its colon; a key that already has a value cannot hold others",
		}
	}
	return Mistake{Offset: off, Width: 1, Message: "a colon stands inside a value that has no quotes", Hint: `put the value in quotes, as in key: "a: b"`}
}

func (t text) starts(off int) Mistake {
	if off < len(t) && t[off] == '\t' {
		return t.tab(off)
	}
	r, n := utf8.DecodeRune(t[off:])
	return Mistake{Offset: off, Width: n, Message: fmt.Sprintf("a value cannot begin with %q", r), Hint: "put it in quotes"}
}

// tab finds the tab that stands for indentation, at off or below it.
func (t text) tab(off int) Mistake {
	for i := off; i < len(t); i++ {
		if t[i] == '\t' {
			off = i
			break
		}
	}
	return Mistake{Offset: off, Width: 1, Message: "a tab stands where the indentation is", Hint: "indent with spaces"}
}

func (t text) unclosedQuote(line int) Mistake {
	o := outline(t)
	if o.quote < 0 {
		return Mistake{Offset: t.lineStart(line), Message: "a quote is never closed"}
	}
	return Mistake{
		Offset: o.quote, Width: 1, Message: fmt.Sprintf("this %c is never closed", t[o.quote]),
		Hint: "close it; inside single quotes a quote is written twice",
	}
}

// unknown finds the alias whose anchor is missing.
func (t text) unknown(name string) Mistake {
	s := Mistake{
		Width: len(name) + 1, Message: fmt.Sprintf("no anchor &%s stands above this alias", name),
		Hint: "text that begins with * needs quotes",
	}
	alias := []byte("*" + name)
	for from := 0; ; {
		i := bytes.Index(t[from:], alias)
		if i < 0 {
			return s
		}
		i += from
		from = i + len(alias)
		before := i == 0 || strings.IndexByte(" \t\n\r[{,", t[i-1]) >= 0
		after := from >= len(t) || strings.IndexByte(" \t\n\r]},", t[from]) >= 0
		start := bytes.LastIndexByte(t[:i], '\n') + 1
		if before && after && !bytes.Contains(t[start:i], []byte("#")) {
			s.Offset = i
			return s
		}
	}
}
