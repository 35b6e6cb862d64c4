package engine_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSaveThatCannotBeRecorded holds that a save waits for what keeps it from
// being recorded, is told of meanwhile, and then holds without another save; a
// removal too.
func TestSaveThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	f := watched(t, map[string]string{
		"redund.yaml": "version: 1\n", "pipelines/pm2/a.yaml": form("a", "x"), "pipelines/pm2/b.yaml": form("b", "x"),
	})
	state, err := filepath.Rel(f.p.Root, f.p.State)
	f.must(err)
	inTheWay := filepath.Join(state, "redund.yaml.good.new")
	f.write(filepath.Join(inTheWay, "file"), "")
	f.write("redund.yaml", "version: 1\nconcurrency: 7\n")
	f.write("pipelines/pm2/a.yaml", form("a", "y"))
	f.remove("pipelines/pm2/b.yaml")
	until(t, "the verdict", is(f.e, "pm2", "unhealthy", "state: the state directory cannot be written"))
	gone := time.Now()
	until(t, "a look at the removal", func() bool { return time.Since(gone) > 1500*time.Millisecond })
	if f.category("a") != "x" || f.category("b") != "x" {
		t.Error("what could not be recorded is in force")
	}
	f.remove(inTheWay)
	f.holds("a", "y")
	until(t, "the removal", func() bool { return f.category("b") == "" })
	until(t, "the recovery", is(f.e, "pm2", "healthy", ""))
	until(t, "the event of the removal", func() bool { return len(f.events("removed")) > 0 }) // written a moment after it holds
	if l := f.events("removed"); len(l) != 1 || !strings.Contains(l[0].Pipeline, "pm2/b") {
		t.Errorf("%+v", l)
	}
	// Without a removal nothing else has the files looked at.
	f.write(filepath.Join(inTheWay, "file"), "")
	f.write("redund.yaml", "version: 1\nconcurrency: 8\n")
	f.write("pipelines/pm2/a.yaml", form("a", "z"))
	until(t, "the verdict", is(f.e, "pm2", "unhealthy", "state: the state directory cannot be written"))
	f.remove(inTheWay)
	f.holds("a", "z")
}

// TestStateMoves holds that an engine stays in the state directory that it began
// with, and goes on with what is saved.
func TestStateMoves(t *testing.T) {
	t.Parallel()
	f := watched(t, map[string]string{"redund.yaml": "version: 1\n", "pipelines/pm2/a.yaml": form("a", "x")})
	restart := func() string { return strings.Join(f.reload().Restart, " ") }
	moved := func(more string) {
		t.Helper()
		f.write("redund.yaml", "version: 1\nstate: elsewhere\nconcurrency: 7\n"+more)
	}
	moved("")
	until(t, "the word of it", func() bool { return restart() == "state" && len(f.events("restart-needed")) == 1 })
	f.write("pipelines/pm2/a.yaml", form("a", "y"))
	f.holds("a", "y")
	if _, err := os.Stat(f.at("elsewhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
	f.write("elsewhere/file", "")
	f.must(os.RemoveAll(filepath.Join(f.p.State, "reports")))
	moved("observe: true\n")
	f.write("pipelines/pm2/a.yaml", form("a", "z"))
	f.holds("a", "z")
	until(t, "the reports", func() bool {
		_, err := os.Stat(filepath.Join(f.p.State, "reports", "status.json"))
		return err == nil
	})
	if list, err := os.ReadDir(f.at("elsewhere")); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	f.write("redund.yaml", "version: 1\nstate: ./.redund\n")
	until(t, "the end of it", func() bool { return restart() == "" })
}
