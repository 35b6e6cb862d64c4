// Package console is what people see: the log, colour, tables, and the output
// of steps as it comes, with a line of progress below it.
package console

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// Clean makes text harmless on a terminal and keeps it on one line: control
// characters, those that turn the direction of text around, and bytes that are
// no UTF-8 are shown as escapes.
func Clean(s string) string {
	return escape(s, false)
}

// line cleans one line of a step's output: sequences that colour it or move
// the cursor are taken out, tabs stay.
func line(s string) string {
	if strings.IndexByte(s, '\x1b') >= 0 {
		s = ansi.Strip(s)
	}
	return escape(s, true)
}

func escape(s string, tabs bool) string {
	harmful := func(r rune) bool { return harmful(r) && !(tabs && r == '\t') }
	if utf8.ValidString(s) && strings.IndexFunc(s, harmful) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !harmful(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += n
	}
	return b.String()
}

func harmful(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' || unicode.Is(unicode.Bidi_Control, r)
}
