package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// serve lets an engine serve a project until the test ends.
func serve(t *testing.T, p *config.Project) *engine.Engine {
	t.Helper()
	ready, ended := make(chan struct{}), make(chan error, 1)
	e, _ := opened(t, engine.Options{Project: p, Environ: environ(t), Serve: engine.Serve{Ready: func() { close(ready) }, Load: again}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- e.Run(ctx) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return e
}

// again loads a project after a change.
func again(ctx context.Context, before *config.Project, c config.Change) (*config.Project, *kind.Set) {
	return before.Again(ctx, c), before.Kinds()
}

// until asks again and again until it is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); {
		if so() {
			return
		}
		<-time.After(5 * time.Millisecond)
	}
	t.Fatalf("%s did not come to pass", what)
}

func TestServeKeepsSchedulesAndTakesUpSaves(t *testing.T) {
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": `
version: 1
name: a
system: pm2
schedule: {every: 1s}
steps: [{exec: ["true"]}]
`})
	e := serve(t, p)
	until(t, "two runs", func() bool {
		n := 0
		for _, r := range runs(t, p) {
			if r.State == pipeline.Succeeded && r.Trigger == "schedule" && r.Reason == "scheduled" {
				n++
			}
		}
		return n >= 2
	})
	st, err := e.Status(t.Context())
	if err != nil || len(st.Parts) != 1 || st.Parts[0].Next == nil || st.Parts[0].LastRun == nil {
		t.Errorf("%+v, %v", st, err)
	}
	file := filepath.Join(p.Root, "pipelines/pm2/a.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	save := func(s string) {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save(string(text) + "oops: 1\n")
	until(t, "the rejection", func() bool {
		st, err = e.Status(t.Context())
		return err == nil && len(st.Reload.Rejected) == 1 && st.Reload.Rejected[0].Line == 7
	})
	n := len(runs(t, p))
	until(t, "a run of the last good form", func() bool { return len(runs(t, p)) > n })
	save(string(text) + "enabled: false\n")
	until(t, "the new form", func() bool {
		st, err = e.Status(t.Context())
		return err == nil && len(st.Reload.Rejected) == 0 && st.Parts[0].State == "disabled"
	})
	until(t, "a slot that is skipped", func() bool { return runs(t, p)[0].Reason == "disabled" })
	h, err := e.CheckHealth(t.Context())
	if err != nil || h.Status != "healthy" {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestControl(t *testing.T) {
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": `
version: 1
name: a
system: pm2
params: {n: {type: integer, default: 0}}
retry: {attempts: 2, delay: 10ms}
steps: [{exec: [sh, -c, "exit $N"], env: {N: "${{ params.n }}"}}]
`, "pipelines/pm2/long.yaml": `
version: 1
name: long
system: pm2
schedule: {every: 1s}
steps: [{exec: [sleep, "100"]}]
`})
	e := serve(t, p)
	ctx := t.Context()
	state := func(id int64) pipeline.State {
		for _, r := range runs(t, p) {
			if r.ID == id {
				return r.State
			}
		}
		return ""
	}
	r, err := e.Trigger(ctx, "a", "a test", engine.RunRequest{Params: map[string]string{"n": "3"}})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the second attempt", func() bool {
		list := runs(t, p)
		return len(list) > 1 && state(r.ID) == pipeline.Failed && state(r.ID+1) != pipeline.Queued
	})
	again, err := e.Retry(ctx, r.ID, "a test")
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the run again", func() bool { return state(again.ID) == pipeline.Failed })
	var wrong *engine.UsageError
	if _, err := e.Trigger(ctx, "nobody", "a test", engine.RunRequest{}); !errors.As(err, &wrong) {
		t.Errorf("a pipeline that there is not: %v", err)
	}
	if _, err := e.Trigger(ctx, "a", "a test", engine.RunRequest{Params: map[string]string{"n": "x"}}); !errors.As(err, &wrong) {
		t.Errorf("a parameter that is wrong: %v", err)
	}

	var long int64
	until(t, "the long run", func() bool {
		for _, r := range runs(t, p) {
			if r.Pipeline == "long" && r.State == pipeline.Running {
				long = r.ID
			}
		}
		return long != 0
	})
	until(t, "an overlap", func() bool { return runs(t, p)[0].Reason == "overlap" })
	if err := e.StopPart(ctx, "long", "a test"); err != nil {
		t.Fatal(err)
	}
	until(t, "a slot of a part that is stopped", func() bool { return runs(t, p)[0].Reason == "stopped" })
	if s := state(long); s != pipeline.Running {
		t.Errorf("stopping the pipeline ended its run: %s", s)
	}
	if _, err := e.Cancel(ctx, long, "a test"); err != nil {
		t.Fatal(err)
	}
	until(t, "the end of the long run", func() bool { return state(long) == pipeline.Cancelled })
	if err := e.StartPart(ctx, "pm2", "a test"); err != nil {
		t.Fatal(err)
	}
	if err := e.StartPart(ctx, "long", "a test"); err != nil {
		t.Fatal(err)
	}
	until(t, "the next run", func() bool { return runs(t, p)[0].State == pipeline.Running })
}

// TestD18OneEngine: a second engine on one state directory is refused, with the
// pid of the first.
func TestD18OneEngine(t *testing.T) {
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": "version: 1\nname: a\nsteps: [{run: echo}]\n"})
	serve(t, p)
	e, _ := open(t, p, environ(t))
	var running *engine.Running
	if err := e.Run(t.Context()); !errors.As(err, &running) || running.PID != os.Getpid() {
		t.Errorf("a second engine: %v", err)
	}
}

// TestStopLeavesRunsAsACrash holds that what does not end within the drain is
// ended, and found as interrupted by the next engine, which runs it again.
func TestStopLeavesRunsAsACrash(t *testing.T) {
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": `
version: 1
name: a
system: pm2
steps: [{exec: [sleep, "100"]}]
`})
	ready, ended := make(chan struct{}), make(chan error)
	e, _ := opened(t, engine.Options{Project: p, Environ: environ(t), Serve: engine.Serve{Ready: func() { close(ready) }, Drain: time.Millisecond}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- e.Run(ctx) }()
	<-ready
	r, err := e.Trigger(ctx, "a", "a test", engine.RunRequest{})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the run", func() bool { return runs(t, p)[0].State == pipeline.Running })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	list := runs(t, p)
	if list[0].ID != r.ID || list[0].State != pipeline.Failed || !strings.HasPrefix(list[0].Error, "interrupted") {
		t.Errorf("%+v", list[0])
	}
}

// events counts the events of one kind.
func events(t *testing.T, e *engine.Engine, what string) int {
	t.Helper()
	list, err := e.Records().Events(t.Context(), history.EventFilter{What: what})
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// save writes a file of a project.
func save(t *testing.T, p *config.Project, name, text string) {
	t.Helper()
	path := filepath.Join(p.Root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const plain = "version: 1\nname: %s\nsystem: %s\nsteps: [{exec: ['true']}]\n"

// TestInterruptedIsTriedAgain kills an engine in the middle of runs: the next
// process lines up those that may be tried again.
func TestInterruptedIsTriedAgain(t *testing.T) {
	p := project(t, map[string]string{
		"pipelines/pm2/again.yaml": "version: 1\nname: again\nsystem: pm2\nretry: {attempts: 2, delay: 1ms}\nparams: {n: {type: string, default: x}}\n" +
			"steps: [{exec: [sh, -c, '[ $REDUND_ATTEMPT = 2 ] && [ $N = y ] || exec sleep 100'], env: {N: '${{ params.n }}'}}]\n",
		"pipelines/pm2/once.yaml": "version: 1\nname: once\nsystem: pm2\nsteps: [{exec: [sleep, '100']}]\n",
	})
	ready, ended := make(chan struct{}), make(chan error)
	e, _ := opened(t, engine.Options{Project: p, Environ: environ(t), Serve: engine.Serve{Ready: func() { close(ready) }}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- e.Run(ctx) }()
	<-ready
	first, err := e.Trigger(ctx, "again", "a test", engine.RunRequest{Params: map[string]string{"n": "y"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Trigger(ctx, "once", "a test", engine.RunRequest{}); err != nil {
		t.Fatal(err)
	}
	until(t, "both runs", func() bool {
		list := runs(t, p)
		return list[0].State == pipeline.Running && list[1].State == pipeline.Running
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	serve(t, p)
	until(t, "the second attempt, and the end of the other", func() bool {
		list := runs(t, p)
		return list[0].State == pipeline.Succeeded && list[1].State == pipeline.Failed
	})
	list := runs(t, p)
	if len(list) != 3 || list[0].Pipeline != "again" || list[0].Attempt != 2 || list[0].Reason != "retry" || list[0].Trigger != "api" {
		t.Errorf("%+v", list)
	}
	if list[2].ID != first.ID || list[2].State != pipeline.Failed || list[1].State != pipeline.Failed {
		t.Errorf("what was interrupted: %+v", list[1:])
	}
}

// TestCancelOfARunInTheForeground asks from another process, as far as the
// history can tell, for the end of a run and of one that a pipeline called.
func TestCancelOfARunInTheForeground(t *testing.T) {
	p := project(t, map[string]string{
		"pipelines/pm2/outer.yaml": "version: 1\nname: outer\nsystem: pm2\nsteps: [{uses: pipeline, with: {name: inner}}]\n",
		"pipelines/pm2/inner.yaml": "version: 1\nname: inner\nsystem: pm2\nretry: {attempts: 3}\nsteps: [{exec: [sleep, '100']}]\n",
	})
	e, _ := open(t, p, environ(t))
	other, _ := open(t, p, environ(t))
	for _, called := range []string{"outer", "inner"} {
		ended := make(chan engine.Report, 1)
		go func() {
			r, err := e.RunNow(context.Background(), engine.RunRequest{Pipeline: find(t, p, "outer")})
			if err != nil {
				t.Error(err)
			}
			ended <- r
		}()
		var id int64
		until(t, "the run of "+called, func() bool {
			for _, r := range runs(t, p) {
				if r.Pipeline == called && r.State == pipeline.Running && runs(t, p)[0].Pipeline == "inner" && runs(t, p)[0].State == pipeline.Running {
					id = r.ID
				}
			}
			return id != 0
		})
		if _, err := other.Cancel(t.Context(), id, "a test"); err != nil {
			t.Fatal(err)
		}
		r := <-ended
		var got pipeline.State
		for _, x := range runs(t, p) {
			if x.ID == id {
				got = x.State
			}
		}
		if got != pipeline.Cancelled || called == "outer" && r.Run.State != pipeline.Cancelled {
			t.Errorf("%s: %s, and the outer one %s", called, got, r.Run.State)
		}
	}
}

// TestMovedAndBroken holds that a pipeline whose file moved is kept when that
// file breaks later, and that a mistake is told once while it stays.
func TestMovedAndBroken(t *testing.T) {
	p := project(t, map[string]string{
		"pipelines/pm2/a.yaml": fmt.Sprintf(plain, "a", "pm2"), "pipelines/pm2/b.yaml": fmt.Sprintf(plain, "b", "pm2"),
	})
	e := serve(t, p)
	ctx := t.Context()
	status := func(what string, so func(api.Status) bool) {
		t.Helper()
		until(t, what, func() bool {
			st, err := e.Status(ctx)
			return err == nil && so(st)
		})
	}
	if err := os.Rename(filepath.Join(p.Root, "pipelines/pm2/a.yaml"), filepath.Join(p.Root, "pipelines/pm2/moved.yaml")); err != nil {
		t.Fatal(err)
	}
	status("the move", func(st api.Status) bool { return st.Reload.Generation == 2 })
	if n := events(t, e, "removed"); n != 0 {
		t.Errorf("a file that moved counts as removed")
	}
	save(t, p, "pipelines/pm2/moved.yaml", fmt.Sprintf(plain, "a", "pm2")+"oops: 1\n")
	status("the mistake", func(st api.Status) bool { return len(st.Reload.Rejected) == 1 })
	save(t, p, "pipelines/pm2/b.yaml", fmt.Sprintf(plain, "b", "pm2")+"category: x\n")
	status("the next reload", func(st api.Status) bool { return st.Reload.Generation == 4 })
	st, err := e.Status(ctx)
	if err != nil || len(st.Parts) != 2 || len(st.Reload.Rejected) != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	if n := events(t, e, "reload-rejected"); n != 1 {
		t.Errorf("the mistake was told %d times", n)
	}
	if _, err := e.Trigger(ctx, "a", "a test", engine.RunRequest{}); err != nil {
		t.Errorf("the last good form: %v", err)
	}
}

// TestOnly holds that an engine of some systems leaves alone what is of others:
// their mistakes, what waits and what was in force.
func TestOnly(t *testing.T) {
	p := project(t, map[string]string{
		"pipelines/pm2/a.yaml": fmt.Sprintf(plain, "a", "pm2"), "pipelines/netlify-functions/b.yaml": fmt.Sprintf(plain, "b", "netlify-functions"),
	})
	part := func(only ...string) (e *engine.Engine, stop func()) {
		ready, ended := make(chan struct{}), make(chan error, 1)
		e, _ = opened(t, engine.Options{Project: p, Environ: environ(t), Serve: engine.Serve{Only: only, Ready: func() { close(ready) }, Load: again}})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { ended <- e.Run(ctx) }()
		<-ready
		return e, func() {
			cancel()
			if err := errors.Join(<-ended, e.Close()); err != nil {
				t.Error(err)
			}
		}
	}
	_, stop := part()
	stop() // all is in force, and recorded so
	e, stop := part("pm2")
	h := e.Records()
	order := history.Order{System: "netlify-functions", Pipeline: "b", Trigger: "api", Reason: "manual"}
	waits, err := h.Enqueue(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	save(t, p, "pipelines/netlify-functions/b.yaml", "oops: 1\n")
	if err := e.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := e.Trigger(t.Context(), "a", "a test", engine.RunRequest{})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the run of what is served", func() bool {
		got, err := h.Run(t.Context(), r.ID)
		return err == nil && got.State == pipeline.Succeeded
	})
	if got, err := h.Run(t.Context(), waits.ID); err != nil || got.State != pipeline.Queued {
		t.Errorf("what waits for another engine: %+v, %v", got, err)
	}
	if st, err := e.Status(t.Context()); err != nil || len(st.Reload.Rejected) != 0 || len(st.Parts) != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	list, err := h.LastLoaded(t.Context())
	stop()
	if err != nil || len(list) != 2 {
		t.Errorf("recorded in force: %+v, %v", list, err)
	}
}

// TestWatchFollowsTheProjectFile holds that folders which redund.yaml names
// later are watched.
func TestWatchFollowsTheProjectFile(t *testing.T) {
	p := project(t, map[string]string{
		"redund.yaml": "version: 1\n", "pipelines/pm2/a.yaml": fmt.Sprintf(plain, "a", "pm2"), "more/pm2/b.yaml": fmt.Sprintf(plain, "b", "pm2"),
	})
	e := serve(t, p)
	parts := func(n int) func() bool {
		return func() bool {
			st, err := e.Status(t.Context())
			return err == nil && len(st.Parts) == n
		}
	}
	save(t, p, "redund.yaml", "version: 1\npipelines: [pipelines, more]\n")
	until(t, "the other folder", parts(2))
	save(t, p, "more/pm2/c.yaml", fmt.Sprintf(plain, "c", "pm2"))
	until(t, "a file in it", parts(3))
}
