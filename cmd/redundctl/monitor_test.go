package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/api/client"
)

// terminal is a program in a terminal that answers, and whose screen can be read.
type terminal struct {
	t           *testing.T
	master, tty *os.File
	before      unix.Termios
	cmd         *exec.Cmd
	ended       chan struct{}
	work        sync.WaitGroup

	mu      sync.Mutex
	screen  *vt.Emulator
	alt     bool // the alternate screen is shown
	raw     bytes.Buffer
	changed chan struct{}
}

// on starts a program in a terminal of a size.
func on(t *testing.T, dir string, w, h int, env []string, args ...string) *terminal {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Skipf("no pseudo terminal here: %v", err)
	}
	x := &terminal{t: t, master: master, tty: tty, ended: make(chan struct{}), screen: vt.NewEmulator(w, h), changed: make(chan struct{}, 1)}
	x.screen.SetCallbacks(vt.Callbacks{AltScreen: func(on bool) { x.alt = on }})
	x.size(w, h)
	x.before = x.termios()
	x.cmd = exec.Command("redundctl", args...)
	x.cmd.Dir = dir
	x.cmd.Env = append(append(os.Environ(), "TERM=xterm-256color", "TZ=UTC", "HOME="+dir, "NO_COLOR="), env...)
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = tty, tty, tty
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	x.work.Go(func() {
		defer close(x.ended)
		_ = x.cmd.Wait()
	})
	x.work.Go(x.read)
	x.work.Go(func() { _, _ = io.Copy(master, x.screen) }) // what a terminal answers
	t.Cleanup(func() {
		_ = x.cmd.Process.Kill()
		_ = x.screen.InputPipe().(io.Closer).Close() // Close of the screen itself races with who reads it
		tty.Close()
		master.Close()
		x.work.Wait()
	})
	return x
}

// read shows what the program writes.
func (x *terminal) read() {
	buf := make([]byte, 64<<10)
	for {
		n, err := x.master.Read(buf)
		if n > 0 {
			x.mu.Lock()
			x.raw.Write(buf[:n])
			_, _ = x.screen.Write(buf[:n])
			x.mu.Unlock()
			select {
			case x.changed <- struct{}{}:
			default:
			}
		}
		if err != nil {
			return
		}
	}
}

func (x *terminal) termios() unix.Termios {
	x.t.Helper()
	v, err := unix.IoctlGetTermios(int(x.tty.Fd()), unix.TCGETS)
	if err != nil {
		x.t.Fatal(err)
	}
	return *v
}

func (x *terminal) size(w, h int) {
	x.t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.screen.Resize(w, h)
	if err := pty.Setsize(x.tty, &pty.Winsize{Rows: uint16(h), Cols: uint16(w)}); err != nil {
		x.t.Fatal(err)
	}
}

// lines are what a person sees.
func (x *terminal) lines() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []string
	for y := range x.screen.Height() {
		var b strings.Builder
		for at := 0; at < x.screen.Width(); {
			c := x.screen.CellAt(at, y)
			if c == nil || c.Content == "" {
				b.WriteByte(' ')
				at++
				continue
			}
			b.WriteString(c.Content)
			at += max(c.Width, 1)
		}
		out = append(out, strings.TrimRight(b.String(), " "))
	}
	return out
}

// sees waits until the screen is as f wants it.
func (x *terminal) sees(what string, f func([]string) bool) []string {
	x.t.Helper()
	limit, ended := time.NewTimer(40*time.Second), x.ended
	defer limit.Stop()
	for {
		l := x.lines()
		if f(l) {
			return l
		}
		select {
		case <-x.changed:
		case <-ended: // what it wrote last may not have been read yet
			ended = nil
			limit.Reset(2 * time.Second)
		case <-limit.C:
			x.t.Fatalf("%s does not come:\n%s", what, strings.Join(l, "\n"))
		}
	}
}

// shows waits until a line of the screen matches.
func (x *terminal) shows(pattern string) []string {
	x.t.Helper()
	re := regexp.MustCompile(pattern)
	return x.sees(pattern, func(l []string) bool {
		for _, s := range l {
			if re.MatchString(s) {
				return true
			}
		}
		return false
	})
}

