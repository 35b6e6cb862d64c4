package screen

import (
	"fmt"
	"strings"

	"github.com/redundctl/redundctl/cmd/redundctl/monitor/text"
)

// style is how a text is drawn where colours are wanted.
type style byte

const (
	plain style = iota
	strong
	dim
	good
	warn
	bad

	reversed style = 0x80 // added to one of the others
)

// codes are the parameters of the sequence that each style begins with.
func (s style) codes() string {
	codes := [...]string{plain: "", strong: "1", dim: "2", good: "32", warn: "33", bad: "31"}[s&^reversed]
	if s&reversed != 0 {
		return strings.TrimSuffix("7;"+codes, ";")
	}
	return codes
}

// of is the style of a word for a state or a verdict.
func of(word string) style {
	switch word {
	case "healthy", "succeeded":
		return good
	case "unhealthy", "failed", "timed-out", "errored":
		return bad
	case "degraded", "stopped", "cancelled", "rejected", "observing", "yielding":
		return warn
	case "disabled", "skipped", "queued":
		return dim
	}
	return plain
}

// span is a piece of a line. What it says may come from anywhere: it is made
// harmless when it is drawn, and nowhere else is anything drawn.
type span struct {
	text  string
	style style
}

// line is one line of the screen.
type line []span

func say(style style, format string, args ...any) line {
	return line{{fmt.Sprintf(format, args...), style}}
}

// draw makes the line as it goes to the terminal: never wider than room, and
// without a control character that is not ours.
func (l line) draw(room int, color bool) string {
	var b strings.Builder
	for _, x := range l.fitted(room) {
		if codes := x.style.codes(); color && codes != "" && x.text != "" {
			b.WriteString("\x1b[" + codes + "m" + x.text + "\x1b[0m")
			continue
		}
		b.WriteString(x.text)
	}
	return b.String()
}

// fitted is the line made harmless, and cut where it does not fit.
func (l line) fitted(room int) line {
	out := make(line, len(l))
	for i, x := range l {
		out[i] = span{text.Cut(text.Clean(x.text), room), x.style}
		room -= text.Width(out[i].text)
	}
	return out
}

// padded is the line with spaces up to a width.
func (l line) padded(to int) line {
	out := l.fitted(to)
	for _, x := range out {
		to -= text.Width(x.text)
	}
	return append(out, span{strings.Repeat(" ", max(to, 0)), plain})
}

// chosen is the line of a width as the one that the keys are about.
func (l line) chosen(w int) line {
	l[0].text = "> "
	out := l.padded(w)
	for i := range out {
		out[i].style |= reversed
	}
	return out
}
