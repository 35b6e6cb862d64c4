package github

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/githubtest"
	"github.com/redundctl/redundctl/engine/kind/kindtest"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// output takes what a step prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func scope(t *testing.T, out *output) *pipeline.Scope {
	dir := t.TempDir()
	return &pipeline.Scope{Root: dir, Dir: dir, Out: out, Mask: func(s string) string { return strings.ReplaceAll(s, "s3cret", "***") }}
}

// step is one as the runner makes it, defaults included.
func step(t *testing.T, client *http.Client, with map[string]any) pipeline.Action {
	t.Helper()
	for k, v := range map[string]any{"repository": githubtest.Repository, "action": "dispatch", "inputs": map[string]any{}, "wait": false} {
		if _, ok := with[k]; !ok {
			with[k] = v
		}
	}
	a, err := Dispatch().Build(with, kind.Deps{HTTP: client})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// hub is a GitHub with real time.
func hub(t *testing.T) *githubtest.Server {
	h := githubtest.New(t)
	h.Token(token, true)
	h.AddWorkflow("deploy.yml", "active")
	return h
}

func do(t *testing.T, h *githubtest.Server, with map[string]any) (pipeline.Outputs, string, error) {
	t.Helper()
	with["api-url"] = h.URL
	if _, ok := with["token"]; !ok {
		with["token"] = token
	}
	out := &output{}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	v, err := step(t, h.Client(), with).Run(ctx, scope(t, out))
	if err != nil && (strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "\n")) || strings.Contains(out.String(), token) {
		t.Errorf("not fit to be shown: %v, %s", err, out)
	}
	return v, out.String(), err
}

func TestStepDispatch(t *testing.T) {
	t.Parallel()
	h := hub(t)
	h.SetBranch(githubtest.Repository, "trunk")
	v, out, err := do(t, h, map[string]any{"workflow": "deploy.yml", "inputs": map[string]any{"n": int64(3), "yes": true, "half": 0.5, "list": []any{"a", int64(1)}, "text": "x y"}})
	if err != nil || !strings.Contains(out, "was started on trunk") {
		t.Fatalf("%v: %s", err, out)
	}
	var id int64
	_, _ = fmt.Sscan(fmt.Sprint(v.Values["run"]), &id)
	run, ok := h.RunOf(id)
	if want := map[string]any{"n": "3", "yes": "true", "half": "0.5", "list": `["a",1]`, "text": "x y"}; !ok || fmt.Sprint(run.Inputs) != fmt.Sprint(want) || run.Branch != "trunk" {
		t.Errorf("dispatched %+v", run)
	}
	if v.Values["url"] != fmt.Sprintf("https://github.com/acme/site/actions/runs/%d", id) || v.Values["conclusion"] != "" {
		t.Errorf("%+v", v)
	}
	if _, _, err := do(t, h, map[string]any{"workflow": "deploy.yml", "ref": "no-such-branch"}); err == nil || !strings.Contains(err.Error(), "No ref found") {
		t.Errorf("%v", err)
	}
	if _, _, err := do(t, h, map[string]any{"workflow": "deploy.yml", "token": ""}); err == nil || !strings.Contains(err.Error(), "declare the secret GITHUB_TOKEN") {
		t.Errorf("%v", err)
	}
}

// TestStepWaits holds that a step which waits ends as the run does.
func TestStepWaits(t *testing.T) {
	t.Parallel()
	for conclusion, good := range map[string]bool{"success": true, "neutral": true, "skipped": true, "failure": false, "cancelled": false, "timed_out": false, "stale": false} {
		t.Run(conclusion, func(t *testing.T) {
			t.Parallel()
			h := hub(t)
			go func() { // the runner of GitHub
				id, _ := started(t, h)
				h.SetStatus(id, "in_progress")
				h.SetConclusion(id, conclusion)
			}()
			v, out, err := do(t, h, map[string]any{"workflow": "deploy.yml", "wait": true})
			if (err == nil) != good || v.Values["conclusion"] != conclusion || v.Values["run"] == "" {
				t.Errorf("%v, %+v: %s", err, v, out)
			}
			if !good && !strings.Contains(err.Error(), "https://github.com/acme/site/actions/runs/") {
				t.Errorf("it does not say where to look: %v", err)
			}
		})
	}
}

// started waits for a run that was dispatched.
func started(t *testing.T, h *githubtest.Server) (int64, bool) {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && t.Context().Err() == nil; <-time.After(time.Millisecond) {
		if h.Count(0, "POST") == 0 {
			continue
		}
		for id := int64(1000); id < 1010; id++ {
			if _, ok := h.RunOf(id); ok {
				return id, true
			}
		}
	}
	return 0, false
}

