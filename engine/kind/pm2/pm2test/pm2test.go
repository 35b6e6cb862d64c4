package pm2test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/proc"
)

// patience bounds every wait of a test.
const patience = 90 * time.Second

// PM2 is the PM2 of one test. No daemon runs until a command starts one.
type PM2 struct {
	Home string // PM2_HOME, short enough for sockets
	Dir  string // an empty folder for scripts and ecosystem files
	Bin  string // the folder that holds the program pm2
	more []string
	t    testing.TB
}

// With is the same PM2, whose commands, and the daemon that one of them starts,
// see these variables too, KEY=VALUE.
func (p *PM2) With(env ...string) *PM2 {
	with := *p
	with.more = append(slices.Clip(p.more), env...)
	return &with
}

// New gives a test a PM2 of its own and ends all of it with the test. A machine
// without it gets it, which takes some seconds; where that fails, so does the
// test.
func New(t testing.TB) *PM2 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	installed, err := Install(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// t.TempDir is longer than the name of a socket may be.
	top, err := os.MkdirTemp("", "pm2-")
	if err != nil {
		t.Fatal(err)
	}
	if top, err = filepath.EvalSymlinks(top); err != nil {
		t.Fatal(err)
	}
	p := &PM2{Home: filepath.Join(top, "h"), Dir: filepath.Join(top, "d"), Bin: filepath.Join(installed, "node_modules/.bin"), t: t}
	t.Cleanup(func() {
		p.end()
		if err := os.RemoveAll(top); err != nil {
			t.Error(err)
		}
	})
	for _, dir := range []string{p.Home, p.Dir} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// Env is the environment in which pm2 is this one, KEY=VALUE: it is found in
// PATH, keeps to its home and asks nobody for news.
func (p *PM2) Env() []string {
	return append([]string{"PATH=" + p.Bin + ":" + os.Getenv("PATH"), "HOME=" + p.Dir, "PM2_HOME=" + p.Home,
		"PM2_DISCRETE_MODE=true", "PM2_DISABLE_VERSION_CHECK=true"}, p.more...)
}

// Write makes a file in Dir and gives its path.
func (p *PM2) Write(name, text string) string {
	p.t.Helper()
	path := filepath.Join(p.Dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// Run runs the real command line in Dir, which starts the daemon where none
// runs, and gives what it printed.
func (p *PM2) Run(args ...string) string {
	p.t.Helper()
	out, err := p.Try(args...)
	if err != nil {
		p.t.Fatalf("pm2 %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Try is Run for a command that may fail.
func (p *PM2) Try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(p.Bin, "pm2"), args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = p.Dir, p.Env(), time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Daemon is the pid of the daemon, as it wrote it.
func (p *PM2) Daemon() int {
	p.t.Helper()
	return p.pid("pm2.pid")
}

// Worker is the pid of an instance, as the daemon wrote it into the file of that
// name and number: PM2 writes - for most signs of an application's name, and
// leaves out a number at its end.
func (p *PM2) Worker(name string, id int) int {
	p.t.Helper()
	return p.pid(fmt.Sprintf("pids/%s-%d.pid", name, id))
}

func (p *PM2) pid(file string) int {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.Home, file))
	if err != nil {
		p.t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		p.t.Fatal(err)
	}
	return pid
}

// KillDaemon kills the daemon as a lack of memory does: its files stay, and its
// workers live on, but for programs of Node that PM2 has not yet prepared.
func (p *PM2) KillDaemon() {
	p.t.Helper()
	p.Kill(p.Daemon())
}

// Kill kills one process and waits until it is gone.
func (p *PM2) Kill(pid int) {
	p.t.Helper()
	if !of(strconv.Itoa(pid), p.Home) {
		p.t.Fatalf("process %d is none of this PM2", pid)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
	p.Until(fmt.Sprintf("process %d is gone", pid), func() bool {
		_, err := proc.StartTime(pid)
		return err != nil
	})
}

// Processes are the living processes of this PM2: daemon, workers and commands.
func (p *PM2) Processes() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		p.t.Error(err)
	}
	var out []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && of(e.Name(), p.Home) {
			out = append(out, pid)
		}
	}
	return out
}

// Until waits until something is so, and fails the test when it does not come.
func (p *PM2) Until(what string, so func() bool) {
	p.t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(patience); !so(); <-again.C {
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(p.Home, "pm2.log"))
			p.t.Fatalf("not within %s: %s\npm2.log:\n%s", patience, what, log)
		}
	}
}

// end kills everything of this PM2. The daemon may bring up a worker once more
// before it is killed, and a process that is about to become another program
// shows no environment, so it is looked again until nothing is left for a while.
func (p *PM2) end() {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	quiet := 0
	for end := time.Now().Add(patience); quiet < 5; <-again.C {
		left := p.Processes()
		if quiet++; len(left) > 0 {
			quiet = 0
		}
		if time.Now().After(end) {
			p.t.Errorf("processes of PM2 cannot be ended: %v", left)
			return
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
