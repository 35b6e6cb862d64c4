package proc

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const statTail = " 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 3 0 123456 8192000 250 18446744073709551615"

func TestParseStat(t *testing.T) {
	t.Parallel()
	want := stat{pid: 42, ppid: 7, pgrp: 42, session: 5, state: 'S', threads: 3, start: 123456, rss: 250 * int64(os.Getpagesize())}
	for _, name := range []string{
		"sh", "", "with space", "a) R 1 2 3 (b", ")", "((", "new\nline", `new\012line`, ") S 1 1 1", strings.Repeat("k", 64),
	} {
		got, err := parseStat(42, []byte("42 ("+name+") S 7 42 5"+statTail+" 1 2\n"))
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
	if got, err := parseStat(42, []byte("42 (x) Z 0 0 0"+statTail)); err != nil || got.state != 'Z' {
		t.Errorf("without what follows: %+v, %v", got, err)
	}
	for _, text := range []string{"", "42", "42 (x", "42 (x)", "42 (x) ", "42 (x) S", "42 (x) S 7", "42 (x) S 7 42 5 0 -1", "\n"} {
		if got, err := parseStat(42, []byte(text)); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// TestReadStat reads a program whose name looks like the end of one, and every
// process that there is as the kernel's whole text says it.
func TestReadStat(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a) Z 1 (b")
	text, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o700); err != nil {
		t.Fatal(err)
	}
	out := newLines()
	ready := fifo(t)
	c := Command{Argv: []string{file, "-c", "echo $$; read x < " + ready}, Out: out}
	end := background(t.Context(), spawner(t), c)
	pid := out.pids(t, 1)[0]
	s, err := readStat(pid)
	if err != nil || s.ppid != os.Getpid() || s.pgrp != pid || s.state == 'Z' || s.threads != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if err := os.WriteFile(ready, []byte("\n"), 0); err != nil {
		t.Error(err)
	}
	<-end
	all, err := allProcesses()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		whole, err := os.ReadFile(procPath(s.pid, "stat"))
		if err != nil {
			continue // it has ended
		}
		want, err := parseStat(s.pid, whole)
		want.state, want.rss, want.threads, want.ppid = s.state, s.rss, s.threads, s.ppid // these change
		if want.pgrp == s.pid {
			want.pgrp, want.session = s.pgrp, s.session // it has become a leader meanwhile
		}
		if err == nil && want.start == s.start {
			if diff := cmp.Diff(want, s, cmp.AllowUnexported(stat{})); diff != "" {
				t.Error(diff)
			}
		}
	}
}

func FuzzParseStat(f *testing.F) {
	for _, name := range []string{"sh", "a b", ") (", "\n"} {
		f.Add(name, 7, uint64(123456))
	}
	f.Fuzz(func(t *testing.T, name string, ppid int, start uint64) {
		_, _ = parseStat(1, []byte(name))
		if ppid < 0 || start > 1<<62 {
			return
		}
		text := "1 (" + name + ") R " + strconv.Itoa(ppid) + " 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " + strconv.FormatUint(start, 10) + " 0 9 0"
		s, err := parseStat(1, []byte(text))
		if err != nil || s.ppid != ppid || s.start != start || s.state != 'R' || s.threads != 1 {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	})
}
