package source

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// writer makes random YAML documents of all styles of scalars, collections,
// anchors, tags, comments and line breaks.
type writer struct {
	*rand.Rand
	b       strings.Builder
	anchors int
}

var words = []string{
	"a", "bc", "it's", "é", "日本語", "x y", "${{ steps.a.outputs.b }}", "🙂", "a # b", "q\"q", "back\\slash", "true", "12", "v1.10", "z:z",
	"tail ", " lead", "-", "a\tb",
}

func (w *writer) word() string { return words[w.IntN(len(words))] }

func (w *writer) line() string {
	parts := make([]string, 1+w.IntN(4))
	for i := range parts {
		parts[i] = w.word()
	}
	return strings.Join(parts, " ")
}

func (w *writer) pad(depth int) { w.b.WriteString(strings.Repeat("  ", depth)) }

// properties writes an anchor, a tag, or nothing.
func (w *writer) properties() {
	switch w.IntN(8) {
	case 0:
		w.anchors++
		fmt.Fprintf(&w.b, "&n%d ", w.anchors)
	case 1:
		w.b.WriteString("!!str ")
	case 2:
		w.anchors++
		fmt.Fprintf(&w.b, "!!str &n%d ", w.anchors)
	}
}

// scalar writes one scalar after a key or dash at a depth, with its line
// break.
func (w *writer) scalar(depth int) {
	w.properties()
	pad := strings.Repeat("  ", depth+1)
	switch w.IntN(7) {
	case 0: // plain
		w.b.WriteString("p" + strings.NewReplacer(" #", "#", ": ", ":", "\t", "_").Replace(strings.TrimSpace(w.line())) + "p")
		for range w.IntN(3) {
			w.b.WriteString("\n" + strings.Repeat("\n", w.IntN(2)) + pad + "p" + strings.ReplaceAll(w.line(), " #", "#") + "p")
		}
	case 1: // single quoted
		w.b.WriteString("'" + strings.ReplaceAll(w.line(), "'", "''"))
		for range w.IntN(3) {
			w.b.WriteString("\n" + strings.Repeat("\n", w.IntN(2)) + pad + strings.ReplaceAll(w.line(), "'", "''"))
		}
		w.b.WriteString("'")
	case 2: // double quoted
		esc := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
		w.b.WriteString(`"` + esc.Replace(w.line()) + `\u00e9\x41\t\n\L`)
		for range w.IntN(3) {
			w.b.WriteString([]string{"\n", "\n\n", "\\\n"}[w.IntN(3)] + pad + esc.Replace(w.line()))
		}
		w.b.WriteString(`"`)
	case 3, 4: // literal and folded
		w.b.WriteString([]string{"|", ">"}[w.IntN(2)] + []string{"", "-", "+"}[w.IntN(3)])
		if w.IntN(4) == 0 {
			w.b.WriteString(" # why")
		}
		for i := range 1 + w.IntN(4) {
			w.b.WriteString("\n" + strings.Repeat("\n", w.IntN(2)) + pad)
			if i > 0 && w.IntN(4) == 0 {
				w.b.WriteString("  ")
			}
			w.b.WriteString("t" + w.line())
		}
		w.b.WriteString(strings.Repeat("\n", w.IntN(2)))
	case 5: // flow
		fmt.Fprintf(&w.b, "[a, 'b %s', {k: \"v\", é: ['${{ x }}', 1]}]", strings.ReplaceAll(w.word(), "'", "''"))
	default:
		w.b.WriteString([]string{"12", "true", "1.5", "", "~", "word"}[w.IntN(6)])
	}
	w.b.WriteString("\n")
	if w.IntN(6) == 0 {
		w.pad(depth)
		w.b.WriteString("# comment é\n")
	}
}

func (w *writer) mapping(depth int) {
	for i := range 1 + w.IntN(4) {
		w.pad(depth)
		if w.IntN(6) == 0 {
			fmt.Fprintf(&w.b, "\"k %d\": ", i)
		} else {
			fmt.Fprintf(&w.b, "k%dé: ", i)
		}
		w.node(depth)
	}
}

func (w *writer) node(depth int) {
	switch n := w.IntN(8); {
	case n == 0 && depth < 4:
		w.b.WriteString("\n")
		w.mapping(depth + 1)
	case n == 1 && depth < 4:
		w.b.WriteString("\n")
		for range 1 + w.IntN(3) {
			w.pad(depth + 1)
			w.b.WriteString("- ")
			w.scalar(depth + 1)
		}
	default:
		w.scalar(depth)
	}
}

// document makes one document, with LF or CRLF and perhaps a byte order mark.
func document(seed uint64) []byte {
	w := &writer{Rand: rand.New(rand.NewPCG(seed, 1))}
	if w.IntN(4) == 0 {
		w.b.WriteString("# head\n---\n")
	}
	w.mapping(0)
	if w.anchors > 0 && w.IntN(2) == 0 {
		fmt.Fprintf(&w.b, "alias: *n%d\n", 1+w.IntN(w.anchors))
	}
	text := w.b.String()
	if w.IntN(3) == 0 {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	if w.IntN(4) == 0 {
		text = bom + text
	}
	if w.IntN(5) == 0 {
		text = strings.TrimRight(text, "\r\n")
	}
	return []byte(text)
}
