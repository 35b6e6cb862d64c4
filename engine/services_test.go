package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/services/kept"
	"github.com/redundctl/redundctl/engine/store"
)

// aService is a pipeline that writes the pid of each of its processes, and of a
// child of that in a session of its own, into the file `told`.
func aService(more string) map[string]string {
	return map[string]string{
		"redund.yaml": "version: 1\nvars: {used: a, unused: a}\n",
		"pipelines/pm2/api.yaml": `
version: 1
name: api
system: pm2
env: {USED: "${{ vars.used }}"}
` + more + `
service:
  run: |
    setsid sleep 1000 &
    echo "$! $$ $REDUND_INSTANCE $USED" >> told
    exec sleep 1000
  stop: {signal: SIGTERM, timeout: 2s}
`}
}

// line is what one process of aService told.
type line struct {
	child, pid int
	rest       string
}

func processes(t *testing.T, p *config.Project) []line {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.Root, "told"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var out []line
	for l := range strings.Lines(string(text)) {
		f := strings.SplitN(strings.TrimSpace(l), " ", 3)
		if len(f) < 3 || !strings.HasSuffix(l, "\n") {
			continue
		}
		child, _ := strconv.Atoi(f[0])
		pid, _ := strconv.Atoi(f[1])
		out = append(out, line{child, pid, f[2]})
	}
	return out
}

// living are those that live, with their children: a copy of the service is one.
func living(t *testing.T, p *config.Project) []line {
	t.Helper()
	return slices.DeleteFunc(processes(t, p), func(l line) bool { return !alive(l.pid) && !alive(l.child) })
}

// service is how the service of a project does.
func service(t *testing.T, e *engine.Engine) *api.Service {
	t.Helper()
	st, err := e.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range st.Parts {
		if x.Service != nil {
			return x.Service
		}
	}
	t.Fatal("the status tells of no service")
	return nil
}

// happened are the words of the events of a pipeline.
func happened(t *testing.T, e *engine.Engine, id string) string {
	t.Helper()
	list, err := e.Records().Events(t.Context(), history.EventFilter{Pipeline: id})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, x := range list {
		out = append(out, x.What)
	}
	return strings.Join(out, " ")
}

