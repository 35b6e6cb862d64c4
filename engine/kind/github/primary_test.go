package github

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/githubtest"
	"github.com/redundctl/redundctl/engine/pipeline"
)

const token = "ghp_correcthorsebatterystaple"

// slot is a slot of the tests; the next one follows a day later.
var slot = time.Date(2026, 11, 3, 2, 0, 0, 0, time.UTC)

// bench is a GitHub and what probes share, with one clock for both.
type bench struct {
	t      *testing.T
	hub    *githubtest.Server
	shared kind.Shared

	mu sync.Mutex
	at time.Time
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, hub: githubtest.New(t), at: slot.Add(time.Hour)}
	b.hub.Clock(b.now)
	b.hub.Token(token, true)
	b.hub.AddWorkflow("nightly.yml", "active")
	return b
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.at
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = b.at.Add(d)
}

// probe makes one as an engine does, defaults included.
func (b *bench) probe(with map[string]any) *probe {
	b.t.Helper()
	for k, v := range map[string]any{"repository": githubtest.Repository, "workflow": "nightly.yml", "event": []any{"schedule"}, "api-url": b.hub.URL} {
		if _, ok := with[k]; !ok {
			with[k] = v
		}
	}
	p, err := watch(with, kind.PrimaryDeps{
		Deps:     kind.Deps{HTTP: b.hub.Client()},
		Pipeline: &pipeline.Pipeline{Primary: &pipeline.Primary{Every: pipeline.Duration(time.Minute)}},
		Secret:   func(name string) (string, bool) { return token, name == "GITHUB_TOKEN" },
		Shared:   &b.shared,
	}, b.now)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func window() pipeline.Window { return pipeline.Window{Slot: slot, Next: slot.Add(24 * time.Hour)} }

// look probes once; a reading never fails and never holds the token.
func (b *bench) look(p *probe, w pipeline.Window) pipeline.Reading {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	r, err := p.Probe(ctx, w)
	if err != nil {
		b.t.Errorf("an error in place of a reading: %v", err)
	}
	b.sound(r)
	return r
}

// sound holds what is true of every reading.
func (b *bench) sound(r pipeline.Reading) {
	b.t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		b.t.Errorf("the evidence is not JSON: %v", err)
	}
	if strings.Contains(string(text), token) {
		b.t.Errorf("the token is in %s", text)
	}
	if r.Reason == "" || strings.ContainsAny(r.Reason, "\n\r") || len(text) > 4000 || r.Evidence == nil {
		b.t.Errorf("reason or evidence is not fit: %s", text)
	}
}

func (b *bench) want(r pipeline.Reading, v pipeline.Verdict, reason string) {
	b.t.Helper()
	if r.Verdict != v || !strings.Contains(r.Reason, reason) {
		b.t.Errorf("got %s: %s; want %s: …%s…", r.Verdict, r.Reason, v, reason)
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]pipeline.Verdict{
		"success": pipeline.Delivered, "neutral": pipeline.Delivered, "skipped": pipeline.Delivered,
		"failure": pipeline.NotDelivered, "timed_out": pipeline.NotDelivered, "startup_failure": pipeline.NotDelivered, "cancelled": pipeline.NotDelivered,
		"action_required": pipeline.Unknown, "stale": pipeline.Unknown, "a_word_of_tomorrow": pipeline.Unknown,
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			id := b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot.Add(7 * time.Minute), Conclusion: word, Updated: slot.Add(9 * time.Minute)})
			r := b.look(b.probe(map[string]any{}), window())
			b.want(r, want, fmt.Sprintf("run %d", id))
			if r.Run != fmt.Sprint(id) || !r.Began.Equal(slot.Add(7*time.Minute)) || !r.Ended.Equal(slot.Add(9*time.Minute)) || !r.Scheduled || r.Refused ||
				r.URL != fmt.Sprintf("https://github.com/acme/site/actions/runs/%d", id) || r.Evidence["conclusion"] != word {
				t.Errorf("%+v", r)
			}
		})
	}
	for word, want := range map[string]pipeline.Verdict{
		"queued": pipeline.UnderWay, "in_progress": pipeline.UnderWay, "requested": pipeline.UnderWay, "pending": pipeline.UnderWay,
		"waiting": pipeline.Unknown, "action_required": pipeline.Unknown, "a_word_of_tomorrow": pipeline.Unknown,
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot, Status: word})
			r := b.look(b.probe(map[string]any{}), window())
			b.want(r, want, "")
			if !r.Ended.IsZero() || !r.Began.Equal(slot) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestWhichRuns holds which runs serve a slot.
