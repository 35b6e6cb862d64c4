package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// served is a project with an engine's command, not started yet.
func served(t *testing.T, pipeline string, argv ...string) (*exec.Cmd, string) {
	t.Helper()
	root := t.TempDir()
	file := filepath.Join(root, "pipelines", "pm2", "tick.yaml")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(pipeline), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "HOME="+root, "NO_COLOR=1")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the engine said:\n%s", log.String())
		}
	})
	return cmd, root
}

// begin starts it, and has it killed should the test fail.
func begin(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
}

const tick = "version: 1\nname: tick\nschedule: {every: 1h}\nsteps:\n  - exec: [\"true\"]\n"

// TestSystemdIsTold holds what an engine says to who started it as a service
// of Type=notify: that it is ready, that it lives, that it reads its files again,
// and that it ends.
func TestSystemdIsTold(t *testing.T) {
	t.Parallel()
	cmd, root := served(t, tick, "redundctl", "serve")
	at := filepath.Join(root, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const period = 400 * time.Millisecond
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+at, "WATCHDOG_USEC="+strconv.FormatInt(period.Microseconds(), 10))
	begin(t, cmd)
	next := func() string {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		b := make([]byte, 4096)
		n, err := c.Read(b)
		if err != nil {
			t.Fatalf("nothing was told: %v", err)
		}
		return string(b[:n])
	}
	but := func(skip string) string {
		t.Helper()
		for {
			if s := next(); s != skip {
				return s
			}
		}
	}
	if got := next(); got != "READY=1" {
		t.Fatalf("first %q", got)
	}
	from := time.Now()
	for range 4 {
		if got := next(); got != "WATCHDOG=1" {
			t.Fatalf("%q in place of WATCHDOG=1", got)
		}
	}
	if took := time.Since(from); took < 3*period/2 { // half the period each, or the kernel kills us on a slow machine
		t.Errorf("told four times in %s", took)
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	got := but("WATCHDOG=1")
	told := regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=(\d+)$`).FindStringSubmatch(strings.TrimSpace(got))
	if told == nil {
		t.Fatalf("%q after SIGHUP", got)
	}
	up, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	seconds, _ := strconv.ParseFloat(strings.Fields(string(up))[0], 64)
	if usec, _ := strconv.ParseFloat(told[1], 64); usec/1e6 > seconds+1 || usec/1e6 < seconds-60 {
		t.Errorf("MONOTONIC_USEC=%s, but the machine is up for %.0f s", told[1], seconds)
	}
	if got := but("WATCHDOG=1"); got != "READY=1" {
		t.Errorf("%q after the files were read", got)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := but("WATCHDOG=1"); got != "STOPPING=1" {
		t.Errorf("%q after SIGTERM", got)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestAsProcess1 holds that an engine which is process 1, as in a container,
// takes in what its steps leave, and ends with 0 when it is asked to.
func TestAsProcess1(t *testing.T) {
	t.Parallel()
	const orphans = `version: 1
name: tick
schedule: {every: 1s}
steps:
  - run: |
      for i in 1 2 3; do (sleep 0.1 & ) ; done
      echo done >> ran
`
	argv := []string{"unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "redundctl", "serve"}
	if os.Getuid() != 0 {
		argv = append([]string{"unshare", "--user", "--map-root-user"}, argv[1:]...)
	}
	cmd, root := served(t, orphans, argv...)
	begin(t, cmd)
	waitFor(t, "three runs", func() bool {
		b, _ := os.ReadFile(filepath.Join(root, "ran"))
		return bytes.Count(b, []byte("done")) >= 3
	})
	inside := childrenOf(t, cmd.Process.Pid)
	if len(inside) != 1 {
		t.Fatalf("children of unshare: %v", inside)
	}
	waitFor(t, "that nothing dead is left", func() bool {
		for _, pid := range childrenOf(t, inside[0]) {
			if b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil && bytes.Contains(b, []byte(") Z ")) {
				return false
			}
		}
		return true
	})
	if err := syscall.Kill(inside[0], syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// waitFor asks until something holds.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(pid) + "/children")
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, f := range strings.Fields(string(b)) {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

// TestUnit holds what examples/service/redundctl.service says, and has systemd
// check it where there is one.
func TestUnit(t *testing.T) {
	t.Parallel()
	const file = "../../examples/service/redundctl.service"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/engine.md")
	if err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile("../../examples/service/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{b, image} {
		if !bytes.Contains(page, text) {
			t.Errorf("docs/engine.md does not show\n%s", text)
		}
	}
	known := map[string]string{ // every key that may stand there; "": any value
		"Unit.Description": "", "Unit.After": "network-online.target", "Unit.Wants": "network-online.target",
		"Service.Type": "notify", "Service.User": "", "Service.WorkingDirectory": "", "Service.ExecStart": "",
		"Service.ExecReload": "/bin/kill -HUP $MAINPID", "Service.TimeoutStopSec": "", "Service.WatchdogSec": "",
		"Service.Restart": "always", "Install.WantedBy": "multi-user.target",
	}
	has := map[string]string{}
	section := ""
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key = section + "." + key
		want, may := known[key]
		if !ok || !may || want != "" && value != want {
			t.Errorf("%s: %q", key, line)
		}
		has[key] = value
	}
	for key := range known {
		if has[key] == "" {
			t.Errorf("%s is missing", key)
		}
	}
	argv := strings.Fields(has["Service.ExecStart"])
	drain, err := time.ParseDuration(argv[len(argv)-1])
	stop, bad := strconv.Atoi(has["Service.TimeoutStopSec"])
	if err != nil || bad != nil || time.Duration(stop)*time.Second < drain+15*time.Second {
		t.Errorf("systemd waits %s for a drain of %s", has["Service.TimeoutStopSec"], argv[len(argv)-1])
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if errors.Is(err, exec.ErrNotFound) {
		return // what was read above is all that can be held here
	}
	// Of this machine's programs and folders it need not be true.
	text := strings.ReplaceAll(string(b), "/usr/local/bin/redundctl", "/bin/true")
	text = strings.ReplaceAll(text, "/srv/site", "/")
	text = strings.ReplaceAll(text, "User=deploy", "User=root")
	own := filepath.Join(t.TempDir(), "redundctl.service")
	if err := os.WriteFile(own, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", own).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "redundctl.service") {
			t.Errorf("systemd-analyze: %s", line)
		}
	}
	if err != nil && bytes.Contains(out, []byte("redundctl.service")) {
		t.Error(err)
	}
}

// TestSighupAtTheEdges holds that SIGHUP ends no engine that is about to serve,
// and that systemd does not take one that ends for one that is ready.
func TestSighupAtTheEdges(t *testing.T) {
	t.Parallel()
	cmd, root := served(t, "version: 1\nname: tick\nschedule: {every: 1s}\nsteps:\n  - run: 'echo > ran; sleep 3'\n", "redundctl", "serve", "--drain", "20s")
	at := filepath.Join(root, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+at)
	begin(t, cmd)
	b := make([]byte, 4096)
	next := func(within time.Duration) string {
		_ = c.SetReadDeadline(time.Now().Add(within))
		n, _ := c.Read(b)
		return string(b[:n])
	}
	waitFor(t, "the beginning", func() bool { _, err := os.Stat(filepath.Join(root, ".redund")); return err == nil })
	waitFor(t, "an engine that is ready", func() bool {
		_ = cmd.Process.Signal(syscall.SIGHUP)
		return next(time.Millisecond) == "READY=1"
	})
	waitFor(t, "a run", func() bool { _, err := os.Stat(filepath.Join(root, "ran")); return err == nil })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the word of its end", func() bool { return next(time.Second) == "STOPPING=1" })
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if got := next(10 * time.Millisecond); got != "" {
		t.Errorf("%q after STOPPING=1", got)
	}
}
