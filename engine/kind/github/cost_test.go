package github

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind/github/githubtest"
	"github.com/redundctl/redundctl/engine/pipeline"
)

const runsOfRepository = "GET /repos/acme/site/actions/runs?per_page=100"

// TestProbeCost holds that all pipelines of a repository cost one request a
// round, mostly answered with 304, which is free.
func TestProbeCost(t *testing.T) {
	t.Parallel()
	const pipelines, rounds = 500, 60
	b := newBench(t)
	var probes []*probe
	for i := range pipelines {
		file := fmt.Sprintf("job-%d.yml", i)
		b.hub.AddWorkflow(file, "active")
		probes = append(probes, b.probe(map[string]any{"workflow": file}))
	}
	for round := range rounds {
		if round%20 == 10 {
			b.hub.AddRun(githubtest.Run{Workflow: fmt.Sprintf("job-%d.yml", round), Created: b.now(), Conclusion: "success"})
		}
		var all sync.WaitGroup
		for _, p := range probes {
			all.Go(func() { b.look(p, window()) })
		}
		all.Wait()
		b.pass(time.Minute)
	}
	if n := b.hub.Count(0, runsOfRepository); n != rounds {
		t.Errorf("%d requests for runs in %d rounds of %d probes", n, rounds, pipelines)
	}
	if n := b.hub.Count(http.StatusNotModified, runsOfRepository); n < rounds-5 {
		t.Errorf("%d of %d requests were answered with 304", n, rounds)
	}
	if all, runs := len(b.hub.Requests()), b.hub.Count(0, runsOfRepository); all-runs > 30 { // the branch, and six pages of workflows four times an hour
		t.Errorf("%d requests beside those for runs", all-runs)
	}
	t.Logf("%d requests for %d looks: %d of them free", len(b.hub.Requests()), pipelines*rounds, b.hub.Count(http.StatusNotModified, ""))
}

// TestSpreadProbes holds the same when the probes do not look together.
func TestSpreadProbes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var probes []*probe
	for range 60 {
		probes = append(probes, b.probe(map[string]any{}))
	}
	for range 10 {
		for _, p := range probes {
			b.look(p, window())
			b.pass(time.Second)
		}
	}
	if n := b.hub.Count(0, runsOfRepository); n > 21 { // each serves for half an interval
		t.Errorf("%d requests in 10 minutes", n)
	}
}

// TestLastLook holds that a pipeline which looks again at once, as right before
// its first step, gets an answer that it has not had yet.
func TestLastLook(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.probe(map[string]any{})
	b.want(b.look(p, window()), pipeline.Nothing, "")
	b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot.Add(time.Minute), Conclusion: "success"})
	b.want(b.look(p, window()), pipeline.Delivered, "")
	if n := b.hub.Count(0, runsOfRepository); n != 2 {
		t.Errorf("%d requests", n)
	}
	w := window()
	for range 5 { // other slots of the pipeline see what this one saw
		w.Slot, w.Next = w.Slot.Add(-24*time.Hour), w.Slot
		b.want(b.look(p, w), pipeline.Nothing, "")
	}
	if n := b.hub.Count(0, runsOfRepository); n != 2 {
		t.Errorf("%d requests for six slots", n)
	}
}

// TestOthersHaveOtherAnswers holds that repositories, tokens and addresses share
// nothing.
func TestOthersHaveOtherAnswers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.hub.Token("", false)
	b.hub.AddRun(githubtest.Run{Repository: "acme/other", Workflow: "nightly.yml", Created: slot, Conclusion: "success"})
	b.want(b.look(b.probe(map[string]any{}), window()), pipeline.Nothing, "")
	b.want(b.look(b.probe(map[string]any{"repository": "acme/other"}), window()), pipeline.Delivered, "")
	b.look(b.probe(map[string]any{"token": "another"}), window())
	b.look(b.probe(map[string]any{"repository": "ACME/site"}), window()) // as GitHub does, in any case
	if n := b.hub.Count(0, "/actions/runs?"); n != 3 {
		t.Errorf("%d requests", n)
	}
}

