package source

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/redundctl/redundctl/engine/source/parser"
)

// token is where a scalar stands in the text: its bytes, with quotes or the
// header of a text block, and for each byte of its value the byte of the text
// that it comes from (one more for the end).
type token struct {
	start, end int
	from       []int
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// walker rebuilds the value of a scalar from the text, byte by byte. It is
// right exactly when what it builds is the node's value, so it checks itself.
type walker struct {
	text []byte
	i    int
	out  []byte
	from []int
}

func (w *walker) put(at int, s string) {
	for range len(s) {
		w.from = append(w.from, at)
	}
	w.out = append(w.out, s...)
}

// located is a scalar that was found in the text.
type located struct {
	n  *yaml.Node
	t  token
	ok bool
}

// locate finds a scalar in the text; false when the walk does not give its
// value. The last one is kept: one text may hold thousands of places.
func (f *File) locate(n *yaml.Node) (token, bool) {
	if x := f.last.Load(); x != nil && x.n == n {
		return x.t, x.ok
	}
	t, ok := f.find(n)
	f.last.Store(&located{n, t, ok})
	return t, ok
}

func (f *File) find(n *yaml.Node) (token, bool) {
	if n.Kind != yaml.ScalarNode {
		return token{}, false
	}
	w := walker{text: f.Text, i: f.offset(n.Line, n.Column)}
	w.properties(n)
	t := token{start: w.i}
	var ok bool
	switch n.Style &^ (yaml.TaggedStyle | yaml.FlowStyle) {
	case yaml.LiteralStyle:
		ok = w.block(n.Value, false)
	case yaml.FoldedStyle:
		ok = w.block(n.Value, true)
	case yaml.DoubleQuotedStyle:
		ok = w.quoted('"')
	case yaml.SingleQuotedStyle:
		ok = w.quoted('\'')
	default:
		ok = w.plain(n.Value)
	}
	t.end, t.from = w.i, w.from
	return t, ok && string(w.out) == n.Value && len(t.from) == len(n.Value)+1
}

// properties skips the anchor and the tag before a scalar, and what separates
// them from it.
func (w *walker) properties(n *yaml.Node) {
	empty := n.Value == "" && n.Style&^yaml.TaggedStyle == 0
	for w.property(w.i) {
		for anchor := w.text[w.i] == '&'; w.i < len(w.text) && !blank(w.text[w.i]) && parser.LineBreak(w.text, w.i) == 0; w.i++ {
			if anchor && strings.IndexByte(",[]{}", w.text[w.i]) >= 0 {
				break
			}
		}
		if next := w.separation(empty); !empty || w.property(next) {
			w.i = next
		}
	}
}

func (w *walker) property(i int) bool {
	return i < len(w.text) && (w.text[i] == '&' || w.text[i] == '!')
}

// separation is where the blanks from here end; unless the line must not be
// left, also the breaks and comments.
func (w *walker) separation(stay bool) int {
	i := w.i
	for i < len(w.text) {
		switch b := parser.LineBreak(w.text, i); {
		case blank(w.text[i]):
			i++
		case b > 0 && !stay:
			i += b
		case w.text[i] == '#' && !stay:
			for i < len(w.text) && parser.LineBreak(w.text, i) == 0 {
				i++
			}
		default:
			return i
		}
	}
	return i
}

// fold reads a line break inside a plain or quoted scalar with the blanks
// around it: one is a space, n are n-1 newlines.
func (w *walker) fold() bool {
	i := w.i
	for i < len(w.text) && blank(w.text[i]) {
		i++
	}
	if parser.LineBreak(w.text, i) == 0 {
		return false
	}
	start, n := w.i, 0
	for {
		for i < len(w.text) && blank(w.text[i]) {
			i++
		}
		b := parser.LineBreak(w.text, i)
		if b == 0 {
			break
		}
		i += b
		n++
	}
	w.i = i
	if n == 1 {
		w.put(start, " ")
	} else {
		w.put(start, strings.Repeat("\n", n-1))
	}
	return true
}

func (w *walker) plain(value string) bool {
	for len(w.out) < len(value) && w.i < len(w.text) {
		if !w.fold() {
			w.put(w.i, string(w.text[w.i:w.i+1]))
			w.i++
		}
	}
	w.from = append(w.from, w.i)
	return true
}

func (w *walker) quoted(q byte) bool {
	if w.i >= len(w.text) || w.text[w.i] != q {
		return false
	}
	for w.i++; w.i < len(w.text); {
		c := w.text[w.i]
		switch {
		case c == q && q == '\'' && w.i+1 < len(w.text) && w.text[w.i+1] == q:
			w.put(w.i, "'")
			w.i += 2
		case c == q:
			w.from = append(w.from, w.i)
			w.i++
			return true
		case c == '\\' && q == '"':
			if !w.escape() {
				return false
			}
		default:
			if w.fold() {
				continue
			}
			_, n := utf8.DecodeRune(w.text[w.i:])
			for k := range n {
				w.put(w.i+k, string(w.text[w.i+k:w.i+k+1]))
			}
			w.i += n
		}
	}
	return false
}

// The escape sequences of one letter, and what they stand for.
const (
	escapes  = "0abt\tnvfre \"/\\N_LP"
	meanings = "\x00\a\b\t\t\n\v\f\r\x1b \"/\\\u0085\u00a0\u2028\u2029"
)

func (w *walker) escape() bool {
	if w.i+1 >= len(w.text) {
		return false
	}
	if b := parser.LineBreak(w.text, w.i+1); b > 0 { // the break and the blanks after it are nothing
		w.i += 1 + b
		for w.i < len(w.text) && blank(w.text[w.i]) {
			w.i++
		}
		return true
	}
	digits := 0
	switch w.text[w.i+1] {
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	}
	if digits > 0 {
		if w.i+2+digits > len(w.text) {
			return false
		}
		r, err := strconv.ParseUint(string(w.text[w.i+2:w.i+2+digits]), 16, 32)
		if err != nil {
			return false
		}
		w.put(w.i, string(rune(r)))
		w.i += 2 + digits
		return true
	}
	k := strings.IndexByte(escapes, w.text[w.i+1])
	if k < 0 {
		return false
	}
	w.put(w.i, string([]rune(meanings)[k]))
	w.i += 2
	return true
}

// block follows a literal or folded text block. The value tells what each line
// must hold; the source lines are looked for in order.
func (w *walker) block(value string, folded bool) bool {
	if w.i >= len(w.text) || w.text[w.i] != '|' && w.text[w.i] != '>' {
		return false
	}
	w.skipLine()
	for len(w.out) < len(value) {
		rest := value[len(w.out):]
		switch {
		case rest[0] == '\n':
			w.put(w.i, "\n")
			continue
		case folded && rest[0] == ' ' && len(w.out) > 0 && value[len(w.out)-1] != '\n':
			w.put(w.i, " ")
			rest = rest[1:]
		}
		want, _, _ := strings.Cut(rest, "\n")
		if !w.textLine(want, folded) {
			return false
		}
	}
	w.from = append(w.from, w.i)
	return true
}

// textLine finds the next source line that holds the wanted text, or with
// folding a beginning of it, and takes it. The break after it is where the
// following newline or space comes from.
func (w *walker) textLine(want string, folded bool) bool {
	for w.i < len(w.text) {
		start := w.i
		end := start
		for end < len(w.text) && parser.LineBreak(w.text, end) == 0 {
			end++
		}
		line := w.text[start:end]
		off := -1
		text := bytes.TrimLeft(line, " ")
		switch {
		case !folded && bytes.HasSuffix(line, []byte(want)) && len(bytes.Trim(line[:len(line)-len(want)], " ")) == 0:
			off = len(line) - len(want)
		case folded && len(text) > 0:
			lead := len(want) - len(strings.TrimLeft(want, " "))
			if len(line)-len(text) >= lead && strings.HasPrefix(want[lead:], string(text)) {
				off = len(line) - len(text) - lead
			}
		}
		if off < 0 {
			if len(text) > 0 {
				return false
			}
			w.skipLine()
			continue
		}
		for k := off; k < len(line); k++ {
			w.put(start+k, string(line[k:k+1]))
		}
		w.skipLine()
		return true
	}
	return false
}

// skipLine goes to the beginning of the next line.
func (w *walker) skipLine() {
	for w.i < len(w.text) && parser.LineBreak(w.text, w.i) == 0 {
		w.i++
	}
	w.i += parser.LineBreak(w.text, w.i)
}
