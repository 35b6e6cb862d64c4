package github

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind/github/githubtest"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestDispatchedRun holds that a run which was dispatched is followed by its
// id, whatever else the window holds.
func TestDispatchedRun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot, Conclusion: "failure"})
	p := b.probe(map[string]any{})
	b.want(b.look(p, window()), pipeline.NotDelivered, "")
	r, err := p.Dispatch(t.Context(), window())
	if err != nil || r.Verdict != pipeline.UnderWay || r.Run == "" || r.URL != "https://github.com/acme/site/actions/runs/"+r.Run || r.Scheduled {
		t.Fatalf("%+v, %v", r, err)
	}
	b.sound(r)
	w := window()
	w.Run = r.Run
	var id int64
	_, _ = fmt.Sscan(r.Run, &id)
	run, _ := b.hub.RunOf(id)
	if run.Event != "workflow_dispatch" || run.Branch != "main" || run.Workflow != "nightly.yml" {
		t.Errorf("dispatched %+v", run)
	}
	b.want(b.look(p, w), pipeline.UnderWay, "queued")
	for conclusion, want := range map[string]pipeline.Verdict{"success": pipeline.Delivered, "failure": pipeline.NotDelivered, "cancelled": pipeline.NotDelivered, "stale": pipeline.Unknown} {
		b.hub.SetConclusion(id, conclusion)
		b.want(b.look(p, w), want, "run "+r.Run)
	}
	for run, reason := range map[string]string{"999999": "404", "x": "no run of GitHub"} {
		w.Run = run
		r := b.look(p, w)
		b.want(r, pipeline.Unknown, reason)
		if r.Refused {
			t.Errorf("%+v", r)
		}
	}
	for _, body := range []string{`{}`, `{"id": 7, "status": "completed", "conclusion": "success", "created_at": "2026-11-03T02:00:00Z"}`, `<html>`} {
		b.hub.Fail(githubtest.Fault{Only: "/actions/runs/", Status: 200, Body: body})
		w.Run = r.Run
		b.want(b.look(p, w), pipeline.Unknown, "not what GitHub answers")
	}
}

// TestDispatchWithoutDetails holds that a run is found whose id the API did not
// say, though it is listed late and a person has started others.
func TestDispatchWithoutDetails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, created := range []time.Duration{-time.Hour, -2 * time.Minute} {
		b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Event: "workflow_dispatch", Created: b.now().Add(created), Status: "in_progress"})
	}
	b.hub.AddRun(githubtest.Run{Workflow: "other.yml", Event: "workflow_dispatch", Created: b.now()})
	b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Event: "workflow_dispatch", Branch: "feature", Created: b.now()})
	scheduled := b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: b.now()})
	b.hub.NoDetails(3)
	b.hub.Lag()
	r, err := b.probe(map[string]any{}).Dispatch(t.Context(), window())
	if err != nil || r.Run != fmt.Sprint(scheduled+1) || r.Evidence["named"] != false {
		t.Errorf("%+v, %v", r, err)
	}
	b.sound(r)

	b.hub.NoDetails(1000)
	ctx, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer stop()
	b.pass(time.Minute)
	if r, err := b.probe(map[string]any{}).Dispatch(ctx, window()); err == nil || !strings.Contains(err.Error(), "lists no run for it yet") {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestOldServer holds that an Enterprise Server which does not know
// return_run_details is asked without.
func TestOldServer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.hub.Fail(githubtest.Fault{Only: "/dispatches", Status: 422, Body: `{"message": "Invalid request.\n\n\"return_run_details\" is not a permitted key."}`})
	if _, err := b.probe(map[string]any{}).Dispatch(t.Context(), window()); err == nil || b.hub.Count(422, "/dispatches") != 2 {
		t.Errorf("%v: %v", err, b.hub.Requests())
	}
}

func TestDispatchRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.hub.Token(token, false)
	if _, err := b.probe(map[string]any{}).Dispatch(t.Context(), window()); err == nil || !strings.Contains(err.Error(), "Actions: write") {
		t.Errorf("%v", err)
	}
	b.hub.Token(token, true)
	for name, with := range map[string]map[string]any{"No ref found": {"branch": "no-such-branch"}, "disabled workflow": {"workflow": "off.yml"}} {
		b.hub.AddWorkflow("off.yml", "disabled_inactivity")
		if r, err := b.probe(with).Dispatch(t.Context(), window()); err == nil || !strings.Contains(err.Error(), name) || r.Run != "" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// TestCancel holds that only a run of the schedule is cancelled, and never one
// that a person has begun again meanwhile.
func TestCancel(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.probe(map[string]any{"event": []any{"schedule", "workflow_dispatch"}})
	cancels := func() int { return b.hub.Count(0, "/cancel") }

	late := b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot.Add(time.Minute)})
	r := b.look(p, window())
	if err := p.Cancel(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if run, _ := b.hub.RunOf(late); run.Conclusion != "cancelled" {
		t.Errorf("it is %+v", run)
	}
	if err := p.Cancel(t.Context(), r); err == nil || !strings.Contains(err.Error(), "over already") || cancels() != 1 {
		t.Errorf("%v", err)
	}
	b.hub.Rerun(late)
	if err := p.Cancel(t.Context(), r); err == nil || !strings.Contains(err.Error(), "by a person") || cancels() != 1 {
		t.Errorf("%v", err)
	}
	b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Event: "workflow_dispatch", Created: slot.Add(2 * time.Minute)})
	b.pass(time.Minute)
	if err := p.Cancel(t.Context(), b.look(p, window())); err == nil || !strings.Contains(err.Error(), "was not begun by its schedule") || cancels() != 1 {
		t.Errorf("%v", err)
	}
	if err := p.Cancel(t.Context(), pipeline.Reading{Scheduled: true}); err == nil {
		t.Error("no run was cancelled")
	}
	b.hub.Fail(githubtest.Fault{Status: http.StatusInternalServerError})
	if err := p.Cancel(t.Context(), r); err == nil || strings.Contains(err.Error(), token) {
		t.Errorf("%v", err)
	}
}
