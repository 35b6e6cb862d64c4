// Package story tells what became of one slot in plain words: what was
// expected, what was seen of the primary, what was decided and what was done.
//
// Start with Of, which is pure; read.go gathers its facts from the history
// alone, with an engine or without.
package story

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Facts are what a story is made of.
type Facts struct {
	System, Name string
	Slot         ledger.Slot        // a zero At: the pipeline is a service, which has none
	Pipeline     *pipeline.Pipeline // as it decided the slot, or is now; nil: nobody knows
	Zone         *time.Location     // of its schedule; nil: UTC
	// Until is when the primary's grace for the slot is over; zero: nobody knows.
	Until  time.Time
	Events []pipeline.Event // of the slot and its runs, in order
	Runs   []Run            // of the slot, the first one first
	Now    time.Time
}

// Run is one run of a slot with its steps.
type Run struct {
	pipeline.Run
	Steps []pipeline.StepRecord
}

// Story is what is told. At is in the zone of the schedule.
type Story struct {
	System, Name string
	Slot         time.Time // zero: of a service
	Decision     string    // run or skip; "": it is open
	Reason       string
	Summary      string // in one or two sentences
	Lines        []Line
}

// Line is one thing that happened. What is a short stable word; Detail is one
// line for people.
type Line struct {
	At           time.Time
	What, Detail string
}

// Of tells the story of a slot.
func Of(f *Facts) Story {
	t := &teller{Facts: f, zone: f.Zone}
	if t.zone == nil {
		t.zone = time.UTC
	}
	s := Story{System: f.System, Name: f.Name, Slot: f.Slot.At, Decision: f.Slot.Decision, Reason: t.reason()}
	if s.Slot.IsZero() {
		for _, e := range f.Events {
			t.event(e)
		}
		s.Summary = "It is a service, which has no slots: this is what happened to it last."
	} else {
		s.Slot = s.Slot.In(t.zone)
		t.expected()
		t.story()
		s.Summary = strings.Join(slices.DeleteFunc([]string{t.decided(), t.done(), t.late()}, func(x string) bool { return x == "" }), " ")
	}
	slices.SortStableFunc(t.lines, func(a, b Line) int { return a.At.Compare(b.At) })
	for _, l := range t.lines {
		l.At = l.At.In(t.zone)
		s.Lines = append(s.Lines, l)
	}
	return s
}

// Shape is the story as programs read it.
func (s *Story) Shape() api.Why {
	out := api.Why{
		Pipeline: s.Name, System: s.System, Slot: api.When(s.Slot.UTC()), Decision: api.Present(s.Decision), Reason: api.Present(s.Reason),
		Summary: s.Summary, Events: make([]api.WhyEvent, 0, len(s.Lines)),
	}
	for _, l := range s.Lines {
		out.Events = append(out.Events, api.WhyEvent{At: pipeline.Time(l.At.UTC()), What: l.What, Detail: l.Detail})
	}
	return out
}

// teller collects the lines of one story.
type teller struct {
	*Facts
	zone  *time.Location
	lines []Line
}

func (t *teller) say(at time.Time, what, format string, args ...any) {
	t.lines = append(t.lines, Line{At: at, What: what, Detail: fmt.Sprintf(format, args...)})
}

// reason is why the slot was decided so. The attempts after the first one say
// "retry" of themselves, which is no reason for the slot.
func (t *teller) reason() string {
	r := t.Slot.Reason
	if r == "retry" && len(t.Runs) > 0 {
		r = cmp.Or(t.Runs[0].Reason, r)
	}
	return r
}

// expected says what was to happen at the slot.
func (t *teller) expected() {
	if !t.asks() && t.reason() == "manual" {
		t.say(t.Slot.At, "expected", "somebody named this slot")
		return
	}
	if !t.asks() {
		t.say(t.Slot.At, "expected", "%s", "the pipeline was due"+t.schedule())
		return
	}
	line := "the primary was to deliver"
	if p := t.Pipeline; p != nil && p.Primary != nil {
		line = "the primary, " + named(p.Primary) + ", was to deliver"
	}
	if !t.Until.IsZero() {
		line += ", until " + t.clock(t.Until)
	}
	t.say(t.Slot.At, "expected", "%s", line)
}

// asks reports whether a primary was asked about the slot.
func (t *teller) asks() bool { return !t.Slot.Next.IsZero() }

// named is a primary in a few words, none of which holds a secret.
func named(p *pipeline.Primary) string {
	for _, key := range []string{"workflow", "process", "function", "path"} {
		if v, ok := p.With[key].(string); ok && !strings.Contains(v, "${{") {
			return p.Kind + " " + v
		}
	}
	return p.Kind
}

func (t *teller) schedule() string {
	if t.Pipeline == nil || len(t.Pipeline.Schedule) == 0 {
		return ""
	}
	var all []string
	for _, s := range t.Pipeline.Schedule {
		if s.Cron != "" {
			all = append(all, fmt.Sprintf("cron %q in %s", s.Cron, cmp.Or(s.Timezone, "UTC")))
		} else {
			all = append(all, "every "+s.Every.String())
		}
	}
	return ": " + strings.Join(all, ", ")
}

