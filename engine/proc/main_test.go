package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if role := os.Getenv("PROC_TEST_ROLE"); role != "" {
		helper(role)
		return
	}
	goleak.VerifyTestMain(m)
}

// helper is the test binary as a program of a step.
func helper(role string) {
	switch role {
	case "pour": // so many megabytes as fast as they are taken, and word of it
		block := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
		for range pouredBlocks {
			if _, err := os.Stdout.Write(block); err != nil {
				return
			}
		}
		fmt.Fprintln(os.Stderr, "poured")
	case "eat": // memory, then wait
		b := bytes.Repeat([]byte{1}, 64<<20)
		fmt.Println("eaten", len(b))
		// A select without cases would be taken for a deadlock, which ends the
		// program.
		c := make(chan os.Signal, 1)
		signal.Notify(c)
		for range c {
		}
	}
}

func self(t testing.TB) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

func spawner(t testing.TB) *Spawner {
	t.Helper()
	s, err := New(Options{Subreaper: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// lines is a writer that tells each line as it comes.
type lines struct {
	mu   sync.Mutex
	rest []byte
	all  bytes.Buffer
	ch   chan string
}

func newLines() *lines { return &lines{ch: make(chan string, 1000)} }

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.Write(b)
	l.rest = append(l.rest, b...)
	for {
		line, after, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		l.rest = after
		l.ch <- string(line)
	}
}

// pids waits for n lines that are pids.
func (l *lines) pids(t testing.TB, n int) []int {
	t.Helper()
	var out []int
	for range n {
		select {
		case line := <-l.ch:
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, pid)
		case <-time.After(20 * time.Second):
			t.Fatalf("%d of %d pids came", len(out), n)
		}
	}
	return out
}

func sh(script string, out io.Writer) Command {
	return Command{Argv: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=" + os.Getenv("PATH")}, Out: out}
}

// gone fails unless all the processes have ended and were reaped.
func gone(t testing.TB, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		s, err := readStat(pid)
		if err == nil && !(s.dead() && s.ppid != os.Getpid()) {
			t.Errorf("process %d is still there: %+v", pid, s)
		}
	}
}

// fifo makes a named pipe on which a script can wait for ever without a
// further process: `read x < fifo`.
func fifo(t testing.TB) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// background runs c and gives its end.
func background(ctx context.Context, s *Spawner, c Command) <-chan Result {
	ch := make(chan Result, 1)
	go func() {
		r, err := s.Run(ctx, c)
		if err != nil {
			r.Signal = "error: " + err.Error()
		}
		ch <- r
	}()
	return ch
}

// TestD3 holds that every end but exit code 0 is told as what it was.
func TestD3EveryEndIsItsOwn(t *testing.T) {
	t.Parallel()
	s := spawner(t)
	for _, c := range []struct {
		script string
		want   Result
	}{
		{"exit 0", Result{}},
		{"exit 3", Result{Code: 3}},
		{"exit 255", Result{Code: 255}},
		{"kill -9 $$", Result{Code: -1, Signal: "SIGKILL"}},
		{"kill -TERM $$", Result{Code: -1, Signal: "SIGTERM"}},
		{"kill -SEGV $$", Result{Code: -1, Signal: "SIGSEGV"}},
	} {
		got, err := s.Run(t.Context(), sh(c.script, nil))
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.script, got, err, c.want)
		}
	}
	_, err := s.Run(t.Context(), Command{Argv: []string{"no-such-program-anywhere"}, Env: []string{"PATH=/bin"}})
	var start *StartError
	if !errors.As(err, &start) || !errors.Is(err, errNotFound) {
		t.Errorf("a missing program: %v", err)
	}
}

// TestD6 holds that a stuck program is ended with all that it started, from its
// first moment on. It is not parallel, so that this process bears the tags.
func TestD6StuckTreeIsEnded(t *testing.T) {
	s := spawner(t)
	wait := fifo(t)
	// Each ignores TERM and tells its pid: a child in the group, one in a
	// session of its own, and a daemon of a double fork without a mark in its
	// environment.
	stubborn := `trap "" TERM; echo $$; while :; do read x < ` + wait + `; done`
	script := `export PATH
	sh -c '` + stubborn + `' &
	setsid sh -c '` + stubborn + `' &
	(setsid env -i PATH="$PATH" sh -c '` + stubborn + `' &)
	echo $$
	while :; do read x < ` + wait + `; done`
	out := newLines()
	ctx, cancel := context.WithCancel(t.Context())
	c := sh(script, out)
	c.Grace = 100 * time.Millisecond
	end := background(ctx, s, c)
	pids := out.pids(t, 4)
	cancel()
	r := <-end
	if !r.Killed || r.Signal != "SIGTERM" {
		t.Errorf("%+v", r)
	}
	gone(t, pids...)
}

