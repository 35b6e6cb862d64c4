package story_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/story"
)

// at is a time after the slot, which is 03:00 in Berlin.
func at(d time.Duration) time.Time {
	return time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC).Add(d)
}

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func sync() *pipeline.Pipeline {
	return &pipeline.Pipeline{
		System: "github-actions", Name: "sync", Schedule: pipeline.Schedules{{Cron: "0 3 * * *", Timezone: "Europe/Berlin"}},
		Primary: &pipeline.Primary{Kind: "github-workflow", With: map[string]any{"workflow": "sync.yml", "token": "${{ secrets.T }}"}},
	}
}

func slot(decision, reason string) ledger.Slot {
	return ledger.Slot{System: "github-actions", Name: "sync", At: at(0), Next: at(24 * time.Hour), Decision: decision, Reason: reason, Decided: at(30 * time.Minute)}
}

func event(after time.Duration, what, detail string) pipeline.Event {
	return pipeline.Event{At: at(after), What: what, Detail: detail, Run: 12}
}

// TestStory is a whole story as people read it.
func TestStory(t *testing.T) {
	t.Parallel()
	s := slot("run", "primary-missing")
	s.Late = 22 * time.Hour
	f := &story.Facts{
		System: "github-actions", Name: "sync", Slot: s, Pipeline: sync(), Zone: berlin(t), Until: at(30 * time.Minute), Now: at(23 * time.Hour),
		Events: []pipeline.Event{
			event(time.Second, "primary", "nothing: no run of sync.yml since 02:00"),
			event(30*time.Minute, "decided", "runs: primary-missing (no run of sync.yml since 02:00)"),
			event(22*time.Hour, "late-primary", "the primary turned up 22h0m0s late, after the backup ran as run 12: succeeded"),
		},
		Runs: []story.Run{{
			Run: pipeline.Run{ID: 12, State: pipeline.Succeeded, Attempt: 1, Queued: at(30 * time.Minute), Started: at(31 * time.Minute), Finished: at(34 * time.Minute)},
			Steps: []pipeline.StepRecord{
				{ID: "post", State: pipeline.Succeeded, Attempts: 3, Started: at(31 * time.Minute), Finished: at(34 * time.Minute)},
				{ID: "undo", State: pipeline.Skipped},
			},
		}},
	}
	told := story.Of(f)
	var b strings.Builder
	if err := told.Write(&b, func(s string) string { return s }); err != nil {
		t.Fatal(err)
	}
	want := `github-actions/sync, slot Tue 2026-11-24 03:00:00 CET (2026-11-24T02:00:00Z)
The backup runs: the primary did not come in time. Run 12 succeeded after 3m, 34m after the slot. The primary turned up all the same, 22h late.

03:00:00            expected      the primary, github-workflow sync.yml, was to deliver, until 03:30:00 CET
03:00:01  +1s       primary       nothing of it yet: no run of sync.yml since 02:00
03:30:00  +30m      decided       the backup runs: the primary did not come in time (no run of sync.yml since 02:00)
03:31:00  +31m      run           run 12 began, after it had waited 1m
03:34:00  +34m      step          post succeeded after 3m, in 3 attempts
03:34:00  +34m      run           run 12 succeeded after 3m
Wed 2026-11-25
01:00:00  +22h      late-primary  the primary turned up 22h0m0s late, after the backup ran as run 12: succeeded
`
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
	got := told.Shape()
	if *got.Slot != "2026-11-24T02:00:00Z" || *got.Decision != "run" || *got.Reason != "primary-missing" || len(got.Events) != 7 || got.Events[1].At != "2026-11-24T02:00:01Z" {
		t.Errorf("%+v", got)
	}
}

