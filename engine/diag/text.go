package diag

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// window is how many cells of a source line are shown.
const window = 100

// style holds the sequences that colour text, or nothing.
type style struct{ bold, red, yellow, blue, dim, off string }

// WriteText prints a report for people: each problem with its line, a caret
// below the place, and what to do; then how many there are.
func WriteText(w io.Writer, r Report, color bool) error {
	var st style
	if color {
		st = style{bold: "\x1b[1m", red: "\x1b[1;31m", yellow: "\x1b[1;33m", blue: "\x1b[34m", dim: "\x1b[2m", off: "\x1b[0m"}
	}
	b := bufio.NewWriter(w)
	for _, p := range r.Problems {
		problem(b, p, st)
	}
	summary(b, r, st)
	return b.Flush()
}

func problem(b *bufio.Writer, p Problem, st style) {
	tint := st.red
	if p.Severity == Warning {
		tint = st.yellow
	}
	fmt.Fprintf(b, "%s%s:%s %s%s:%s %s", st.bold, place(p), st.off, tint, p.Severity, st.off, clean(p.Message))
	if p.Rule != "" {
		fmt.Fprintf(b, " %s[%s]%s", st.dim, clean(p.Rule), st.off)
	}
	fmt.Fprintln(b)
	gutter := ""
	if p.Line > 0 && p.Source != "" {
		number := strconv.Itoa(p.Line)
		gutter = strings.Repeat(" ", len(number))
		line, caret := excerpt(p)
		fmt.Fprintf(b, "  %s%s |%s %s\n", st.blue, number, st.off, line)
		if caret != "" {
			fmt.Fprintf(b, "  %s%s |%s %s%s%s\n", st.blue, gutter, st.off, tint, caret, st.off)
		}
	}
	if p.Hint != "" {
		fmt.Fprintf(b, "  %s%s =%s %s\n", st.blue, gutter, st.off, clean(p.Hint))
	}
}

// place is file:line:column as far as it is known.
func place(p Problem) string {
	s := clean(p.File)
	if s == "" {
		s = "-"
	}
	if p.Line > 0 {
		s += ":" + strconv.Itoa(p.Line)
		if p.Column > 0 {
			s += ":" + strconv.Itoa(p.Column)
		}
	}
	return s
}

// cell is one rune of a source line as it is shown.
type cell struct {
	text  string
	width int
}

// excerpt is the part of the source line around the place and the line of
// carets below it, which is empty when no column is known.
func excerpt(p Problem) (line, caret string) {
	at, to := p.Column-1, p.Column-1+max(p.Width, 1)
	if at < 0 {
		at, to = 0, 0
	}
	source, cut := near(p.Source, at)
	cells := show(source)
	at, to = at-cut, to-cut
	at = min(at, len(cells))
	to = max(at, min(to, len(cells)))
	from, end := frame(cells, at, to)
	var b strings.Builder
	pad, under := 0, 0
	if from > 0 {
		b.WriteString("…")
		pad++
	}
	for i := from; i < end; i++ {
		b.WriteString(cells[i].text)
		switch {
		case i < at:
			pad += cells[i].width
		case i < to:
			under += cells[i].width
		}
	}
	if end < len(cells) {
		b.WriteString("…")
	}
	if p.Column > 0 {
		caret = strings.Repeat(" ", pad) + strings.Repeat("^", max(under, 1))
	}
	return strings.TrimRight(b.String(), " "), caret
}

// near cuts a long line to what may be seen of it around a place, and says how
// many runes it cut off before it: a line can be a megabyte, and a file can have
// a hundred problems in it.
func near(line string, at int) (text string, cut int) {
	const room = 4 * window
	if len(line) <= room {
		return line, 0
	}
	var from, n int
	for i := range line {
		if n == at-room {
			from, cut = i, n
		}
		if n == at+room {
			return line[from:i], cut
		}
		n++
	}
	return line[from:], cut
}

// frame chooses the cells from..end that fit the window, with the place at
// most two thirds from its left.
func frame(cells []cell, at, to int) (from, end int) {
	total, before := 0, 0
	for i, c := range cells {
		total += c.width
		if i < at {
			before += c.width
		}
	}
	if total <= window {
		return 0, len(cells)
	}
	place := 0
	for _, c := range cells[at:to] {
		place += c.width
	}
	skip := min(max(0, before-window/3), total-window)
	if before+min(place, window/3) <= window {
		skip = 0
	}
	for left := 0; from < at && left < skip; from++ {
		left += cells[from].width
	}
	for room := window; end < len(cells); end++ {
		if end < from {
			continue
		}
		if room -= cells[end].width; room < 0 {
			break
		}
	}
	return from, end
}

// show turns a line into cells: tabs into blanks up to the next of every
// fourth column, control characters into their escapes.
func show(line string) []cell {
	cond := runewidth.Condition{}
	cells := make([]cell, 0, len(line))
	column := 0
	for i := 0; i < len(line); {
		r, n := utf8.DecodeRuneInString(line[i:])
		c := cell{text: line[i : i+n], width: cond.RuneWidth(r)}
		switch {
		case r == '\t':
			c.width = 4 - column%4
			c.text = strings.Repeat(" ", c.width)
		case r == utf8.RuneError && n == 1:
			c.text = fmt.Sprintf(`\x%02x`, line[i])
			c.width = len(c.text)
		case harmful(r):
			c.text = escape(r)
			c.width = len(c.text)
		}
		column += c.width
		cells = append(cells, c)
		i += n
	}
	return cells
}

// clean makes text harmless on a terminal and keeps it on one line.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, harmful) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && s[i] != 0xEF:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case harmful(r):
			b.WriteString(escape(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// harmful says whether a rune may move a cursor, change colours, or show text
// in another order than it is read.
func harmful(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) || r == '\ufeff'
}

func escape(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

func summary(b *bufio.Writer, r Report, st style) {
	errors, warnings := 0, 0
	bad := map[string]bool{}
	for _, p := range r.Problems {
		if p.Severity == Warning {
			warnings++
		} else {
			errors++
		}
		bad[p.File] = true
	}
	if errors+warnings == 0 && r.Files == 0 {
		fmt.Fprintln(b, "nothing was found to check: pipelines are files that end in .yaml or .yml")
		return
	}
	if errors+warnings == 0 {
		verb := "are"
		if r.Files == 1 {
			verb = "is"
		}
		fmt.Fprintf(b, "%s %s valid\n", Count(r.Files, "file"), verb)
		return
	}
	var parts []string
	if errors > 0 {
		parts = append(parts, st.red+Count(errors, "error")+st.off)
	}
	if warnings > 0 {
		parts = append(parts, st.yellow+Count(warnings, "warning")+st.off)
	}
	fmt.Fprintf(b, "%s in %d of %s\n", strings.Join(parts, ", "), len(bad), Count(max(r.Files, len(bad)), "file"))
}

// Count is a number of things in words: 1 file, 2 files.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
