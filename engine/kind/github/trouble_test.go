package github

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind/github/githubtest"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// echo is a body that repeats the token, as a broken proxy might.
const echo = `{"message": "you sent ` + token + `"}`

// TestTrouble holds that no answer but GitHub's own says anything of the
// primary, and that each says what to do.
func TestTrouble(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault   githubtest.Fault
		refused bool
		reason  string
	}{
		"401":              {githubtest.Fault{Status: 401, Body: echo}, true, "make a new one with the permission Actions: read"},
		"403":              {githubtest.Fault{Status: 403, Body: echo}, true, "needs the permission Actions: read"},
		"404":              {githubtest.Fault{Status: 404, Body: echo}, true, "check the names"},
		"410":              {githubtest.Fault{Status: 410, Body: echo}, false, "410"},
		"500":              {githubtest.Fault{Status: 500, Body: echo}, false, "500"},
		"502 in HTML":      {githubtest.Fault{Status: 502, Body: "<html>" + token + "</html>"}, false, "502"},
		"503":              {githubtest.Fault{Status: 503, Header: map[string]string{"Retry-After": "120"}}, false, "503"},
		"HTML":             {githubtest.Fault{Status: 200, Body: "<html>Please log in, " + token + "</html>"}, false, "not what GitHub answers"},
		"nothing":          {githubtest.Fault{Status: 200}, false, "not what GitHub answers"},
		"half an answer":   {githubtest.Fault{Status: 200, Body: `{"total_count": 1, "workflow_runs": [{"id": 1`}, false, "not what GitHub answers"},
		"another object":   {githubtest.Fault{Status: 200, Body: `{}`}, false, "not what GitHub answers"},
		"a list":           {githubtest.Fault{Status: 200, Body: `[]`}, false, "not what GitHub answers"},
		"no runs":          {githubtest.Fault{Status: 200, Body: `{"total_count": 0, "workflow_runs": null}`}, false, "not what GitHub answers"},
		"runs that are no": {githubtest.Fault{Status: 200, Body: `{"total_count": 1, "workflow_runs": [{}]}`}, false, "not what GitHub answers"},
		"a time that is no": {githubtest.Fault{Status: 200, Body: `{"total_count": 1, "workflow_runs": [{"id": 1, "status": "queued", "created_at": "yesterday"}]}`}, false,
			"not what GitHub answers"},
		"more runs than a page": {githubtest.Fault{Status: 200, Body: `{"total_count": 101, "workflow_runs": [` + strings.TrimSuffix(strings.Repeat(
			`{"id": 1, "status": "queued", "created_at": "2026-11-03T02:00:00Z"},`, 101), ",") + `]}`}, false, "not what GitHub answers"},
		"a huge answer":         {githubtest.Fault{Status: 200, Body: `{"x": "` + strings.Repeat("x", 33<<20) + `"}`}, false, "longer than 32 MiB"},
		"a 304 to nothing":      {githubtest.Fault{Status: 304}, false, "304"},
		"a redirect to nowhere": {githubtest.Fault{Status: 302}, false, "302"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot, Conclusion: "success"})
			p := b.probe(map[string]any{})
			c.fault.Only = "/actions/runs"
			b.hub.Fail(c.fault)
			r := b.look(p, window())
			b.want(r, pipeline.Unknown, c.reason)
			if r.Refused != c.refused || r.Run != "" {
				t.Errorf("%+v", r)
			}
			b.look(b.probe(map[string]any{}), window()) // another pipeline hears the same
			if n := b.hub.Count(0, runsOfRepository); n != 1 {
				t.Errorf("%d requests", n)
			}
			b.hub.Heal()
			b.pass(3 * time.Minute)
			b.want(b.look(p, window()), pipeline.Delivered, "")
		})
	}
}

