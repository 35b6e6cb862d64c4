// Package screen is what `redundctl monitor` shows: what an engine said last, and
// what the keys have made of it. It knows neither a terminal nor an engine: it is
// told what happens, and gives the lines to draw and what it wants to have done.
//
// Start with New. A Screen belongs to one goroutine.
package screen

import (
	"cmp"
	"slices"
	"time"

	"github.com/redundctl/redundctl/engine/api"
)

// Do is something that a key asks for.
type Do byte

// What a key may ask for; the zero value is nothing.
const (
	Quit      Do = iota + 1 // the end, as it was meant
	Interrupt               // the end, by Ctrl-C
	Suspend                 // the shell's prompt until fg
	Cancel                  // of Run
	Retry                   // of Run
	Stop                    // of Name, a system or a pipeline
	Start                   // of Name
)

// Ask is what a key asks for; the zero value is nothing.
type Ask struct {
	Do   Do
	Run  int64
	Name string
}

// Wants is what is open on the screen besides the overview. Zero fields are not
// wanted.
type Wants struct {
	Run      int64
	Pipeline string
	Log      string // a run's number, a pipeline or a system, whose lines are followed
}

// Active is what goes on, and what ended last.
type Active struct {
	Running, Queued, Recent []api.Run // each the newest first
	Health                  api.Health
}

// mostEvents and mostLines are how much is kept to scroll back to.
const mostEvents, mostLines = 200, 2000

// silence is how long an engine may say nothing before that is shown.
const silence = 6 * time.Second

// Screen is the state of the view.
type Screen struct {
	only  string // the one system that is shown; "": all
	color bool
	w, h  int
	now   time.Time

	status api.Status
	active Active
	events []api.Event // oldest first
	heard  time.Time   // when the engine answered last; zero: never
	lost   string      // why it is not there; "": it is

	focus   pane
	cursors [panes]cursor
	filter  string
	typing  bool      // the filter is being typed
	asking  *question // waits for y or n
	notice  line
	noticed time.Time
	pages   []*page // what was opened above the overview, the last one on top
}

// question is asked before something is done.
type question struct {
	text string
	ask  Ask
}

// Options say how a Screen begins.
type Options struct {
	System string // shows this one alone; "": all
	Color  bool
	Now    time.Time
}

// New makes a screen of 80 columns and 24 lines that nothing is known of yet.
func New(o Options) *Screen {
	return &Screen{only: o.System, color: o.Color, w: 80, h: 24, now: o.Now, focus: pipelines}
}

// Resize tells how large the terminal is.
func (s *Screen) Resize(columns, lines int) { s.w, s.h = max(columns, 1), max(lines, 1) }

// Tick tells what time it is.
func (s *Screen) Tick(now time.Time) {
	s.now = now
	if len(s.notice) > 0 && now.Sub(s.noticed) > 10*time.Second {
		s.notice = nil
	}
}

// Met says that an engine answers; what happened last is told again.
func (s *Screen) Met() { s.lost, s.events, s.heard = "", nil, s.now }

// Lost says why the engine does not answer any more.
func (s *Screen) Lost(why string) { s.lost = why }

// Heard says that the engine answered, whatever it said.
func (s *Screen) Heard() { s.heard = s.now }

// Status tells what the engine does.
func (s *Screen) Status(x api.Status) {
	if s.only != "" {
		x.Systems = slices.DeleteFunc(slices.Clone(x.Systems), func(y api.SystemStatus) bool { return y.Name != s.only })
		x.Parts = slices.DeleteFunc(slices.Clone(x.Parts), func(y api.Part) bool { return y.System != s.only })
	}
	s.status = x
	s.Heard()
}

// Event tells of something that happened.
func (s *Screen) Event(e api.Event) {
	s.Heard()
	if s.only != "" && e.Pipeline != nil && !in(*e.Pipeline, s.only) {
		return
	}
	s.events = append(s.events, e)
	s.events = s.events[max(len(s.events)-mostEvents, 0):]
}

