package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/cmd/redundctl/monitor/text"
	"github.com/redundctl/redundctl/engine/api"
)

// pane is one list of the overview.
type pane int

// The panes, in the order in which they stand.
const (
	reasons pane = iota
	systems
	pipelines
	runs
	events
	panes
)

// entry is one row of a pane before it is drawn: of ten thousand, few are.
type entry struct {
	target
	cells func() []cell
}

// target is what a row is about. Zero fields are not known.
type target struct {
	key      string
	system   string
	pipeline string // system/name
	state    string // of the part
	run      int64
	going    bool   // the run has not ended
	full     string // what there is to read, when that is all
}

// part is what of the row can be started and stopped.
func (t target) part() string { return cmp.Or(t.pipeline, t.system) }

// title and columns of a pane.
func (p pane) columns() (string, []column) {
	switch p {
	case reasons:
		return "REASONS", []column{{least: 10}, {title: "SYSTEM", least: 6, drop: 1}, {title: "WHAT", least: 20}}
	case systems:
		return "SYSTEMS", []column{
			{least: 17}, {title: "STATE", least: 9}, {title: "HEALTH", least: 9}, {title: "PIPELINES", least: 9, drop: little},
			{title: "RUNNING", least: 7, drop: 1}, {title: "QUEUED", least: 6, drop: 1}, {title: "LAST FAILURE", least: 12, drop: 2},
		}
	case pipelines:
		return "PIPELINES", []column{
			{least: 16}, {title: "STATE", least: 9}, {title: "MODE", least: 9, drop: little}, {title: "NEXT", least: 6, drop: 2}, {title: "LAST RUN", least: 12, drop: 1},
		}
	case runs:
		return "IN PROGRESS", []column{
			{least: 11}, {title: "PIPELINE", least: 12}, {title: "STATE", least: 7}, {title: "AGE", least: 6}, {title: "WHY", least: 9, drop: 1}, {title: "ATTEMPT", least: 7, drop: 2},
		}
	}
	return "LATELY", []column{{least: 8}, {title: "OF", least: 12, drop: 1}, {title: "WHAT", least: 12}, {title: "DETAIL", least: 10, drop: 2}}
}

// none says that a pane has no rows.
func (p pane) none() string {
	switch p {
	case pipelines:
		return "none in force"
	case runs:
		return "nothing runs or waits"
	case events:
		return "nothing has happened"
	}
	return "none"
}

// list gives the rows of a pane that the filter lets through.
func (s *Screen) list(p pane) []entry {
	var all []entry
	switch p {
	case reasons:
		all = s.reasons()
	case systems:
		all = s.systems()
	case pipelines:
		all = s.pipelines()
	case runs:
		all = s.runs()
	case events:
		all = s.lately()
	}
	if s.filter == "" || p == reasons || p == systems {
		return all
	}
	return slices.DeleteFunc(all, func(e entry) bool {
		return !strings.Contains(strings.ToLower(e.pipeline+" "+e.state), strings.ToLower(s.filter))
	})
}

func keys(list []entry) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].key
	}
	return out
}

// reasons are what makes the verdict what it is, the worst first, and the files
// that are rejected.
func (s *Screen) reasons() []entry {
	type reason struct {
		status, system, what string
	}
	var list []reason
	files, told := map[string]bool{}, map[string]int{}
	for _, x := range s.active.Health.Systems {
		for _, c := range x.Checks {
			what := c.Name + ": " + c.Reason
			switch i, again := told[c.Status+what]; {
			case c.Status == "healthy":
			case c.Name == "file": // it is among those that are rejected, with its column
				files[c.Reason] = true
			case again:
				list[i].system = "all"
			default:
				told[c.Status+what] = len(list)
				list = append(list, reason{c.Status, x.Name, what})
			}
		}
	}
	for _, x := range s.status.Reload.Rejected {
		if s.only == "" || files[fmt.Sprintf("%s:%d: %s", x.File, x.Line, x.Message)] {
			list = append(list, reason{"rejected", "-", fmt.Sprintf("%s:%d:%d: %s", x.File, x.Line, x.Column, x.Message)})
		}
	}
	order := []string{"unhealthy", "rejected", "degraded"}
	slices.SortStableFunc(list, func(a, b reason) int {
		return cmp.Compare(slices.Index(order, a.status), slices.Index(order, b.status))
	})
	out := make([]entry, 0, len(list))
	for _, r := range list {
		out = append(out, entry{
			target{key: r.status + r.what, full: r.status + "\n\n" + r.what},
			func() []cell { return []cell{{r.status, of(r.status)}, {r.system, plain}, {r.what, plain}} },
		})
	}
	return out
}

func (s *Screen) systems() []entry {
	out := make([]entry, 0, len(s.status.Systems))
	for i := range s.status.Systems {
		x := &s.status.Systems[i]
		state := x.State
		if x.Observe && state == "running" {
			state = "observing"
		}
		t := target{key: x.Name, system: x.Name, state: x.State}
		if x.LastFailure != nil {
			t.run = x.LastFailure.Run
		}
		out = append(out, entry{t, func() []cell {
			failure := cell{"-", dim}
			if f := x.LastFailure; f != nil {
				failure = cell{fmt.Sprintf("#%d %s ago: %s", f.Run, text.Age(s.now.Sub(cmp.Or(text.At(f.At), s.now))), text.Or(f.Error, "failed")), bad}
			}
			return []cell{
				{x.Name, plain}, {state, of(state)}, {x.Health, of(x.Health)}, {fmt.Sprint(x.Pipelines), plain},
				{fmt.Sprint(x.Running), plain}, {fmt.Sprint(x.Queued), plain}, failure,
			}
		}})
	}
	return out
}

