package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// serveUntil lets an engine serve a project until the function is called,
// which leaves what goes on as a crash would.
func serveUntil(t *testing.T, p *config.Project) (*engine.Engine, func()) {
	t.Helper()
	ready, ended := make(chan struct{}), make(chan error, 1)
	e, _ := opened(t, engine.Options{Project: p, Environ: environ(t), Serve: engine.Serve{Ready: func() { close(ready) }}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- e.Run(ctx) }()
	<-ready
	return e, func() {
		t.Helper()
		cancel()
		if err := errors.Join(<-ended, e.Close()); err != nil {
			t.Error(err)
		}
	}
}

// interrupt lets an engine run the pipeline `it` until its file `reached` is
// there, and leaves the run as a crash would.
func interrupt(t *testing.T, p *config.Project, r engine.RunRequest) pipeline.Run {
	t.Helper()
	e, stop := serveUntil(t, p)
	run, err := e.Trigger(t.Context(), "it", "a test", r)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the step that is interrupted", func() bool { return there(p, "reached") })
	stop()
	return run
}

func there(p *config.Project, name string) bool {
	_, err := os.Stat(filepath.Join(p.Root, name))
	return err == nil
}

// told is what the steps have written.
func told(t *testing.T, p *config.Project) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.Root, "told"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", ",")
}

// hang stops a step until the engine has died once.
const hang = `echo >> reached; [ -e again ] || exec sleep 100`

