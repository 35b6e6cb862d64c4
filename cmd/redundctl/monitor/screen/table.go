package screen

import (
	"slices"

	"github.com/redundctl/redundctl/cmd/redundctl/monitor/text"
)

// column is one column of a table. When there is little room those that matter
// little are left out; then those shrink that are wider than their least, the
// widest first; then the one with the highest drop is left out, and so on.
type column struct {
	title string
	least int
	drop  int // 0: never; little: before others shrink
}

const little = 3

// cell is one cell of a row.
type cell = span

// gap is between two columns.
const gap = 2

// fit gives the widths of the columns in a room; 0: the column is left out.
func fit(columns []column, rows [][]cell, room int) []int {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = max(text.Width(c.title), 1)
		for _, r := range rows {
			if i < len(r) {
				widths[i] = max(widths[i], text.Width(text.Clean(r[i].text)))
			}
		}
	}
	for total(widths) > room {
		if !leave(columns, widths, little) && !shrink(columns, widths, total(widths)-room) && !leave(columns, widths, 1) {
			break // the line is cut when it is drawn
		}
	}
	return widths
}

// shrink takes from the widest column that can give something, until the next
// one is as wide.
func shrink(columns []column, widths []int, over int) bool {
	widest, second := -1, 0
	for i, w := range widths {
		if w > columns[i].least && (widest < 0 || w > widths[widest]) {
			widest = i
		}
	}
	if widest < 0 {
		return false
	}
	for i, w := range widths {
		if i != widest && w < widths[widest] {
			second = max(second, w)
		}
	}
	widths[widest] = max(widths[widest]-max(min(over, widths[widest]-second), 1), columns[widest].least)
	return true
}

// leave leaves out the column with the highest drop, from one on.
func leave(columns []column, widths []int, from int) bool {
	out := -1
	for i, c := range columns {
		if widths[i] > 0 && c.drop >= from && (out < 0 || c.drop > columns[out].drop) {
			out = i
		}
	}
	if out >= 0 {
		widths[out] = 0
	}
	return out >= 0
}

func total(widths []int) int {
	sum := -gap
	for _, w := range widths {
		if w > 0 {
			sum += w + gap
		}
	}
	return sum
}

// joined puts cells into columns, behind what comes first in the line.
func joined(lead span, cells []cell, widths []int) line {
	l := line{lead}
	for i, c := range cells {
		if i >= len(widths) || widths[i] == 0 {
			continue
		}
		t := text.Cut(text.Clean(c.text), widths[i])
		if slices.ContainsFunc(widths[i+1:], func(w int) bool { return w > 0 }) {
			t = text.Pad(t, widths[i]+gap)
		}
		l = append(l, span{t, c.style})
	}
	return l
}

// head is the line with the titles.
func head(lead span, columns []column, widths []int, style style) line {
	var cells []cell
	for _, c := range columns {
		cells = append(cells, cell{c.title, style})
	}
	return joined(lead, cells, widths)
}

// cursor is what is selected in a list. It stays with its row when others come
// and go.
type cursor struct {
	key   string
	index int
	top   int // the first row that is seen
}

// find looks up where the row is now.
func (c *cursor) find(keys []string) {
	if c.key != "" {
		if i := slices.Index(keys, c.key); i >= 0 {
			c.index = i
			return
		}
	}
	c.move(keys, 0)
}

// move goes some rows down, or up.
func (c *cursor) move(keys []string, by int) {
	c.index = min(max(c.index+by, 0), max(len(keys)-1, 0))
	c.key = ""
	if c.index < len(keys) {
		c.key = keys[c.index]
	}
}

// window gives which rows of n are seen when room has space for so many.
func (c *cursor) window(n, room int) (from, to int) {
	c.top = min(c.top, c.index)
	c.top = max(c.top, c.index-room+1, 0)
	c.top = max(min(c.top, n-room), 0)
	return c.top, min(c.top+room, n)
}
