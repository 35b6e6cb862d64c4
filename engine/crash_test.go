package engine_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestLeftByKilled kills a process as soon as a step of its has started
// something that leaves the step's group: whoever opens the project next ends
// that, though nothing had been recorded of it.
func TestLeftByKilled(t *testing.T) {
	t.Parallel()
	for name, prefix := range map[string]string{
		"session":             "setsid",
		"cleared environment": "env -i setsid",
		"other environment":   "env REDUND_STEP_TOKEN=other-1 setsid",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told, hold := fifos(t)
			p := project(t, map[string]string{"pipelines/pm2/left.yaml": fmt.Sprintf(`version: 1
name: left
steps:
  - shell: sh
    run: |
      (%s /bin/sh -c 'echo $$ > %s; read x < %s' &)
      read x < %s
`, prefix, told, hold, hold)})
			pid := killWhenTold(t, p, told)
			e, err := engine.New(t.Context(), engine.Options{Project: p, Kinds: builtin.Kinds(), Environ: environ(t)})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if alive(pid) {
				t.Errorf("process %d of a killed run lives on", pid)
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		})
	}
}

// TestServedWhileKilled holds that an engine that serves ends what a run in the
// foreground left whose process was killed.
func TestServedWhileKilled(t *testing.T) {
	told, hold := fifos(t)
	p := project(t, map[string]string{"pipelines/pm2/left.yaml": fmt.Sprintf(`version: 1
name: left
steps:
  - shell: sh
    run: |
      (setsid /bin/sh -c 'echo $$ > %s; read x < %s' &)
      read x < %s
`, told, hold, hold)})
	serve(t, p)
	pid := killWhenTold(t, p, told)
	until(t, "the end of what a killed run left", func() bool { return !alive(pid) })
	until(t, "the end of the run", func() bool { return runs(t, p)[0].State == pipeline.Failed })
}

// TestSlotOfKilled takes the slot of a killed process in an engine that was
// open before: what that left running is ended first.
func TestSlotOfKilled(t *testing.T) {
	t.Parallel()
	told, hold := fifos(t)
	p := project(t, map[string]string{"pipelines/pm2/left.yaml": fmt.Sprintf(`version: 1
name: left
steps:
  - shell: sh
    run: |
      if [ -e %[1]s ]; then
        (setsid /bin/sh -c 'echo $$ > %[1]s; read x < %[2]s' &)
        read x < %[2]s
      fi
`, told, hold)})
	e, _ := open(t, p, environ(t))
	pid := killWhenTold(t, p, told)
	if err := os.Remove(told); err != nil {
		t.Fatal(err)
	}
	r, err := e.RunNow(t.Context(), engine.RunRequest{Pipeline: p.Pipelines[0], Slot: served()})
	if err != nil || r.Run.State != pipeline.Succeeded || r.Run.Fence != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	if alive(pid) {
		t.Errorf("process %d of a killed run lives on", pid)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// fifos are two pipes: in one a step tells its pid, from the other it reads what
// never comes.
func fifos(t *testing.T) (told, hold string) {
	t.Helper()
	dir := t.TempDir()
	told, hold = filepath.Join(dir, "told"), filepath.Join(dir, "hold")
	for _, f := range []string{told, hold} {
		if err := syscall.Mkfifo(f, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return told, hold
}

// served is the slot that a victim serves.
func served() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// killWhenTold runs the project's pipeline in another process, kills that when
// a pid can be read from the pipe, and gives the pid.
func killWhenTold(t *testing.T, p *config.Project, told string) int {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(environ(t), asChild+"="+p.Root)
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() {
		_ = child.Process.Kill()
		_ = os.WriteFile(told, []byte("0\n"), 0)
	})
	defer late.Stop()
	text, err := os.ReadFile(told)
	if err != nil {
		t.Error(err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = child.Wait()
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid == 0 {
		t.Fatalf("told %q: %v", text, err)
	}
	return pid
}

// alive reports whether a process is there and has not ended.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	i := bytes.LastIndexByte(text, ')')
	return err == nil && i >= 0 && len(text) > i+2 && text[i+2] != 'Z'
}
