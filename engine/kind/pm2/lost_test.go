package pm2_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind/pm2/pm2test"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestD17LostWorkers: workers outlive a killed daemon. While one does, its
// application is down but alive; that is told of no other one, and looking ends
// none.
func TestD17LostWorkers(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	// What PM2 adds to a program of Node may end it when the daemon is gone.
	waits(p, t)
	p.Write("eco.json", `{"apps": [
		{"name": "my api", "script": "w.sh"}, {"name": "my_api", "script": "w.sh"},
		{"name": "api-2", "script": "w.sh"}, {"name": "api", "script": "w.sh", "autostart": false},
		{"name": "quiet", "script": "sleep", "args": "600", "interpreter": "none"}]}`)
	p.Run("start", "eco.json")
	names := []string{"my api", "my_api", "api-2", "api", "quiet"}
	alive := map[string]bool{"my api": true, "my_api": true, "api-2": true, "api": false, "quiet": true}
	p.KillDaemon()
	p.Until("four workers are left", func() bool { return len(p.Processes()) == 4 })
	workers := p.Processes()
	all := func(why string) {
		t.Helper()
		for _, name := range names {
			r := probeOf(t, p.Home, name).is(pipeline.Down)
			if r.Alive != alive[name] || r.Alive != strings.Contains(r.Reason, "a process of it lives") {
				t.Errorf("%s: %s: alive %t: %s", why, name, r.Alive, r.Reason)
			}
		}
	}
	all("the daemon is gone")
	if now := p.Processes(); !slices.Equal(now, workers) {
		t.Errorf("processes %v, before %v", now, workers)
	}
	p.Kill(p.Worker("my-api", 0))
	alive["my api"] = false
	all("one was killed")
	// A daemon that knows nothing of them.
	p.Run("ping")
	all("a new daemon")
	if err := os.RemoveAll(filepath.Join(p.Home, "pids")); err != nil {
		t.Fatal(err)
	}
	all("without pid files")
	// A second copy that is then stopped.
	p.Run("start", "eco.json", "--only", "api-2")
	look := probeOf(t, p.Home, "api-2")
	look.is(pipeline.Up)
	p.Run("stop", "api-2")
	if r := look.is(pipeline.Down, "is stopped", "a process of it lives"); !r.Alive {
		t.Errorf("the first copy lives: %+v", r)
	}
}

// TestLostInstances: workers of a cluster bear no marks; the list tells of them.
func TestLostInstances(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	// Such a worker ends with its daemon unless it holds on.
	p.Write("api.js", "process.on('disconnect', () => {}); process.exit = () => {}; require('fs').writeFileSync('held', ''); "+idle)
	p.Run("start", "api.js", "-i", "1", "--no-pmx")
	p.Until("it holds on", func() bool { _, err := os.Stat(filepath.Join(p.Dir, "held")); return err == nil })
	look := probeOf(t, p.Home, "api")
	look.is(pipeline.Up)
	worker := p.Worker("api", 0)
	p.KillDaemon()
	if r := look.is(pipeline.Down, "a process of it lives"); !r.Alive {
		t.Errorf("%+v", r)
	}
	if err := os.RemoveAll(filepath.Join(p.Home, "pids")); err != nil {
		t.Fatal(err)
	}
	if r := look.is(pipeline.Down, "a process of it lives"); !r.Alive {
		t.Errorf("by the list alone: %+v", r)
	}
	p.Kill(worker)
	if r := look.is(pipeline.Down); r.Alive {
		t.Errorf("it has ended: %+v", r)
	}
}

// TestPidReuse: a pid that was given to another process is no sign of life; a
// clock that was set since does not hide a worker.
func TestPidReuse(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	pids := filepath.Join(p.Home, "pids")
	if err := os.Mkdir(pids, 0o700); err != nil {
		t.Fatal(err)
	}
	script := p.Write("w.sh", "read x")
	other := exec.Command("sh", script)
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = in.Close()
		_ = other.Wait()
	}()
	pid := strconv.Itoa(other.Process.Pid)
	file := filepath.Join(pids, "api-0.pid")
	write := func(text string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	look := probeOf(t, p.Home, "api")
	for _, c := range []struct {
		text  string
		age   time.Duration
		dump  string
		alive bool
	}{
		{pid, 0, "", true},
		{pid, time.Hour, "", false},
		{pid, time.Hour, `[{"name": "api", "pm_exec_path": "` + script + `"}]`, true},
		{pid, time.Hour, `[{"name": "web", "pm_exec_path": "` + script + `"}]`, false},
		{pid, time.Hour, `[{"name": "api", "pm_exec_path": "` + script + `x"}]`, false},
		{pid, time.Hour, `[{"name": "api", "pm_exec_path": "` + strings.TrimSuffix(script, ".sh") + `"}]`, false},
		{"", 0, "", false}, {"-1", 0, "", false}, {"0", 0, "", false}, {"1x", 0, "", false},
		{"99999999999999999999", 0, "", false}, {"4194304", 0, "", false}, {strings.Repeat("1", 100), 0, "", false},
	} {
		write(c.text, c.age)
		if err := os.WriteFile(filepath.Join(p.Home, "dump.pm2"), []byte(c.dump), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := look.is(pipeline.Down); r.Alive != c.alive {
			t.Errorf("pid file %q, %s old, dump %s: alive %t: %s", c.text, c.age, c.dump, r.Alive, r.Reason)
		}
	}
	// A pid file of the application's own, which only the dump names.
	if err := os.Rename(file, filepath.Join(p.Dir, "own.pid")); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(p.Dir, "own.pid")
	write(pid, 0)
	dump := fmt.Sprintf(`[{"name": "api", "pm_pid_path": %q}]`, file)
	if err := os.WriteFile(filepath.Join(p.Home, "dump.pm2"), []byte(dump), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := look.is(pipeline.Down); !r.Alive {
		t.Errorf("%+v", r)
	}
}

// TestBadDump: a dump that is empty, half written or of another form ends in the
// same verdict as none.
func TestBadDump(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	waits(p, t)
	p.Run("start", "w.sh", "--name", "api")
	p.Run("save")
	good, err := os.ReadFile(filepath.Join(p.Home, "dump.pm2"))
	if err != nil {
		t.Fatal(err)
	}
	p.KillDaemon()
	look := probeOf(t, p.Home, "api")
	for _, dump := range []string{
		"", "\x00\x00\x00", "null", "{}", "[]", "[null]", "[1, 2]", `["api"]`, `[[[[[`, `{"apps": [{"name": "api"}]}`,
		`[{"name": 7, "pm_exec_path": [], "pm_uptime": "x", "pm_pid_path": {"a": 1}, "exit_code": 1e300}]`,
		`[{"name": "api", "pm_pid_path": "` + p.Home + `"}, {"name": "api", "pm_pid_path": "/dev/zero"}]`,
		strings.Repeat("[", 20000), string(good), string(good[:len(good)/2]), string(good[:len(good)-1]), string(good) + string(good),
	} {
		if err := os.WriteFile(filepath.Join(p.Home, "dump.pm2"), []byte(dump), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := look.is(pipeline.Down, "no PM2 daemon runs"); !r.Alive {
			t.Errorf("dump %.60q: %+v", dump, r)
		}
	}
	if err := os.Remove(filepath.Join(p.Home, "dump.pm2")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(p.Home, "dump.pm2"), 0o700); err != nil {
		t.Fatal(err)
	}
	look.is(pipeline.Down)
}