// TestStepWaitsOverTrouble holds that a wait goes on when GitHub has trouble,
// and ends when it is told that it will never hear.
func TestStepWaitsOverTrouble(t *testing.T) {
	t.Parallel()
	h := hub(t)
	h.Fail(githubtest.Fault{Only: "/actions/runs/", Status: 502, Body: "<html>"})
	go func() {
		id, _ := started(t, h)
		until(t, "two looks", func() bool { return h.Count(502, "/actions/runs/") > 1 })
		h.SetConclusion(id, "success")
		h.Heal()
	}()
	if v, out, err := do(t, h, map[string]any{"workflow": "deploy.yml", "wait": true}); err != nil || v.Values["conclusion"] != "success" {
		t.Errorf("%v: %s", err, out)
	}
	h.Fail(githubtest.Fault{Only: "/actions/runs/", Status: 404})
	if v, _, err := do(t, h, map[string]any{"workflow": "deploy.yml", "wait": true}); err == nil || !strings.Contains(err.Error(), "can no longer be followed") || v.Values["run"] == "" {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestStepGivesUp holds that a step out of time says what goes on without it.
func TestStepGivesUp(t *testing.T) {
	t.Parallel()
	h := hub(t)
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	a := step(t, h.Client(), map[string]any{"workflow": "deploy.yml", "wait": true, "api-url": h.URL, "token": token})
	_, err := a.Run(ctx, scope(t, &output{}))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "goes on") {
		t.Errorf("%v", err)
	}
}

func TestStepRerun(t *testing.T) {
	t.Parallel()
	h := hub(t)
	id := h.AddRun(githubtest.Run{Workflow: "deploy.yml", Conclusion: "failure"})
	go func() {
		until(t, "the second attempt", func() bool { r, _ := h.RunOf(id); return r.Attempt == 2 })
		h.SetConclusion(id, "success")
	}()
	v, out, err := do(t, h, map[string]any{"action": "rerun", "run": id, "wait": true})
	if err != nil || v.Values["conclusion"] != "success" || !strings.Contains(out, "attempt 2") {
		t.Errorf("%v, %+v: %s", err, v, out)
	}
	if r, _ := h.RunOf(id); r.Attempt != 2 {
		t.Errorf("attempt %d", r.Attempt)
	}
	if _, _, err := do(t, h, map[string]any{"action": "rerun", "run": "424242"}); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("%v", err)
	}
}

// TestStepRerunIsSlow holds that the end of the attempt before is not taken for
// the end of the new one.
func TestStepRerunIsSlow(t *testing.T) {
	t.Parallel()
	h := hub(t)
	id := h.AddRun(githubtest.Run{Workflow: "deploy.yml", Conclusion: "success"})
	h.Fail(githubtest.Fault{Only: "/rerun", Status: 201, Body: "{}"}) // it is taken, and begins later
	go func() {
		until(t, "two looks", func() bool { return h.Count(200, fmt.Sprintf("/actions/runs/%d", id)) > 2 })
		h.Rerun(id)
		h.SetConclusion(id, "failure")
	}()
	if v, out, err := do(t, h, map[string]any{"action": "rerun", "run": id, "wait": true}); err == nil || v.Values["conclusion"] != "failure" {
		t.Errorf("%v, %+v: %s", err, v, out)
	}
}

func TestStepCancel(t *testing.T) {
	t.Parallel()
	h := hub(t)
	id := h.AddRun(githubtest.Run{Workflow: "deploy.yml", Status: "in_progress"})
	for _, words := range []string{"is told to end", "was over already"} {
		v, out, err := do(t, h, map[string]any{"action": "cancel", "run": fmt.Sprint(id), "wait": true})
		if err != nil || v.Values["conclusion"] != "cancelled" || !strings.Contains(out, words) {
			t.Errorf("%v, %+v: %s", err, v, out)
		}
	}
}

func TestStepSwitch(t *testing.T) {
	t.Parallel()
	h := hub(t)
	h.AddWorkflow("deploy.yml", "disabled_inactivity")
	for _, c := range []struct{ action, state string }{{"enable", "active"}, {"disable", "disabled_manually"}} {
		if _, out, err := do(t, h, map[string]any{"action": c.action, "workflow": "deploy.yml"}); err != nil || h.State("deploy.yml") != c.state || !strings.Contains(out, "is "+c.action+"d") {
			t.Errorf("%v: %s", err, out)
		}
	}
	if _, _, err := do(t, h, map[string]any{"action": "enable", "workflow": "nosuch.yml"}); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("%v", err)
	}
}

