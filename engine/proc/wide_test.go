package proc

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestTwoSpawners: what one Spawner forks while another bears the tag of a
// step is born with the engine's tag, and not with the other's step's: that
// would be ended with it. Not parallel, as TestEnd.
func TestTwoSpawners(t *testing.T) {
	a, err := New(Options{Subreaper: true, Engine: engineID("first")})
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(Options{Subreaper: true, Engine: engineID("second")})
	if err != nil {
		t.Fatal(err)
	}
	if !a.tagged || b.tagged {
		t.Skip("this machine has no room for tags")
	}
	b.hard = 0 // so that what it forks keeps the tag it was born with
	begin := func(s *Spawner) (*start, chan struct{}) {
		st, err := s.prepare(&Command{Argv: []string{"/bin/sh", "-c", "read x < " + fifo(t)}})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { s.launch(st); close(done) }()
		return st, done
	}
	for range 20 {
		syscall.ForkLock.RLock() // nobody forks: a bears its step's tag and waits
		one, first := begin(a)
		for tag := uint64(0); tag != one.tag; tag, _ = readTag(os.Getpid()) {
			<-time.After(time.Millisecond)
		}
		two, second := begin(b)
		syscall.ForkLock.RUnlock()
		<-first
		<-second
		if tag, err := readTag(two.pid); err != nil || tag != a.tag {
			t.Errorf("born with tag %x of the other's step %x, %v", tag, one.tag, err)
		}
		for _, st := range []*start{one, two} {
			_ = unix.Kill(st.pid, unix.SIGKILL)
			var r Result
			if err := reap(st.pid, &r); err != nil || st.err != nil {
				t.Error(err, st.err)
			}
			unix.Close(st.pidfd)
		}
	}
	for _, s := range []*Spawner{b, a} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// without calls f while this process can open no file. Whoever uses it is not
// parallel.
func without(t *testing.T, f func()) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: old.Max}, nil); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, &old, nil); err != nil {
			t.Error(err)
		}
	}()
	f()
}

// TestProcUnreadable: where /proc cannot be read, nothing is taken for ended,
// and the group of a step still is.
func TestProcUnreadable(t *testing.T) {
	s := spawner(t)
	out := newLines()
	end := background(t.Context(), s, sh(`trap "" TERM; echo $$; while :; do read x < `+fifo(t)+`; done`, out))
	pids := out.pids(t, 1)
	without(t, func() {
		err := s.End("4711-unread", time.Millisecond)
		if !errors.Is(err, unix.EMFILE) || !strings.HasPrefix(err.Error(), "processes of 4711-unread could not be looked for: ") {
			t.Errorf("End: %v", err)
		}
		if _, _, err := (&tree{pid: pids[0]}).members(); !errors.Is(err, unix.EMFILE) {
			t.Errorf("members: %v", err)
		}
		if err := (&tree{pid: pids[0], ours: true}).end(unix.SIGTERM, time.Millisecond); err == nil {
			t.Error("no error")
		}
	})
	if r := <-end; r.Signal != "SIGKILL" {
		t.Errorf("%+v", r)
	}
}

// TestUnidentified: a program whose start time cannot be read is ended with
// its group, and its descriptor is closed.
func TestUnidentified(t *testing.T) {
	s := spawner(t)
	told := fifo(t)
	st, err := s.prepare(&Command{Argv: []string{"/bin/sh", "-c", `sh -c 'echo $$ > ` + told + `; read x < ` + fifo(t) + `' & wait`}})
	if err != nil {
		t.Fatal(err)
	}
	st.fork()
	text, err := os.ReadFile(told)
	if err != nil || st.err != nil {
		t.Fatal(err, st.err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	fd := st.pidfd
	st.closeChildEnds()
	without(t, func() { _, err = s.supervise(t.Context(), &Command{}, st) })
	if !errors.Is(err, unix.EMFILE) {
		t.Errorf("%v", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); fd < 0 || !errors.Is(err, unix.EBADF) {
		t.Errorf("descriptor %d is open: %v", fd, err)
	}
	if p, err := readStat(child); err == nil && p.dead() || errors.Is(err, os.ErrNotExist) {
		reapOrphan(child)
		return
	}
	held := hold([]stat{{pid: child, start: startOf(t, child)}})
	if !awaitAll(held, time.Now().Add(5*time.Second)) {
		t.Errorf("process %d of the group lives on", child)
		_ = unix.Kill(child, unix.SIGKILL)
	}
	reapOrphan(child)
}

func startOf(t *testing.T, pid int) uint64 {
	t.Helper()
	s, err := readStat(pid)
	if err != nil {
		t.Fatal(err)
	}
	return s.start
}