func (x *terminal) types(keys string) {
	x.t.Helper()
	if _, err := x.master.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// ends waits for the exit code, and holds that the terminal is as it was.
func (x *terminal) ends(code int) {
	x.t.Helper()
	select {
	case <-x.ended:
	case <-time.After(20 * time.Second):
		x.t.Fatal("it does not end")
	}
	if got := x.cmd.ProcessState.ExitCode(); got != code {
		x.t.Errorf("the exit code is %d, not %d: %s", got, code, strings.Join(x.lines(), "\n"))
	}
	if got := x.termios(); got != x.before {
		x.t.Errorf("the terminal is left as %+v and was %+v", got, x.before)
	}
	for { // what it wrote last may not have been read yet
		x.mu.Lock()
		alt, hidden := x.alt, x.screen.CursorHidden()
		x.mu.Unlock()
		if !alt && !hidden {
			return
		}
		select {
		case <-x.changed:
		case <-time.After(5 * time.Second):
			x.t.Fatalf("the alternate screen is left %v, the cursor hidden %v", alt, hidden)
		}
	}
}

// ctl calls the program as a shell would.
func ctl(t *testing.T, dir string, args ...string) string {
	t.Helper()
	c := exec.Command("redundctl", args...)
	c.Dir, c.Env = dir, append(os.Environ(), "HOME="+dir, "TZ=UTC")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", c, err, out)
	}
	return string(out)
}

// project makes one and starts its engine.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { endEngine(filepath.Join(dir, ".redund")) })
	ctl(t, dir, "start")
	return dir
}

const untilGo = `version: 1
name: until-go
steps:
  - id: wait
    run: |
      printf '\033[31mred\033[0m \033]0;title\a\033[2J \302\2332J 日本語 e\314\201 %s\n' "$(printf '%0300d' 7)"
      while [ ! -e go ]; do sleep 0.05; done
`

// TestMonitor plays a session on a terminal, with a real engine.
func TestMonitor(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{
		"redund.yaml":                 "version: 1\n",
		"pipelines/pm2/until-go.yaml": untilGo,
		"pipelines/pm2/tick.yaml":     "version: 1\nname: tick\nschedule: {every: 1h}\nsteps: [{exec: [\"true\"]}]\n",
		"pipelines/pm2/broken.yaml":   "version: 1\nname: broken\nschedul: {every: 1h}\nsteps: [{exec: [\"true\"]}]\n",
	})
	x := on(t, dir, 80, 24, nil, "monitor")
	x.shows(`^> pm2/tick +running +alongside +in \d+m`)
	l := x.shows(`^  rejected +- +pipelines/pm2/broken.yaml:3:1: unknown key "schedul"`)
	if !strings.HasPrefix(l[0], "DEGRADED  up ") || !strings.HasPrefix(l[23], "? help  q quit") {
		t.Errorf("the picture is\n%s", strings.Join(l, "\n"))
	}
	x.mu.Lock()
	if !x.alt || !x.screen.CursorHidden() {
		t.Errorf("the alternate screen is %v, the cursor hidden %v", x.alt, x.screen.CursorHidden())
	}
	x.mu.Unlock()
	for _, head := range []string{"REASONS", "SYSTEMS", "PIPELINES", "IN PROGRESS", "LATELY"} {
		x.shows(`^[> ] ` + head)
	}
	sizes(x)
	x.size(80, 24)
	x.sees("24 lines", func(l []string) bool { return strings.HasPrefix(l[23], "? help") })

	// A run that begins and ends.
	ctl(t, dir, "run", "until-go", "--detach")
	x.shows(`^  #1 +pm2/until-go +running +\d+s`)
	hostileLog(x)
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	x.shows(`pm2/until-go +#1 succeeded`)
	if err := os.Remove(filepath.Join(dir, "go")); err != nil {
		t.Fatal(err)
	}
	byKeys(t, x, dir)
	x.types("q")
	x.ends(0)
}

// sizes holds that the view fits other terminals.
func sizes(x *terminal) {
	x.t.Helper()
	for _, size := range [][2]int{{120, 40}, {40, 10}, {200, 50}, {3, 2}, {20, 5}} {
		w, h := size[0], size[1]
		x.size(w, h)
		x.sees(fmt.Sprint(size), func(l []string) bool {
			return len(l) == h && strings.HasPrefix(l[0], "DEGRADED"[:min(w-1, 8)]) && strings.HasPrefix(l[h-1], "? help"[:min(w-1, 6)])
		})
	}
}