// TestWaiters holds that who waits for the answer of another has its own
// deadline, and asks when that one gave up.
func TestWaiters(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.hub.Fail(githubtest.Fault{Hang: true})
	first, second := b.probe(map[string]any{}), b.probe(map[string]any{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = first.Probe(ctx, window())
	}()
	until(t, "the first request", func() bool { return b.hub.Count(0, runsOfRepository) > 0 })
	short, end := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer end()
	r, err := second.Probe(short, window())
	if err != nil || r.Verdict != pipeline.Unknown || r.Refused {
		t.Errorf("%+v, %v", r, err)
	}
	b.hub.Heal()
	stop()
	<-done
	b.want(b.look(second, window()), pipeline.Nothing, "")
}

// TestPages holds that older pages are read as far as a window needs them, and
// once: from then on the newest page is joined to what is known.
func TestPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ours := b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot.Add(time.Second), Status: "in_progress"})
	others := func(n int, from time.Time) {
		for i := range n {
			b.hub.AddRun(githubtest.Run{Workflow: "busy.yml", Created: from.Add(time.Duration(i) * time.Second), Conclusion: "success"})
		}
	}
	b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot.Add(-24 * time.Hour), Conclusion: "failure"})
	others(250, slot.Add(time.Minute))
	p := b.probe(map[string]any{})
	b.want(b.look(p, window()), pipeline.UnderWay, "")
	if n := b.hub.Count(0, runsOfRepository); n != 3 {
		t.Errorf("%d pages were read, not 3", n)
	}
	if n := b.hub.Count(0, fmt.Sprintf("/runs/%d", ours)); n != 0 {
		t.Errorf("the run was asked for alone although it was just read")
	}
	b.hub.Forget()
	b.pass(time.Minute)
	b.hub.SetConclusion(ours, "success") // on a page that nobody reads any longer
	others(30, slot.Add(2*time.Hour))
	b.want(b.look(p, window()), pipeline.Delivered, "")
	if n := b.hub.Count(0, runsOfRepository); n != 1 {
		t.Errorf("%d pages were read again, not 1", n)
	}
	b.hub.Forget()
	b.pass(time.Minute)
	others(150, slot.Add(3*time.Hour)) // more than a page: between it and what is known lies a gap
	b.want(b.look(p, window()), pipeline.Delivered, "")
	if n := b.hub.Count(0, runsOfRepository); n != 5 {
		t.Errorf("%d pages were read over a gap, not 5", n)
	}
}

// TestUnchangedOlderPages holds that a run on an older page is not believed to
// go on because the newest page has not changed.
func TestUnchangedOlderPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ours := b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot, Status: "in_progress"})
	for i := range 100 {
		b.hub.AddRun(githubtest.Run{Workflow: "busy.yml", Created: slot.Add(time.Duration(i+1) * time.Second), Conclusion: "success"})
	}
	p := b.probe(map[string]any{})
	b.want(b.look(p, window()), pipeline.UnderWay, "")
	b.hub.SetConclusion(ours, "failure")
	b.pass(time.Minute)
	b.want(b.look(p, window()), pipeline.NotDelivered, "")
	if n := b.hub.Count(http.StatusNotModified, runsOfRepository); n != 1 {
		t.Errorf("%v", b.hub.Requests())
	}
}

// TestBusyRepository holds that a window which holds more runs than are read is
// looked at through the workflow's own list.
func TestBusyRepository(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ours := b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot, Conclusion: "failure"})
	for i := range 1100 {
		b.hub.AddRun(githubtest.Run{Workflow: "busy.yml", Created: slot.Add(time.Duration(i+1) * time.Second), Conclusion: "success"})
	}
	p := b.probe(map[string]any{})
	b.want(b.look(p, window()), pipeline.NotDelivered, fmt.Sprintf("run %d", ours))
	if n := b.hub.Count(0, runsOfRepository); n != 10 {
		t.Errorf("%d pages were read, not 10", n)
	}
	quiet := b.probe(map[string]any{"workflow": "busy.yml", "event": "push"})
	b.want(b.look(quiet, window()), pipeline.Nothing, "")
}

// until waits until something has come to pass.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); {
		if so() {
			return
		}
		<-time.After(time.Millisecond)
	}
	t.Fatalf("%s did not come to pass", what)
}
