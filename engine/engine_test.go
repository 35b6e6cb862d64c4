package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// asChild is set for the copy of this program that is killed in the middle of
// a run: the project to run `victim` of.
const asChild = "REDUNDCTL_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asChild); dir != "" {
		victim(dir)
		return
	}
	if dir := os.Getenv(asServer); dir != "" {
		serveAsChild(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// project is a project of these files, loaded.
func project(t *testing.T, files map[string]string) *config.Project {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return load(t.Context(), t.Fatalf, root)
}

func load(ctx context.Context, fail func(string, ...any), root string) *config.Project {
	p := config.Load(ctx, config.Options{Dir: root, Kinds: builtin.Kinds()})
	for _, x := range p.Problems {
		if x.Severity == diag.Error {
			fail("%s:%d: %s", x.File, x.Line, x.Message)
		}
	}
	return p
}

// screen is an Output that keeps what is shown.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	seen func(string) // told of each write
}

func (s *screen) Step(string) io.WriteCloser { return part{s} }

func (s *screen) Note(format string, args ...any) { fmt.Fprintf(part{s}, format+"\n", args...) }

type part struct{ s *screen }

func (p part) Write(b []byte) (int, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	if p.s.seen != nil {
		p.s.seen(string(b))
	}
	return p.s.text.Write(b)
}

func (part) Close() error { return nil }

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func environ(t *testing.T, more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir(), "HOME=/nowhere"}, more...)
}

// open opens an engine for the length of a test.
func open(t *testing.T, p *config.Project, env []string) (*engine.Engine, *screen) {
	t.Helper()
	return opened(t, engine.Options{Project: p, Environ: env})
}

// opened opens an engine with options of its own.
func opened(t *testing.T, o engine.Options) (*engine.Engine, *screen) {
	t.Helper()
	s := &screen{}
	o.Kinds, o.Output = builtin.Kinds(), s
	e, err := engine.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, s
}

func find(t *testing.T, p *config.Project, name string) *pipeline.Pipeline {
	t.Helper()
	found := p.Find(name)
	if len(found) != 1 {
		t.Fatalf("%d pipelines are called %s", len(found), name)
	}
	return found[0]
}

