package console

import (
	"io"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// narrowest is how far a column may shrink, gap what stands between two.
const narrowest, gap = 8, 2

// Table prints rows below a head, in columns. When w is a terminal the widest
// columns shrink until a row fits it; in a pipe nothing is cut.
func Table(w io.Writer, color bool, head []string, rows [][]string) error {
	all := make([][]string, 0, len(rows)+1)
	for _, r := range append([][]string{head}, rows...) {
		cells := make([]string, len(r))
		for i, c := range r {
			cells[i] = Clean(c)
		}
		all = append(all, cells)
	}
	widths := columns(all)
	if room := width(w); room > 0 {
		shrink(widths, room)
	}
	var b strings.Builder
	for i, r := range all {
		text := row(r, widths)
		if i == 0 && len(head) == 0 {
			continue
		}
		if i == 0 && color {
			text = "\x1b[1m" + text + "\x1b[0m"
		}
		b.WriteString(text + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func columns(rows [][]string) []int {
	var widths []int
	for _, r := range rows {
		for i, c := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], ansi.StringWidth(c))
		}
	}
	return widths
}

// shrink takes from the widest column, one cell at a time, until all fit the
// room or none can give more.
func shrink(widths []int, room int) {
	total := gap * (len(widths) - 1)
	for _, n := range widths {
		total += n
	}
	for ; total > room; total-- {
		i := slices.Index(widths, slices.Max(widths))
		if widths[i] <= narrowest {
			return
		}
		widths[i]--
	}
}

func row(cells []string, widths []int) string {
	var b strings.Builder
	for i, c := range cells {
		c = ansi.Truncate(c, widths[i], "…")
		b.WriteString(c)
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-ansi.StringWidth(c)+gap))
		}
	}
	return strings.TrimRight(b.String(), " ")
}
