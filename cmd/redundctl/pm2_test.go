package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/kind/pm2/pm2test"
)

// TestUnderPM2 runs the line of docs/engine.md with a real PM2: the engine starts,
// drains when it is stopped, starts again, and nothing is left of it in the end.
func TestUnderPM2(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/engine.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile("Under PM2: `pm2 (start redundctl [^`]*)`").FindSubmatch(page)
	if line == nil {
		t.Fatal("docs/engine.md has no line for PM2")
	}
	p := pm2test.New(t)
	if err := os.MkdirAll(filepath.Join(p.Dir, "pipelines", "pm2"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.Write("pipelines/pm2/tick.yaml", "version: 1\nname: tick\nschedule: {every: 1s}\nsteps:\n  - run: 'echo began >> ran; sleep 2; echo ended >> ran'\n")
	redundctl := func(args ...string) (string, error) {
		cmd := exec.Command("redundctl", append([]string{"-C", p.Dir}, args...)...)
		cmd.Env = append(os.Environ(), "HOME="+p.Dir)
		out, err := cmd.Output()
		return string(out), err
	}
	engine := func() int {
		var status struct{ Engine struct{ Pid int } }
		out, err := redundctl("status", "-o", "json")
		if err != nil || json.Unmarshal([]byte(out), &status) != nil {
			return 0
		}
		return status.Engine.Pid
	}
	ran := func() string {
		text, _ := os.ReadFile(filepath.Join(p.Dir, "ran"))
		return string(text)
	}
	p.Run(strings.Fields(string(line[1]))...)
	p.Until("an engine serves", func() bool { return engine() != 0 })
	first := engine()
	if now := p.Worker("redundctl", 0); now != first {
		t.Errorf("PM2 runs process %d, the engine is %d", now, first)
	}
	p.Until("a run has begun", func() bool { return strings.HasSuffix(ran(), "began\n") })
	p.Run("stop", "redundctl")
	if text := ran(); !strings.HasSuffix(text, "began\nended\n") {
		t.Errorf("the run that was active did not end of itself: %q", text)
	}
	if pid := engine(); pid != 0 {
		t.Errorf("engine %d goes on", pid)
	}
	if out, err := redundctl("runs", "--state", "failed"); err != nil || strings.Contains(out, "tick") {
		t.Errorf("a run failed: %v\n%s", err, out)
	}
	if list := p.Run("jlist"); !strings.Contains(list, `"status":"stopped"`) || !strings.Contains(list, `"exit_code":0`) {
		t.Errorf("PM2 says %s", list)
	}

	p.Run("start", "redundctl")
	p.Until("it serves again", func() bool { return engine() != 0 })
	second := engine()
	p.Run("restart", "redundctl")
	p.Until("another one serves", func() bool { pid := engine(); return pid != 0 && pid != second })
	// What PM2 does with an engine that was killed.
	third := engine()
	p.Kill(third)
	p.Until("PM2 has started it again", func() bool { pid := engine(); return pid != 0 && pid != third })
	p.Run("delete", "redundctl")
	p.KillDaemon()
	if left := p.Processes(); len(left) > 0 || engine() != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestD16SlotsBesidePM2: the original took the table of `pm2 status` for health.
// Here an application that PM2 starts by its own cron serves the slots of its
// backup, which runs as soon as PM2 does not know the application any more.
func TestD16SlotsBesidePM2(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	p.Write("report.sh", "exit 0")
	p.Write("eco.json", `{"apps": [{"name": "report", "script": "report.sh", "autorestart": false, "cron_restart": "*/5 * * * * *"}]}`)
	p.Run("start", "eco.json")
	cmd, root := served(t, `version: 1
name: report
primary:
  pm2: {process: report, home: `+p.Home+`}
  every: 200ms
mode: standby
grace: 3s
schedule: {every: 5s}
steps:
  - run: echo "$REDUND_SLOT" >> ran
`, "redundctl", "serve")
	begin(t, cmd)
	reasons := func() map[string]int {
		list := exec.Command("redundctl", "-C", root, "runs", "-o", "json")
		list.Env = cmd.Env
		out, _ := list.Output()
		var runs []struct{ Reason, State string }
		_ = json.Unmarshal(out, &runs)
		n := map[string]int{}
		for _, r := range runs {
			n[r.Reason+" "+r.State]++
		}
		return n
	}
	p.Until("two slots that PM2 served", func() bool { return reasons()["primary-succeeded skipped"] >= 2 })
	if _, err := os.Stat(filepath.Join(root, "ran")); err == nil {
		t.Errorf("the backup ran beside its primary: %v", reasons())
	}
	p.Run("delete", "report")
	p.Until("the backup has run", func() bool { return reasons()["primary-missing succeeded"] >= 1 })
	p.KillDaemon()
	before := reasons()["primary-missing succeeded"]
	p.Until("it goes on without a daemon", func() bool { return reasons()["primary-missing succeeded"] > before })
	if left := p.Processes(); len(left) > 0 {
		t.Errorf("looking has started %v", left)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