// run runs one pipeline by name.
func run(t *testing.T, e *engine.Engine, p *config.Project, name string) engine.Report {
	t.Helper()
	r, err := e.RunNow(t.Context(), engine.RunRequest{Pipeline: find(t, p, name)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func runs(t *testing.T, p *config.Project) []pipeline.Run {
	t.Helper()
	h, err := engine.OpenHistory(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	list, err := h.Runs(t.Context(), history.Filter{Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestRun(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": `
version: 1
name: a
system: pm2
params: {who: {type: string, default: nobody}}
steps:
  - id: one
    run: |
      echo "hello $WHO"
      echo "text=hi $WHO" >> "$REDUND_OUTPUT"
      echo "LATER=yes" >> "$REDUND_ENV"
    env: {WHO: "${{ params.who }}"}
  - id: two
    exec: [sh, -c, 'echo "$1 $LATER run $REDUND_RUN_ID"', x, "${{ steps.one.outputs.text }}"]
`})
	e, s := open(t, p, environ(t))
	r, err := e.RunNow(t.Context(), engine.RunRequest{Pipeline: find(t, p, "a"), Params: map[string]string{"who": "ann"}})
	if err != nil || r.Run.State != pipeline.Succeeded {
		t.Fatalf("%v, %+v", err, r)
	}
	if got, want := s.String(), fmt.Sprintf("hello ann\nhi ann yes run %d\n", r.Run.ID); got != want {
		t.Errorf("shown %q, want %q", got, want)
	}
	h, err := engine.OpenHistory(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	got, err := h.Run(t.Context(), r.Run.ID)
	if err != nil || got.State != pipeline.Succeeded || got.Trigger != "manual" || got.Reason != "manual" {
		t.Errorf("recorded %+v, %v", got, err)
	}
	steps, err := h.Steps(t.Context(), r.Run.ID)
	if err != nil || len(steps) != 2 || steps[0].Outputs["text"] != "hi ann" || steps[1].ExitCode == nil {
		t.Errorf("recorded %+v, %v", steps, err)
	}
	var lines []string
	err = h.Logs.Read(t.Context(), logs.Query{Name: "pm2", Run: r.Run.ID}, func(l logs.Line) error {
		lines = append(lines, l.Step+" "+l.Text)
		return nil
	})
	if want := []string{"one hello ann", fmt.Sprintf("two hi ann yes run %d", r.Run.ID)}; err != nil || !slices.Equal(lines, want) {
		t.Errorf("logged %q, %v", lines, err)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": `
version: 1
name: a
system: pm2
params: {n: {type: integer, required: true}}
steps: [{exec: ["true"]}]
`})
	e, _ := open(t, p, environ(t))
	for _, r := range []engine.RunRequest{
		{}, {Params: map[string]string{"n": "x"}}, {Params: map[string]string{"n": "1", "other": "2"}},
		{Params: map[string]string{"n": "1"}, Env: map[string]string{"A=B": ""}},
	} {
		r.Pipeline = find(t, p, "a")
		var wrong *engine.UsageError
		if _, err := e.RunNow(t.Context(), r); !errors.As(err, &wrong) {
			t.Errorf("%v: %v", r.Params, err)
		}
	}
	if list := runs(t, p); len(list) > 0 {
		t.Errorf("a request that is wrong was recorded: %+v", list)
	}
}

func TestRetryOfTheRun(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": `
version: 1
name: a
system: pm2
retry: {attempts: 3, delay: 1ms}
steps: [{run: 'test "$REDUND_ATTEMPT" = 2'}]
`})
	e, _ := open(t, p, environ(t))
	slot := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	q := engine.RunRequest{Pipeline: find(t, p, "a"), Slot: slot}
	r, err := e.RunNow(t.Context(), q)
	if err != nil || r.Run.State != pipeline.Succeeded || r.Run.Attempt != 2 {
		t.Fatalf("%+v, %v", r.Run, err)
	}
	list := runs(t, p)
	if len(list) != 2 || list[1].State != pipeline.Failed || !list[1].Slot.Equal(slot) || list[0].Fence <= list[1].Fence {
		t.Errorf("recorded %+v", list)
	}
	var taken *history.SlotTaken
	if _, err := e.RunNow(t.Context(), q); !errors.As(err, &taken) {
		t.Errorf("a slot that is served ran again: %v", err)
	}
}

func TestNested(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{
		"pipelines/pm2/outer.yaml": `
version: 1
name: outer
system: pm2
secrets: [TOKEN]
steps: [{id: call, uses: pipeline, with: {name: inner, params: {v: "${{ secrets.TOKEN }}"}}}]
`, "pipelines/pm2/inner.yaml": `
version: 1
name: inner
system: pm2
params: {v: {type: string}}
steps: [{exec: [echo, "${{ params.v }}"]}]
`, "pipelines/pm2/loop.yaml": `
version: 1
name: loop
system: pm2
steps: [{uses: pipeline, with: {name: pm2/loop2}}]
`, "pipelines/pm2/loop2.yaml": `
version: 1
name: loop2
system: pm2
steps: [{uses: pipeline, with: {name: "${{ 'loop' }}"}}]
`})
	e, s := open(t, p, environ(t, "TOKEN=s3cret-of-the-caller"))
	r := run(t, e, p, "outer")
	list := runs(t, p)
	if r.Run.State != pipeline.Succeeded || len(list) != 2 || list[0].Trigger != "pipeline" || list[0].Parent != r.Run.ID {
		t.Fatalf("%+v, %+v", r.Run, list)
	}
	if got := s.String(); !strings.Contains(got, "***") || strings.Contains(got, "s3cret") {
		t.Errorf("shown %q", got)
	}
	if r := run(t, e, p, "loop"); !strings.Contains(r.Run.Error, "a pipeline runs itself: pm2/loop -> pm2/loop2 -> pm2/loop") {
		t.Errorf("%s: %s", r.Run.State, r.Run.Error)
	}
	got, err := engine.Plan(t.Context(), engine.Options{Project: p, Kinds: builtin.Kinds(), Environ: environ(t)}, engine.RunRequest{Pipeline: find(t, p, "outer")})
	if err != nil || len(got.Steps) != 1 || !strings.Contains(strings.Join(got.Steps[0].Effects, "\n"), "echo") {
		t.Errorf("planned %+v, %v", got, err)
	}
}

func TestPlanWritesNothing(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": `
version: 1
name: a
system: pm2
secrets: [TOKEN]
steps:
  - id: one
    run: curl -H "${{ secrets.TOKEN }}" ${{ params.x }}
params: {x: {type: string, default: where}}
`})
	env := environ(t, "TOKEN=very-secret-token")
	got, err := engine.Plan(t.Context(), engine.Options{Project: p, Kinds: builtin.Kinds(), Environ: env}, engine.RunRequest{Pipeline: find(t, p, "a")})
	if err != nil || len(got.Steps) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if text := strings.Join(got.Steps[0].Effects, "\n"); !strings.Contains(text, `curl -H "***" where`) {
		t.Errorf("effects %q", text)
	}
	for _, dir := range []string{p.State, strings.TrimPrefix(env[1], "TMPDIR=")} {
		if list, err := os.ReadDir(dir); err == nil && len(list) > 0 {
			t.Errorf("the dry run left %v in %s", list, dir)
		}
	}
}

func TestService(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{"pipelines/pm2/srv.yaml": `
version: 1
name: srv
system: pm2
service: {run: "echo up; exec sleep 1000"}
`})
	e, s := open(t, p, environ(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.seen = func(text string) {
		if strings.Contains(text, "up") {
			cancel()
		}
	}
	r, err := e.RunNow(ctx, engine.RunRequest{Pipeline: find(t, p, "srv")})
	if err != nil || r.Run.State != pipeline.Cancelled || len(r.Steps) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestArtifacts(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": `
version: 1
name: a
system: pm2
secrets: [TOKEN]
steps:
  - run: |
      mkdir "$REDUND_ARTIFACTS/sub"
      echo fine > "$REDUND_ARTIFACTS/sub/good.txt"
      echo "x${T}y" > "$REDUND_ARTIFACTS/bad.txt"
      ln -s /etc/passwd "$REDUND_ARTIFACTS/link"
    env: {T: "${{ secrets.TOKEN }}"}
`})
	e, s := open(t, p, environ(t, "TOKEN=very-secret-token"))
	r := run(t, e, p, "a")
	kept := filepath.Join(p.State, "artifacts", fmt.Sprint(r.Run.ID))
	if b, err := os.ReadFile(filepath.Join(kept, "sub/good.txt")); err != nil || string(b) != "fine\n" {
		t.Errorf("%q, %v", b, err)
	}
	for _, name := range []string{"bad.txt", "link"} {
		if _, err := os.Lstat(filepath.Join(kept, name)); err == nil || !strings.Contains(s.String(), "artifact "+name+" is not kept") {
			t.Errorf("%s was kept, or nobody was told: %q", name, s)
		}
	}
}

func TestTempOutsideState(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": "version: 1\nname: a\nsystem: pm2\nsteps: [{exec: ['true']}]\n"})
	inside := filepath.Join(p.State, "tmp")
	if err := os.MkdirAll(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := engine.New(t.Context(), engine.Options{Project: p, Kinds: builtin.Kinds(), Environ: []string{"TMPDIR=" + inside}})
	if err == nil || !strings.Contains(err.Error(), "state directory") {
		t.Errorf("scripts would lie in the state directory: %v", err)
	}
}

// TestPlanFailsToBegin: a plan that cannot be made leaves nothing behind, which
// the end of all tests holds.
func TestPlanFailsToBegin(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{
		"pipelines/pm2/a.yaml": "version: 1\nname: a\nsteps: [{run: 'true'}]\n",
	})
	p.Config.Notify.Services = []string{"${{ secrets.NONE"}
	_, err := engine.Plan(t.Context(), engine.Options{Project: p, Kinds: builtin.Kinds(), Environ: environ(t)}, engine.RunRequest{Pipeline: find(t, p, "a")})
	if err == nil || !strings.HasPrefix(err.Error(), "notify.services: ") {
		t.Errorf("%v", err)
	}
}
