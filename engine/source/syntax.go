package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/redundctl/redundctl/engine/diag"
)

// yaml.v3 says what is wrong with a text and at most the line, which is one
// too low for what its parser (not its scanner) found, that of the enclosing
// collection instead of the mistake, or missing on the first line. So the
// place is found here, when there is a mistake, and costs nothing when not.

// slip is what went wrong, and where.
type slip struct {
	off, width    int // bytes
	message, hint string
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(?:while [a-z ]+: )?`)

// syntax makes the problem of an error of yaml.v3.
func (f *File) syntax(err error, lim Limits) diag.Problem {
	text := err.Error()
	line := 0
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1]) // absent is 0
		text = text[len(m[0]):]
	}
	if off := conflict(f.Text, true); off >= 0 {
		return f.conflicted(off)
	}
	read := f.reached()
	if strings.HasPrefix(text, "exceeded max depth") {
		return f.Problem(f.span(read, read+1), diag.Error, "too-deep",
			fmt.Sprintf("values are nested deeper than %d", lim.Depth), "write it flatter")
	}
	s, known := f.scanned(text, line, read)
	if !known {
		s = f.parsed(text, line, read)
	}
	rule := "yaml-syntax"
	if s.message == "" {
		s.message = text
	}
	if strings.Contains(text, "<document start>") && f.ended(s.off) {
		rule, s.message, s.hint = "several-documents", "text stands after the end of the document", "put each document into a file of its own"
	}
	return f.Problem(f.span(s.off, s.off+max(s.width, 1)), diag.Error, rule, s.message, s.hint)
}

// ended says whether a document end mark stands before off.
func (f *File) ended(off int) bool {
	return bytes.Contains(f.Text[:off], []byte("\n...")) || bytes.HasPrefix(f.Text, []byte("..."))
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
func (f *File) reached() int {
	d := &drip{text: f.Text}
	_ = failure(yaml.NewDecoder(d)) // the same as before
	i := d.n
	for range ahead {
		if i > len(f.Text) {
			i--
			continue
		}
		_, n := utf8.DecodeLastRune(f.Text[:i])
		i -= n
	}
	return max(0, min(i, len(f.Text)))
}

// failure is the error of a whole stream, "" when there is none.
func failure(d *yaml.Decoder) string {
	for {
		if _, err := decode(d); errors.Is(err, io.EOF) {
			return ""
		} else if err != nil {
			return yamlLine.ReplaceAllString(err.Error(), "")
		}
	}
}

// scanned explains what the scanner finds, whose place is where it stands.
func (f *File) scanned(text string, line, read int) (slip, bool) {
	s := slip{off: read, width: 1}
	switch text {
	case "mapping values are not allowed in this context":
		return f.colon(read), true
	case "block sequence entries are not allowed in this context":
		s.message, s.hint = "a list item cannot begin here", `put the list on the lines below its key; text that begins with "- " needs quotes`
	case "mapping keys are not allowed in this context":
		s.message, s.hint = "a key cannot begin here", `text that begins with "? " needs quotes`
	case "found character that cannot start any token":
		return f.starts(read), true
	case "found a tab character that violates indentation", "found a tab character where an indentation space is expected":
		return f.tab(read), true
	case "could not find expected ':'":
		s.off = f.lineStart(line)
		s.width = len(bytes.TrimRight(f.lineAt(s.off), " \t\r\n"))
		s.message, s.hint = "this is neither a key with its colon nor part of the value above", "write key: value, or indent it further than the key it belongs to"
	case "found unknown escape character":
		s.width = 2
		s.message, s.hint = fmt.Sprintf("%s is not an escape sequence", clip(f.Text[read:], 2)), `write \\ for a backslash, or use single quotes`
	case "did not find expected hexdecimal number", "found invalid Unicode character escape code":
		s.width = 2
		s.message, s.hint = "an escape sequence lacks its hexadecimal digits", `\x takes two, \u four, \U eight; write \\ for a backslash`
	case "did not find expected alphabetic or numeric character":
		s.message, s.hint = fmt.Sprintf("a name must follow %s", clip(f.Text[read:], 1)), "text that begins so needs quotes, as a cron expression with a star does"
	case "did not find expected comment or line break":
		s.message, s.hint = "only a number, + or - and a comment may follow | or >", "put the text on the lines below"
	case "found an indentation indicator equal to 0":
		s.message, s.hint = "the indentation of a text block must be 1 to 9", ""
	case "found unexpected end of stream":
		return f.unclosedQuote(line), true
	case "found unexpected document indicator":
		s.width = 3
		s.message, s.hint = "a document mark stands inside quotes", "a quote above is not closed"
	default:
		if name, ok := strings.CutPrefix(text, "unknown anchor '"); ok {
			return f.unknown(strings.TrimSuffix(name, "' referenced")), true
		}
		return s, false
	}
	return s, true
}

// clip is the first bytes of a text.
func clip(b []byte, n int) string { return string(b[:min(n, len(b))]) }

// lineStart is the first byte of a line that is not a blank, by yaml.v3's
// count of lines.
func (f *File) lineStart(line int) int {
	off := f.offset(max(line, 1), 1)
	for off < len(f.Text) && blank(f.Text[off]) {
		off++
	}
	return off
}

// lineAt is the rest of the line from off.
func (f *File) lineAt(off int) []byte {
	rest := f.Text[off:]
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// colon explains a colon where no key can be: a value with a colon in it, or
// a key that is indented too far.
func (f *File) colon(off int) slip {
	start := bytes.LastIndexByte(f.Text[:off], '\n') + 1
	before := f.Text[start:off]
	key := bytes.TrimLeft(before, " ")
	if !bytes.Contains(before, []byte(": ")) && start > 0 && !bytes.HasPrefix(key, []byte("- ")) && len(key) < len(before) {
		return slip{
			off: off - len(key), width: len(key),
			message: "this key is indented further than the lines above allow",
			hint:    "give keys of one mapping the same indentation; a key that already has a value cannot hold others",
		}
	}
	return slip{off: off, width: 1, message: "a colon stands inside a value that has no quotes", hint: `put the value in quotes, as in key: "a: b"`}
}

func (f *File) starts(off int) slip {
	if off < len(f.Text) && f.Text[off] == '\t' {
		return f.tab(off)
	}
	r, n := utf8.DecodeRune(f.Text[off:])
	return slip{off: off, width: n, message: fmt.Sprintf("a value cannot begin with %q", r), hint: "put it in quotes"}
}

// tab finds the tab that stands for indentation, at off or below it.
func (f *File) tab(off int) slip {
	for i := off; i < len(f.Text); i++ {
		if f.Text[i] == '\t' {
			off = i
			break
		}
	}
	return slip{off: off, width: 1, message: "a tab stands where the indentation is", hint: "indent with spaces"}
}

func (f *File) unclosedQuote(line int) slip {
	o := outline(f.Text)
	if o.quote < 0 {
		return slip{off: f.lineStart(line), message: "a quote is never closed"}
	}
	return slip{
		off: o.quote, width: 1, message: fmt.Sprintf("this %c is never closed", f.Text[o.quote]),
		hint: "close it; inside single quotes a quote is written twice",
	}
}

// unknown finds the alias whose anchor is missing.
func (f *File) unknown(name string) slip {
	s := slip{
		width: len(name) + 1, message: fmt.Sprintf("no anchor &%s stands above this alias", name),
		hint: "text that begins with * needs quotes",
	}
	alias := []byte("*" + name)
	for from := 0; ; {
		i := bytes.Index(f.Text[from:], alias)
		if i < 0 {
			return s
		}
		i += from
		from = i + len(alias)
		before := i == 0 || strings.IndexByte(" \t\n\r[{,", f.Text[i-1]) >= 0
		after := from >= len(f.Text) || strings.IndexByte(" \t\n\r]},", f.Text[from]) >= 0
		start := bytes.LastIndexByte(f.Text[:i], '\n') + 1
		if before && after && !bytes.Contains(f.Text[start:i], []byte("#")) {
			s.off = i
			return s
		}
	}
}
