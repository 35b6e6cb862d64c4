package engine_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/story"
)

// reader opens the history beside the engine.
func reader(t *testing.T, p *config.Project) *engine.History {
	t.Helper()
	h, err := engine.OpenHistory(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// TestPrimaryContext holds that a run, and its next attempt, read what was seen
// of the primary, and that `show` has it.
func TestPrimaryContext(t *testing.T) {
	s := &stage{does: func(_ int, w pipeline.Window) (pipeline.Reading, error) {
		return pipeline.Reading{Verdict: pipeline.NotDelivered, Reason: "exit code 7", URL: "https://example.com/1", Evidence: map[string]any{"code": 7}}, nil
	}}
	kinds := s.kinds()
	files := backup("")
	files["pipelines/pm2/a.yaml"] = strings.Replace(files["pipelines/pm2/a.yaml"], `steps: [{exec: ["true"]}]`, `
retry: {attempts: 2, delay: 1ms}
steps:
  - id: read
    if: ${{ primary.verdict == 'failed' }}
    env: {SAW: "${{ primary.kind }}, ${{ primary.reason }}, ${{ fromJSON(primary.evidence).code }}, ${{ primary.url }}"}
    run: echo "saw=$SAW" >> "$REDUND_OUTPUT"; test "$REDUND_ATTEMPT" = 2
  - {id: never, if: "${{ primary.verdict != 'failed' }}", exec: ["false"]}
`, 1)
	p := project(t, files)
	_, end := serveOnly(t, p, kinds)
	var second pipeline.Run
	until(t, "a second attempt", func() bool {
		for _, r := range runs(t, p) {
			if r.Attempt == 2 && r.State.Done() {
				second = r
			}
		}
		return second.ID != 0
	})
	if err := end(); err != nil {
		t.Error(err)
	}
	if second.State != pipeline.Succeeded {
		t.Fatalf("%+v", second)
	}
	h := reader(t, p)
	steps, err := h.Steps(t.Context(), second.ID)
	if err != nil || len(steps) != 2 {
		t.Fatal(err, steps)
	}
	if got := steps[0].Outputs["saw"]; got != "file, exit code 7, 7, https://example.com/1" || steps[1].State != pipeline.Skipped {
		t.Errorf("%q, %s", got, steps[1].State)
	}
	shown, err := story.Primary(t.Context(), h.Ledger, second.ID)
	if err != nil || shown == nil || shown.Line() != "failed: exit code 7 (https://example.com/1)" || fmt.Sprint(shown.Evidence.(map[string]any)["code"]) != "7" {
		t.Errorf("%+v, %v", shown, err)
	}
	told, _, err := story.Tell(t.Context(), story.Records{History: h.History, Ledger: h.Ledger}, &story.Ask{System: "pm2", Name: "a", Slot: second.Slot, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	var whats, details []string
	for _, l := range told.Lines {
		whats, details = append(whats, l.What), append(details, l.Detail)
	}
	if got := strings.Join(whats, " "); told.Reason != "primary-failed" || told.Decision != "run" || !strings.HasPrefix(got, "expected primary decided run step run") {
		t.Errorf("%s\n%+v", got, told)
	}
	for _, want := range []string{"the primary, file nowhere, was to deliver, until ", "it failed: exit code 7", "the backup runs: the primary failed (exit code 7)", ", attempt 2"} {
		if !strings.Contains(strings.Join(details, "\n"), want) {
			t.Errorf("%q is not in\n%s", want, strings.Join(details, "\n"))
		}
	}
	if !strings.HasPrefix(told.Summary, "The backup runs: the primary failed. Run ") {
		t.Error(told.Summary)
	}
}

// TestOpenStory holds that an open slot is told of, with how long the primary
// may take.
func TestOpenStory(t *testing.T) {
	s := &stage{does: func(int, pipeline.Window) (pipeline.Reading, error) {
		return pipeline.Reading{Verdict: pipeline.Nothing, Reason: "no file yet"}, nil
	}}
	kinds := s.kinds()
	files := backup("")
	files["pipelines/pm2/a.yaml"] = strings.Replace(files["pipelines/pm2/a.yaml"], "grace: 300ms", "grace: 1h", 1)
	p := project(t, files)
	_, end := serveOnly(t, p, kinds)
	h := reader(t, p)
	ask := &story.Ask{System: "pm2", Name: "a", Pipeline: p.Pipelines[0]}
	var told story.Story
	until(t, "an open slot that was looked at", func() bool {
		ask.Now = time.Now()
		var err error
		told, _, err = story.Tell(t.Context(), story.Records{History: h.History, Ledger: h.Ledger}, ask)
		return err == nil && len(told.Lines) > 1
	})
	if err := end(); err != nil {
		t.Error(err)
	}
	if told.Decision != "" || !strings.HasPrefix(told.Summary, "The slot is still open: the primary may deliver until ") || !strings.Contains(told.Summary, " more.") {
		t.Errorf("%+v", told)
	}
	if shape := told.Shape(); shape.Decision != nil || shape.Reason != nil || shape.Slot == nil {
		t.Errorf("%+v", shape)
	}
}

// TestBlindProbe holds that a probe which was never conclusive makes health
// unhealthy once a slot was given up for that, over another start, with what to
// set up, and that one answer mends it.
func TestBlindProbe(t *testing.T) {
	var known atomic.Bool
	s := &stage{does: func(int, pipeline.Window) (pipeline.Reading, error) {
		if known.Load() {
			return pipeline.Reading{Verdict: pipeline.Delivered}, nil
		}
		return pipeline.Reading{Verdict: pipeline.Unknown, Refused: true, Reason: "401 Unauthorized: set the secret GITHUB_TOKEN"}, nil
	}}
	kinds := s.kinds()
	p := project(t, backup(""))
	for range 2 {
		e, end := serveOnly(t, p, kinds)
		var got api.Check
		until(t, "an unhealthy probe", func() bool {
			h, err := e.CheckHealth(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got = checkOf(h, "probe")
			return h.Status == "unhealthy" && got.Status == "unhealthy"
		})
		if want := "nothing was ever known of the primary of pm2/a, so its backup does not run: 401 Unauthorized: set the secret GITHUB_TOKEN"; got.Reason != want {
			t.Errorf("%q, want %q", got.Reason, want)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	}
	for _, r := range decided(t, p) {
		if r.State != pipeline.Skipped || r.Reason != "primary-unknown" && r.Reason != "missed" {
			t.Errorf("%+v", r)
		}
	}
	known.Store(true)
	e, end := serveOnly(t, p, kinds)
	until(t, "a healthy engine", func() bool {
		h, err := e.CheckHealth(t.Context())
		return err == nil && checkOf(h, "probe").Name == ""
	})
	if err := end(); err != nil {
		t.Error(err)
	}
}

// checkOf is the check of a name over all systems; none: the zero value.
func checkOf(h api.Health, name string) (found api.Check) {
	for _, s := range h.Systems {
		for _, c := range s.Checks {
			if c.Name == name {
				found = c
			}
		}
	}
	return found
}