// powerCut makes the engines of a history those of an earlier start of the
// machine, and forgets which of the records of steps that match.
func powerCut(t *testing.T, p *config.Project, forget string) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: p.State})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Write(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Exec("UPDATE engines SET boot = 'another'"); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM steps WHERE id = ?", forget)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// interruption is a pipeline that is interrupted, and what becomes of it.
type interruption struct {
	name, yaml string
	cut        bool   // the machine was started anew
	forget     string // the record of this step was lost with that
	env        string // of the project
	told       string
	state      pipeline.State
	attempts   int
	resumed    int
}

// interrupted leave a step that hangs until the engine has died.
var interrupted = []interruption{
	{
		name: "goes on",
		yaml: `
steps:
  - {id: a, run: 'echo a$REDUND_FENCE >> told; echo v=1 >> $REDUND_OUTPUT; echo W=2 >> $REDUND_ENV'}
  - {id: no, if: "false", run: 'echo no >> told'}
  - {id: b, idempotent: true, run: 'echo b$REDUND_FENCE >> told; HANG'}
  - {id: c, run: 'echo "c$V$W$REDUND_ATTEMPT" >> told', env: {V: '${{ steps.a.outputs.v }}'}}
`,
		told: "a1,b1,b2,c121", state: pipeline.Succeeded, attempts: 1, resumed: 1,
	},
	{
		name: "not idempotent",
		yaml: `
retry: {attempts: 2, delay: 1ms}
steps:
  - {id: a, run: 'echo a$REDUND_ATTEMPT >> told'}
  - {id: b, run: 'echo b$REDUND_ATTEMPT >> told; HANG'}
  - {id: c, run: 'echo c$REDUND_ATTEMPT >> told'}
on-success: [{run: 'echo well >> told'}]
on-failure: [{run: 'echo "$E ${{ steps.a.outcome }} ${{ steps.b.outcome }}" >> told', env: {E: '${{ run.error }}'}}]
always: [{run: 'echo always >> told'}]
`,
		told:  "a1,b1,interrupted succeeded failed,always,a2,b2,c2,well,always",
		state: pipeline.Succeeded, attempts: 2,
	},
	{
		name: "graph",
		yaml: `
steps:
  - {id: a, run: 'echo a >> told; echo A=1 >> $REDUND_ENV'}
  - {id: b, needs: [a], idempotent: true, run: 'echo b >> told; HANG'}
  - {id: d, needs: [b], run: 'echo d$A >> told'}
`,
		told: "a,b,b,d1", state: pipeline.Succeeded, attempts: 1, resumed: 1,
	},
	{
		name: "matrix",
		yaml: `
steps:
  - id: m
    idempotent: true
    max-parallel: 1
    matrix: {n: [1, 2, 3]}
    run: 'echo m$N >> told; echo v$N=$N >> $REDUND_OUTPUT; if [ $N = 2 ]; then HANG; fi'
    env: {N: '${{ matrix.n }}'}
  - {id: c, run: 'echo $V >> told', env: {V: '${{ steps.m.outputs.v1 }}${{ steps.m.outputs.v2 }}${{ steps.m.outputs.v3 }}'}}
`,
		told: "m1,m2,m2,m3,123", state: pipeline.Succeeded, attempts: 1, resumed: 1,
	},
	{
		name: "failed before",
		yaml: `
steps:
  - {id: a, continue-on-error: true, run: 'echo a >> told; exit 3'}
  - {id: b, run: 'echo b >> told; exit 4'}
  - {id: c, if: always(), idempotent: true, run: 'echo c >> told; HANG'}
on-failure: [{run: 'echo "$E ${{ steps.a.exit-code }} ${{ steps.a.conclusion }}" >> told', env: {E: '${{ run.error }}'}}]
`,
		told: "a,b,c,c,step b: exit code 4 3 succeeded", state: pipeline.Failed, attempts: 1, resumed: 1,
	},
	{
		name: "a secret is needed", env: "KEY=quite-a-long-secret",
		yaml: `
secrets: [KEY]
steps:
  - {id: a, run: 'echo a >> told; echo k=$K >> $REDUND_OUTPUT', env: {K: '${{ secrets.KEY }}'}}
  - {id: b, idempotent: true, run: 'echo b >> told; HANG'}
  - {id: c, run: 'echo c >> told', env: {K: '${{ steps.a.outputs.k }}'}}
`,
		told: "a,b", state: pipeline.Failed, attempts: 1,
	},
	{
		name: "a secret is not needed", env: "KEY=quite-a-long-secret",
		yaml: `
secrets: [KEY]
steps:
  - {id: a, run: 'echo a >> told; echo k=$K >> $REDUND_OUTPUT; echo o=1 >> $REDUND_OUTPUT', env: {K: '${{ secrets.KEY }}'}}
  - {id: b, idempotent: true, run: 'echo b >> told; HANG'}
  - {id: c, run: 'echo c$O >> told', env: {O: '${{ steps.a.outputs.o }}'}}
`,
		told: "a,b,b,c1", state: pipeline.Succeeded, attempts: 1, resumed: 1,
	},
	{
		name: "a secret in the environment", env: "KEY=quite-a-long-secret",
		yaml: `
secrets: [KEY]
steps:
  - {id: a, run: 'echo a >> told; echo K=$K >> $REDUND_ENV', env: {K: '${{ secrets.KEY }}'}}
  - {id: b, idempotent: true, run: 'echo b >> told; HANG'}
`,
		told: "a,b", state: pipeline.Failed, attempts: 1,
	},
	{
		name: "power cut", cut: true,
		yaml: `
steps:
  - {id: a, run: 'echo a >> told'}
  - {id: b, idempotent: true, run: 'echo b >> told; HANG'}
  - {id: c, idempotent: true, run: 'echo c >> told'}
on-success: [{idempotent: true, run: 'echo well >> told'}]
`,
		told: "a,b,b,c,well", state: pipeline.Succeeded, attempts: 1, resumed: 1,
	},
	{
		name: "power cut before a step that may have begun", cut: true,
		yaml: `
steps:
  - {id: a, run: 'echo a >> told'}
  - {id: b, idempotent: true, run: 'echo b >> told; HANG'}
  - {id: c, run: 'echo c >> told'}
`,
		told: "a,b", state: pipeline.Failed, attempts: 1,
	},
	{
		name: "power cut that lost a record", cut: true, forget: "a",
		yaml: `
steps:
  - {id: a, run: 'echo a >> told'}
  - {id: b, idempotent: true, run: 'echo b >> told; HANG'}
`,
		told: "a,b", state: pipeline.Failed, attempts: 1,
	},
	{
		name: "in a handler",
		yaml: `
steps: [{id: a, run: 'echo a >> told'}]
on-success:
  - {run: 'echo s1 >> told; HANG'}
  - {run: 'echo s2 >> told'}
always: [{run: 'echo always >> told'}]
`,
		told: "a,s1,s2,always", state: pipeline.Succeeded, attempts: 1, resumed: 1,
	},
	{
		name: "in an idempotent handler",
		yaml: `
steps: [{id: a, run: 'echo a >> told; exit 1'}]
always: [{idempotent: true, run: 'echo h >> told; HANG'}]
`,
		told: "a,h,h", state: pipeline.Failed, attempts: 1, resumed: 1,
	},
	{
		name: "out of time, in a handler",
		yaml: `
timeout: 500ms
steps:
  - {id: a, run: 'echo a >> told; exec sleep 100'}
  - {id: b, idempotent: true, run: 'echo b >> told'}
on-success: [{run: 'echo well >> told'}]
on-failure:
  - {run: 'echo f1 >> told; HANG'}
  - {run: 'echo "f2 $S" >> told', env: {S: '${{ run.state }}'}}
always: [{run: 'echo always >> told'}]
`,
		told: "a,f1,f2 timed-out,always", state: pipeline.TimedOut, attempts: 1, resumed: 1,
	},
	{
		name: "out of time, in an idempotent handler, and tried again",
		yaml: `
timeout: 500ms
retry: {attempts: 2, delay: 1ms}
steps:
  - {id: a, idempotent: true, run: 'echo a >> told; [ $REDUND_ATTEMPT = 2 ] || exec sleep 100'}
on-success: [{run: 'echo well >> told'}]
always: [{idempotent: true, run: 'echo always >> told; HANG'}]
`,
		told: "a,always,always,a,well,always", state: pipeline.Succeeded, attempts: 2, resumed: 1,
	},
	{
		name: "out of time before a power cut", cut: true,
		yaml: `
timeout: 500ms
steps:
  - {id: a, run: 'echo a >> told; exec sleep 100'}
always: [{idempotent: true, run: 'echo always >> told; HANG'}]
`,
		told: "a,always,always", state: pipeline.TimedOut, attempts: 1, resumed: 1,
	},
}

// TestResume leaves runs as a crash would, in the middle of a step, and holds
// what the next engine makes of them.
func TestResume(t *testing.T) {
	t.Parallel()
	for _, c := range interrupted {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := "version: 1\nname: it\nsystem: pm2\n" + strings.ReplaceAll(c.yaml, "HANG", hang)
			p := project(t, map[string]string{"pipelines/pm2/it.yaml": text, ".env": c.env + "\n"})
			before := interrupt(t, p, engine.RunRequest{Slot: served()})
			if c.cut {
				powerCut(t, p, c.forget)
			}
			save(t, p, "again", "")
			e := serve(t, p)
			until(t, "the end", func() bool {
				list := runs(t, p)
				return len(list) == c.attempts && list[0].State.Done() && len(owed(t, e)) == 0
			})
			list := runs(t, p)
			if list[0].State != c.state || list[len(list)-1].ID != before.ID || list[0].Attempt != c.attempts || list[0].Fence < 2 {
				t.Errorf("%+v", list)
			}
			if got := told(t, p); got != c.told {
				t.Errorf("told %q, want %q", got, c.told)
			}
			if n := events(t, e, "resumed"); n != c.resumed {
				t.Errorf("resumed %d times, want %d", n, c.resumed)
			}
			for _, r := range list {
				steps, err := e.Records().Steps(t.Context(), r.ID)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range steps {
					if !s.State.Done() {
						t.Errorf("run %d: %+v", r.ID, s)
					}
				}
			}
			if c.env != "" {
				searchFor(t, p.State, strings.TrimPrefix(c.env, "KEY="))
			}
		})
	}
}