// keep serves a project with these kinds, and takes up what is saved.
func keep(t *testing.T, p *config.Project, kinds *kind.Set) (*engine.Engine, func()) {
	t.Helper()
	p = config.Load(t.Context(), config.Options{Dir: p.Root, Kinds: kinds})
	ready, ended := make(chan struct{}), make(chan error, 1)
	e, err := engine.New(t.Context(), engine.Options{
		Project: p, Kinds: kinds, Environ: environ(t), Subreaper: true, Serve: engine.Serve{Load: again, Ready: func() { close(ready) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- e.Run(ctx) }()
	<-ready
	var once sync.Once
	end := func() {
		once.Do(func() {
			cancel()
			if err := errors.Join(<-ended, e.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(end)
	return e, end
}

func running(t *testing.T, e *engine.Engine) bool { return service(t, e).State == "running" }

func TestServiceIsKept(t *testing.T) {
	files := aService("secrets: [PASS]")
	files[".env"] = "PASS=hunter22hunter22\n"
	files["pipelines/pm2/api.yaml"] = strings.Replace(files["pipelines/pm2/api.yaml"], "exec sleep", "echo \"the pass is ${{ secrets.PASS }}\"; exec sleep", 1)
	p := project(t, files)
	e, end := keep(t, p, builtin.Kinds())
	until(t, "the start", func() bool { return len(living(t, p)) == 1 && running(t, e) })
	first := living(t, p)[0]
	if x := service(t, e); !slices.Equal(x.PIDs, []int{first.pid}) || x.Restarts != 0 || x.Takeover != nil || first.rest != "0 a" {
		t.Errorf("%+v, %+v", x, first)
	}
	if err := syscall.Kill(first.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "another process", func() bool {
		now := living(t, p)
		return len(now) == 1 && now[0].pid != first.pid && running(t, e)
	})
	if x := service(t, e); x.Restarts != 1 || x.Reason == nil || !strings.Contains(*x.Reason, "SIGKILL") {
		t.Errorf("after a kill: %+v", x)
	}
	if err := e.StopPart(t.Context(), "api", "a test"); err != nil {
		t.Fatal(err)
	}
	if left := living(t, p); len(left) != 0 || service(t, e).State != "stopped" {
		t.Errorf("after it was stopped %v run, and it is %s", left, service(t, e).State)
	}
	if err := e.StartPart(t.Context(), "api", "a test"); err != nil {
		t.Fatal(err)
	}
	until(t, "the start", func() bool { return len(living(t, p)) == 1 })
	at := living(t, p)[0]
	if err := e.RestartPart(t.Context(), "api", "a test"); err != nil {
		t.Fatal(err)
	}
	until(t, "the restart", func() bool {
		now := living(t, p)
		return len(now) == 1 && now[0].pid != at.pid
	})
	until(t, "the event", func() bool { return strings.Contains(happened(t, e, "pm2/api"), "restarted") })
	end()
	if left := living(t, p); len(left) != 0 {
		t.Errorf("the engine has ended, and %v run", left)
	}
	searchFor(t, p.State, "hunter22")
	text, err := os.ReadFile(filepath.Join(p.State, "logs/pm2.log"))
	if err != nil || !strings.Contains(string(text), "pm2/api service | the pass is ***") {
		t.Errorf("%s, %v", text, err)
	}
}

// TestServiceReload: only what its processes see restarts it.
func TestServiceReload(t *testing.T) {
	files := aService("")
	p := project(t, files)
	e, _ := keep(t, p, builtin.Kinds())
	until(t, "the start", func() bool { return len(living(t, p)) == 1 && running(t, e) })
	generation := func() int64 {
		st, err := e.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return st.Reload.Generation
	}
	text := files["pipelines/pm2/api.yaml"]
	for _, c := range []struct {
		name, file, text string
		restarts         bool
	}{
		{"its limits", "pipelines/pm2/api.yaml", strings.Replace(text, "timeout: 2s", "timeout: 3s", 1) + "  restart: {policy: on-failure, max-restarts: 3}\n  memory-limit: 1GiB\n", false},
		{"another variable", "redund.yaml", "version: 1\nvars: {used: a, unused: b}\n", false},
		{"its variable", "redund.yaml", "version: 1\nvars: {used: b, unused: b}\n", true},
		{"its script", "pipelines/pm2/api.yaml", strings.Replace(text, "exec sleep 1000", "exec sleep 1001", 1), true},
		{"its directory", "pipelines/pm2/api.yaml", strings.Replace(text, "exec sleep 1000", "exec sleep 1001", 1) + "\nworking-directory: ./pipelines/..\n", false},
	} {
		before, was := generation(), living(t, p)
		save(t, p, c.file, c.text)
		until(t, "that "+c.name+" is taken up", func() bool { return generation() != before })
		if c.restarts {
			until(t, "a restart for "+c.name, func() bool {
				now := living(t, p)
				return len(now) == 1 && now[0].pid != was[0].pid
			})
			continue
		}
		if now := living(t, p); !slices.Equal(now, was) {
			t.Errorf("for %s: %v was %v", c.name, now, was)
		}
	}
	if n := len(processes(t, p)); n != 3 {
		t.Errorf("%d processes were started", n)
	}
	if err := os.Remove(filepath.Join(p.Root, "pipelines/pm2/api.yaml")); err != nil {
		t.Fatal(err)
	}
	until(t, "the end", func() bool { return len(living(t, p)) == 0 })
}

func TestServiceErrored(t *testing.T) {
	p := project(t, map[string]string{"pipelines/pm2/api.yaml": `
version: 1
name: api
system: pm2
service: {run: "echo >> told; exit 3", restart: {max-restarts: 2, delay: 10ms}}
`})
	e, _ := keep(t, p, builtin.Kinds())
	starts := func() int {
		text, _ := os.ReadFile(filepath.Join(p.Root, "told"))
		return len(text)
	}
	errored := func(n int) {
		t.Helper()
		until(t, fmt.Sprint("the end after ", n, " starts"), func() bool { return starts() == n && service(t, e).State == "errored" })
	}
	errored(3)
	h, err := e.CheckHealth(t.Context())
	if err != nil || h.Status != "unhealthy" || !strings.Contains(fmt.Sprint(h), "the service pm2/api is errored: exit code 3") {
		t.Errorf("%+v, %v", h, err)
	}
	if err := e.RestartPart(t.Context(), "api", "a test"); err != nil {
		t.Fatal(err)
	}
	errored(6)
	save(t, p, "pipelines/pm2/api.yaml", `
version: 1
name: api
system: pm2
service: {run: "echo >> told; exit 3", restart: {max-restarts: 1, delay: 10ms}}
`)
	errored(8)
	until(t, "the events", func() bool { return strings.Count(happened(t, e, "pm2/api"), "errored") == 3 })
}

// TestServiceOfKilledEngine: an engine that is killed and started again never
// leaves two copies, whatever the service had started.
func TestServiceOfKilledEngine(t *testing.T) {
	p := project(t, aService(""))
	kill := child(t, p)
	until(t, "the start", func() bool { return len(living(t, p)) == 1 })
	first := living(t, p)[0]
	kill()
	if !alive(first.child) {
		t.Error("nothing is left of the killed engine: the test shows nothing")
	}
	for range 2 {
		kill := child(t, p)
		until(t, "the next copy", func() bool {
			now := living(t, p)
			return len(now) > 0 && now[len(now)-1].pid != first.pid
		})
		if now := living(t, p); len(now) != 1 {
			t.Errorf("%v run", now)
		}
		first = living(t, p)[0]
		kill()
	}
	e, end := keep(t, p, builtin.Kinds())
	until(t, "the last copy", func() bool { return running(t, e) && len(living(t, p)) == 1 })
	end()
	if left := living(t, p); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
}

// TestServiceOfKilledEngineIsEnded: what a killed engine's service had started is
// ended by the next engine too when no service is in force any more, once.
func TestServiceOfKilledEngineIsEnded(t *testing.T) {
	p := project(t, aService(""))
	kill := child(t, p)
	until(t, "the start", func() bool { return len(living(t, p)) == 1 })
	kill()
	if len(living(t, p)) == 0 {
		t.Error("nothing is left of the killed engine: the test shows nothing")
	}
	if err := os.Remove(filepath.Join(p.Root, "pipelines/pm2/api.yaml")); err != nil {
		t.Fatal(err)
	}
	_, end := keep(t, p, builtin.Kinds())
	until(t, "the end of what it left", func() bool { return len(living(t, p)) == 0 })
	end()
	db, err := store.Open(t.Context(), store.Options{Dir: p.State})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := kept.New(db, "another").Clear(t.Context(), func(engine string) error { return errors.New(engine) }); err != nil {
		t.Errorf("the dead engine is still known: %v", err)
	}
}

// look is a primary that does what a test says.
func look(word *atomic.Value) *stage {
	return &stage{does: func(int, pipeline.Window) (pipeline.Reading, error) {
		r := pipeline.Reading{Reason: "it is " + word.Load().(string)}
		switch word.Load() {
		case "up":
			r.Verdict = pipeline.Up
		case "starting":
			r.Verdict = pipeline.Starting
		case "down":
			r.Verdict = pipeline.Down
		case "alive":
			r.Verdict, r.Alive = pipeline.Down, true
		case "refused":
			r.Verdict, r.Refused = pipeline.Unknown, true
		default:
			return r, errors.New("nobody answers")
		}
		return r, nil
	}}
}

func TestServiceInStandby(t *testing.T) {
	var word atomic.Value
	word.Store("up")
	s := look(&word)
	p := project(t, aService("primary: {file: {path: nowhere}, every: 20ms}"))
	e, end := keep(t, p, s.kinds())
	until(t, "a look", func() bool { return service(t, e).Primary != nil })
	x := service(t, e)
	if x.State != "stopped" || x.Primary.Verdict != "up" || x.Takeover != nil || len(processes(t, p)) != 0 {
		t.Errorf("beside a primary that is up: %+v", x)
	}
	word.Store("alive")
	until(t, "looks", func() bool { return service(t, e).Primary.Reason == "it is alive" })
	<-time.After(200 * time.Millisecond)
	if n := len(processes(t, p)); n != 0 {
		t.Errorf("%d were started beside a copy that lives", n)
	}
	word.Store("down")
	until(t, "the takeover", func() bool { return running(t, e) && len(living(t, p)) == 1 })
	if x := service(t, e); x.Takeover == nil || x.Takeover.Reason != "it is down" || x.Takeover.Held {
		t.Errorf("%+v", x.Takeover)
	}
	word.Store("starting")
	until(t, "the yield", func() bool { return service(t, e).State == "yielding" && len(living(t, p)) == 0 })
	word.Store("up")
	until(t, "the failback", func() bool { return service(t, e).Takeover == nil })
	until(t, "the events", func() bool { return happened(t, e, "pm2/api") == "takeover yielded failback" })
	// By hand, whatever the primary does.
	var usage *engine.UsageError
	if err := e.Failback(t.Context(), "api", "a test"); !errors.As(err, &usage) {
		t.Errorf("there is nothing to give back: %v", err)
	}
	if err := e.Takeover(t.Context(), "api", "a test"); err != nil {
		t.Fatal(err)
	}
	until(t, "the takeover", func() bool { return running(t, e) && len(living(t, p)) == 1 })
	end()
	if left := living(t, p); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
	e, _ = keep(t, p, s.kinds())
	until(t, "that it is kept over an engine", func() bool { return running(t, e) && len(living(t, p)) == 1 })
	if x := service(t, e); x.Takeover == nil || !x.Takeover.Held || x.Takeover.Reason != "by a test" {
		t.Errorf("%+v", x.Takeover)
	}
	if err := e.Failback(t.Context(), "api", "a test"); err != nil {
		t.Fatal(err)
	}
	until(t, "the failback", func() bool { return service(t, e).Takeover == nil && len(living(t, p)) == 0 })
}

// TestServiceManualFailback: it is kept until somebody gives it back, over the
// end of an engine too.
func TestServiceManualFailback(t *testing.T) {
	var word atomic.Value
	word.Store("down")
	s := look(&word)
	p := project(t, aService("primary: {file: {path: nowhere}, every: 20ms, failback: manual}"))
	e, end := keep(t, p, s.kinds())
	until(t, "the takeover", func() bool { return running(t, e) })
	until(t, "that it is recorded", func() bool { return happened(t, e, "pm2/api") == "takeover" })
	word.Store("up")
	until(t, "a look", func() bool { return service(t, e).Primary.Verdict == "up" })
	end()
	e, _ = keep(t, p, s.kinds())
	until(t, "that it is kept", func() bool { return running(t, e) && service(t, e).Primary.Verdict == "up" })
	if err := e.Failback(t.Context(), "pm2/api", "a test"); err != nil {
		t.Fatal(err)
	}
	until(t, "the failback", func() bool { return service(t, e).Takeover == nil && len(living(t, p)) == 0 })
}

// TestServiceNobodyKnows: a probe that never got an answer starts nothing, and
// makes health say so.
func TestServiceNobodyKnows(t *testing.T) {
	var word atomic.Value
	word.Store("refused")
	s := look(&word)
	p := project(t, aService("primary: {file: {path: nowhere}, every: 20ms, on-unknown: run}"))
	e, _ := keep(t, p, s.kinds())
	until(t, "the verdict", func() bool {
		h, err := e.CheckHealth(t.Context())
		return err == nil && h.Status == "unhealthy" && strings.Contains(fmt.Sprint(h), "no look at the primary of pm2/api was ever conclusive: it is refused")
	})
	if n := len(processes(t, p)); n != 0 {
		t.Errorf("%d were started", n)
	}
	word.Store("up")
	until(t, "the verdict once it answers", func() bool {
		h, err := e.CheckHealth(t.Context())
		return err == nil && h.Status == "healthy"
	})
	word.Store("no answer")
	until(t, "a takeover, since unknown counts as bad", func() bool { return running(t, e) })
}

// TestServiceObserved: what would be done is recorded, and nothing is done.
func TestServiceObserved(t *testing.T) {
	var word atomic.Value
	word.Store("down")
	s := look(&word)
	p := project(t, aService("observe: true\nprimary: {file: {path: nowhere}, every: 20ms}"))
	e, _ := keep(t, p, s.kinds())
	until(t, "the event", func() bool { return happened(t, e, "pm2/api") == "takeover" })
	list, err := e.Records().Events(t.Context(), history.EventFilter{Pipeline: "pm2/api"})
	if err != nil || !strings.Contains(fmt.Sprint(list), "observed: nothing is started or stopped; it is down") {
		t.Errorf("%v, %v", list, err)
	}
	if n := len(processes(t, p)); n != 0 {
		t.Errorf("%d were started", n)
	}
	if err := e.Takeover(t.Context(), "api", "a test"); err != nil {
		t.Fatal(err)
	}
	until(t, "a takeover by hand", func() bool { return running(t, e) })
}

// TestServiceModes: a system's mode holds over its pipelines'.
func TestServiceModes(t *testing.T) {
	var word atomic.Value
	word.Store("up")
	s := look(&word)
	p := project(t, aService("primary: {file: {path: nowhere}, every: 20ms}"))
	e, _ := keep(t, p, s.kinds())
	until(t, "a look", func() bool { return service(t, e).Primary != nil })
	save(t, p, "redund.yaml", "version: 1\nvars: {used: a}\nsystems: {pm2: {mode: replacement}}\n")
	until(t, "that it runs", func() bool { return running(t, e) && len(living(t, p)) == 1 })
	until(t, "the warning", func() bool { return strings.Contains(happened(t, e, "pm2/api"), "primary-seen") })
	save(t, p, "redund.yaml", "version: 1\nvars: {used: a}\n")
	until(t, "that it does not", func() bool { return service(t, e).State == "stopped" && len(living(t, p)) == 0 })
}