// hostileLog opens the log of the run that goes on.
func hostileLog(x *terminal) {
	x.t.Helper()
	x.types("\t") // in progress
	x.shows(`^> #1 `)
	x.types("l")
	x.shows(`wait \| .*\\x1b\[2J .*9b2J 日本語 .*…$`)
	x.types("\x1b")
	x.shows(`^> #1 `)
	x.mu.Lock()
	defer x.mu.Unlock()
	if !strings.Contains(x.raw.String(), "é") {
		x.t.Error("an accent is lost")
	}
	for _, s := range []string{"\x1b]0;title", "\u009b2J"} {
		if strings.Contains(x.raw.String(), s) {
			x.t.Errorf("%q of a log has reached the terminal", s)
		}
	}
}

// byKeys cancels a run, stops a pipeline, sees the engine go and come back.
func byKeys(t *testing.T, x *terminal, dir string) {
	t.Helper()
	ctl(t, dir, "run", "until-go", "--detach")
	x.shows(`^[> ] #2 +pm2/until-go +running`)
	x.types("c")
	x.shows(`^cancel run 2 of pm2/until-go\?`)
	x.types("n")
	x.shows(`^nothing was done`)
	x.types("c")
	x.shows(`^cancel run 2 of pm2/until-go\?`)
	x.types("y")
	x.shows(`pm2/until-go +#2 cancelled`)
	x.types("/until\r")
	x.shows(`^only until`)
	x.types("r")
	x.shows(`again\?$|no run is selected|has not ended`)
	x.types("\x1b\x1b")
	x.sees("all pipelines", func(l []string) bool { return strings.HasPrefix(l[23], "? help") })

	c, err := client.Open(filepath.Join(dir, ".redund"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	st, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(st.Engine.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	x.shows(`^NO ANSWER, was `)
	x.shows(`^no answer for [1-9]\d*s, this is how it was at \d\d:\d\d:\d\d: no engine is running`)
	x.shows(`pm2/until-go +running`)
	ctl(t, dir, "start")
	x.sees("the engine is back", func(l []string) bool {
		return strings.HasPrefix(l[0], "DEGRADED") && !strings.Contains(l[0], fmt.Sprint(st.Engine.PID))
	})
}

// TestMonitorEnds holds that whatever ends the view leaves the terminal as it
// was, and that NO_COLOR is honoured.
func TestMonitorEnds(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"pipelines/pm2/tick.yaml": "version: 1\nname: tick\nsteps: [{exec: [\"true\"]}]\n"})
	color := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for _, tt := range []struct {
		env  string
		end  func(*terminal)
		code int
	}{
		{"NO_COLOR=1", func(x *terminal) { x.types("q") }, 0},
		{"X=", func(x *terminal) { x.types("\x03") }, 130},
		{"X=", func(x *terminal) { _ = x.cmd.Process.Signal(syscall.SIGTERM) }, 130},
	} {
		x := on(t, dir, 80, 24, []string{tt.env}, "monitor", "pm2")
		x.shows(`^pm2: HEALTHY`)
		x.shows(`^> pm2/tick`)
		tt.end(x)
		x.ends(tt.code)
		x.mu.Lock()
		if colored := color.Match(x.raw.Bytes()); colored == (tt.env == "NO_COLOR=1") {
			t.Errorf("%s: colours are %v", tt.env, colored)
		}
		x.mu.Unlock()
	}
	x := on(t, dir, 80, 24, []string{"TERM=dumb"}, "monitor")
	x.shows(`^PIPELINES +STATE`)
	x.ends(0)
	x = on(t, dir, 80, 24, nil, "monitor", "nobody")
	x.shows(`there is no system "nobody"`)
	x.ends(2)
	c, err := client.Open(filepath.Join(dir, ".redund"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.StopEngine(t.Context(), api.StopRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Gone(t.Context()); err != nil {
		t.Fatal(err)
	}
	x = on(t, dir, 80, 24, nil, "monitor")
	x.shows(`no engine is running here`)
	x.ends(3)
}
