package screen

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/cmd/redundctl/monitor/text"
	"github.com/redundctl/redundctl/engine/api"
)

// kind is what a page shows.
type kind byte

const (
	runPage kind = iota
	pipelinePage
	systemPage
	logPage
	textPage
	helpPage
)

// page is what was opened above the overview. It is asked for again as long as
// it is open.
type page struct {
	kind  kind
	name  string     // of a pipeline or a system; of what the log is
	run   int64      // of a run
	shown *api.Shown // a run, or the last one of a pipeline; nil: it has not come yet
	runs  []api.Run  // of a pipeline
	text  string
	lines []api.Line
	lost  int  // lines that were too many to keep
	loose bool // the log does not follow its end
	cur   cursor
}

// row is one line of a page. Those with a target can be selected.
type row struct {
	line
	target
	pick bool
}

func (p *page) title() string {
	switch p.kind {
	case runPage:
		return fmt.Sprintf("RUN %d", p.run)
	case pipelinePage:
		return "PIPELINE " + p.name
	case systemPage:
		return "SYSTEM " + p.name
	case logPage:
		if strings.Trim(p.name, "0123456789") == "" {
			return "LOG OF RUN " + p.name
		}
		return "LOG OF " + p.name
	}
	if p.kind == helpPage {
		return "KEYS"
	}
	return "READ"
}

// rows are the lines of a page, of any number.
func (s *Screen) rows(p *page, w int) []row {
	switch p.kind {
	case runPage:
		if p.shown == nil {
			return []row{{line: say(dim, "  it has not come yet")}}
		}
		return append(s.aboutRun(p.shown, w), s.steps(p.shown, w)...)
	case pipelinePage:
		return s.aboutPipeline(p, w)
	case systemPage:
		return s.aboutSystem(p, w)
	case helpPage:
		return help(w)
	}
	var out []row
	for _, l := range text.Wrap(p.text, w-2) {
		out = append(out, row{line: say(plain, "  %s", l)})
	}
	return out
}

// help says what the keys do.
func help(w int) []row {
	var out []row
	for _, k := range [][2]string{
		{"up down, k j", "another row; pgup pgdown, home end, g G go farther"},
		{"tab, shift+tab", "another pane"},
		{"enter", "what is selected, with its steps or all of its text"},
		{"l", "its log lines, as they come"},
		{"c", "cancel the run"},
		{"r", "let the run that has ended run again"},
		{"s", "stop the system or the pipeline, or start it again"},
		{"/", "show only what has this text in its pipeline's name or state"},
		{"esc", "back, or all pipelines again"},
		{"q, ctrl+c", "the end; ctrl+z goes to the shell, fg comes back"},
		{"", ""},
		{"", "c, r and s ask first. Whoever cancels, retries, stops or starts is named among the events."},
	} {
		name := 18
		for i, l := range text.Wrap(k[1], w-name) {
			if i > 0 {
				k[0] = ""
			}
			out = append(out, row{line: line{{"  " + text.Pad(k[0], name-2), strong}, {l, plain}}})
		}
	}
	return out
}

// said makes rows of a text that may be long.
func said(x style, w int, format string, args ...any) []row {
	var out []row
	for _, l := range text.Wrap(fmt.Sprintf(format, args...), w-2) {
		out = append(out, row{line: line{{"  ", plain}, {l, x}}})
	}
	return out
}

func (s *Screen) aboutRun(r *api.Shown, w int) []row {
	what := fmt.Sprintf("run %d of %s/%s: %s", r.ID, r.System, r.Pipeline, r.State)
	if r.Error != nil && *r.Error != r.State {
		what += ": " + *r.Error
	}
	out := said(of(r.State), w, "%s", what)
	more := []string{r.Trigger}
	if r.Reason != nil && *r.Reason != r.Trigger {
		more = append(more, *r.Reason)
	}
	more = append(more, fmt.Sprintf("attempt %d", r.Attempt))
	if r.Slot != nil {
		more = append(more, "slot "+text.Clock(text.At(r.Slot), s.now))
	}
	switch begun, ended := text.At(r.Started), text.At(r.Finished); {
	case begun.IsZero() && ended.IsZero():
		more = append(more, "waits for "+text.Age(s.now.Sub(text.At(r.Queued))))
	case ended.IsZero():
		more = append(more, "began at "+text.Clock(begun, s.now), "goes on for "+text.Age(s.now.Sub(begun)))
	case !begun.IsZero():
		more = append(more, "began at "+text.Clock(begun, s.now), "took "+text.Took(ended.Sub(begun)), "ended "+text.Age(s.now.Sub(ended))+" ago")
	}
	return append(append(out, said(plain, w, "%s", strings.Join(more, ", "))...), row{})
}