func (s *Screen) pipelines() []entry {
	out := make([]entry, 0, len(s.status.Parts))
	for i := range s.status.Parts {
		x := &s.status.Parts[i]
		id := x.System + "/" + x.Name
		t := target{key: id, system: x.System, pipeline: id, state: x.State}
		if x.LastRun != nil {
			t.run, t.going = x.LastRun.ID, going(x.LastRun.State)
		}
		out = append(out, entry{t, func() []cell {
			next, last := "-", cell{"-", dim}
			if x.Next != nil {
				next = "in " + text.Age(text.At(x.Next).Sub(s.now))
			}
			if x.LastRun != nil {
				last = s.last(x.LastRun)
			}
			state := x.State
			if x.Service != nil && state == "running" {
				state = x.Service.State
			}
			return []cell{{id, plain}, {state, of(state)}, {x.Mode, plain}, {next, plain}, last}
		}})
	}
	return out
}

// last is a run in few words.
func (s *Screen) last(r *api.Run) cell {
	when := text.At(r.Finished)
	if when.IsZero() {
		when = cmp.Or(text.At(r.Started), text.At(r.Queued))
	}
	said := fmt.Sprintf("#%d %s", r.ID, r.State)
	if !when.IsZero() {
		said += " " + text.Age(s.now.Sub(when))
		if !going(r.State) {
			said += " ago"
		}
	}
	return cell{said, of(r.State)}
}

func going(state string) bool { return state == "running" || state == "queued" }

func (s *Screen) runs() []entry {
	out := make([]entry, 0, len(s.active.Running)+len(s.active.Queued))
	for _, list := range [][]api.Run{s.active.Running, s.active.Queued} {
		for i := range list {
			r := &list[len(list)-1-i] // the oldest first: it is the one that is late
			out = append(out, entry{ofRun(r), func() []cell {
				since := cmp.Or(text.At(r.Started), text.At(r.Queued))
				return []cell{
					{fmt.Sprintf("#%d", r.ID), plain}, {r.System + "/" + r.Pipeline, plain}, {r.State, of(r.State)},
					{text.Age(s.now.Sub(since)), plain}, {text.Or(r.Reason, r.Trigger), plain}, {fmt.Sprint(r.Attempt), plain},
				}
			}})
		}
	}
	return out
}

func ofRun(r *api.Run) target {
	return target{key: fmt.Sprint("run ", r.ID), system: r.System, pipeline: r.System + "/" + r.Pipeline, run: r.ID, going: going(r.State)}
}

// lately are the events and the runs that ended, the newest first.
func (s *Screen) lately() []entry {
	type happened struct {
		at time.Time
		entry
	}
	list := make([]happened, 0, len(s.events)+len(s.active.Recent))
	for i := range s.events {
		e := &s.events[i]
		t := target{key: fmt.Sprint("event ", e.ID), pipeline: text.Or(e.Pipeline, "")}
		if e.Run != nil {
			t.run = *e.Run
		}
		t.full = strings.TrimSpace(e.What + "\n\n" + t.pipeline + "\n" + e.Detail)
		if !strings.Contains(t.pipeline, "/") {
			t.system, t.pipeline = t.pipeline, ""
		}
		list = append(list, happened{text.At(&e.At), entry{t, func() []cell {
			return []cell{{text.Clock(text.At(&e.At), s.now), dim}, {text.Or(e.Pipeline, "-"), plain}, {e.What, of(e.What)}, {e.Detail, plain}}
		}}})
	}
	for i := range s.active.Recent {
		r := &s.active.Recent[i]
		end := cmp.Or(text.At(r.Finished), text.At(r.Queued))
		if going(r.State) || end.IsZero() {
			continue
		}
		list = append(list, happened{end, entry{ofRun(r), func() []cell {
			return []cell{
				{text.Clock(end, s.now), dim}, {r.System + "/" + r.Pipeline, plain}, {fmt.Sprintf("#%d %s", r.ID, r.State), of(r.State)}, {outcome(r), plain},
			}
		}}})
	}
	slices.SortStableFunc(list, func(a, b happened) int { return b.at.Compare(a.at) })
	out := make([]entry, len(list))
	for i := range list {
		out[i] = list[i].entry
	}
	return out
}

// outcome says how a run ended, besides its state.
func outcome(r *api.Run) string {
	var out []string
	if r.DurationMS != nil {
		out = append(out, "took "+text.Took(time.Duration(*r.DurationMS)*time.Millisecond))
	}
	if r.Reason != nil {
		out = append(out, *r.Reason)
	}
	if r.Error != nil && *r.Error != r.State {
		out = append(out, *r.Error)
	}
	return strings.Join(out, ", ")
}
