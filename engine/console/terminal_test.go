package console

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// terminal opens a pseudo terminal that nobody answers on.
func terminal(t *testing.T, columns uint16) (screen, tty *os.File) {
	t.Helper()
	screen, tty, err := pty.Open()
	if err != nil {
		t.Skipf("no pseudo terminal here: %v", err)
	}
	t.Cleanup(func() { screen.Close(); tty.Close() })
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: columns}); err != nil {
		t.Fatal(err)
	}
	return screen, tty
}

// until reads the screen until it has shown something.
func until(t *testing.T, screen *os.File, want string) string {
	t.Helper()
	if err := screen.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var all []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(all, []byte(want)) {
		n, err := screen.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			t.Fatalf("%v after %q, without %q", err, all, want)
		}
	}
	return string(all)
}

// TestLogAsksTheTerminalNothing logs in a process whose standard streams are a
// terminal that answers no question. The library would wait ten seconds.
func TestLogAsksTheTerminalNothing(t *testing.T) {
	if os.Getenv("CONSOLE_TEST_CHILD") == "1" {
		for _, json := range []bool{false, true} {
			NewLogger(os.Stderr, LogOptions{Color: Color(os.Stderr), JSON: json}).Info("hello", "json", json)
		}
		return
	}
	for _, extra := range []string{"NO_COLOR=", "NO_COLOR=1"} {
		screen, tty := terminal(t, 80)
		cmd := exec.Command(os.Args[0], "-test.run=^TestLogAsksTheTerminalNothing$")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // in the foreground, or it would not ask
		cmd.Env = []string{"CONSOLE_TEST_CHILD=1", "TERM=xterm-256color", extra}
		start := time.Now()
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		got := until(t, screen, "PASS")
		if strings.Contains(got, "\x1b]") || strings.Contains(got, "\x1b[6n") || strings.Contains(got, "\x1b[c") {
			t.Errorf("%s: the terminal was asked: %q", extra, got)
		}
		if took > 5*time.Second {
			t.Errorf("%s: took %v", extra, took)
		}
		if colored := strings.Contains(got, "\x1b["); colored != (extra == "NO_COLOR=") {
			t.Errorf("%s: colour is %v: %q", extra, colored, got)
		}
	}
}

func TestColor(t *testing.T) {
	_, tty := terminal(t, 80)
	pipe, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	defer w.Close()
	for _, tt := range []struct {
		f             *os.File
		noColor, term string
		want          bool
	}{
		{tty, "", "xterm", true}, {tty, "1", "xterm", false}, {tty, "", "dumb", false}, {w, "", "xterm", false}, {nil, "", "xterm", false},
	} {
		t.Setenv("NO_COLOR", tt.noColor)
		t.Setenv("TERM", tt.term)
		if got := Color(tt.f); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
	if !IsTerminal(tty) || IsTerminal(w) || IsTerminal(nil) {
		t.Error("what is a terminal is not known")
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	head := []string{"NAME", "STATE", "ERROR"}
	rows := [][]string{{"git-sync", "succeeded", ""}, {"日本", "failed", "exit code 1\n\x1b[2Jnot forged " + strings.Repeat("x", 60)}}
	var b bytes.Buffer
	if err := Table(&b, false, head, rows); err != nil {
		t.Fatal(err)
	}
	want := "NAME      STATE      ERROR\n" +
		"git-sync  succeeded\n" +
		`日本      failed     exit code 1\n\x1b[2Jnot forged ` + strings.Repeat("x", 60) + "\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	screen, tty := terminal(t, 40)
	if err := Table(tty, true, head, rows); err != nil {
		t.Fatal(err)
	}
	got := until(t, screen, "…")
	for l := range strings.Lines(regexp.MustCompile("\x1b\\[[0-9]m").ReplaceAllString(got, "")) {
		if n := len([]rune(strings.TrimRight(l, "\r\n"))); n > 40 {
			t.Errorf("a line of %d columns: %q", n, l)
		}
	}
	if !strings.HasPrefix(got, "\x1b[1mNAME") {
		t.Errorf("the head is not bold: %q", got)
	}
	b.Reset()
	if err := Table(&b, false, nil, [][]string{{"a", "b"}, {"cc"}}); err != nil || b.String() != "a   b\ncc\n" {
		t.Errorf("without a head: %q, %v", b.String(), err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestTableTellsErrors(t *testing.T) {
	t.Parallel()
	if err := Table(failing{}, false, nil, [][]string{{"a"}}); err == nil {
		t.Error("no error")
	}
}

var _ slog.Handler = guard{}
