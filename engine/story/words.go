package story

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// plain is a decision with its reason in plain words; the reason itself where
// there are none for it.
func (t *teller) plain(decision, reason string) string {
	runs := decision == "run"
	text, ok := map[string][2]string{ // what is said where nothing runs, and where something does
		"primary-succeeded":  {"skipped: the primary delivered", ""},
		"claimed-by-primary": {"skipped: the primary asked for the slot, was given it, and delivered", ""},
		"dispatched":         {"skipped: the primary was asked to run once more, and delivered", ""},
		"primary-failed":     {"", "the backup runs: the primary failed"},
		"primary-missing":    {"", "the backup runs: the primary did not come in time"},
		"primary-stalled":    {"", "the backup runs: the primary took too long"},
		"primary-unknown":    {"skipped: nobody knows whether the primary delivered", "the backup runs: nobody knows whether the primary delivered"},
		"superseded":         {"skipped: a later slot delivered this one too", ""},
		"overlap":            {"skipped: enough runs of the pipeline were active, and `overlap` lets no more begin", ""},
		"missed":             {"skipped: the slot passed while no engine kept the schedule, and is not caught up", ""},
		"disabled":           {"skipped: the pipeline or its system is disabled", ""},
		"stopped":            {"skipped: the pipeline or its system was stopped by hand", ""},
		"observed":           {"skipped: the pipeline only observes, and redundctl arm has not been called", ""},
		"removed":            {"skipped: the pipeline was removed", ""},
		"scheduled":          {"", "it runs, as its schedule says"},
		"catch-up":           {"", "it runs: the slot had passed while no engine kept the schedule, and is caught up"},
		"manual":             {"", "it runs: somebody asked for it"},
		"retry":              {"", "it runs again: somebody asked for it"},
	}[reason]
	switch {
	case ok && runs && text[1] != "":
		return text[1]
	case ok && !runs && text[0] != "":
		return text[0]
	}
	return reason
}

// decided says in a sentence how the slot was decided.
func (t *teller) decided() string {
	if t.Slot.Decision == "" {
		return t.open()
	}
	line := t.plain(t.Slot.Decision, t.reason())
	if line == t.reason() {
		line = t.Slot.Decision + ": " + line
	}
	if t.reason() == "primary-unknown" && t.Slot.Reading.Reason != "" {
		line += " (" + t.Slot.Reading.Reason + ")"
	}
	return strings.ToUpper(line[:1]) + line[1:] + "."
}

// open says until when the primary may still deliver.
func (t *teller) open() string {
	s := &t.Slot
	line := "The slot is still open: "
	switch {
	case t.Now.Before(s.Lease):
		return line + "the primary asked for it and has it until " + t.clock(s.Lease) + "."
	case s.Reading.Verdict == pipeline.UnderWay:
		since := s.Reading.Began
		if since.IsZero() {
			since = s.Seen
		}
		if since.IsZero() {
			return line + "the primary is at work."
		}
		return line + "the primary is at work since " + t.clock(since) + ", for " + long(t.Now.Sub(since)) + " now."
	case !s.Asked.IsZero() && !s.Refused:
		return line + "the primary was asked to run at " + t.clock(s.Asked) + " and is waited for."
	case t.Until.IsZero():
		return line + "the primary may still deliver."
	case t.Now.Before(t.Until):
		return line + "the primary may deliver until " + t.clock(t.Until) + ", for " + long(t.Until.Sub(t.Now)) + " more."
	}
	return line + "the primary had until " + t.clock(t.Until) + ", and nobody has decided since. Does an engine run? redundctl status tells."
}

// done says in a sentence what became of the newest run.
func (t *teller) done() string {
	if len(t.Runs) == 0 {
		return ""
	}
	r := &t.Runs[len(t.Runs)-1].Run
	switch r.State {
	case pipeline.Skipped:
		return ""
	case pipeline.Queued:
		return fmt.Sprintf("Run %d waits for its turn.", r.ID)
	case pipeline.Running:
		return fmt.Sprintf("Run %d goes on since %s, for %s now.", r.ID, t.clock(r.Started), long(t.Now.Sub(r.Started)))
	}
	line := fmt.Sprintf("Run %d %s", r.ID, end(r))
	if r.State == pipeline.Succeeded && r.Finished.After(t.Slot.At) {
		line += ", " + long(r.Finished.Sub(t.Slot.At)) + " after the slot"
	}
	return line + "."
}

// late says in a sentence that the primary turned up all the same.
func (t *teller) late() string {
	if t.Slot.Late == 0 {
		return ""
	}
	return "The primary turned up all the same, " + long(t.Slot.Late) + " late."
}

// clock is an instant in the zone of the schedule, with its day where that is
// not the slot's.
func (t *teller) clock(at time.Time) string {
	at, slot := at.In(t.zone), t.Slot.At.In(t.zone)
	if slot.Format(time.DateOnly) == at.Format(time.DateOnly) {
		return at.Format("15:04:05 MST")
	}
	return at.Format("2006-01-02 15:04:05 MST")
}

// long is a length of time in as many digits as people read.
func long(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Second:
		d = d.Round(time.Millisecond)
	case d < time.Minute:
		d = d.Round(100 * time.Millisecond)
	default:
		d = d.Round(time.Second)
	}
	return pipeline.Duration(d).String()
}

// Write prints a story for people: times in the zone of the schedule, and how
// long after the slot each thing happened. clean makes texts fit for a terminal.
func (s *Story) Write(w io.Writer, clean func(string) string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%s", s.System, s.Name)
	if !s.Slot.IsZero() {
		fmt.Fprintf(&b, ", slot %s", s.Slot.Format("Mon 2006-01-02 15:04:05 MST"))
		if _, off := s.Slot.Zone(); off != 0 {
			fmt.Fprintf(&b, " (%s)", pipeline.Time(s.Slot.UTC()))
		}
	}
	fmt.Fprintf(&b, "\n%s\n\n", clean(s.Summary))
	days, day := make([]string, len(s.Lines)), s.Slot
	width := 0
	for i, l := range s.Lines {
		if l.At.Format(time.DateOnly) != day.Format(time.DateOnly) {
			days[i], day = l.At.Format("Mon 2006-01-02")+"\n", l.At
		}
		width = max(width, len(l.What))
	}
	for i, l := range s.Lines {
		after := ""
		if d := l.At.Sub(s.Slot); !s.Slot.IsZero() && d >= time.Millisecond {
			after = "+" + long(d)
		} else if !s.Slot.IsZero() && d <= -time.Millisecond {
			after = "-" + long(-d)
		}
		fmt.Fprintf(&b, "%s%s  %-9s %-*s  %s\n", days[i], l.At.Format("15:04:05"), after, width, l.What, clean(l.Detail))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