// TestSummaries is the table of what is said first.
func TestSummaries(t *testing.T) {
	t.Parallel()
	run := func(state pipeline.State, reason string) []story.Run {
		r := pipeline.Run{ID: 12, State: state, Reason: reason, Attempt: 1, Queued: at(time.Minute), Started: at(time.Minute)}
		if state.Done() {
			r.Finished = at(2 * time.Minute)
		}
		return []story.Run{{Run: r}}
	}
	open := func(change func(*ledger.Slot)) ledger.Slot {
		s := slot("", "")
		change(&s)
		return s
	}
	for _, x := range []struct {
		slot ledger.Slot
		runs []story.Run
		want string
	}{
		{slot("skip", "primary-succeeded"), run(pipeline.Skipped, ""), "Skipped: the primary delivered."},
		{slot("skip", "claimed-by-primary"), nil, "Skipped: the primary asked for the slot, was given it, and delivered."},
		{slot("skip", "overlap"), nil, "Skipped: enough runs of the pipeline were active, and `overlap` lets no more begin."},
		{slot("skip", "missed"), nil, "Skipped: the slot passed while no engine kept the schedule, and is not caught up."},
		{slot("skip", "disabled"), nil, "Skipped: the pipeline or its system is disabled."},
		{slot("run", "primary-failed"), run(pipeline.Running, ""), "The backup runs: the primary failed. Run 12 goes on since 03:01:00 CET, for 9m now."},
		{slot("run", "primary-failed"), run(pipeline.Queued, ""), "The backup runs: the primary failed. Run 12 waits for its turn."},
		{slot("run", "retry"), run(pipeline.Failed, "primary-stalled"), "The backup runs: the primary took too long. Run 12 failed after 1m."},
		{slot("run", "primary-missing"), interrupted(), "The backup runs: the primary did not come in time. Run 12 failed: interrupted."},
		{slot("run", "a reason of tomorrow"), nil, "Run: a reason of tomorrow."},
		{open(func(*ledger.Slot) {}), nil, "The slot is still open: the primary may deliver until 03:30:00 CET, for 20m more."},
		{open(func(s *ledger.Slot) { s.Lease = at(time.Hour) }), nil, "The slot is still open: the primary asked for it and has it until 04:00:00 CET."},
		{open(func(s *ledger.Slot) { s.Asked = at(0) }), nil, "The slot is still open: the primary was asked to run at 03:00:00 CET and is waited for."},
		{open(func(s *ledger.Slot) {
			s.Reading = pipeline.Reading{Verdict: pipeline.UnderWay, Began: at(5 * time.Minute)}
		}), nil, "The slot is still open: the primary is at work since 03:05:00 CET, for 5m now."},
	} {
		f := &story.Facts{System: "github-actions", Name: "sync", Slot: x.slot, Pipeline: sync(), Zone: berlin(t), Until: at(30 * time.Minute), Runs: x.runs, Now: at(10 * time.Minute)}
		if got := story.Of(f).Summary; got != x.want {
			t.Errorf("%s %s: %q, want %q", x.slot.Decision, x.slot.Reason, got, x.want)
		}
	}
	late := &story.Facts{Slot: slot("", ""), Until: at(30 * time.Minute), Now: at(time.Hour)}
	if got := story.Of(late).Summary; !strings.Contains(got, "Does an engine run?") {
		t.Error(got)
	}
}

// interrupted is a run whose engine died, as it is read before the next one
// writes its end.
func interrupted() []story.Run {
	return []story.Run{{
		Run:   pipeline.Run{ID: 12, State: pipeline.Failed, Error: "interrupted", Attempt: 1, Queued: at(time.Minute), Started: at(time.Minute)},
		Steps: []pipeline.StepRecord{{ID: "work", State: pipeline.Failed, Error: "interrupted", Started: at(2 * time.Minute)}},
	}}
}

// TestInterrupted holds that a step of which nobody knows when it ended is told
// where it began, and not in the year 1.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	f := &story.Facts{System: "github-actions", Name: "sync", Slot: slot("run", "primary-missing"), Pipeline: sync(), Zone: berlin(t), Until: at(30 * time.Minute), Runs: interrupted(), Now: at(time.Hour)}
	var got []string
	for _, e := range story.Of(f).Lines {
		if e.What == "step" {
			got = append(got, e.At.UTC().Format(time.RFC3339)+" "+e.Detail)
		}
	}
	if want := at(2*time.Minute).UTC().Format(time.RFC3339) + " work failed: interrupted"; len(got) != 1 || got[0] != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestDecisions holds that what was recorded of a decision is told in plain
// words, and that what is not known is told as it stands.
func TestDecisions(t *testing.T) {
	t.Parallel()
	for detail, want := range map[string]string{
		"skipped: primary-succeeded (run 7 of it)":                             "skipped: the primary delivered (run 7 of it)",
		"last look before the first step: skipped: primary-succeeded":          "right before the first step: skipped: the primary delivered",
		"runs: primary-unknown (no answer), but enough of its runs are active": "the backup was to run: nobody knows whether the primary delivered (no answer), but enough of its runs are active",
		"runs: primary-failed, but it is observed":                             "the backup was to run: the primary failed, but it is observed",
		"skipped: slot 2026-11-24T03:00:00Z delivered it":                      "skipped: slot 2026-11-24T03:00:00Z delivered it",
		"somebody wrote this":                                                  "somebody wrote this",
	} {
		f := &story.Facts{Slot: slot("run", "x"), Events: []pipeline.Event{event(time.Minute, "decided", detail)}, Now: at(time.Hour)}
		if got := story.Of(f).Lines[1].Detail; got != want {
			t.Errorf("%q: %q, want %q", detail, got, want)
		}
	}
	// What was to run was stopped while it waited.
	halted := &story.Facts{Slot: slot("skip", "stopped"), Events: []pipeline.Event{event(time.Minute, "decided", "runs: primary-failed")}, Now: at(time.Hour)}
	lines := story.Of(halted).Lines
	if len(lines) != 3 || lines[2].Detail != "skipped: the pipeline or its system was stopped by hand" || !lines[2].At.Equal(at(30*time.Minute)) {
		t.Errorf("%+v", lines)
	}
	// A slot without a primary has no event of its decision.
	s := slot("skip", "overlap")
	s.Next = time.Time{}
	got := story.Of(&story.Facts{Slot: s, Pipeline: sync(), Now: at(time.Hour)}).Lines
	if len(got) != 2 || !strings.Contains(got[0].Detail, `cron "0 3 * * *" in Europe/Berlin`) || got[1].What != "decided" {
		t.Errorf("%+v", got)
	}
}