func TestLeaderEndsOnTermAndChildIgnoresIt(t *testing.T) {
	t.Parallel()
	s := spawner(t)
	wait := fifo(t)
	out := newLines()
	ctx, cancel := context.WithCancel(t.Context())
	c := sh(`sh -c 'trap "" TERM; echo $$; while :; do read x < `+wait+`; done' &
	trap "exit 7" TERM; echo $$; while :; do read x < `+wait+`; done`, out)
	c.Grace = 50 * time.Millisecond
	end := background(ctx, s, c)
	pids := out.pids(t, 2)
	cancel()
	if r := <-end; !r.Killed || r.Code != 7 {
		t.Errorf("%+v", r)
	}
	gone(t, pids...)
}

// TestLeftRunning: what a program leaves running after its own good end is
// ended, and its exit code stays.
func TestLeftRunning(t *testing.T) {
	t.Parallel()
	s := spawner(t)
	wait := fifo(t)
	loop := `echo $$; while :; do read x < ` + wait + `; done`
	for name, script := range map[string]string{
		"nohup":               `nohup sh -c '` + loop + `' &`,
		"group":               `sh -c '` + loop + `' &`,
		"setsid":              `setsid sh -c '` + loop + `' &`,
		"daemon":              `(setsid sh -c '` + loop + `' &)`,
		"cleared environment": `(env -i setsid /bin/sh -c '` + loop + `' &)`,
		"closed output":       `exec 3>&1; setsid sh -c 'echo $$ >&3; exec 3>&- >/dev/null 2>&1 0</dev/null; while :; do read x < ` + wait + `; done' &`,
		"stopped":             `sh -c 'echo $$; kill -STOP $$' &`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ready := fifo(t)
			out := newLines()
			// The leader forks when it is marked, and ends when the other has
			// told its pid.
			marked := fifo(t)
			c := sh("read x < "+marked+"\n"+script+"\nread x < "+ready+"; exit 0", out)
			c.Started = func(int, uint64) {
				if err := os.WriteFile(marked, []byte("go\n"), 0); err != nil {
					t.Error(err)
				}
			}
			end := background(t.Context(), s, c)
			pids := out.pids(t, 1)
			if err := os.WriteFile(ready, []byte("go\n"), 0); err != nil {
				t.Fatal(err)
			}
			if r := <-end; r != (Result{}) {
				t.Errorf("%+v", r)
			}
			gone(t, pids...)
		})
	}
}

