package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// Runs are the lines of a table of runs: run, pipeline, state, reason, slot,
// started, took and error.
func Runs(runs []pipeline.Run) [][]string {
	var rows [][]string
	for _, r := range runs {
		rows = append(rows, []string{
			fmt.Sprint(r.ID), r.System + "/" + r.Pipeline, string(r.State), cmp.Or(r.Reason, "-"), Slot(r.Slot),
			Clock(r.Started), Took(r.Started, r.Finished), cmp.Or(r.Error, "-"),
		})
	}
	return rows
}

// Steps are the lines of a table of steps: step, uses, state, took, attempts
// and error.
func Steps(steps []pipeline.StepRecord) [][]string {
	var rows [][]string
	for _, s := range steps {
		id := s.ID
		if s.Matrix != "" {
			id += " (" + s.Matrix + ")"
		}
		state := string(s.State)
		if s.Continued {
			state += ", continued"
		}
		rows = append(rows, []string{id, s.Uses, state, Took(s.Started, s.Finished), fmt.Sprint(s.Attempts), cmp.Or(s.Error, "-")})
	}
	return rows
}

// Clock is an instant as people read it where they are; "-" for none.
func Clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// Slot is a slot as people read it where they are, with the offset that makes it
// fit for --slot; "-" for none.
func Slot(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.RFC3339)
}

// Facts is a line about a run: what began it, its slot, and when it was about.
func Facts(r pipeline.Run) string {
	words := []string{r.Trigger}
	if !slices.Contains([]string{"", r.Trigger, "manual", "scheduled", "retry"}, r.Reason) && r.State != pipeline.Skipped {
		words[0] += " (" + r.Reason + ")"
	}
	if !r.Slot.IsZero() {
		words = append(words, "slot "+Slot(r.Slot))
	}
	switch {
	case r.State == pipeline.Skipped:
		return strings.Join(append(words, "decided "+Clock(r.Queued)), ", ")
	case r.Started.IsZero():
		return strings.Join(append(words, fmt.Sprintf("attempt %d", r.Attempt), "queued "+Clock(r.Queued), "never started"), ", ")
	}
	words = append(words, fmt.Sprintf("attempt %d", r.Attempt), "started "+Clock(r.Started))
	if !r.Finished.IsZero() {
		words = append(words, "took "+Took(r.Started, r.Finished))
	}
	return strings.Join(words, ", ")
}

// Took is a length of time in as many digits as people read.
func Took(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return "-"
	}
	d := to.Sub(from)
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
