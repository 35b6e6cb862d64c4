package pipelines

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// pages answers paths with what is set for them, with their query cut off, and
// everything else with 404.
type pages struct {
	*httptest.Server
	mu     sync.Mutex
	answer map[string]func(w http.ResponseWriter, r *http.Request)
	asked  map[string]int
}

func newPages(t *testing.T) *pages {
	t.Helper()
	p := &pages{answer: map[string]func(http.ResponseWriter, *http.Request){}, asked: map[string]int{}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *pages) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	h := p.answer[r.URL.Path]
	p.asked[r.URL.Path]++
	p.mu.Unlock()
	if h == nil {
		answer(w, 404, `{"message":"Not Found"}`)
		return
	}
	h(w, r)
}

// say sets the answer of a path.
func (p *pages) say(path string, status int, body string) {
	p.on(path, func(w http.ResponseWriter, _ *http.Request) { answer(w, status, body) })
}

func (p *pages) on(path string, h func(w http.ResponseWriter, r *http.Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer[path] = h
}

func (p *pages) times(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

// workflowRun is a run as GitHub lists it (docs.github.com/rest/actions/workflow-runs).
func workflowRun(id int, branch, status, conclusion string, age time.Duration) string {
	at := time.Now().Add(-age).UTC().Format(time.RFC3339)
	return fmt.Sprintf(`{"id":%d,"name":"CI","head_branch":%q,"head_sha":"acb5820ced9479c074f688cc328bf03f341a511d","event":"push","status":%q,"conclusion":%q,`+
		`"created_at":%q,"updated_at":%q,"html_url":"https://github.com/acme/site/actions/runs/%d"}`, id, branch, status, conclusion, at, at, id)
}

// TestBuildMonitorGitHub: the last completed run of the branch decides.
func TestBuildMonitorGitHub(t *testing.T) {
	t.Parallel()
	const token = "ghp-not-a-real-token-1234"
	r := newRepo(t, map[string]string{"package.json": `{"name":"site","scripts":{"build":"node -e 'process.exit(process.env.npm_package_config_broken ? 3 : 0)'"}}`}, "github-actions/build-monitor")
	r.env = append(r.env, "GITHUB_TOKEN="+token)
	api := newPages(t)
	const path = "/repos/acme/site/actions/workflows/ci.yml/runs"
	list := func(runs string) {
		api.on(path, func(w http.ResponseWriter, q *http.Request) {
			if q.Header.Get("Authorization") != "Bearer "+token {
				answer(w, 401, `{"message":"Bad credentials","documentation_url":"https://docs.github.com/rest","status":"401"}`)
				return
			}
			answer(w, 200, `{"total_count":1,"workflow_runs":[`+runs+`]}`)
		})
	}
	at := "api-url=" + api.URL
	list(workflowRun(3, "main", "in_progress", "", time.Minute) + "," + workflowRun(2, "feature", "completed", "failure", time.Hour) + "," +
		workflowRun(1, "main", "completed", "success", 2*time.Hour))
	r.run("build-monitor", at).clean()
	r.run("buildMonitor", at, "build=true").clean()
	list(workflowRun(4, "main", "completed", "failure", time.Hour) + "," + workflowRun(1, "main", "completed", "success", 2*time.Hour))
	e := r.run("build-monitor", at)
	e.found("the last run of ci.yml ended as failure: https://github.com/acme/site/actions/runs/4")
	e.report("build-monitor.md", nil)
	if !variants() {
		return
	}
	list(workflowRun(1, "main", "completed", "success", 30*time.Hour))
	r.run("build-monitor", at).found("the last run of ci.yml is 1.3d old, more than 24h")
	r.run("build-monitor", at, "max-age=2d").clean()
	list("")
	r.run("build-monitor", at).found("ci.yml has no completed run on main")

	list(workflowRun(1, "main", "completed", "success", time.Hour))
	r.write("package.json", `{"name":"site","scripts":{"build":"echo no such page >&2; exit 3"}}`)
	r.run("build-monitor", at, "build=true").found("npm run build ended here with exit code 3")
	r.env[len(r.env)-1] = "GITHUB_TOKEN=old"
	r.run("build-monitor", at).found("401 Bad credentials", "Actions: read")
	before := api.times(path)
	r.again("github-actions/build-monitor")
	api.say(path, 502, `<html>Bad Gateway</html>`)
	r.run("build-monitor", at).found("502")
	if n := api.times(path) - before; n != 3 {
		t.Errorf("it was asked %d times, not three", n)
	}
	api.Close()
	r.run("build-monitor", at).found("ECONNREFUSED")
}

// deploy is a deploy as Netlify lists it (open-api.netlify.com, listSiteDeploys).
func deploy(id, context, state, problem string, age time.Duration) string {
	at := time.Now().Add(-age).UTC().Format(time.RFC3339)
	published := "null"
	if state == "ready" {
		published = fmt.Sprintf("%q", at)
	}
	return fmt.Sprintf(`{"id":%q,"site_id":"3970e0fe","context":%q,"state":%q,"error_message":%q,"created_at":%q,"published_at":%s,"branch":"main","deploy_ssl_url":"https://%s--acme.netlify.app"}`,
		id, context, state, problem, at, published, id)
}

// TestBuildMonitorNetlify: the last finished production deploy and the site's
// own answer decide; without a token, the site alone.
func TestBuildMonitorNetlify(t *testing.T) {
	t.Parallel()
	r := newRepo(t, nil, "netlify-functions/build-monitor")
	s := newPages(t)
	const path = "/api/v1/sites/acme/deploys"
	params := []string{"url=" + s.URL + "/", "api-url=" + s.URL + "/api/v1"}
	s.say("/", 200, `<!doctype html><meta name="build-id" content="b1"><title>Site</title>`)
	r.run("build-monitor", params...).clean()
	if s.times(path) != 0 {
		t.Error("the API was asked without a token")
	}
	var first, second, third struct {
		Build string
		Since time.Time `json:"build-since"`
	}
	r.run("build-monitor", params...).report("build-monitor.json", &first)
	r.run("build-monitor", append(params, "max-age=1ms")...).found("serves the same build (b1)")
	if !variants() {
		return
	}
	s.say("/", 200, `<!doctype html><script>{"buildId":"b2"}</script>`)
	r.run("build-monitor", params...).report("build-monitor.json", &second)
	s.on("/", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("ETag", `"b3"`); answer(w, 200, "page") })
	r.run("build-monitor", params...).report("build-monitor.json", &third)
	if first.Build != "b1" || second.Build != "b2" || third.Build != `"b3"` || !second.Since.After(first.Since) {
		t.Errorf("%+v, %+v, %+v", first, second, third)
	}
	r.env = append(r.env, "NETLIFY_AUTH_TOKEN=nfp-not-a-real-one-1234")
	s.say(path, 200, "["+deploy("d3", "production", "building", "", 0)+","+deploy("d2", "deploy-preview", "error", "broken", time.Hour)+","+deploy("d1", "production", "ready", "", 2*time.Hour)+"]")
	r.run("build-monitor", params...).clean()
	s.say(path, 200, "["+deploy("d4", "production", "error", "Build script returned non-zero exit code: 2", time.Hour)+","+deploy("d1", "production", "ready", "", 2*time.Hour)+"]")
	r.run("build-monitor", params...).found("the last production deploy (d4) failed: Build script returned non-zero exit code: 2")
	s.say(path, 401, `{"code":401,"message":"Access Denied"}`)
	r.run("build-monitor", params...).found("401 Access Denied", "NETLIFY_AUTH_TOKEN")
	s.say(path, 200, "["+deploy("d1", "production", "ready", "", 2*time.Hour)+"]")
	s.say("/", 503, "busy")
	r.run("build-monitor", params...).found("answers 503")
}