// steps is the table of the steps of a run.
func (s *Screen) steps(r *api.Shown, w int) []row {
	columns := []column{{title: fmt.Sprintf("STEPS OF #%d", r.ID), least: 12}, {title: "USES", least: 8, drop: 1}, {title: "STATE", least: 9}, {title: "TOOK", least: 6}, {title: "TRIES", least: 5, drop: 2}, {title: "ERROR", least: 10}}
	var cells [][]cell
	var targets []target
	for i := range r.Steps {
		x := &r.Steps[i]
		name, state, lasted := x.ID, x.State, "-"
		if x.Matrix != nil {
			name += " (" + *x.Matrix + ")"
		}
		if x.Continue {
			state += ", continued"
		}
		switch begun, ended := text.At(x.Started), text.At(x.Finished); {
		case begun.IsZero():
		case ended.IsZero():
			lasted = text.Age(s.now.Sub(begun))
		default:
			lasted = text.Took(ended.Sub(begun))
		}
		cells = append(cells, []cell{{name, plain}, {x.Uses, dim}, {state, of(x.State)}, {lasted, plain}, {fmt.Sprint(x.Attempts), plain}, {text.Or(x.Error, "-"), plain}})
		targets = append(targets, target{key: fmt.Sprint("step ", i), full: about(name, x)})
	}
	return table(columns, cells, targets, w)
}

// about is all that there is to say of a step.
func about(name string, x *api.Step) string {
	out := []string{name, "", "uses " + x.Uses, "state " + x.State, fmt.Sprintf("attempts %d", x.Attempts)}
	if x.ExitCode != nil {
		out = append(out, fmt.Sprintf("exit code %d", *x.ExitCode))
	}
	if x.Signal != nil {
		out = append(out, "signal "+*x.Signal)
	}
	if x.Error != nil {
		out = append(out, "error "+*x.Error)
	}
	for _, k := range slices.Sorted(maps.Keys(x.Outputs)) {
		b, err := json.Marshal(x.Outputs[k])
		if err != nil {
			b = []byte(err.Error())
		}
		out = append(out, "output "+k+" = "+string(b))
	}
	return strings.Join(out, "\n")
}

// table lays out rows that can be selected.
func table(columns []column, cells [][]cell, targets []target, w int) []row {
	widths := fit(columns, cells, w-2)
	out := []row{{line: head(span{"  ", plain}, columns, widths, strong)}}
	for i, c := range cells {
		out = append(out, row{line: joined(span{"  ", plain}, c, widths), target: targets[i], pick: true})
	}
	return out
}

func (s *Screen) aboutPipeline(p *page, w int) []row {
	var out []row
	i := slices.IndexFunc(s.status.Parts, func(x api.Part) bool { return x.System+"/"+x.Name == p.name })
	if i < 0 {
		out = said(warn, w, "%s is not in force", p.name)
	} else {
		x := &s.status.Parts[i]
		next := "no next slot"
		if x.Next != nil {
			next = fmt.Sprintf("next in %s, at %s", text.Age(text.At(x.Next).Sub(s.now)), text.Clock(text.At(x.Next), s.now))
		}
		out = said(of(x.State), w, "%s is %s, %s, %s", p.name, x.State, x.Mode, next)
	}
	out = append(out, row{})
	if p.shown != nil {
		out = append(append(out, s.aboutRun(p.shown, w)...), append(s.steps(p.shown, w), row{})...)
	}
	columns := []column{{title: "RUNS", least: 6}, {title: "STATE", least: 9}, {title: "WHEN", least: 8}, {title: "TOOK", least: 6}, {title: "WHY", least: 9, drop: 1}, {title: "ERROR", least: 10}}
	var cells [][]cell
	var targets []target
	for i := range p.runs {
		r := &p.runs[i]
		lasted := "-"
		if begun, ended := text.At(r.Started), text.At(r.Finished); !begun.IsZero() && !ended.IsZero() {
			lasted = text.Took(ended.Sub(begun))
		}
		when := cmp.Or(text.At(r.Started), text.At(r.Queued))
		cells = append(cells, []cell{{fmt.Sprintf("#%d", r.ID), plain}, {r.State, of(r.State)}, {text.Clock(when, s.now), plain}, {lasted, plain}, {text.Or(r.Reason, r.Trigger), plain}, {text.Or(r.Error, "-"), plain}})
		targets = append(targets, ofRun(r))
	}
	return append(out, table(columns, cells, targets, w)...)
}

func (s *Screen) aboutSystem(p *page, w int) []row {
	var out []row
	for i := range s.status.Systems {
		if x := &s.status.Systems[i]; x.Name == p.name {
			out = said(of(x.Health), w, "%s is %s and %s; %d of its runs go on, %d wait", x.Name, x.State, x.Health, x.Running, x.Queued)
		}
	}
	if out == nil {
		out = said(warn, w, "the engine has no system %s", p.name)
	}
	for _, x := range s.active.Health.Systems {
		for _, c := range x.Checks {
			if x.Name == p.name {
				out = append(out, said(of(c.Status), w, "%s: %s: %s", c.Status, c.Name, c.Reason)...)
			}
		}
	}
	_, columns := pipelines.columns()
	columns[0].title = "PIPELINES"
	var cells [][]cell
	var targets []target
	for _, e := range s.pipelines() {
		if e.system == p.name {
			cells, targets = append(cells, e.cells()), append(targets, e.target)
		}
	}
	return append(append(out, row{}), table(columns, cells, targets, w)...)
}
