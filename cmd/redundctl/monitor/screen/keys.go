package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/api"
)

// mostFilter is how long a filter may be, in bytes.
const mostFilter = 100

// Key does what a key means and gives what it asks for. Name is as ctrl+c, up, or
// the character itself; text is what the key writes, "" when it writes nothing.
func (s *Screen) Key(name, text string) Ask {
	if name == "ctrl+c" {
		return Ask{Do: Interrupt}
	}
	s.notice = nil
	switch {
	case s.asking != nil:
		q := s.asking
		s.asking = nil
		if name == "y" || name == "Y" {
			return q.ask
		}
		s.Say(true, "nothing was done")
		return Ask{}
	case s.typing:
		s.edit(name, text)
		return Ask{}
	}
	switch name {
	case "q":
		return Ask{Do: Quit}
	case "ctrl+z":
		return Ask{Do: Suspend}
	case "?":
		if p := s.top(); p == nil || p.kind != helpPage {
			s.pages = append(s.pages, &page{kind: helpPage})
		}
	case "esc", "alt+esc", "backspace", "left":
		s.back(name)
	case "/":
		s.typing = s.top() == nil
	default:
		if !s.moves(name) {
			return s.acts(name)
		}
	}
	return Ask{}
}

// Paste takes what was pasted: it is text for the filter, and never keys.
func (s *Screen) Paste(text string) {
	if s.typing {
		s.edit("", text)
	}
}

// edit changes the filter.
func (s *Screen) edit(name, text string) {
	switch name {
	case "enter":
		s.typing = false
	case "esc":
		s.typing, s.filter = false, ""
	case "ctrl+u":
		s.filter = ""
	case "backspace":
		r := []rune(s.filter)
		s.filter = string(r[:max(len(r)-1, 0)])
	default:
		if text = strings.ToValidUTF8(text, ""); len(s.filter)+len(text) <= mostFilter {
			s.filter += text
		}
	}
}

// back leaves what is open.
func (s *Screen) back(name string) {
	switch {
	case len(s.pages) > 0:
		s.pages = s.pages[:len(s.pages)-1]
	case name != "backspace" && name != "left":
		s.filter = ""
	}
}

// moves goes to another row or pane; false: the key does not.
func (s *Screen) moves(name string) bool {
	by, ok := map[string]int{
		"up": -1, "k": -1, "down": 1, "j": 1, "pgup": -s.pageful(), "pgdown": s.pageful(), "ctrl+b": -s.pageful(), "ctrl+f": s.pageful(),
		"space": s.pageful(), "home": -far, "g": -far, "end": far, "G": far,
	}[name]
	switch p := s.top(); {
	case ok && p == nil:
		list := keys(s.list(s.focus))
		s.cursors[s.focus].find(list)
		s.cursors[s.focus].move(list, by)
	case ok && p.kind == logPage:
		s.scroll(p, by)
	case ok:
		s.pick(p, by)
	case p == nil && (name == "tab" || name == "right"):
		s.turn(1)
	case p == nil && name == "shift+tab":
		s.turn(int(panes) - 1)
	default:
		return false
	}
	return true
}

// far is farther than any list is long.
const far = 1 << 30

func (s *Screen) pageful() int { return max(s.h/2, 1) }

// turn goes to another pane. One without rows has nothing to go to.
func (s *Screen) turn(by int) {
	for range panes {
		if s.focus = (s.focus + pane(by)) % panes; len(s.list(s.focus)) > 0 {
			return
		}
	}
	s.focus = pipelines
}

// scroll moves in a log. Who goes up stays there; who comes to the end follows
// it again.
func (s *Screen) scroll(p *page, by int) {
	last := max(len(p.lines)-s.space(), 0)
	if !p.loose {
		p.cur.top = last
	}
	p.cur.top = min(max(p.cur.top+by, 0), last)
	p.loose = p.cur.top < last
}

// pick goes to another row of a page, or scrolls where there are none.
func (s *Screen) pick(p *page, by int) {
	rows := s.rows(p, s.w)
	var list []string
	for _, r := range rows {
		if r.pick {
			list = append(list, r.key)
		}
	}
	if len(list) == 0 {
		p.cur.top = min(max(p.cur.top+by, 0), max(len(rows)-s.space(), 0))
		return
	}
	p.cur.find(list)
	if p.cur.index == 0 && by < 0 {
		p.cur.top = 0 // shows what stands above the first
	}
	p.cur.move(list, by)
}

// selected is what the keys are about.
func (s *Screen) selected() (t target, ok bool) {
	p := s.top()
	if p == nil {
		list := s.list(s.focus)
		c := &s.cursors[s.focus]
		c.find(keys(list))
		if c.index < len(list) {
			t, ok = list[c.index].target, true
		}
	} else {
		t, ok = s.opened(p), true
	}
	if t.state == "" && t.part() != "" {
		t.state = s.state(t)
	}
	return t, ok
}