func TestWhichRuns(t *testing.T) {
	t.Parallel()
	const ours = pipeline.Delivered
	for name, c := range map[string]struct {
		with map[string]any
		run  githubtest.Run
		want pipeline.Verdict
	}{
		"at the slot":                  {nil, githubtest.Run{Created: slot}, ours},
		"a second before it":           {nil, githubtest.Run{Created: slot.Add(-time.Second)}, pipeline.Nothing},
		"a second before the next":     {nil, githubtest.Run{Created: slot.Add(24*time.Hour - time.Second)}, ours},
		"at the next":                  {nil, githubtest.Run{Created: slot.Add(24 * time.Hour)}, pipeline.Nothing},
		"another workflow":             {nil, githubtest.Run{Workflow: "other.yml"}, pipeline.Nothing},
		"a path with a ref":            {nil, githubtest.Run{Ref: "refs/heads/main"}, ours},
		"by its whole path":            {map[string]any{"workflow": ".github/workflows/nightly.yml"}, githubtest.Run{}, ours},
		"a name that ends alike":       {nil, githubtest.Run{Workflow: "the-nightly.yml"}, pipeline.Nothing},
		"by id":                        {map[string]any{"workflow": int64(1001)}, githubtest.Run{}, ours},
		"by id as text":                {map[string]any{"workflow": "1001"}, githubtest.Run{}, ours},
		"another branch":               {nil, githubtest.Run{Branch: "feature"}, pipeline.Nothing},
		"no branch is said":            {nil, githubtest.Run{Branch: githubtest.NoBranch}, ours},
		"no branch of a push":          {map[string]any{"event": "push"}, githubtest.Run{Branch: githubtest.NoBranch, Event: "push"}, pipeline.Nothing},
		"the branch that is asked for": {map[string]any{"branch": "feature"}, githubtest.Run{Branch: "feature"}, ours},
		"by a person":                  {nil, githubtest.Run{Event: "workflow_dispatch"}, pipeline.Nothing},
		"by a person, who counts":      {map[string]any{"event": []any{"schedule", "workflow_dispatch"}}, githubtest.Run{Event: "workflow_dispatch"}, ours},
		"one event as a word":          {map[string]any{"event": "push"}, githubtest.Run{Event: "push"}, ours},
		"from a fork":                  {map[string]any{"event": "pull_request"}, githubtest.Run{Event: "pull_request", Fork: true}, pipeline.Nothing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.pass(30 * time.Hour)
			if c.with == nil {
				c.with = map[string]any{}
			}
			if c.run.Workflow == "" {
				c.run.Workflow = "nightly.yml"
			}
			if c.run.Created.IsZero() {
				c.run.Created = slot.Add(time.Minute)
			}
			c.run.Conclusion = "success"
			b.hub.AddRun(c.run)
			r := b.look(b.probe(c.with), window())
			b.want(r, c.want, "")
			if r.Scheduled != (c.want == ours && (c.run.Event == "" || c.run.Event == "schedule")) {
				t.Errorf("scheduled is %v", r.Scheduled)
			}
		})
	}
}

func TestDefaultBranchIsLookedUpOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.hub.SetBranch(githubtest.Repository, "trunk")
	b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Branch: "trunk", Created: slot, Conclusion: "success"})
	for range 5 {
		b.want(b.look(b.probe(map[string]any{}), window()), pipeline.Delivered, "")
		b.pass(time.Minute)
	}
	if n := b.hub.Count(0, "GET /repos/acme/site?"); n != 1 {
		t.Errorf("the branch was asked for %d times", n)
	}
}

func TestSeveralRuns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		words []string // oldest first: a conclusion, or a status with ~
		want  pipeline.Verdict
		which int
	}{
		"cancelled alone":               {[]string{"cancelled"}, pipeline.NotDelivered, 0},
		"cancelled, another goes on":    {[]string{"cancelled", "~in_progress"}, pipeline.UnderWay, 1},
		"cancelled, another succeeded":  {[]string{"cancelled", "success"}, pipeline.Delivered, 1},
		"cancelled, another failed":     {[]string{"cancelled", "failure"}, pipeline.NotDelivered, 1},
		"cancelled, another waits":      {[]string{"cancelled", "~waiting"}, pipeline.Unknown, 1},
		"succeeded, then failed":        {[]string{"success", "failure"}, pipeline.Delivered, 0},
		"succeeded, then cancelled":     {[]string{"success", "cancelled"}, pipeline.Delivered, 0},
		"goes on, a newer one failed":   {[]string{"~in_progress", "failure"}, pipeline.UnderWay, 0},
		"goes on, a newer one is stale": {[]string{"~queued", "stale"}, pipeline.UnderWay, 0},
		"succeeded, another goes on":    {[]string{"success", "~in_progress"}, pipeline.Delivered, 0},
		"two succeeded":                 {[]string{"success", "success"}, pipeline.Delivered, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			var ids []int64
			for i, word := range c.words {
				run := githubtest.Run{Workflow: "nightly.yml", Created: slot.Add(time.Duration(i) * time.Minute)}
				if status, ok := strings.CutPrefix(word, "~"); ok {
					run.Status = status
				} else {
					run.Conclusion = word
				}
				ids = append(ids, b.hub.AddRun(run))
			}
			r := b.look(b.probe(map[string]any{}), window())
			b.want(r, c.want, fmt.Sprintf("run %d", ids[c.which]))
		})
	}
}

// TestRerun holds that a run which a person starts again is seen again, and is
// no longer the schedule's.
func TestRerun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot, Conclusion: "failure"})
	p := b.probe(map[string]any{})
	b.want(b.look(p, window()), pipeline.NotDelivered, "a failure")
	b.hub.Rerun(id)
	r := b.look(p, window())
	b.want(r, pipeline.UnderWay, "attempt 2")
	if r.Scheduled || !r.Began.Equal(slot) || r.Evidence["started"] != b.now().UTC().Format(time.RFC3339) {
		t.Errorf("%+v", r)
	}
	b.hub.SetConclusion(id, "success")
	b.want(b.look(p, window()), pipeline.Delivered, "attempt 2")
}

// TestFilteredIndexLags holds that nothing is asked of GitHub's filtered lists,
// which go on saying what was true before.
func TestFilteredIndexLags(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.hub.Lag()
	b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot, Conclusion: "success"})
	b.want(b.look(b.probe(map[string]any{}), window()), pipeline.Delivered, "")
	for _, q := range b.hub.Requests() {
		if strings.HasSuffix(q.Path, "/runs") && q.Query != "per_page=100" {
			t.Errorf("asked %s?%s", q.Path, q.Query)
		}
	}
}