// TestLasting: what a program started that is there to start it bears no mark and
// is not ended, neither by the end of the program nor as what a dead engine left;
// the program's own group is.
func TestLasting(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Subreaper: true, Engine: "lasting-" + strconv.Itoa(os.Getpid())})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wait, bare, first, second := fifo(t), fifo(t), fifo(t), fifo(t)
	out := newLines()
	loop := `echo $$; exec >/dev/null 2>&1; while :; do read x < ` + wait + `; done`
	// Another test's Spawner may have marked this process.
	c := sh(`read x < `+bare+`; setsid sh -c '`+loop+`' & read x < `+first+`; sh -c '`+loop+`' & read x < `+second, out)
	c.Lasting = true
	c.Started = func(int, uint64) {
		if err := os.WriteFile(bare, []byte("go\n"), 0); err != nil {
			t.Error(err)
		}
	}
	end := background(t.Context(), s, c)
	var pids []int
	for _, ready := range []string{first, second} {
		pids = append(pids, out.pids(t, 1)...)
		if err := os.WriteFile(ready, []byte("go\n"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if r := <-end; r != (Result{}) {
		t.Errorf("%+v", r)
	}
	gone(t, pids[1])
	if err := s.End(s.engine, 0); err != nil {
		t.Error(err)
	}
	daemon, err := readStat(pids[0])
	if err != nil || daemon.dead() {
		t.Fatalf("it was ended: %v", err)
	}
	if tag, err := readTag(daemon.pid); err != nil || tag != 0 || tokens(daemon.pid) != nil {
		t.Errorf("it bears a mark: %x, %q, %v", tag, tokens(daemon.pid), err)
	}
	held := hold([]stat{daemon})
	if len(held) != 1 {
		t.Fatal("it cannot be held")
	}
	held[0].signal(unix.SIGKILL)
	if !awaitAll(held, time.Now().Add(20*time.Second)) {
		t.Error("it was not killed")
	}
	reapOrphan(daemon.pid)
}

// TestClosedOutput: a program that closes its output runs on.
func TestClosedOutput(t *testing.T) {
	t.Parallel()
	s := spawner(t)
	ready := fifo(t)
	started := make(chan struct{})
	c := sh(`exec >&- 2>&-; read x < `+ready+`; exit 5`, io.Discard)
	c.Started = func(int, uint64) { close(started) }
	end := background(t.Context(), s, c)
	<-started
	if err := os.WriteFile(ready, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	if r := <-end; r.Code != 5 || r.Killed {
		t.Errorf("%+v", r)
	}
}

// TestNeighboursStay: the end of one step touches neither another step's
// daemon nor a process of the embedding program.
func TestNeighboursStay(t *testing.T) {
	t.Parallel()
	s := spawner(t)
	wait := fifo(t)
	host, err := os.StartProcess("/bin/sh", []string{"sh", "-c", "read x < " + wait}, &os.ProcAttr{Env: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = host.Kill()
		_, _ = host.Wait()
	}()
	daemon := `(setsid sh -c 'echo $$; while :; do read x < ` + wait + `; done' &); `
	ctx, cancel := context.WithCancel(t.Context())
	out := newLines()
	other := background(ctx, s, sh(daemon+"while :; do read x < "+wait+"; done", out))
	kept := out.pids(t, 1)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			mine := newLines()
			ready := fifo(t)
			end := background(ctx, s, sh(daemon+"read x < "+ready, mine))
			pids := mine.pids(t, 1)
			if err := os.WriteFile(ready, []byte("go\n"), 0); err != nil {
				t.Error(err)
			}
			if r := <-end; r != (Result{}) {
				t.Errorf("%+v", r)
			}
			gone(t, pids...)
		})
	}
	wg.Wait()
	for _, pid := range append(kept, host.Pid) {
		if _, err := StartTime(pid); err != nil {
			t.Errorf("a neighbour was ended: %v", err)
		}
	}
	cancel()
	<-other
	gone(t, kept...)
}

func TestContextDoneBefore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := spawner(t).Run(ctx, sh("exit 0", nil))
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	s := spawner(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context(), sh("exit 0", nil)); !errors.Is(err, errClosed) {
		t.Error(err)
	}
}

func TestSignalAndStdin(t *testing.T) {
	t.Parallel()
	s := spawner(t)
	out := newLines()
	ctx, cancel := context.WithCancel(t.Context())
	c := sh(`trap "exit 9" INT; echo $$; read x; while :; do read x < `+fifo(t)+`; done`, out)
	c.Signal = syscall.SIGINT
	end := background(ctx, s, c)
	out.pids(t, 1)
	cancel()
	if r := <-end; r.Code != 9 || !r.Killed {
		t.Errorf("%+v", r)
	}
	text := bytes.Repeat([]byte("x\x00y\n"), 1<<18)
	var got bytes.Buffer
	if _, err := s.Run(t.Context(), Command{Argv: []string{"/bin/cat"}, Stdin: text, Out: &got}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), text) {
		t.Errorf("%d of %d bytes came back", got.Len(), len(text))
	}
	if r, err := s.Run(t.Context(), Command{Argv: []string{"/bin/true"}, Stdin: text}); err != nil || r.Code != 0 {
		t.Errorf("a program that reads no input: %+v, %v", r, err)
	}
}

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	s := spawner(t)
	c := Command{Argv: []string{"sh", "-c", self(t) + "; exit 0"}, Env: []string{"PATH=/bin", "PROC_TEST_ROLE=eat"}, MemoryLimit: 48 << 20}
	r, err := s.Run(t.Context(), c)
	if err != nil || !r.OverMemory || !r.Killed || r.Signal != "SIGKILL" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestBoundsChange: those of a program that runs long are asked for again, and its
// signal is the one that holds at its end.
func TestBoundsChange(t *testing.T) {
	t.Parallel()
	s := spawner(t)
	var asked atomic.Int64
	began := time.Now()
	c := Command{Argv: []string{"sh", "-c", "trap 'exit 7' INT; " + self(t) + " & wait; wait"}, Env: []string{"PATH=/bin", "PROC_TEST_ROLE=eat"}}
	c.Bounds = func() Bounds {
		b := Bounds{Signal: unix.SIGINT, MemoryLimit: 48 << 20, MemoryFor: 4 * time.Second}
		if asked.Add(1) < 3 {
			b.Signal, b.MemoryLimit = unix.SIGTERM, 0
		}
		return b
	}
	r, err := s.Run(t.Context(), c)
	if err != nil || !r.OverMemory || r.Code != 7 {
		t.Errorf("%+v, %v", r, err)
	}
	if took := time.Since(began); took < 4*time.Second {
		t.Errorf("it was ended after %s", took)
	}
}