// opened is what a page is about, or the row of it that is selected.
func (s *Screen) opened(p *page) target {
	base := target{}
	switch p.kind {
	case systemPage:
		base.system = p.name
	case pipelinePage:
		base.pipeline = p.name
	case logPage:
		if strings.Contains(p.name, "/") {
			base.pipeline = p.name
		}
		_, _ = fmt.Sscanf(p.name, "%d", &base.run)
	}
	if p.kind == runPage || p.kind == pipelinePage && p.shown != nil {
		base.run = p.run
		if p.shown != nil {
			base.run, base.pipeline, base.going = p.shown.ID, p.shown.System+"/"+p.shown.Pipeline, going(p.shown.State)
		}
	}
	rows := slices.DeleteFunc(s.rows(p, s.w), func(r row) bool { return !r.pick })
	if p.kind == logPage || len(rows) == 0 {
		return base
	}
	list := make([]string, len(rows))
	for i, r := range rows {
		list[i] = r.key
	}
	p.cur.find(list)
	t := rows[p.cur.index].target
	if t.run == 0 {
		t.run, t.going = base.run, base.going
	}
	if t.part() == "" {
		t.system, t.pipeline = base.system, base.pipeline
	}
	return t
}

// state is that of a system or a pipeline.
func (s *Screen) state(t target) string {
	for _, x := range s.status.Parts {
		if t.pipeline == x.System+"/"+x.Name {
			return x.State
		}
	}
	for _, x := range s.status.Systems {
		if t.pipeline == "" && t.system == x.Name {
			return x.State
		}
	}
	return ""
}

// acts does what a key means for what is selected.
func (s *Screen) acts(name string) Ask {
	t, ok := s.selected()
	switch name {
	case "enter":
		if ok {
			s.open(t)
		}
		return Ask{}
	case "l":
		s.follow(t)
		return Ask{}
	case "c", "r", "s":
	default:
		return Ask{}
	}
	if _, why := s.silent(); why != "" {
		s.Say(false, "that needs the engine: "+why)
		return Ask{}
	}
	run := fmt.Sprintf("run %d", t.run)
	if t.pipeline != "" {
		run += " of " + t.pipeline
	}
	switch {
	case name == "c" && (t.run == 0 || !t.going):
		s.Say(false, "nothing that goes on is selected")
	case name == "c":
		s.asking = &question{"cancel " + run + "?", Ask{Do: Cancel, Run: t.run}}
	case name == "r" && t.run == 0:
		s.Say(false, "no run is selected")
	case name == "r" && t.going:
		s.Say(false, run+" has not ended: c cancels it")
	case name == "r":
		s.asking = &question{"let " + run + " run again?", Ask{Do: Retry, Run: t.run}}
	case t.part() == "" || t.state == "":
		s.Say(false, "no system and no pipeline is selected")
	case t.state == "disabled":
		s.Say(false, t.part()+" is disabled in its file: redundctl enable "+t.part())
	case t.state == "stopped":
		s.asking = &question{"start " + t.part() + "?", Ask{Do: Start, Name: t.part()}}
	default:
		s.asking = &question{"stop " + t.part() + "? runs that go on may end", Ask{Do: Stop, Name: t.part()}}
	}
	return Ask{}
}

// open shows a row with all that there is to it.
func (s *Screen) open(t target) {
	p := &page{kind: textPage, text: t.full}
	switch top := s.top(); {
	case top != nil && top.kind == logPage:
		return
	case t.full != "" && (top != nil || s.focus == reasons || t.run == 0):
	case top == nil && s.focus == systems:
		p = &page{kind: systemPage, name: t.system}
	case t.pipeline != "" && (top == nil && s.focus == pipelines || top != nil && top.kind == systemPage):
		p = &page{kind: pipelinePage, name: t.pipeline}
	case t.run != 0 && (top == nil || top.kind != runPage):
		p = &page{kind: runPage, run: t.run}
	}
	if p.kind != textPage || p.text != "" {
		s.pages = append(s.pages, p)
	}
}

// follow shows the lines that are logged by what is selected.
func (s *Screen) follow(t target) {
	top := s.top()
	run := ""
	if t.run != 0 {
		run = fmt.Sprint(t.run)
	}
	name := cmp.Or(run, t.pipeline, t.system, "engine")
	switch {
	case top != nil && (top.kind == logPage || top.kind == helpPage):
		return
	case top == nil && s.focus == systems, top != nil && top.kind == systemPage && t.pipeline == "":
		name = t.system
	case top == nil && s.focus == pipelines, top != nil && top.kind == systemPage:
		name = t.pipeline
	}
	s.pages = append(s.pages, &page{kind: logPage, name: cmp.Or(name, "engine"), lines: []api.Line{}})
}
