package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/cmd/redundctl/monitor/text"
)

// wide is from how many columns on two panes stand side by side, tall from how
// many lines.
const wide, tall = 150, 16

// View gives what the terminal shows: as many lines as it has, none wider than
// it is.
func (s *Screen) View() string {
	top := s.header()
	room := max(s.h-len(top)-1, 0)
	var middle []line
	switch p := s.top(); {
	case p == nil:
		middle = s.overview(room)
	case p.kind == logPage:
		middle = s.log(p, room)
	default:
		middle = s.page(p, room)
	}
	middle = middle[:min(len(middle), room)]
	all := append(top, middle...)
	for len(all) < s.h-1 {
		all = append(all, line{})
	}
	all = append(all[:min(len(all), max(s.h-1, 0))], s.footer())
	var b strings.Builder
	for i, l := range all {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(l.draw(s.w, s.color))
	}
	return b.String()
}

// space is how many lines of a page are seen.
func (s *Screen) space() int { return max(s.h-len(s.header())-2, 1) }

// header is the verdict, then which engine says so, and that it does not any
// more.
func (s *Screen) header() []line {
	verdict := s.Verdict()
	since, why := s.silent()
	if why == "" {
		since = s.now
	}
	var l line
	if s.only != "" {
		l = append(l, span{s.only + ": ", strong})
	}
	if why != "" {
		l = append(l, span{"NO ANSWER, was ", bad})
	}
	l = append(l, span{strings.ToUpper(text.Clean(verdict)), of(verdict)})
	if e := s.status.Engine; e.PID != 0 {
		on := ""
		if e.Host != "" {
			on = " on " + e.Host
		}
		up := text.Age(since.Sub(cmp.Or(text.At(e.Started), since)))
		about := fmt.Sprintf("  up %s, process %d%s, redundctl %s, generation %d with %d in force",
			up, e.PID, on, e.Version, s.status.Reload.Generation, s.status.Reload.Loaded)
		if e.Environment != nil {
			about += ", " + *e.Environment
		}
		l = append(l, span{about, dim})
	}
	if why == "" {
		return []line{l}
	}
	return []line{l, say(bad, "no answer for %s, this is how it was at %s: %s", text.Age(s.now.Sub(since)), text.Clock(since, s.now), why)}
}

// footer is the question that waits for an answer, what is being typed, what was
// done, or what the keys do.
func (s *Screen) footer() line {
	switch {
	case s.asking != nil:
		return line{{s.asking.text, warn}, {"  y: yes, any other key: no", strong}}
	case s.typing:
		return line{{"/" + s.filter, strong}, {"_  enter keeps it, esc takes it away", dim}}
	case len(s.notice) > 0:
		return s.notice
	}
	keys := "? help  q quit  tab pane  enter open  l log  c cancel  r retry  s stop  / filter"
	switch p := s.top(); {
	case p != nil && p.kind == helpPage:
		keys = "esc back  q quit"
	case p != nil && p.kind == logPage:
		keys = "esc back  up/down scroll  G follow the end  ? help  q quit"
	case p != nil:
		keys = "esc back  enter open  l log  c cancel  r retry  s stop/start  ? help  q quit"
	case s.filter != "":
		return line{{"only " + s.filter, warn}, {"  esc shows all  " + keys, dim}}
	}
	return say(dim, "%s", keys)
}

// overview is all panes that there is room for.
func (s *Screen) overview(room int) []line {
	lists := map[pane][]entry{}
	for p := range panes {
		lists[p] = s.list(p)
	}
	if len(lists[s.focus]) == 0 && s.focus == reasons {
		s.focus = pipelines // what was wrong is no more
	}
	var out []line
	if s.w >= wide && room >= tall {
		if n := len(lists[reasons]); n > 0 {
			out = s.pane(reasons, lists[reasons], s.w, min(n+1, room/4))
			room -= len(out)
		}
		left := s.w * 11 / 20
		a := s.stack([]pane{systems, pipelines}, lists, left, room)
		b := s.stack([]pane{runs, events}, lists, s.w-left-gap, room)
		for i := range room {
			var l line
			if i < len(a) {
				l = a[i]
			}
			l = append(l.padded(left), span{strings.Repeat(" ", gap), plain})
			if i < len(b) {
				l = append(l, b[i]...)
			}
			out = append(out, l)
		}
		return out
	}
	return s.stack([]pane{reasons, systems, pipelines, runs, events}, lists, s.w, room)
}

