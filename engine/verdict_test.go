package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// TestHealthWhileItRunsAgain holds that a pipeline which failed is no better for
// running again before that has succeeded, and that a failure which another
// attempt follows is none yet.
func TestHealthWhileItRunsAgain(t *testing.T) {
	t.Parallel()
	who := newPeople(t)
	p := project(t, map[string]string{"redund.yaml": who.redund(""), "pipelines/pm2/a.yaml": `
version: 1
name: a
system: pm2
params: {n: {type: integer, default: 0}}
steps: [{exec: [sh, -c, "while test -e hold; do sleep 0.01; done; exit $N"], env: {N: "${{ params.n }}"}}]
`, "pipelines/pm2/neighbour.yaml": "version: 1\nname: neighbour\nsystem: pm2\nsteps: [{exec: [\"true\"]}]\n",
		"pipelines/netlify-functions/b.yaml": "version: 1\nname: b\nsystem: netlify-functions\nretry: {attempts: 2, delay: 1h}\nsteps: [{exec: [\"false\"]}]\n"})
	e := serve(t, p)
	trigger := func(name, n string, state pipeline.State) {
		t.Helper()
		ask := engine.RunRequest{}
		if n != "" {
			ask.Params = map[string]string{"n": n}
		}
		r, err := e.Trigger(t.Context(), name, "a test", ask)
		if err != nil {
			t.Fatal(err)
		}
		until(t, name+" is "+string(state), func() bool {
			for _, x := range runs(t, p) {
				if x.ID == r.ID {
					return x.State == state
				}
			}
			return false
		})
	}
	trigger("a", "3", pipeline.Failed)
	until(t, "the verdict", is(e, "pm2", "unhealthy", "run: run 1 of pm2/a failed"))
	until(t, "the message", func() bool { return who.told("system pm2 is unhealthy") })
	hold := filepath.Join(p.Root, "hold")
	if err := os.WriteFile(hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	trigger("a", "0", pipeline.Running)
	trigger("neighbour", "", pipeline.Succeeded)
	if status, reasons := verdict(e, "pm2"); status != "unhealthy" {
		t.Errorf("while it runs again: %s, %s", status, reasons)
	}
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	until(t, "the recovery", is(e, "pm2", "healthy", "nothing is wrong"))
	until(t, "its message", func() bool { return who.told("system pm2 is healthy again") })

	trigger("b", "", pipeline.Failed)
	until(t, "the next attempt", func() bool { return runs(t, p)[0].Attempt == 2 })
	if status, reasons := verdict(e, "netlify-functions"); status != "healthy" {
		t.Errorf("before the next attempt: %s, %s", status, reasons)
	}
	if n := who.times("is healthy again"); n != 1 || who.told("netlify-functions is unhealthy") || who.told("netlify-functions/b failed") {
		t.Errorf("told %d times of a recovery: %q", n, who.texts)
	}
}

// TestAskingForHealthWritesNothing holds that who asks over and over is answered
// with what is so now, and that the reports are left alone while that is what
// the last check found.
func TestAskingForHealthWritesNothing(t *testing.T) {
	t.Parallel()
	who := newPeople(t)
	p := project(t, map[string]string{
		"redund.yaml":          strings.Replace(who.redund(""), "every: 200ms", "every: 1h", 1),
		"pipelines/pm2/a.yaml": failing,
	})
	e := serve(t, p)
	report := filepath.Join(p.State, "reports/status.json")
	until(t, "the first check", func() bool { _, err := os.Stat(report); return err == nil && who.pings.Load() > 0 })
	var was os.FileInfo
	until(t, "the end of what the start has woken", func() (ok bool) {
		var err error
		was, err = os.Stat(report)
		return err == nil && time.Since(was.ModTime()) > 1200*time.Millisecond
	})
	from := time.Now()
	until(t, "the end of the questions", func() bool {
		if h, err := e.CheckHealth(t.Context()); err != nil || h.Status != "healthy" {
			t.Fatalf("%+v, %v", h, err)
		}
		return time.Since(from) > 1500*time.Millisecond
	})
	if is, err := os.Stat(report); err != nil || !is.ModTime().Equal(was.ModTime()) {
		t.Errorf("the report was written again: %v", err)
	}
}

// TestHealthOfAHistoryThatCannotBeRead holds that people are told of it, and
// that it is over.
func TestHealthOfAHistoryThatCannotBeRead(t *testing.T) {
	t.Parallel()
	who := newPeople(t)
	p := project(t, map[string]string{"redund.yaml": who.redund(""), "pipelines/pm2/a.yaml": failing})
	e := serve(t, p)
	until(t, "the first check", func() bool { return who.pings.Load() > 0 })
	db, err := store.Open(t.Context(), store.Options{Dir: p.State})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rename := func(from, to string) {
		t.Helper()
		if err := db.Write(context.Background(), func(tx *store.Tx) error {
			_, err := tx.Exec("ALTER TABLE " + from + " RENAME TO " + to)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	rename("runs", "away")
	until(t, "the message", func() bool { return who.told("system pm2 is unhealthy: ") && who.told("the history cannot be read: ") })
	if h, err := e.CheckHealth(t.Context()); err != nil || h.Status != "unhealthy" {
		t.Errorf("%+v, %v", h, err)
	}
	rename("away", "runs")
	until(t, "the recovery", is(e, "pm2", "healthy", "nothing is wrong"))
	until(t, "its message", func() bool { return who.told("system pm2 is healthy again") })
}

// TestReportOfAVerdictWaits holds that the report of a verdict which could not
// be written is written when that is possible again.
func TestReportOfAVerdictWaits(t *testing.T) {
	t.Parallel()
	who := newPeople(t)
	p := project(t, map[string]string{"redund.yaml": who.redund(""), "pipelines/pm2/a.yaml": failing})
	e := serve(t, p)
	status := filepath.Join(p.State, "reports/status.json")
	until(t, "the first check", func() bool { _, err := os.Stat(status); return err == nil })
	dir, away := filepath.Join(p.State, "reports"), filepath.Join(p.State, "away")
	// Nothing can be written where a file lies in the place of the folder.
	if err := errors.Join(os.Rename(dir, away), os.WriteFile(dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	until(t, "the verdict", is(e, "pm2", "unhealthy", "state: the state directory cannot be written: the reports"))
	until(t, "the message", func() bool { return who.told("system pm2 is unhealthy") })
	if err := errors.Join(os.Remove(dir), os.Rename(away, dir)); err != nil {
		t.Fatal(err)
	}
	until(t, "the recovery", is(e, "pm2", "healthy", ""))
	until(t, "the report of each verdict", func() bool {
		all := ""
		list, _ := filepath.Glob(filepath.Join(dir, "health-*.json"))
		for _, name := range list {
			text, _ := os.ReadFile(name)
			all += string(text)
		}
		return strings.Contains(all, `  "status": "unhealthy"`) && strings.Contains(all, "nothing is wrong")
	})
}