func owed(t *testing.T, e *engine.Engine) []history.Queued {
	t.Helper()
	list, err := e.Records().Owed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// searchFor holds that no file below dir holds a text.
func searchFor(t *testing.T, dir, text string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // a report that is replaced meanwhile
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if strings.Contains(string(b), text) {
			t.Errorf("%s holds a secret", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestResumeUnderWhatItBeganWith changes the pipeline, and then removes it,
// before the next engine starts.
func TestResumeUnderWhatItBeganWith(t *testing.T) {
	t.Parallel()
	const text = "version: 1\nname: it\nsystem: pm2\nparams: {who: {type: string, required: true}}\n" +
		"steps:\n  - {id: a, idempotent: true, run: '%s'}\n  - {id: b, run: 'echo %s$WHO >> told', env: {WHO: '${{ params.who }}'}}\n"
	for _, change := range []string{"saved", "removed", "disabled"} {
		t.Run(change, func(t *testing.T) {
			t.Parallel()
			p := project(t, map[string]string{"pipelines/pm2/it.yaml": fmt.Sprintf(text, hang, "old")})
			interrupt(t, p, engine.RunRequest{Params: map[string]string{"who": "-ann"}})
			switch change {
			case "saved":
				save(t, p, "pipelines/pm2/it.yaml", fmt.Sprintf(text, hang, "new"))
			case "removed":
				if err := os.Remove(filepath.Join(p.Root, "pipelines/pm2/it.yaml")); err != nil {
					t.Fatal(err)
				}
			case "disabled":
				save(t, p, "pipelines/pm2/it.yaml", fmt.Sprintf(text, hang, "new")+"enabled: false\n")
			}
			save(t, p, "again", "")
			p = load(t.Context(), t.Fatalf, p.Root)
			serve(t, p)
			until(t, "the end", func() bool { return runs(t, p)[0].State == pipeline.Succeeded })
			if got := told(t, p); got != "old-ann" {
				t.Errorf("told %q", got)
			}
		})
	}
}

// TestHandlersOfInterruptedRunOnce lets the engine die in the middle of the
// handlers of a run that was interrupted: they are not tried again, and the
// next attempt comes all the same.
func TestHandlersOfInterruptedRunOnce(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{"pipelines/pm2/it.yaml": `
version: 1
name: it
system: pm2
retry: {attempts: 2, delay: 1ms}
steps: [{run: 'echo a$REDUND_ATTEMPT >> told; [ $REDUND_ATTEMPT = 2 ] || { echo >> reached; exec sleep 100; }'}]
on-failure: [{idempotent: true, run: 'echo h >> told; echo >> handler; exec sleep 100'}]
`})
	interrupt(t, p, engine.RunRequest{Slot: served()})
	_, stop := serveUntil(t, p)
	until(t, "the handler", func() bool { return there(p, "handler") })
	stop()
	e := serve(t, p)
	until(t, "the next attempt", func() bool { return runs(t, p)[0].State == pipeline.Succeeded })
	list := runs(t, p)
	if len(list) != 2 || list[1].State != pipeline.Failed || list[1].Error != history.Interrupted {
		t.Errorf("%+v", list)
	}
	if got := told(t, p); got != "a1,h,a2" {
		t.Errorf("told %q", got)
	}
	if steps, err := e.Records().Steps(t.Context(), list[1].ID); err != nil || len(steps) != 2 || steps[1].ID != "on-failure.1" || steps[1].State != pipeline.Failed {
		t.Errorf("%+v, %v", steps, err)
	}
}