// TestTroubleAfterRuns holds that what was known before an error is asked for
// again, not told again.
func TestTroubleAfterRuns(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot, Conclusion: "success"})
	p := b.probe(map[string]any{})
	b.want(b.look(p, window()), pipeline.Delivered, "")
	b.hub.Fail(githubtest.Fault{Status: 500})
	b.pass(time.Minute)
	b.want(b.look(p, window()), pipeline.Unknown, "500")
	b.hub.Heal()
	b.pass(time.Minute)
	b.want(b.look(p, window()), pipeline.Delivered, "")
	if n := b.hub.Count(http.StatusNotModified, runsOfRepository); n != 1 {
		t.Errorf("what was known is forgotten: %v", b.hub.Requests())
	}
}

// TestBoasting holds that whatever an answer holds, evidence stays small and
// bears no token.
func TestBoasting(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	long := strings.Repeat("x", 5000) + token
	b.hub.Fail(githubtest.Fault{Only: "/actions/runs", Status: 200, Body: fmt.Sprintf(`{"total_count": 1, "workflow_runs": [{"id": 1, "path": ".github/workflows/nightly.yml",
		"status": %q, "event": "schedule", "head_branch": "main", "html_url": %q, "created_at": "2026-11-03T02:00:00Z", "conclusion": %q}]}`,
		token+long, "https://example.com/"+token, token)})
	b.want(b.look(b.probe(map[string]any{}), window()), pipeline.Unknown, "run 1")
}

// TestAnonymous holds that who has no token is told to get one.
func TestAnonymous(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.look(b.probe(map[string]any{"token": ""}), window())
	b.want(r, pipeline.Unknown, "declare the secret GITHUB_TOKEN")
	if !r.Refused {
		t.Errorf("%+v", r)
	}
	b.hub.Fail(githubtest.Fault{Status: 401})
	b.pass(time.Minute)
	b.want(b.look(b.probe(map[string]any{"token": ""}), window()), pipeline.Unknown, "declare the secret GITHUB_TOKEN")
}

// TestBranchUnknown holds that schedules, which run on the default branch alone,
// do not wait for its name, and that other events do.
func TestBranchUnknown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot, Conclusion: "success"})
	b.hub.Fail(githubtest.Fault{Only: "/repos/acme/site", Status: 200, Body: `{"total_count": 1, "workflow_runs": [{"id": 7, "path": ".github/workflows/nightly.yml", "event": "schedule",
		"status": "completed", "conclusion": "success", "created_at": "2026-11-03T02:00:00Z", "head_branch": null}]}`}) // as the answer about the branch, too
	b.want(b.look(b.probe(map[string]any{}), window()), pipeline.Delivered, "run 7")
	b.want(b.look(b.probe(map[string]any{"event": []any{"schedule", "push"}}), window()), pipeline.Unknown, "not what GitHub answers")
}