// Active tells what goes on.
func (s *Screen) Active(x Active) {
	if s.only != "" {
		x.Health.Systems = slices.DeleteFunc(slices.Clone(x.Health.Systems), func(y api.SystemHealth) bool { return y.Name != s.only })
	}
	s.active = x
	s.Heard()
}

// Run tells how a run is that is open.
func (s *Screen) Run(x api.Shown) {
	for _, p := range s.pages {
		switch {
		case p.kind == runPage && p.run == x.ID:
			p.shown = &x
		case p.kind == pipelinePage && p.name == x.System+"/"+x.Pipeline && (p.shown == nil || p.shown.ID <= x.ID):
			p.shown = &x
		}
	}
	s.Heard()
}

// Runs tells which runs a pipeline had that is open, the newest first.
func (s *Screen) Runs(name string, runs []api.Run) {
	for _, p := range s.pages {
		if p.kind == pipelinePage && p.name == name {
			p.runs = runs
		}
	}
	s.Heard()
}

// Lines tells what was logged by what is followed; lost lines came before them
// and were too many.
func (s *Screen) Lines(of string, list []api.Line, lost int) {
	p := s.top()
	if p == nil || p.kind != logPage || p.name != of {
		return
	}
	p.lost += lost
	p.lines = append(p.lines, list...)
	if over := len(p.lines) - mostLines; over > 0 {
		p.lines = slices.Delete(p.lines, 0, over)
		p.lost += over
		p.cur.index = max(p.cur.index-over, 0)
	}
	s.Heard()
}

// Restarted says that the lines of what is followed come again from the first.
func (s *Screen) Restarted(of string) {
	if p := s.top(); p != nil && p.kind == logPage && p.name == of {
		p.lines, p.lost = nil, 0
	}
}

// Say shows a short text until another key is pressed, or for ten seconds.
func (s *Screen) Say(ok bool, what string) {
	s.notice, s.noticed = line{{what, good}}, s.now
	if !ok {
		s.notice[0].style = bad
	}
}

// Wants says what should be asked of the engine besides.
func (s *Screen) Wants() Wants {
	p := s.top()
	switch {
	case p == nil:
		return Wants{}
	case p.kind == runPage:
		return Wants{Run: p.run}
	case p.kind == pipelinePage:
		return Wants{Pipeline: p.name}
	case p.kind == logPage:
		return Wants{Log: p.name}
	}
	return Wants{}
}

func (s *Screen) top() *page {
	if len(s.pages) == 0 {
		return nil
	}
	return s.pages[len(s.pages)-1]
}

// silent says since when the engine has not answered; zero: it does.
func (s *Screen) silent() (since time.Time, why string) {
	switch {
	case s.lost != "":
		return s.heard, s.lost
	case s.now.Sub(s.heard) > silence:
		return s.heard, "the engine does not answer"
	}
	return time.Time{}, ""
}

// Verdict is the worst of what is shown.
func (s *Screen) Verdict() string {
	if s.only == "" {
		return cmp.Or(s.active.Health.Status, "no verdict yet")
	}
	for _, x := range s.active.Health.Systems {
		return x.Status
	}
	return "no verdict yet"
}

// in reports whether system/name, or a system, belongs to a system.
func in(name, system string) bool {
	return name == system || len(name) > len(system) && name[:len(system)+1] == system+"/"
}

// Table is what a pane holds, as text.
type Table struct {
	Head []string
	Rows [][]string
}

// Tables gives all panes but for what happened lately, with every row, for where
// there is no terminal.
func (s *Screen) Tables() []Table {
	var out []Table
	for p := range events {
		name, columns := p.columns()
		columns[0].title = name
		var t Table
		for _, c := range columns {
			t.Head = append(t.Head, c.title)
		}
		for _, e := range s.list(p) {
			var r []string
			for _, c := range e.cells() {
				r = append(r, c.text)
			}
			t.Rows = append(t.Rows, r)
		}
		out = append(out, t)
	}
	return out
}