func TestNothing(t *testing.T) {
	t.Parallel()
	for state, words := range map[string]string{
		"active": "no run of nightly.yml of acme/site since the slot", "disabled_inactivity": "60 days", "disabled_manually": "somebody has disabled it",
		"disabled_fork": "fork", "deleted": "its file has been deleted",
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.hub.AddWorkflow("nightly.yml", state)
			p := b.probe(map[string]any{})
			r := b.look(p, window())
			b.want(r, pipeline.Nothing, words)
			if r.Evidence["state"] != state || r.Run != "" || r.Refused {
				t.Errorf("%+v", r)
			}
			for range 10 { // the state is read rarely
				b.pass(time.Minute)
				b.look(p, window())
			}
			if n := b.hub.Count(0, "/actions/workflows"); n != 1 {
				t.Errorf("%d requests for the state", n)
			}
		})
	}
}

// TestStateCannotBeRead holds that the list of runs alone decides.
func TestStateCannotBeRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.hub.Fail(githubtest.Fault{Only: "/actions/workflows", Status: http.StatusBadGateway})
	b.want(b.look(b.probe(map[string]any{}), window()), pipeline.Nothing, "no run")
	b.hub.Fail(githubtest.Fault{Only: "/actions/workflows", Hang: true})
	b.pass(time.Minute)
	began := time.Now()
	for range 20 { // it holds up one of them, and not for long
		b.want(b.look(b.probe(map[string]any{}), window()), pipeline.Nothing, "no run")
	}
	if d := time.Since(began); d > 15*time.Second {
		t.Errorf("it took %s", d)
	}
}

func TestNoSuchWorkflow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.look(b.probe(map[string]any{"workflow": "nihgtly.yml"}), window())
	b.want(r, pipeline.Unknown, "check primary.github-workflow.workflow")
	if !r.Refused {
		t.Error("it is not said that the probe is not set up")
	}
	b.hub.AddRun(githubtest.Run{Workflow: "gone.yml", Created: slot.Add(-time.Hour), Conclusion: "success"})
	b.hub.RemoveWorkflow("gone.yml")
	b.pass(time.Hour)
	r = b.look(b.probe(map[string]any{"workflow": "gone.yml"}), window()) // it ran once, so it is no mistake
	b.want(r, pipeline.Nothing, "its file has been deleted")
	if r.Refused {
		t.Errorf("%+v", r)
	}
}

func TestService(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.want(b.look(b.probe(map[string]any{}), pipeline.Window{}), pipeline.Unknown, "no service")
}

// TestEnterprise asks an Enterprise Server, whose API lies deeper.
func TestEnterprise(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot, Conclusion: "success"})
	b.want(b.look(b.probe(map[string]any{"api-url": b.hub.URL + "/api/v3/"}), window()), pipeline.Delivered, "")
	if n := b.hub.Count(http.StatusOK, "GET /api/v3/repos/acme/site/actions/runs?per_page=100"); n != 1 {
		t.Errorf("%v", b.hub.Requests())
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]map[string]any{
		"no scheme":      {"repository": "a/b", "workflow": "w", "api-url": "api.github.com"},
		"token in it":    {"repository": "a/b", "workflow": "w", "api-url": "https://x:" + token + "@api.github.com"},
		"no name":        {"repository": "a", "workflow": "w", "api-url": "https://api.github.com"},
		"a way out":      {"repository": "../b", "workflow": "w", "api-url": "https://api.github.com"},
		"a broken token": {"repository": "a/b", "workflow": "w", "api-url": "https://api.github.com", "token": token + "\nX-Other: 1"},
	} {
		_, err := Primary().Build(with, kind.PrimaryDeps{Deps: kind.Deps{HTTP: http.DefaultClient}})
		if err == nil || strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestToken holds which token is sent.
func TestToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.hub.Token("", false)
	for _, c := range []struct {
		with map[string]any
		want string
	}{{map[string]any{}, token}, {map[string]any{"token": "other"}, "other"}, {map[string]any{"token": " padded\n"}, "padded"}, {map[string]any{"token": ""}, ""}} {
		b.hub.Forget()
		b.look(b.probe(c.with), window())
		for _, q := range b.hub.Requests() {
			if q.Token != c.want {
				t.Errorf("%v: sent %q", c.with, q.Token)
			}
		}
	}
}
