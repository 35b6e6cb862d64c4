package shell

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/kindtest"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

// look runs a probe in a project of its own and holds that it leaves nothing.
func look(t *testing.T, script string, w pipeline.Window, env ...string) pipeline.Reading {
	t.Helper()
	s, err := proc.New(proc.Options{Subreaper: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	temp := t.TempDir()
	p, err := Primary().Build(map[string]any{"run": script}, kind.PrimaryDeps{
		Deps: kind.Deps{Proc: s}, Pipeline: &pipeline.Pipeline{}, Root: t.TempDir(), Temp: temp,
		Env:  append([]string{"PATH=" + os.Getenv("PATH")}, env...),
		Mask: func(s string) string { return strings.ReplaceAll(s, "s3cret-token", "***") },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := p.Probe(ctx, w)
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("%s left %v", script, left)
	}
	if r.Reason == "" || strings.Contains(r.Reason, "\n") || strings.Contains(fmt.Sprint(r), "s3cret") {
		t.Errorf("%s: %+v", script, r)
	}
	return r
}

// TestCommand is the table of what the end of a command means.
func TestCommand(t *testing.T) {
	t.Parallel()
	slot := pipeline.Window{Slot: time.Date(2026, 11, 24, 4, 0, 0, 0, time.FixedZone("", 3600))}
	for script, c := range map[string]struct {
		slot, live pipeline.Verdict
		refused    bool
		reason     string
	}{
		"exit 0":                        {pipeline.Delivered, pipeline.Up, false, "the command ended with exit code 0"},
		"exit 1":                        {pipeline.Nothing, pipeline.Down, false, "the command ended with exit code 1"},
		"test -e no-such-file":          {pipeline.Nothing, pipeline.Down, false, "the command ended with exit code 1"},
		"exit 2":                        {pipeline.Unknown, pipeline.Unknown, false, "the command ended with exit code 2"},
		"false | true":                  {pipeline.Nothing, pipeline.Down, false, "the command ended with exit code 1"},
		"echo; echo ' built  3 '; pwd":  {pipeline.Delivered, pipeline.Up, false, "built 3"},
		"echo lost the disk >&2;exit 9": {pipeline.Unknown, pipeline.Unknown, false, "the command ended with exit code 9: lost the disk"},
		"no-such-program":               {pipeline.Unknown, pipeline.Unknown, true, ""},
		"/etc/passwd":                   {pipeline.Unknown, pipeline.Unknown, true, ""},
		"kill -9 $$":                    {pipeline.Unknown, pipeline.Unknown, false, "the command ended by SIGKILL"},
		"echo it is s3cret-token":       {pipeline.Delivered, pipeline.Up, false, "it is ***"},
		`printf '%0490ds3cret-token' 0`: {pipeline.Delivered, pipeline.Up, false, ""},
		"head -c 300000 /dev/zero":      {pipeline.Delivered, pipeline.Up, false, ""},
		"printf '\\377'":                {pipeline.Delivered, pipeline.Up, false, "\uFFFD"},
	} {
		for w, want := range map[pipeline.Window]pipeline.Verdict{slot: c.slot, {}: c.live} {
			r := look(t, script, w)
			if r.Verdict != want || r.Refused != c.refused || c.reason != "" && r.Reason != c.reason || len(fmt.Sprint(r)) > 4000 {
				t.Errorf("%s, slot %s: %+v", script, w.Slot, r)
			}
		}
	}
}

// TestCommandIsToldTheSlot holds REDUND_SLOT, where it runs, and that nobody can
// see its script in the list of processes.
func TestCommandIsToldTheSlot(t *testing.T) {
	t.Parallel()
	w := pipeline.Window{Slot: time.Date(2026, 11, 24, 4, 0, 0, 0, time.FixedZone("", 3600))}
	const tell = `echo "<$REDUND_SLOT> $X"`
	if r := look(t, tell, w, "REDUND_SLOT=of an outer run", "X=y"); r.Reason != "<2026-11-24T03:00:00Z> y" {
		t.Errorf("%+v", r)
	}
	if r := look(t, tell, pipeline.Window{}, "REDUND_SLOT=of an outer run"); r.Reason != "<>" {
		t.Errorf("%+v", r)
	}
	if r := look(t, `tr '\0' '\n' < /proc/$$/environ | grep -c ^REDUND_SLOT=`, w, "REDUND_SLOT=of an outer run"); r.Reason != "1" {
		t.Errorf("%+v", r)
	}
	if r := look(t, `tr '\0' ' ' < /proc/$$/cmdline; : a-word-of-it`, w); strings.Contains(r.Reason, "a-word-of-it") {
		t.Errorf("%+v", r)
	}
}

// TestCommandOutOfTime holds that a command that does not end is ended, with all
// that it started, and that nobody knows how the primary does.
func TestCommandOutOfTime(t *testing.T) {
	t.Parallel()
	s, err := proc.New(proc.Options{Subreaper: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	root := t.TempDir()
	for _, trap := range []string{"'' TERM", "'exit 0' TERM"} {
		p, err := Primary().Build(map[string]any{"run": "trap " + trap + "; setsid sleep 600 & echo $! > pid; echo so far; wait; exit 0"}, kind.PrimaryDeps{
			Deps: kind.Deps{Proc: s}, Pipeline: &pipeline.Pipeline{}, Root: root, Temp: t.TempDir(),
			Env: []string{"PATH=" + os.Getenv("PATH")}, Mask: func(s string) string { return s },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		began := time.Now()
		r, err := p.Probe(ctx, pipeline.Window{})
		cancel()
		if err != nil || r.Verdict != pipeline.Unknown || r.Reason != "the command did not end in time" {
			t.Errorf("trap %s: %+v, %v", trap, r, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("trap %s: it took %s", trap, took)
		}
		pid, err := os.ReadFile(filepath.Join(root, "pid"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat("/proc/" + strings.TrimSpace(string(pid))); err == nil {
			t.Errorf("trap %s: what it started is still there", trap)
		}
	}
}

func TestCommandThatSaysTooMuch(t *testing.T) {
	t.Parallel()
	var s said
	for range 3 {
		if n, err := s.Write(make([]byte, mostSaid-1)); n != mostSaid-1 || err != nil {
			t.Error(n, err)
		}
	}
	if s.Len() != mostSaid {
		t.Error(s.Len())
	}
}

// TestCommandThatCannotStart has no shell, and no directory.
func TestCommandThatCannotStart(t *testing.T) {
	t.Parallel()
	s := kindtest.Spawner(t)
	d := kind.PrimaryDeps{Deps: kind.Deps{Proc: s}, Pipeline: &pipeline.Pipeline{}, Root: t.TempDir(), Temp: t.TempDir(), Env: []string{"PATH=/nowhere"}, Mask: func(s string) string { return s }}
	p, err := Primary().Build(map[string]any{"run": "exit 0"}, d)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.Probe(t.Context(), pipeline.Window{}); err != nil || r.Verdict != pipeline.Unknown || !r.Refused {
		t.Errorf("no shell: %+v, %v", r, err)
	}
	d.Temp = ""
	if p, err = Primary().Build(map[string]any{"run": "exit 0"}, d); err != nil {
		t.Fatal(err)
	}
	if r, err := p.Probe(t.Context(), pipeline.Window{}); err == nil {
		t.Errorf("no directory: %+v", r)
	}
	for _, bad := range []kind.PrimaryDeps{{}, d} {
		if _, err := Primary().Build(map[string]any{"run": map[bool]string{true: " ", false: "exit 0"}[bad.Proc != nil]}, bad); err == nil {
			t.Error("it was made")
		}
	}
}