// story adds what happened.
func (t *teller) story() {
	last := ""
	for _, e := range t.Events {
		if e.What == "decided" {
			last = e.Detail
		}
		t.event(e)
	}
	switch s := &t.Slot; {
	case s.Decision == "":
	case s.Decision == "skip" && strings.Contains(last, "runs: ") && !strings.Contains(last, ", but "):
		// It was to run, and something came between while it waited.
		t.say(s.Decided, "decided", "%s", t.plain(s.Decision, t.reason()))
	case last == "":
		at := s.Decided
		if s.Decision == "run" && len(t.Runs) > 0 {
			at = t.Runs[0].Queued
		}
		t.say(at, "decided", "%s", t.plain(s.Decision, t.reason()))
	}
	for i := range t.Runs {
		t.run(&t.Runs[i])
	}
}

// event adds one line that was recorded.
func (t *teller) event(e pipeline.Event) {
	switch e.What {
	case "decided":
		t.say(e.At, "decided", "%s", t.decision(e.Detail))
	case "primary":
		t.say(e.At, "primary", "%s", seen(e.Detail))
	case "cancel":
		t.say(e.At, "cancel", "run %d was to end, %s", e.Run, e.Detail)
	default:
		t.say(e.At, e.What, "%s", e.Detail)
	}
}

// seen is what was seen of a primary in more than one word.
func seen(detail string) string {
	word, rest, _ := strings.Cut(detail, ":")
	said, ok := map[string]string{
		"succeeded": "it delivered", "failed": "it failed", "running": "it is at work", "nothing": "nothing of it yet", "unknown": "nobody can tell how it does",
	}[word]
	if !ok {
		return detail
	}
	if rest == "" {
		return said
	}
	return said + ":" + rest
}

// decision puts the words of a recorded decision into plain ones.
func (t *teller) decision(detail string) string {
	text, before := detail, ""
	if rest, ok := strings.CutPrefix(text, "last look before the first step: "); ok {
		text, before = rest, "right before the first step: "
	}
	for word, is := range map[string]string{"runs: ": "run", "skipped: ": "skip"} {
		rest, ok := strings.CutPrefix(text, word)
		if !ok {
			continue
		}
		reason := rest
		if i := strings.IndexAny(rest, " ,"); i >= 0 {
			reason = rest[:i]
		}
		if plain := t.plain(is, reason); plain != reason {
			if strings.Contains(rest, ", but ") {
				plain = strings.Replace(plain, "the backup runs:", "the backup was to run:", 1)
			}
			return before + plain + rest[len(reason):]
		}
	}
	return detail
}

// end is what became of a run.
func end(r *pipeline.Run) string {
	line := map[pipeline.State]string{
		pipeline.Succeeded: "succeeded", pipeline.Failed: "failed", pipeline.TimedOut: "ran out of time", pipeline.Cancelled: "was cancelled",
	}[r.State]
	if r.Started.IsZero() {
		return line + " while it waited"
	}
	if !r.Finished.IsZero() { // nobody knows when one was interrupted
		line += " after " + long(r.Finished.Sub(r.Started))
	}
	if r.Error != "" && r.Error != string(r.State) {
		line += ": " + r.Error
	}
	return line
}

// run adds what one run did.
func (t *teller) run(r *Run) {
	if r.State == pipeline.Skipped {
		return // the decision says so
	}
	if !r.Started.IsZero() {
		line := fmt.Sprintf("run %d began", r.ID)
		if r.Attempt > 1 {
			line += fmt.Sprintf(", attempt %d", r.Attempt)
		}
		if waited := r.Started.Sub(r.Queued); waited >= time.Second {
			line += ", after it had waited " + long(waited)
		}
		t.say(r.Started, "run", "%s", line)
	}
	t.steps(r)
	if r.State.Done() && !r.Finished.IsZero() {
		t.say(r.Finished, "run", "run %d %s", r.ID, end(&r.Run))
	}
}

// mostSteps is how many steps of a run are told one by one.
const mostSteps = 30

// steps adds what the steps of a run did; of many, those that did not succeed
// at once.
func (t *teller) steps(r *Run) {
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.State == pipeline.Skipped || s.Started.IsZero() || len(r.Steps) > mostSteps && s.State == pipeline.Succeeded && s.Attempts < 2 {
			continue
		}
		id := s.ID
		if s.Matrix != "" {
			id += " (" + s.Matrix + ")"
		}
		if !s.State.Done() {
			t.say(s.Started, "step", "%s began", id)
			continue
		}
		line, at := id+" "+strings.ReplaceAll(string(s.State), "timed-out", "ran out of time"), s.Finished
		if at.IsZero() {
			at = s.Started // the step was interrupted, nobody knows when
		} else {
			line += " after " + long(at.Sub(s.Started))
		}
		if s.Attempts > 1 {
			line += fmt.Sprintf(", in %d attempts", s.Attempts)
		}
		if s.Error != "" {
			line += ": " + s.Error
		}
		if s.Continued {
			line += "; the run went on all the same"
		}
		t.say(at, "step", "%s", line)
	}
}
