package editor

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
)

// Note is what keeps a text from being saved.
type Note struct {
	Line, Column int // from 1; Line 0: it stands nowhere in the text
	Text         string
}

const (
	mark = "# redundctl: "
	// most is how many notes are shown; nobody mends more in one go.
	most = 10
)

// head is the lines of comment above a text.
type head []string

// heading tells notes as lines of comment, with the lines that they are about
// counted as a person sees them below.
func heading(notes []Note) head {
	if len(notes) == 0 {
		return nil
	}
	rest := max(len(notes)-most, 0)
	notes = notes[:len(notes)-rest]
	above := len(notes) + 2 + min(rest, 1)
	h := head{mark + "not saved yet, for what follows; to give up, close the file without another change"}
	for _, n := range notes {
		text := strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
				return ' '
			}
			return r
		}, n.Text)
		if n.Line > 0 {
			text = fmt.Sprintf("line %d, column %d: %s", n.Line+above, n.Column, text)
		}
		h = append(h, mark+strings.TrimRight(text, " "))
	}
	if rest > 0 {
		h = append(h, fmt.Sprintf("%sand %d more", mark, rest))
	}
	return append(h, mark+"these lines are taken away again")
}

var bom = []byte("\uFEFF")

// over puts the lines above a text, in its own line endings, but behind a mark
// of its encoding.
func (h head) over(text []byte) []byte {
	if len(h) == 0 {
		return text
	}
	end := "\n"
	if first, _, _ := bytes.Cut(text, []byte("\n")); bytes.HasSuffix(first, []byte("\r")) {
		end = "\r\n"
	}
	lines := []byte(strings.Join(h, end) + end)
	if rest, marked := bytes.CutPrefix(text, bom); marked {
		return append(append(bytes.Clone(bom), lines...), rest...)
	}
	return append(lines, text...)
}

// without takes the lines away, wherever an editor has left them, each as often
// as it was put there.
func (h head) without(text []byte) []byte {
	ours := map[string]int{}
	for _, line := range h {
		ours[line]++
	}
	rest, marked := bytes.CutPrefix(text, bom)
	var out []byte
	if marked {
		out = append(out, bom...)
	}
	for line := range bytes.Lines(rest) {
		if key := string(bytes.TrimRight(line, "\r\n \t")); ours[key] > 0 {
			ours[key]--
			continue
		}
		out = append(out, line...)
	}
	return out
}
