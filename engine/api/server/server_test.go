package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/api/client"
	"github.com/redundctl/redundctl/engine/api/server"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/kind"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	quick = `
version: 1
name: quick
system: pm2
params: {who: {type: string, default: nobody}, n: {type: integer, default: 1}}
schedule: {cron: "0 5 * * *"}
steps: [{id: greet, run: "echo hello ${{ params.who }}"}]
`
	slow = `
version: 1
name: slow
system: pm2
overlap: allow
steps: [{id: wait, exec: [sleep, "600"]}]
`
	token = "a-token-that-is-long-enough"
)

// project writes files and loads them.
func project(t *testing.T, root string, files map[string]string) *config.Project {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := config.Load(t.Context(), config.Options{Dir: root, Kinds: builtin.Kinds()})
	for _, x := range p.Problems {
		if x.Severity == diag.Error {
			t.Fatalf("%s:%d: %s", x.File, x.Line, x.Message)
		}
	}
	return p
}

// standing is an engine that serves, with its server.
type standing struct {
	t       *testing.T
	project *config.Project
	engine  *engine.Engine
	server  *server.Server
	logged  *buffer
	calls   *primaries
	stop    context.CancelFunc // of the engine
	halt    context.CancelFunc // of the server
	ended   chan error         // of the engine
	halted  chan error         // of the server
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func open(t *testing.T, p *config.Project, serve engine.Serve) *engine.Engine {
	t.Helper()
	env := []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir(), "HOME=/nowhere", "REDUND_TOKEN=" + token}
	e, err := engine.New(t.Context(), engine.Options{Project: p, Kinds: builtin.Kinds(), Environ: env, Serve: serve})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// again loads a project after a change.
func again(ctx context.Context, before *config.Project, c config.Change) (*config.Project, *kind.Set) {
	return before.Again(ctx, c), before.Kinds()
}

// start serves a project until the test ends.
func start(t *testing.T, p *config.Project, l server.Limits) *standing {
	t.Helper()
	s := &standing{t: t, project: p, ended: make(chan error, 1), halted: make(chan error, 1), logged: &buffer{}, calls: &primaries{}}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	ready := make(chan struct{})
	s.engine = open(t, p, engine.Serve{Version: "test", Load: again, Drain: 10 * time.Second, Ready: func() { close(ready) }})
	go func() { s.ended <- s.engine.Run(ctx) }()
	select {
	case <-ready:
	case err := <-s.ended:
		t.Fatal(err)
	}
	var err error
	s.server, err = server.New(s.engine, server.Options{Stop: stop, Log: slog.New(slog.NewTextHandler(s.logged, nil)), Limits: l, Primaries: func() server.Primaries { return s.calls }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, s.halt = context.WithCancel(context.Background())
	go func() { s.halted <- s.server.Run(ctx) }()
	t.Cleanup(s.end)
	until(t, "the socket", func() bool {
		select {
		case err := <-s.halted:
			s.halted <- err
			t.Fatal(err)
		default:
		}
		return s.dialable() && (p.Config.Server.Listen == "" || s.server.Addr() != nil)
	})
	return s
}

func (s *standing) dialable() bool {
	c, err := net.Dial("unix", api.SocketPath(s.project.State))
	if err == nil {
		c.Close()
	}
	return err == nil
}

// end ends both, as a command does.
func (s *standing) end() {
	if s.ended == nil {
		return
	}
	s.engine.SetDrain(0)
	s.stop()
	if err := <-s.ended; err != nil {
		s.t.Error(err)
	}
	s.halt()
	if err := <-s.halted; err != nil {
		s.t.Error(err)
	}
	s.ended = nil
	if _, err := os.Lstat(filepath.Join(s.project.State, "redund.sock")); !errors.Is(err, os.ErrNotExist) {
		s.t.Errorf("the socket is left: %v", err)
	}
}

func (s *standing) client() *client.Client {
	s.t.Helper()
	c, err := client.Open(s.project.State)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// events gives what was recorded of a kind.
func (s *standing) events(what string) string {
	s.t.Helper()
	list, err := s.engine.Records().Events(s.t.Context(), history.EventFilter{What: what})
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Pipeline+": "+e.Detail)
	}
	return strings.Join(out, "\n")
}

// until asks again and again until it is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if so() {
			return
		}
		<-time.After(5 * time.Millisecond)
	}
	t.Fatalf("%s did not come to pass", what)
}

// over makes an HTTP client that speaks to one address.
func over(t *testing.T, network, address string) *http.Client {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func (s *standing) local() *http.Client { return over(s.t, "unix", api.SocketPath(s.project.State)) }

// ask makes a request and gives its status and body. headers are "Key: value".
func ask(t *testing.T, c *http.Client, what, body string, headers ...string) (int, string) {
	t.Helper()
	method, target, _ := strings.Cut(what, " ")
	if strings.HasPrefix(target, "/") {
		target = "http://localhost" + target
	}
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	q, err := http.NewRequest(method, target, r)
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		q.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		if k == "Host" {
			q.Host = v
		}
		q.Header.Set(k, v)
	}
	resp, err := c.Do(q)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return resp.StatusCode, string(b)
}

func me(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

func TestD8ControlFromAnotherShell(t *testing.T) {
	s := start(t, project(t, t.TempDir(), map[string]string{"pipelines/quick.yaml": quick, "pipelines/slow.yaml": slow}), server.Limits{})
	c, ctx := s.client(), t.Context()
	st, err := c.Status(ctx)
	if err != nil || st.Engine.Version != "test" || st.Engine.PID != os.Getpid() || len(st.Parts) != 2 {
		t.Fatalf("%+v, %v", st, err)
	}
	run, err := c.Trigger(ctx, api.RunRequest{Pipeline: "quick", Params: map[string]string{"who": "you"}})
	if err != nil || run.State != "queued" || run.Trigger != "api" {
		t.Fatalf("%+v, %v", run, err)
	}
	var shown api.Shown
	until(t, "the end of a run", func() bool {
		shown, err = c.Run(ctx, run.ID)
		return err == nil && shown.State == "succeeded"
	})
	if len(shown.Steps) != 1 || shown.Steps[0].ID != "greet" {
		t.Errorf("%+v", shown)
	}
	again, err := c.Retry(ctx, run.ID)
	if err != nil || again.ID == run.ID || again.Trigger != "retry" {
		t.Errorf("%+v, %v", again, err)
	}
	wait, err := c.Trigger(ctx, api.RunRequest{Pipeline: "pm2/slow"})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "a run that goes on", func() bool {
		shown, err = c.Run(ctx, wait.ID)
		return err == nil && shown.State == "running"
	})
	cancelled, err := c.Cancel(ctx, wait.ID)
	if err != nil || !cancelled.Asked {
		t.Errorf("%+v, %v", cancelled, err)
	}
	until(t, "the end of a run that was cancelled", func() bool {
		shown, err = c.Run(ctx, wait.ID)
		return err == nil && shown.State == "cancelled"
	})
	if cancelled, err = c.Cancel(ctx, wait.ID); err != nil || cancelled.Asked || cancelled.State != "cancelled" {
		t.Errorf("%+v, %v", cancelled, err)
	}
	for _, x := range []struct {
		do          func(context.Context, string) (api.Turned, error)
		name, state string
	}{
		{c.StopPart, "pm2", "stopped"}, {c.StartPart, "pm2", "running"}, {c.StopPart, "quick", "stopped"},
		{c.RestartPart, "pm2/quick", "running"}, {c.StopPart, "pm2/quick", "stopped"}, {c.StartPart, "quick", "running"},
	} {
		if got, err := x.do(ctx, x.name); err != nil || got.State != x.state {
			t.Errorf("%s: %+v, %v", x.name, got, err)
		}
	}
	if r, err := c.Reload(ctx); err != nil || r.Loaded != 2 || r.Generation != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	for what, want := range map[string]string{
		"asked": "pm2/quick: run by " + me(t), "cancel": "pm2/slow: by " + me(t), "part-stopped": "pm2: " + me(t),
		"part-started": "pm2/quick: " + me(t), "reload": ": by " + me(t),
	} {
		if got := s.events(what); !strings.Contains(got, want) {
			t.Errorf("events %s:\n%s\nwithout %q", what, got, want)
		}
	}
	runs, err := c.Runs(ctx, client.RunsQuery{Name: "quick", N: 1, Since: time.Now().Add(-time.Hour), State: "succeeded"})
	if err != nil || len(runs) != 1 || runs[0].Pipeline != "quick" {
		t.Errorf("%+v, %v", runs, err)
	}
	var text []string
	if err := c.Logs(ctx, client.LogsQuery{Of: fmt.Sprint(run.ID)}, func(l api.Line) error { text = append(text, l.Text); return nil }); err != nil || !slices.Contains(text, "hello you") {
		t.Errorf("%q, %v", text, err)
	}
	if a, err := c.Alive(ctx); err != nil || a.Status != "healthy" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestStopEngine(t *testing.T) {
	s := start(t, project(t, t.TempDir(), map[string]string{"pipelines/slow.yaml": slow}), server.Limits{})
	c, ctx := s.client(), t.Context()
	if _, err := c.Trigger(ctx, api.RunRequest{Pipeline: "slow"}); err != nil {
		t.Fatal(err)
	}
	until(t, "a run that goes on", func() bool {
		runs, err := c.Runs(ctx, client.RunsQuery{State: "running"})
		return err == nil && len(runs) == 1
	})
	drain := "30ms"
	info, err := c.StopEngine(ctx, api.StopRequest{Drain: &drain})
	if err != nil || info.PID != os.Getpid() {
		t.Fatalf("%+v, %v", info, err)
	}
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
	if got := s.events("engine-stop"); got != ": by "+me(t)+", runs may take 30ms" {
		t.Errorf("%q", got)
	}
	var status *client.StatusError
	if _, err := c.Status(ctx); !errors.As(err, &status) || status.Code != http.StatusServiceUnavailable {
		t.Errorf("after its end the engine says %v", err)
	}
	if code, body := ask(t, s.local(), "GET /healthz", ""); code != http.StatusServiceUnavailable || body != `{"status":"stopped"}`+"\n" {
		t.Errorf("%d %s", code, body)
	}
	gone := make(chan error, 1)
	go func() { gone <- c.Gone(ctx) }()
	s.ended <- nil
	s.end()
	select {
	case err := <-gone:
		t.Errorf("an engine is gone that has not closed its history: %v", err)
	default:
	}
	if err := errors.Join(s.engine.Close(), <-gone); err != nil {
		t.Error(err)
	}
	if _, err := c.Status(ctx); !errors.Is(err, client.ErrNoEngine) {
		t.Errorf("%v", err)
	}
	if _, err := client.Open(s.project.State); !errors.Is(err, client.ErrNoEngine) {
		t.Errorf("%v", err)
	}
}

// TestBadRequests sends what is wrong, and sees what is said of it.
func TestBadRequests(t *testing.T) {
	s := start(t, project(t, t.TempDir(), map[string]string{"pipelines/quick.yaml": quick}), server.Limits{Body: 1000})
	c := s.local()
	for _, x := range []struct {
		what, body string
		status     int
		says       string
	}{
		{"GET /nothing", "", 404, "there is no"},
		{"GET /api/v1/status/", "", 404, "there is no"},
		{"GET /api/v2/status", "", 404, "there is no"},
		{"DELETE /api/v1/status", "", 405, "ask with GET"},
		{"PUT /api/v1/runs", "", 405, "GET or POST"},
		{"GET /api/v1/engine/stop", "", 405, "ask with POST"},
		{"BREW /api/v1/runs", "", 405, "BREW"},
		{"HEAD /api/v1/events", "", 405, ""},
		{"GET /api/v1/status", "{}", 400, "has no body"},
		{"GET /api/v1/status?x=1", "", 400, `nothing is known of \"x\"`},
		{"GET /api/v1/runs?n=0", "", 400, "n is a number from 1"},
		{"GET /api/v1/runs?n=-1", "", 400, "n is a number"},
		{"GET /api/v1/runs?n=1&n=2", "", 400, "more than once"},
		{"GET /api/v1/runs?n=99999999999999999999", "", 400, "n is a number"},
		{"GET /api/v1/runs?since=soon", "", 400, "neither a time"},
		{"GET /api/v1/runs?state=good", "", 400, "state is one of"},
		{"GET /api/v1/runs?before=x", "", 400, "before is a number"},
		{"GET /api/v1/runs?name=nobody", "", 404, "there is no pipeline"},
		{"GET /api/v1/runs?name=..%2F..%2Fetc", "", 404, "there is no pipeline"},
		{"GET /api/v1/runs/0", "", 400, "a run is a number"},
		{"GET /api/v1/runs/one", "", 400, "a run is a number"},
		{"GET /api/v1/runs/77", "", 404, "there is no run"},
		{"GET /api/v1/health?system=x", "", 404, "there is no system"},
		{"GET /api/v1/logs?of=nobody", "", 404, "there is no pipeline"},
		{"GET /api/v1/logs?of=77", "", 404, "there is no run"},
		{"GET /api/v1/logs?follow=perhaps", "", 400, "true or false"},
		{"GET /api/v1/events?after=x", "", 400, "after is a number"},
		{"POST /api/v1/runs", "", 400, "pipeline is missing"},
		{"POST /api/v1/runs", "{", 400, "cannot be read"},
		{"POST /api/v1/runs", "null{}", 400, "goes on"},
		{"POST /api/v1/runs", "[]", 400, "cannot be read"},
		{"POST /api/v1/runs", `{"pipeline": "quick", "more": 1}`, 400, "more"},
		{"POST /api/v1/runs", `{"pipeline": "nobody"}`, 400, "no pipeline"},
		{"POST /api/v1/runs", `{"pipeline": "quick", "params": {"n": "x"}}`, 400, "n"},
		{"POST /api/v1/runs", `{"pipeline": "quick", "params": {"m": "x"}}`, 400, "m"},
		{"POST /api/v1/runs", `{"pipeline": "quick", "env": {"A=B": "x"}}`, 400, "environment"},
		{"POST /api/v1/runs", `{"pipeline": "quick", "slot": "now"}`, 400, "slot"},
		{"POST /api/v1/runs", `{"pipeline": "` + strings.Repeat("x", 1000) + `"}`, 413, "1000 bytes"},
		{"POST /api/v1/runs?x=1", "{}", 400, "nothing is known"},
		{"POST /api/v1/runs/77/cancel", "", 404, "there is no run"},
		{"POST /api/v1/runs/x/cancel", "", 400, "a run is a number"},
		{"POST /api/v1/runs/77/retry", "", 404, "there is no run"},
		{"POST /api/v1/parts/pm2/break", "", 404, "start, stop, restart, takeover and failback"},
		{"POST /api/v1/parts/nobody/stop", "", 404, "no pipeline"},
		{"POST /api/v1/parts/pm2/quick/takeover", "", 404, "no service in standby"},
		{"POST /api/v1/parts/pm2/nobody/stop", "", 404, "no pipeline"},
		{"POST /api/v1/engine/stop", `{"drain": "long"}`, 400, "drain"},
		{"POST /api/v1/engine/stop", `{"drain": "1s", "force": true}`, 400, "exclude"},
	} {
		status, body := ask(t, c, x.what, x.body)
		if status != x.status || !strings.Contains(body, x.says) {
			t.Errorf("%s %s: %d %s", x.what, x.body, status, body)
		}
		var e api.Error
		if err := json.Unmarshal([]byte(body), &e); !strings.HasPrefix(x.what, "HEAD") && (err != nil || e.Error == "") {
			t.Errorf("%s: %q is no error", x.what, body)
		}
	}
	if status, body := ask(t, c, "POST /api/v1/runs", "pipeline=quick", "Content-Type: application/x-www-form-urlencoded"); status != 415 {
		t.Errorf("a form: %d %s", status, body)
	}
	var usage *client.UsageError
	for _, name := range []string{"", "/", "..", "pm2/..", "../../engine/stop", "a/b/c", "pm2/%2e", "é\n"} {
		if got, err := s.client().StopPart(t.Context(), name); !errors.As(err, &usage) {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
	if _, err := s.client().Run(t.Context(), 77); !errors.As(err, &usage) || usage.Hint == "" {
		t.Errorf("%v", err)
	}
	if runs, err := s.client().Runs(t.Context(), client.RunsQuery{}); err != nil || len(runs) != 0 {
		t.Errorf("bad requests have left runs: %+v, %v", runs, err)
	}
	slot := time.Now().Add(-time.Hour).UTC().Truncate(time.Second).Format(time.RFC3339)
	if _, err := s.client().Trigger(t.Context(), api.RunRequest{Pipeline: "quick", Slot: &slot}); err != nil {
		t.Fatal(err)
	}
	if status, body := ask(t, c, "POST /api/v1/runs", `{"pipeline": "quick", "slot": "`+slot+`"}`); status != 409 {
		t.Errorf("a slot that is served: %d %s", status, body)
	}
}