// TestLimits holds that GitHub is not asked again before it wants to be.
func TestLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault githubtest.Fault
		wait  time.Duration
	}{
		"403 with a reset": {githubtest.Fault{Status: 403, Header: map[string]string{
			"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(slot.Add(time.Hour+20*time.Minute).Unix(), 10)}}, 20 * time.Minute},
		"429 with a reset": {githubtest.Fault{Status: 429, Header: map[string]string{
			"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(slot.Add(time.Hour+20*time.Minute).Unix(), 10)}}, 20 * time.Minute},
		"403 with seconds":      {githubtest.Fault{Status: 403, Header: map[string]string{"Retry-After": "300"}}, 5 * time.Minute},
		"429 with seconds":      {githubtest.Fault{Status: 429, Header: map[string]string{"Retry-After": "300"}}, 5 * time.Minute},
		"429 with a date":       {githubtest.Fault{Status: 429, Header: map[string]string{"Retry-After": slot.Add(time.Hour + 5*time.Minute).Format(http.TimeFormat)}}, 5 * time.Minute},
		"429 without a word":    {githubtest.Fault{Status: 429}, time.Minute},
		"403 in words":          {githubtest.Fault{Status: 403, Body: `{"message": "You have exceeded a secondary rate limit. Please wait."}`}, time.Minute},
		"403 in older words":    {githubtest.Fault{Status: 403, Body: `{"message": "You have triggered an abuse detection mechanism."}`}, time.Minute},
		"403 with a broken one": {githubtest.Fault{Status: 403, Header: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			p, other := b.probe(map[string]any{}), b.probe(map[string]any{"repository": "acme/other"})
			b.hub.Fail(c.fault)
			r := b.look(p, window())
			b.want(r, pipeline.Unknown, "the limit of requests is reached")
			if r.Refused {
				t.Error("a limit is no refusal")
			}
			b.hub.Heal()
			b.hub.Forget()
			b.pass(c.wait - time.Second)
			b.want(b.look(p, window()), pipeline.Unknown, "to wait until")
			b.want(b.look(other, window()), pipeline.Unknown, "to wait until") // the limit is the token's
			if n := len(b.hub.Requests()); n != 0 {
				t.Errorf("%d requests before the time", n)
			}
			b.pass(time.Minute)
			b.want(b.look(p, window()), pipeline.Nothing, "")
		})
	}
}

// TestPace holds that the last requests of a limit are spread until its reset.
func TestPace(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.hub.Token("", false)
	b.hub.Limit(60, b.now().Add(time.Hour)) // as of who has no token
	p := b.probe(map[string]any{"token": ""})
	for range 59 {
		for range 4 { // each wants an answer of its own
			b.want(b.look(p, window()), pipeline.Nothing, "")
			b.pass(15 * time.Second)
		}
	}
}

// TestOldListsNearTheLimit holds that a list which the limit keeps from being asked
// for anew says nothing of a slot after it, and no longer says that there is no
// run when it is old; a run that it shows counts.
func TestOldListsNearTheLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.pass(-time.Hour - 10*time.Minute) // before the slot
	b.hub.Limit(2, b.now().Add(50*time.Minute))
	p := b.probe(map[string]any{"branch": "main"})
	before := pipeline.Window{Slot: slot.Add(-24 * time.Hour), Next: slot}
	b.want(b.look(p, before), pipeline.Nothing, "")
	b.pass(11 * time.Minute)
	b.hub.Forget()
	for range 5 {
		b.want(b.look(p, window()), pipeline.Unknown, "the newest list of runs was asked for at 2026-11-03T01:50:00Z")
		b.want(b.look(p, before), pipeline.Unknown, "limit of requests")
		b.pass(time.Minute)
	}
	if n := len(b.hub.Requests()); n != 0 {
		t.Errorf("%d requests near the limit", n)
	}
	id := b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot.Add(30 * time.Second), Conclusion: "success"})
	b.pass(time.Hour) // the limit is reset
	b.hub.Limit(2, b.now().Add(50*time.Minute))
	b.want(b.look(p, window()), pipeline.Delivered, fmt.Sprint(id))
	b.pass(10 * time.Minute)
	b.want(b.look(p, window()), pipeline.Delivered, fmt.Sprint(id))
}

// TestListBeforeTheSlot holds that far from the limit a list from before a slot is
// not used for it, however new it is.
func TestListBeforeTheSlot(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.pass(-time.Hour - time.Second)
	b.look(b.probe(map[string]any{}), pipeline.Window{Slot: slot.Add(-24 * time.Hour), Next: slot})
	b.pass(2 * time.Second)
	b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot, Conclusion: "success"})
	b.want(b.look(b.probe(map[string]any{}), window()), pipeline.Delivered, "")
}

