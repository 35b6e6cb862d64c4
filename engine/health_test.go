package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/store"
)

// people are a loopback service that is told, and a watcher that is pinged.
type people struct {
	mu    sync.Mutex
	texts []string
	down  bool
	pings atomic.Int64
	url   string
}

func newPeople(t *testing.T) *people {
	t.Helper()
	p := &people{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/ping") {
			p.pings.Add(1)
			return
		}
		body, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		p.texts = append(p.texts, string(body))
	}))
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

// told reports whether somebody was told of it.
func (p *people) told(text string) bool { return p.times(text) > 0 }

func (p *people) times(text string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.texts {
		n += strings.Count(x, text)
	}
	return n
}

// redund is a redund.yaml that tells people of all.
func (p *people) redund(more string) string {
	return `version: 1
notify:
  services: ["generic+` + p.url + `/hook/0123456789abcdef"]
  on: [failure, recovered, reload-rejected, unhealthy]
health: {every: 200ms, ping: "` + p.url + `/ping/${{ vars.id }}"}
vars: {id: some}
` + more
}

// serveOnly lets an engine serve that takes up no saves; the function ends it.
func serveOnly(t *testing.T, p *config.Project, kinds *kind.Set) (*engine.Engine, func() error) {
	t.Helper()
	ready, ended := make(chan struct{}), make(chan error, 1)
	e, err := engine.New(t.Context(), engine.Options{
		Project: p, Kinds: kinds, Environ: environ(t), Serve: engine.Serve{Ready: func() { close(ready) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- e.Run(ctx) }()
	<-ready
	return e, func() error {
		cancel()
		return errors.Join(<-ended, e.Close())
	}
}

func verdict(e *engine.Engine, system string) (status string, reasons string) {
	st, err := e.Status(context.Background())
	if err != nil {
		return err.Error(), ""
	}
	for _, s := range st.Systems {
		if s.Name == system {
			status = s.Health
		}
	}
	h, err := e.CheckHealth(context.Background())
	if err != nil {
		return err.Error(), ""
	}
	for _, s := range h.Systems {
		for _, c := range s.Checks {
			if s.Name == system {
				reasons += c.Name + ": " + c.Reason + "\n"
			}
		}
	}
	return status, reasons
}

func is(e *engine.Engine, system, want, reason string) func() bool {
	return func() bool {
		status, reasons := verdict(e, system)
		return status == want && strings.Contains(reasons, reason)
	}
}

func event(t *testing.T, p *config.Project, what string) bool {
	t.Helper()
	h, err := engine.OpenHistory(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	list, err := h.Events(t.Context(), history.EventFilter{What: what})
	if err != nil {
		t.Fatal(err)
	}
	return len(list) > 0
}

const failing = `
version: 1
name: a
system: pm2
params: {n: {type: integer, default: 0}}
steps: [{exec: [sh, -c, "exit $N"], env: {N: "${{ params.n }}"}}]
`

// TestHealthOfAFailedRun holds that a run which failed for good makes its system
// unhealthy, is told once, ends the pings, and is over with the next success.
func TestHealthOfAFailedRun(t *testing.T) {
	t.Parallel()
	who := newPeople(t)
	p := project(t, map[string]string{"redund.yaml": who.redund(""), "pipelines/pm2/a.yaml": failing})
	e := serve(t, p)
	until(t, "a ping", func() bool { return who.pings.Load() > 0 })
	trigger := func(n string) {
		t.Helper()
		r, err := e.Trigger(t.Context(), "a", "a test", engine.RunRequest{Params: map[string]string{"n": n}})
		if err != nil {
			t.Fatal(err)
		}
		until(t, "the end of the run", func() bool { return runs(t, p)[0].ID == r.ID && runs(t, p)[0].State.Done() })
	}
	trigger("3")
	until(t, "the verdict", is(e, "pm2", "unhealthy", "run: run 1 of pm2/a failed"))
	until(t, "the messages", func() bool { return who.told("run 1 of pm2/a failed") && who.told("system pm2 is unhealthy") })
	if status, _ := verdict(e, "netlify-functions"); status != "healthy" {
		t.Errorf("a neighbour is %s", status)
	}
	until(t, "the event and the report", func() bool {
		list, _ := filepath.Glob(filepath.Join(p.State, "reports/health-*.json"))
		return event(t, p, "unhealthy") && len(list) > 0
	})
	pings := who.pings.Load()
	trigger("4")
	<-time.After(600 * time.Millisecond)
	if n := who.times("of pm2/a failed") - who.times("unhealthy: run"); n != 1 || who.pings.Load() > pings {
		t.Errorf("told %d times, %d pings while unhealthy", n, who.pings.Load()-pings)
	}
	trigger("0")
	until(t, "the recovery", is(e, "pm2", "healthy", "nothing is wrong"))
	until(t, "its messages", func() bool {
		return who.told("pm2/a succeeded again, with run 3") && who.told("system pm2 is healthy again")
	})
	until(t, "a ping again", func() bool { return who.pings.Load() > pings })
	var st api.Status
	until(t, "the report", func() bool {
		text, err := os.ReadFile(filepath.Join(p.State, "reports/status.json"))
		return err == nil && json.Unmarshal(text, &st) == nil && len(st.Parts) == 1 && st.Parts[0].LastRun.ID == 3
	})
	if info, err := os.Stat(filepath.Join(p.State, "reports/pm2.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	for _, name := range []string{"redund.db", "redund.db-wal", "logs/engine.log", "logs/pm2.log", "reports/status.json"} {
		if text, _ := os.ReadFile(filepath.Join(p.State, name)); strings.Contains(string(text), "0123456789abcdef") {
			t.Errorf("%s holds the address of a service", name)
		}
	}
}

func TestHealthOfARejectedFile(t *testing.T) {
	t.Parallel()
	who := newPeople(t)
	p := project(t, map[string]string{"redund.yaml": who.redund(""), "pipelines/pm2/a.yaml": failing})
	e := serve(t, p)
	file := filepath.Join(p.Root, "pipelines/pm2/a.yaml")
	save := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save(failing + "oops: 1\n")
	until(t, "the verdict", is(e, "pm2", "degraded", "file: pipelines/pm2/a.yaml:7"))
	until(t, "the message", func() bool { return who.told("pipelines/pm2/a.yaml:7:1: unknown key") })
	save(failing)
	until(t, "the recovery", is(e, "pm2", "healthy", ""))
	until(t, "its message", func() bool { return who.told("pipelines/pm2/a.yaml is no longer rejected") })
}

// TestHealthOfAFullDisk holds that people are told of a disk without room, and
// that all goes on when there is some: also the run that waited for it.
func TestHealthOfAFullDisk(t *testing.T) {
	t.Parallel()
	who := newPeople(t)
	p := project(t, map[string]string{"redund.yaml": who.redund(""), "pipelines/pm2/a.yaml": failing})
	if err := os.Mkdir(p.State, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", p.State, "tmpfs", 0, "size=2m,mode=700"); err != nil {
		t.Skip("no file system can be mounted here: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(p.State, unix.MNT_DETACH) })
	e, end := serveOnly(t, p, builtin.Kinds())
	defer func() {
		if err := end(); err != nil && !strings.Contains(err.Error(), "are lost: ") {
			t.Error(err) // lines of the logs are, while the disk is full
		}
	}()
	until(t, "a disk with little room", is(e, "pm2", "degraded", "disk: only"))
	ballast, err := os.Create(filepath.Join(p.State, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = ballast.Write(make([]byte, 4096))
	}
	until(t, "the verdict", func() bool {
		_, _ = e.Trigger(t.Context(), "a", "a test", engine.RunRequest{}) // uses up what room the log of the database has
		return is(e, "pm2", "unhealthy", "state: the state directory cannot be written")()
	})
	until(t, "the message", func() bool { return who.told("system pm2 is unhealthy: the state directory cannot be written") })
	if err := errors.Join(ballast.Truncate(0), ballast.Close()); err != nil {
		t.Fatal(err)
	}
	until(t, "the recovery", is(e, "pm2", "degraded", "disk: only"))
	until(t, "its message", func() bool { return who.told("system pm2 is degraded again") })
	until(t, "the event, when there was room for it", func() bool { return event(t, p, "unhealthy") })
	r, err := e.Trigger(t.Context(), "a", "a test", engine.RunRequest{})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "a run", func() bool { return runs(t, p)[0].ID == r.ID && runs(t, p)[0].State == pipeline.Succeeded })
}

// TestHealthOfAnOldQueueAndMissedSlots holds that a queue which stands still is seen, as are
// missed slots, by their own system alone, and that it goes on when there is room.
func TestHealthOfAnOldQueueAndMissedSlots(t *testing.T) {
	t.Parallel()
	who := newPeople(t)
	p := project(t, map[string]string{"redund.yaml": who.redund("systems: {pm2: {concurrency: 1}}\n"), "pipelines/pm2/a.yaml": failing, "pipelines/pm2/long.yaml": `
version: 1
name: long
system: pm2
steps: [{exec: [sleep, "1000"]}]
`})
	e := serve(t, p)
	long, err := e.Trigger(t.Context(), "long", "a test", engine.RunRequest{})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the long run", func() bool { return runs(t, p)[0].State == pipeline.Running })
	db, err := store.Open(t.Context(), store.Options{Dir: p.State})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	h := history.New(db)
	old := time.Now().Add(-6 * time.Minute)
	waits, err := h.Enqueue(t.Context(), history.Order{System: "pm2", Pipeline: "a", Trigger: "api", Reason: "manual", Due: old, Priority: history.Normal})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the verdict", is(e, "netlify-functions", "degraded", "queue: 1 run waits, the oldest for 6m"))
	if _, err := h.Decide(t.Context(), []history.Decision{{
		System: "pm2", Name: "a", Slot: time.Now().Add(-time.Hour).Truncate(time.Second), Trigger: "schedule", Reason: "missed",
	}}); err != nil {
		t.Fatal(err)
	}
	until(t, "the missed slot", is(e, "pm2", "degraded", "missed: 1 slot within a day"))
	if status, reasons := verdict(e, "netlify-functions"); strings.Contains(reasons, "missed") {
		t.Errorf("a neighbour: %s, %s", status, reasons)
	}
	until(t, "the event", func() bool { return event(t, p, "degraded") })
	if _, err := e.Cancel(t.Context(), long.ID, "a test"); err != nil {
		t.Fatal(err)
	}
	until(t, "the recovery", is(e, "netlify-functions", "healthy", ""))
	until(t, "the run that waited", func() bool {
		for _, r := range runs(t, p) {
			if r.ID == waits.ID {
				return r.State == pipeline.Succeeded
			}
		}
		return false
	})
}

// deaf is a step that does not heed its end; what it started goes on too, until
// the test is over.
type deaf struct{ release chan struct{} }

func (d *deaf) Run(context.Context, *pipeline.Scope) (pipeline.Outputs, error) {
	<-d.release
	return pipeline.Outputs{}, nil
}

func (d *deaf) Plan(context.Context, *pipeline.Scope) ([]pipeline.Effect, error) { return nil, nil }

// TestD6AStuckRunIsEnded holds that a run which goes on past its time is ended and
// recorded as timed out, that its slot of the queue is free, and (D17) that its
// neighbours go on.
func TestD6AStuckRunIsEndedAndD17ItsNeighboursGoOn(t *testing.T) {
	t.Parallel()
	who := newPeople(t)
	release := make(chan struct{})
	kinds := builtin.Kinds()
	kinds.Actions = append(kinds.Actions, kind.Define("deaf", []byte(`{"type": "object", "additionalProperties": false}`),
		func(struct{}, kind.Deps) (pipeline.Action, error) { return &deaf{release}, nil }))
	root := t.TempDir()
	for name, text := range map[string]string{
		"redund.yaml":                  who.redund("systems: {pm2: {concurrency: 2}}\n"),
		"pipelines/pm2/deaf.yaml":      "version: 1\nname: deaf\nsystem: pm2\ntimeout: 1s\nsteps: [{uses: deaf}]\n",
		"pipelines/pm2/neighbour.yaml": "version: 1\nname: neighbour\nsystem: pm2\nsteps: [{exec: [sleep, \"1000\"]}]\n",
		"pipelines/pm2/next.yaml":      "version: 1\nname: next\nsystem: pm2\nsteps: [{exec: [\"true\"]}]\n",
	} {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := config.Load(t.Context(), config.Options{Dir: root, Kinds: kinds})
	e, end := serveOnly(t, p, kinds)
	defer func() {
		close(release)
		if err := end(); err != nil {
			t.Error(err)
		}
	}()
	ids := map[string]int64{}
	for _, name := range []string{"deaf", "neighbour", "next"} {
		r, err := e.Trigger(t.Context(), name, "a test", engine.RunRequest{})
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = r.ID
	}
	state := func(name string) (pipeline.State, string) {
		for _, r := range runs(t, p) {
			if r.ID == ids[name] {
				return r.State, r.Error
			}
		}
		return "", ""
	}
	until(t, "the verdict", is(e, "pm2", "unhealthy", "stuck: a run of pm2/deaf goes on since"))
	until(t, "the message", func() bool { return who.told("a run of pm2/deaf goes on since") })
	until(t, "the event", func() bool { return event(t, p, "stuck") })
	until(t, "the end of the run", func() bool { s, _ := state("deaf"); return s == pipeline.TimedOut })
	until(t, "the next run in its place", func() bool { s, _ := state("next"); return s == pipeline.Succeeded })
	if s, _ := state("neighbour"); s != pipeline.Running {
		t.Errorf("the neighbour is %s", s)
	}
	if _, line := state("deaf"); !strings.Contains(line, "past its timeout") {
		t.Error(line)
	}
}

// TestD6ProcessesOfARunOutOfTimeAreEnded holds that what heeds no SIGTERM is
// killed with all that it started.
func TestD6ProcessesOfARunOutOfTimeAreEnded(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": `
version: 1
name: a
system: pm2
timeout: 500ms
steps: [{exec: [sh, -c, "trap '' TERM; sleep 1000 & echo $! > $PWD/child; wait; sleep 1000"]}]
`})
	e := serve(t, p)
	if _, err := e.Trigger(t.Context(), "a", "a test", engine.RunRequest{}); err != nil {
		t.Fatal(err)
	}
	until(t, "the end", func() bool { return len(runs(t, p)) == 1 && runs(t, p)[0].State == pipeline.TimedOut })
	text, err := os.ReadFile(filepath.Join(p.Root, "child"))
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(text)) + "/stat")
	if err == nil && !strings.Contains(string(stat), ") Z ") { // nobody may have taken it in yet
		t.Errorf("the child lives on: %s", stat)
	}
}

// TestHealthOfAClockThatJumped holds that a jump is seen by every system, and
// that it is over an hour later.
func TestHealthOfAClockThatJumped(t *testing.T) {
	t.Parallel()
	who := newPeople(t)
	p := project(t, map[string]string{"redund.yaml": who.redund(""), "pipelines/pm2/a.yaml": failing})
	e := serve(t, p)
	now := time.Now()
	e.Jump(t.Context(), schedule.Jump{From: now.Add(-time.Minute), To: now})
	until(t, "the verdict", is(e, "github-actions", "degraded", "clock: the clock jumped by 1m0s"))
	until(t, "the events", func() bool { return event(t, p, "clock-jumped") && event(t, p, "degraded") })
	e.Jump(t.Context(), schedule.Jump{From: now.Add(-2 * time.Hour), To: now.Add(-time.Hour)})
	until(t, "the recovery", is(e, "github-actions", "healthy", ""))
}