// stack puts panes one below the other. When there is no room for all, those
// that say least are left out, but never the one that the keys move in.
func (s *Screen) stack(list []pane, lists map[pane][]entry, w, room int) []line {
	want, got := map[pane]int{}, map[pane]int{}
	for _, p := range list {
		if n := len(lists[p]); n > 0 {
			want[p] = n + 1
		} else if p != reasons {
			want[p] = 1
		}
		got[p] = min(want[p], 2)
	}
	sum := func() (n int) {
		for _, x := range got {
			n += x
		}
		return n
	}
	why := false // the verdict is nothing without its reason
	for _, p := range []pane{events, systems, runs, reasons, pipelines} {
		if sum() > room && p != s.focus {
			delete(got, p)
			if p == reasons && want[p] > 0 && room > 2 {
				why, room = true, room-1
			}
		}
	}
	for more := true; more; {
		more = false
		for _, p := range list {
			for i := 0; i < 2 && (i == 0 || p == s.focus); i++ {
				if x, ok := got[p]; ok && x < want[p] && sum() < room {
					got[p]++
					more = true
				}
			}
		}
	}
	var out []line
	airy, drawn := room-sum() >= len(got)-1, 0
	if why {
		out = append(out, worst(lists[reasons]))
	}
	for _, p := range list {
		if got[p] > 0 {
			if drawn > 0 && airy {
				out = append(out, line{})
			}
			drawn++
			out = append(out, s.pane(p, lists[p], w, got[p])...)
		}
	}
	return out
}

// worst is the first of the reasons, and how many there are.
func worst(list []entry) line {
	cells := list[0].cells()
	l := line{{cells[0].text + ": ", cells[0].style}, cells[2]}
	if n := len(list); n > 1 {
		l = append(line{{fmt.Sprintf("%d reasons, ", n), plain}}, l...)
	}
	return l
}

// pane draws one list with its head.
func (s *Screen) pane(p pane, list []entry, w, room int) []line {
	name, columns := p.columns()
	focused := p == s.focus
	lead, style := span{"  ", plain}, dim
	if focused {
		style = strong
	}
	if len(list) == 0 {
		if focused {
			lead.text = "> "
		}
		return []line{{lead, {name, style}, {"  " + p.none(), dim}}}
	}
	c := &s.cursors[p]
	if !focused && (p == events || p == reasons) {
		*c = cursor{} // the first is what matters
	}
	names := keys(list)
	c.find(names)
	from, to := c.window(len(list), room-1)
	var rows [][]cell
	for _, e := range list[from:to] {
		rows = append(rows, e.cells())
	}
	if to-from < len(list) {
		name = fmt.Sprintf("%s %d-%d/%d", name, from+1, to, len(list))
	}
	columns[0].title = name
	measured := rows
	if p == pipelines { // the columns do not move when the rows do
		longest := slices.MaxFunc(names, func(a, b string) int { return len(a) - len(b) })
		measured = append(slices.Clone(rows), []cell{{longest, plain}})
	}
	widths := fit(columns, measured, w-2)
	out := []line{head(lead, columns, widths, style)}
	for i, r := range rows {
		l := joined(span{"  ", plain}, r, widths)
		if focused && from+i == c.index {
			l = l.chosen(w)
		}
		out = append(out, l)
	}
	return out
}

// page draws what is open.
func (s *Screen) page(p *page, room int) []line {
	rows := s.rows(p, s.w)
	var picks []int
	var list []string
	for i, r := range rows {
		if r.pick {
			picks, list = append(picks, i), append(list, r.key)
		}
	}
	room = max(room-1, 1)
	top := min(p.cur.top, max(len(rows)-room, 0))
	if len(picks) > 0 {
		p.cur.find(list)
		at := picks[p.cur.index]
		top = max(min(top, at), at-room+1, 0)
		if p.cur.index == 0 && at < room {
			top = 0
		}
		rows[at].line = rows[at].line.chosen(s.w)
	}
	p.cur.top = top
	out := []line{say(strong, "%s", p.title())}
	for _, r := range rows[top:min(top+room, len(rows))] {
		out = append(out, r.line)
	}
	return out
}

// log draws the lines that are followed.
func (s *Screen) log(p *page, room int) []line {
	room = max(room-1, 1)
	last := max(len(p.lines)-room, 0)
	if !p.loose {
		p.cur.top = last
	}
	top := min(p.cur.top, last)
	title := p.title()
	if p.loose {
		title += fmt.Sprintf(", line %d of %d, G follows the end", top+1, len(p.lines))
	}
	if p.lost > 0 {
		title += fmt.Sprintf(", %d more before: redundctl logs %s", p.lost, p.name)
	}
	out := []line{say(strong, "%s", title)}
	if len(p.lines) == 0 {
		return append(out, say(dim, "  nothing yet"))
	}
	one := strings.Trim(p.name, "0123456789") == ""
	for _, l := range p.lines[top:min(top+room, len(p.lines))] {
		from := text.Clock(text.At(&l.At), s.now)
		switch {
		case one && l.Step != nil:
			from += " " + *l.Step
		case !one && l.Run != nil:
			from += fmt.Sprintf(" #%d %s", *l.Run, text.Or(l.Step, ""))
		}
		out = append(out, line{{strings.TrimRight(from, " ") + " | ", dim}, {text.Printed(l.Text), plain}})
	}
	return out
}
