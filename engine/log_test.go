package engine_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestLevelsByAReload saves logs.level and systems.pm2.logs.level of an engine
// that serves, and looks what is written from then on.
func TestLevelsByAReload(t *testing.T) {
	p := project(t, map[string]string{"redund.yaml": "version: 1\n", "pipelines/pm2/a.yaml": "version: 1\nname: a\nsystem: pm2\nsteps: [{exec: ['true']}]\n"})
	e := serve(t, p)
	holds := func(name, text string) bool {
		raw, err := os.ReadFile(filepath.Join(p.State, "logs", name+".log"))
		return err == nil && strings.Contains(string(raw), text)
	}
	runs := int64(0)
	run := func() string {
		t.Helper()
		r, err := e.Trigger(t.Context(), "a", "a test", engine.RunRequest{})
		if err != nil {
			t.Fatal(err)
		}
		runs = r.ID
		until(t, "the end of the run", func() bool { return state(t, p, r.ID).Done() })
		return `msg="run started" run=` + itoa(r.ID)
	}
	level := func(text, generation string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(p.Root, "redund.yaml"), []byte("version: 1\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		until(t, "the reload to "+generation, func() bool {
			st, err := e.Status(t.Context())
			return err == nil && itoa(st.Reload.Generation) == generation
		})
	}
	first := run()
	until(t, "the first run in both files", func() bool { return holds("engine", first) && holds("pm2", first) })
	level("logs: {level: warn}\nsystems: {pm2: {logs: {level: info}}}\n", "2")
	second := run()
	until(t, "the second run in the file of its system", func() bool { return holds("pm2", second) })
	level("logs: {level: info}\nsystems: {pm2: {logs: {level: error}}}\n", "3")
	third := run()
	until(t, "the third run in engine.log", func() bool { return holds("engine", third) })
	if holds("engine", second) || holds("pm2", third) {
		t.Error("what is below the level was written")
	}
	if runs != 3 {
		t.Errorf("%d runs", runs)
	}
}

// TestALogThatCannotBeWritten puts a folder in the place of a system's log: runs
// go on and succeed, and health tells of it until it is mended.
func TestALogThatCannotBeWritten(t *testing.T) {
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": "version: 1\nname: a\nsystem: pm2\nsteps: [{exec: [echo, hello]}]\n"})
	file := filepath.Join(p.State, "logs", "pm2.log")
	if err := os.MkdirAll(file, 0o700); err != nil {
		t.Fatal(err)
	}
	e := serve(t, p)
	verdict := func(want string, told bool) {
		t.Helper()
		r, err := e.Trigger(t.Context(), "a", "a test", engine.RunRequest{})
		if err != nil {
			t.Fatal(err)
		}
		until(t, "the end of the run", func() bool { return state(t, p, r.ID).Done() })
		if got := state(t, p, r.ID); got != pipeline.Succeeded {
			t.Errorf("a log stopped a run: %s", got)
		}
		h, err := e.CheckHealth(t.Context())
		if err != nil || h.Status != want {
			t.Errorf("%+v, %v", h, err)
		}
		for _, s := range h.Systems {
			for _, c := range s.Checks {
				if s.Name == "pm2" && (c.Name == "logs" && strings.Contains(c.Reason, "lines of "+file+" are lost")) != told {
					t.Errorf("%+v", c)
				}
			}
		}
	}
	verdict("degraded", true)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	verdict("healthy", false)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func state(t *testing.T, p *config.Project, id int64) pipeline.State {
	t.Helper()
	for _, r := range runs(t, p) {
		if r.ID == id {
			return r.State
		}
	}
	return ""
}