// TestStepLater holds that the next attempt waits as long as GitHub wants.
func TestStepLater(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]githubtest.Fault{
		"429": {Status: 429, Header: map[string]string{"Retry-After": "120"}}, "403": {Status: 403, Header: map[string]string{"Retry-After": "120"}},
		"503": {Status: 503, Header: map[string]string{"Retry-After": "120"}},
	} {
		h := hub(t)
		h.Fail(f)
		_, _, err := do(t, h, map[string]any{"workflow": "deploy.yml", "ref": "main"})
		var later *pipeline.Later
		if !errors.As(err, &later) || later.After != 2*time.Minute {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStepPlan holds that a dry run says the request and makes none.
func TestStepPlan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		with map[string]any
		want string
	}{
		{map[string]any{"workflow": "deploy.yml"}, "POST URL/repos/acme/site/actions/workflows/deploy.yml/dispatches; ref the default branch; header Authorization: Bearer ***"},
		{map[string]any{"workflow": int64(7), "ref": "v1", "inputs": map[string]any{"b": "s3cret", "a": int64(1)}, "wait": true},
			"POST URL/repos/acme/site/actions/workflows/7/dispatches; ref v1; input a: 1; input b: ***; header Authorization: Bearer ***; waits until the run is over"},
		{map[string]any{"action": "rerun", "run": int64(5)}, "POST URL/repos/acme/site/actions/runs/5/rerun; header Authorization: Bearer ***"},
		{map[string]any{"action": "cancel", "run": "5", "wait": true}, "POST URL/repos/acme/site/actions/runs/5/cancel; header Authorization: Bearer ***; waits until the run is over"},
		{map[string]any{"action": "enable", "workflow": "deploy.yml"}, "PUT URL/repos/acme/site/actions/workflows/deploy.yml/enable; header Authorization: Bearer ***"},
		{map[string]any{"action": "disable", "workflow": "deploy.yml", "token": ""},
			"PUT URL/repos/acme/site/actions/workflows/deploy.yml/disable; without a token, which GitHub will refuse: declare the secret GITHUB_TOKEN"},
	} {
		h := hub(t)
		c.with["api-url"] = h.URL
		if _, ok := c.with["token"]; !ok {
			c.with["token"] = token
		}
		a := step(t, kindtest.Client(t, h.Client().Transport), c.with)
		effects, err := kindtest.Plan(t, a, scope(t, &output{}))
		var lines []string
		for _, e := range effects {
			lines = append(lines, strings.ReplaceAll(string(e), h.URL, "URL"))
		}
		if got := strings.Join(lines, "; "); err != nil || got != c.want {
			t.Errorf("%v\n got %s\nwant %s", err, got, c.want)
		}
		if n := len(h.Requests()); n != 0 {
			t.Errorf("a dry run made %d requests", n)
		}
	}
}

func TestStepKeys(t *testing.T) {
	t.Parallel()
	many := map[string]any{}
	for i := range 26 {
		many[fmt.Sprint(i)] = "x"
	}
	for name, with := range map[string]map[string]any{
		"add workflow":        {"repository": "a/b", "action": "dispatch", "api-url": "https://api.github.com"},
		"not owner/name":      {"repository": "a/..", "action": "dispatch", "workflow": "w", "api-url": "https://api.github.com"},
		"not the id of a run": {"repository": "a/b", "action": "cancel", "run": "latest", "api-url": "https://api.github.com"},
		"26 inputs":           {"repository": "a/b", "action": "dispatch", "workflow": "w", "inputs": many, "api-url": "https://api.github.com"},
		"api-url":             {"repository": "a/b", "action": "dispatch", "workflow": "w", "api-url": "ftp://x"},
	} {
		if _, err := Dispatch().Build(with, kind.Deps{HTTP: http.DefaultClient}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i, c := range []struct {
		with map[string]any
		bad  bool
	}{{map[string]any{"repository": "a/b"}, true}, {map[string]any{"action": "dispatch"}, true}, {map[string]any{"workflow": "w"}, false}, {map[string]any{"action": "cancel", "run": 1}, false}, {map[string]any{"action": "${{ params.what }}"}, false}} {
		if got := Dispatch().Check(c.with, kind.Place{}); (len(got) > 0) != c.bad {
			t.Errorf("%d: %v", i, got)
		}
	}
}
