package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// proved is when the backup of the only pipeline was proved last, as status
// says it.
func proved(t *testing.T, e *engine.Engine) string {
	t.Helper()
	st, err := e.Status(t.Context())
	if err != nil || len(st.Parts) != 1 {
		t.Fatal(err, st.Parts)
	}
	if st.Parts[0].Proved == nil {
		return ""
	}
	return *st.Parts[0].Proved
}

// TestDrill holds that a drill finds a secret that is missing, tells of it once
// and by its name, and proves the backup once that is mended; it runs nothing.
func TestDrill(t *testing.T) {
	t.Parallel()
	people := newPeople(t)
	p := project(t, map[string]string{
		"redund.yaml": strings.Replace(people.redund(""), "on: [", "on: [drill-failed, ", 1),
		"pipelines/pm2/a.yaml": `version: 1
name: a
system: pm2
drill: {cron: "* * * * * *"}
secrets: [REDUND_TEST_DRILL_TOKEN]
steps: [{run: touch ran}]
`,
	})
	e, end := serveOnly(t, p, builtin.Kinds())
	until(t, "two drills that failed", func() bool { return len(eventsOf(t, p, "drill-failed")) > 1 })
	for _, x := range eventsOf(t, p, "drill-failed") {
		if x.Detail != "the secret REDUND_TEST_DRILL_TOKEN is not set on this machine" || x.Pipeline != "pm2/a" {
			t.Errorf("%+v", x)
		}
	}
	const told = "the drill of pm2/a failed, its backup would not work: the secret REDUND_TEST_DRILL_TOKEN is not set"
	until(t, "somebody to be told", func() bool { return people.told(told) })
	if at := proved(t, e); at != "" {
		t.Errorf("proved at %s", at)
	}
	if err := os.WriteFile(filepath.Join(p.Root, ".env"), []byte("REDUND_TEST_DRILL_TOKEN=long-enough-to-hide\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "a proof", func() bool { return proved(t, e) != "" })
	until(t, "somebody to be told of it", func() bool { return people.told("the backup of pm2/a is proved") })
	if err := end(); err != nil {
		t.Error(err)
	}
	if n := people.times(told); n != 1 {
		t.Errorf("told %d times", n)
	}
	if list := runs(t, p); len(list) != 0 {
		t.Errorf("a dry drill is no run: %+v", list)
	}
	if _, err := os.Stat(filepath.Join(p.Root, "ran")); err == nil {
		t.Error("a dry drill ran a step")
	}
	last := eventsOf(t, p, "drill-proved")
	e, end = serveOnly(t, p, builtin.Kinds())
	if at := proved(t, e); at != "" && at < pipeline.Time(last[len(last)-1].At) {
		t.Errorf("after another start: %s", at)
	}
	until(t, "another proof", func() bool { return len(eventsOf(t, p, "drill-proved")) > len(last) })
	if err := end(); err != nil {
		t.Error(err)
	}
}

// TestDrillFindsWhatIsGone holds that a drill sees a program that has gone since
// the file was loaded, and a step whose plan fails.
func TestDrillFindsWhatIsGone(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string]string{
		"there is no program ./tool on this machine": "steps: [{exec: [./tool]}]\n",
		"step step-1: ": "steps: [{uses: git/backup, with: {directory: gone}}]\n",
	} {
		p := project(t, map[string]string{
			"tool": "#!/bin/sh\n", "gone/x": "",
			"pipelines/pm2/a.yaml": "version: 1\nname: a\nsystem: pm2\ndrill: {cron: \"* * * * * *\"}\n" + steps,
		})
		if err := os.Chmod(filepath.Join(p.Root, "tool"), 0o700); err != nil {
			t.Fatal(err)
		}
		e, end := serveOnly(t, p, builtin.Kinds())
		if strings.Contains(name, "tool") {
			until(t, "a proof", func() bool { return proved(t, e) != "" })
			if err := os.Remove(filepath.Join(p.Root, "tool")); err != nil {
				t.Fatal(err)
			}
		}
		until(t, "a drill that failed", func() bool { return len(eventsOf(t, p, "drill-failed")) > 0 })
		if got := eventsOf(t, p, "drill-failed")[0].Detail; !strings.Contains(got, name) {
			t.Errorf("%q, want %q", got, name)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	}
}

// TestRealDrill holds that a drill which is to run for real is a run of its own
// without a slot, that its steps know of it, and that it proves or does not.
func TestRealDrill(t *testing.T) {
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": `version: 1
name: a
system: pm2
drill: {cron: "* * * * * *", dry-run: false}
steps: [{run: 'echo "$REDUND_DRILL,$REDUND_SLOT" >> drilled; test ! -e broken', idempotent: true}]
`})
	e, end := serveOnly(t, p, builtin.Kinds())
	until(t, "a proof", func() bool { return proved(t, e) != "" })
	if err := os.WriteFile(filepath.Join(p.Root, "broken"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "a drill that failed", func() bool { return len(eventsOf(t, p, "drill-failed")) > 0 })
	if err := end(); err != nil {
		t.Error(err)
	}
	for _, r := range runs(t, p) {
		if r.Trigger != "drill" || r.Reason != "drill" || !r.Slot.IsZero() {
			t.Errorf("%+v", r)
		}
	}
	text, err := os.ReadFile(filepath.Join(p.Root, "drilled"))
	if err != nil || !strings.HasPrefix(string(text), "true,\n") {
		t.Errorf("%q, %v", text, err)
	}
	failed := eventsOf(t, p, "drill-failed")[0]
	if failed.Run == 0 || !strings.Contains(failed.Detail, "failed: ") {
		t.Errorf("%+v", failed)
	}
}

// TestDrillOfAnObserver holds that nothing runs of what only observes: its real
// drills are dry ones.
func TestDrillOfAnObserver(t *testing.T) {
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": `version: 1
name: a
system: pm2
observe: true
drill: {cron: "* * * * * *", dry-run: false}
steps: [{run: touch ran, idempotent: true}]
`})
	e, end := serveOnly(t, p, builtin.Kinds())
	until(t, "a proof", func() bool { return proved(t, e) != "" })
	if err := end(); err != nil {
		t.Error(err)
	}
	if list := runs(t, p); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// TestMissedDrill holds that of the drills which passed while no engine served
// one is made, at once, and that one which was never made is not missed.
func TestMissedDrill(t *testing.T) {
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": `version: 1
name: a
system: pm2
drill: {cron: "0 4 2 1 *"}
steps: [{exec: ["true"]}]
`})
	e, end := serveOnly(t, p, builtin.Kinds())
	if _, err := e.CheckHealth(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := time.Now().AddDate(-2, 0, 0)
	if err := e.Records().Event(t.Context(), pipeline.Event{At: at, Pipeline: "pm2/a", What: "drill-proved"}); err != nil {
		t.Fatal(err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	if n := len(eventsOf(t, p, "drill-proved")); n != 1 {
		t.Errorf("%d proofs of one that was never made before", n)
	}
	e, end = serveOnly(t, p, builtin.Kinds())
	until(t, "the proof that was missed", func() bool { return proved(t, e) > *api.When(at) })
	if err := end(); err != nil {
		t.Error(err)
	}
	if n := len(eventsOf(t, p, "drill-proved")); n != 2 {
		t.Errorf("%d proofs", n)
	}
}