// TestSkew holds that nobody believes in slots when the clocks are apart.
func TestSkew(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		skew time.Duration
		want pipeline.Verdict
		says string
	}{{29 * time.Second, pipeline.Delivered, ""}, {-29 * time.Second, pipeline.Delivered, ""}, {32 * time.Second, pipeline.Unknown, "ahead of"},
		{-32 * time.Second, pipeline.Unknown, "behind"}, {time.Hour, pipeline.Unknown, "1h0m0s ahead of"}, {-time.Hour, pipeline.Unknown, "1h0m0s behind"}} {
		b := newBench(t)
		id := b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot, Conclusion: "success"})
		b.hub.Skew(c.skew)
		p := b.probe(map[string]any{})
		b.want(b.look(p, window()), c.want, c.says)
		b.pass(time.Minute)
		b.want(b.look(p, window()), c.want, c.says) // a 304 bears a date too
		w := window()
		w.Run = strconv.FormatInt(id, 10)
		b.want(b.look(p, w), c.want, c.says)
	}
}

// TestSlowAnswer holds that the time of the request is not taken for a skew.
func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.probe(map[string]any{})
	b.hub.Clock(func() time.Time { b.pass(20 * time.Second); return b.now() })
	r := b.look(p, window())
	b.want(r, pipeline.Nothing, "")
}

// TestRedirects holds that a repository is followed to its new name, and no
// token to another host.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var stolen []string
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stolen = append(stolen, fmt.Sprint(r.Header))
		_, _ = io.WriteString(w, `{"total_count": 0, "workflow_runs": []}`)
	}))
	t.Cleanup(thief.Close)
	for _, code := range []int{301, 302, 307, 308} {
		b := newBench(t)
		b.hub.Fail(githubtest.Fault{Status: code, Header: map[string]string{"Location": thief.URL + "/repos/acme/site/actions/runs"}})
		r := b.look(b.probe(map[string]any{}), window())
		b.want(r, pipeline.Unknown, "leads to "+thief.URL)
		if r.Refused {
			t.Errorf("%+v", r)
		}
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
		defer stop()
		if _, err := b.probe(map[string]any{"branch": "main"}).Dispatch(ctx, window()); err == nil {
			t.Error("a dispatch followed to another host")
		}
	}
	if len(stolen) > 0 {
		t.Errorf("another host was asked: %s", stolen)
	}
	b := newBench(t)
	b.hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot, Conclusion: "success"})
	b.hub.Fail(githubtest.Fault{Only: "/repos/acme/old/actions/runs", Status: 301, Header: map[string]string{"Location": b.hub.URL + "/repos/acme/site/actions/runs?per_page=100"}})
	b.want(b.look(b.probe(map[string]any{"repository": "acme/old", "branch": "main"}), window()), pipeline.Delivered, "")
	b.hub.Fail(githubtest.Fault{Status: 301, Header: map[string]string{"Location": "/repos/acme/site/actions/runs"}})
	b.want(b.look(b.probe(map[string]any{}), window()), pipeline.Unknown, "redirects")
}

// TestHangs holds that a probe ends with its context, whatever hangs.
func TestHangs(t *testing.T) {
	t.Parallel()
	for _, only := range []string{"/runs", "/repos/acme/site"} {
		b := newBench(t)
		b.hub.Fail(githubtest.Fault{Only: only, Hang: true})
		ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		began := time.Now()
		r, err := b.probe(map[string]any{}).Probe(ctx, window())
		if err != nil || r.Verdict != pipeline.Unknown || r.Refused || !strings.Contains(r.Reason, "no answer in time") || time.Since(began) > 10*time.Second {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

// TestHalfABody holds the same of an answer that begins and does not end.
func TestHalfABody(t *testing.T) {
	t.Parallel()
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"total_count": 0, "workflow_runs": [`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(hub.Close)
	b := newBench(t)
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	r, err := b.probe(map[string]any{"api-url": hub.URL}).Probe(ctx, window())
	if err != nil || r.Verdict != pipeline.Unknown || !strings.Contains(r.Reason, "no answer in time") {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestNobodyThere holds what is said of a host that does not answer.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	r := b.look(b.probe(map[string]any{"api-url": gone.URL}), window())
	b.want(r, pipeline.Unknown, "connection refused")
	if r.Refused {
		t.Errorf("%+v", r)
	}
}
