package proc

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/proc/drain"
)

// TestStartErrors holds that what cannot start says why in one line, and what
// to do.
func TestStartErrors(t *testing.T) {
	t.Parallel()
	s := spawner(t)
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := file("plain", "#!/bin/sh\n", 0o600)
	long := strings.Repeat("x", 200<<10)
	many := make([]string, 200)
	for i := range many {
		many[i] = "V" + strconv.Itoa(i) + "=" + long[:100<<10]
	}
	for _, c := range []struct {
		name string
		c    Command
		want string
		is   error
	}{
		{"a long argument", Command{Argv: []string{"/bin/true", long}}, "argument list too long: .*in a file", unix.E2BIG},
		{"a long environment", Command{Argv: []string{"/bin/true"}, Env: many}, "argument list too long: .*in a file", unix.E2BIG},
		{"no interpreter", Command{Argv: []string{file("script", "#! /no/such/program -x\n", 0o700)}}, "script: its interpreter does not exist: install /no/such/program,", errInterpreter},
		{"line endings", Command{Argv: []string{file("dos", "#!/bin/sh\r\n", 0o700)}}, "its interpreter does not exist: .*Windows line endings", errInterpreter},
		{"no directory", Command{Argv: []string{"/bin/true"}, Dir: dir + "/none"}, "/bin/true: its working directory does not exist: make .*/none, or name another$", errNoDir},
		{"a file as directory", Command{Argv: []string{"/bin/true"}, Dir: plain}, "its working directory is not a directory: name another than .*/plain$", errDirNotDir},
		{"not executable", Command{Argv: []string{plain}}, "plain: it is not executable: chmod \\+x .*/plain$", errNotExec},
		{"not executable on PATH", Command{Argv: []string{"plain"}, Env: []string{"PATH=" + dir}}, "plain: it is not executable: chmod \\+x .*/plain$", errNotExec},
		{"a directory", Command{Argv: []string{dir}}, "it is a directory: name a program", errIsDir},
		{"no form", Command{Argv: []string{file("text", "echo\n", 0o700)}}, "exec format error: .*first line names its interpreter", unix.ENOEXEC},
		{"a path to nothing", Command{Argv: []string{dir + "/none"}}, "/none: no such program: check the path$", errNotFound},
		{"a relative path", Command{Argv: []string{"./none"}, Dir: dir}, "no such program: .*relative to the working directory", errNotFound},
		{"a name", Command{Argv: []string{"no-such-name"}, Env: []string{"PATH=/bin"}}, "no such program: install it", errNotFound},
		{"a NUL byte", Command{Argv: []string{"/bin/true", "a\x00b"}}, "NUL byte: .*another form", errNul},
		{"nothing", Command{}, "no program is named: name one", errNoProgram},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := s.Run(t.Context(), c.c)
			var start *StartError
			if !errors.As(err, &start) || !errors.Is(err, c.is) {
				t.Fatalf("%T %v", err, err)
			}
			if !regexp.MustCompile("^cannot start .*"+c.want).MatchString(err.Error()) || strings.ContainsAny(err.Error(), "\n\r") || len(err.Error()) > 600 {
				t.Errorf("%q is not %q", err, c.want)
			}
		})
	}
}

// pouredBlocks is how many megabytes the helper pours.
const pouredBlocks = 24

// stuck is a writer that takes nothing before it is let go.
type stuck struct {
	free <-chan struct{}
	mu   sync.Mutex
	n    int64
	gaps []byte
}

func (w *stuck) Write(b []byte) (int, error) {
	<-w.free
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n += int64(len(b))
	if i := bytes.IndexByte(b, '['); i >= 0 {
		w.gaps = append(w.gaps, b[i-1:]...)
	}
	return len(b), nil
}

// TestStuckWriter holds that a program with much output never waits for ever
// on a writer that takes nothing, and that what waits is bounded. Not parallel,
// because it measures the heap.
func TestStuckWriter(t *testing.T) {
	s := spawner(t)
	free := make(chan struct{})
	out, told := &stuck{free: free}, newLines()
	c := Command{Argv: []string{self(t)}, Env: []string{"PROC_TEST_ROLE=pour"}, Out: out, Err: told}
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	end := background(t.Context(), s, c)
	<-told.ch // the program has written all of it, though nobody took anything
	if grown := heap() - before; grown > 4*drain.Limit {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	close(free)
	if r := <-end; r != (Result{}) {
		t.Errorf("%+v", r)
	}
	m := regexp.MustCompile(`\n\[(\d+) bytes of output left out: [^\n]*\]\n`).FindSubmatchIndex(out.gaps)
	if m == nil {
		t.Fatalf("no gap is told, of %d bytes", out.n)
	}
	lost, _ := strconv.ParseInt(string(out.gaps[m[2]:m[3]]), 10, 64)
	if whole := out.n - int64(m[1]-m[0]) + lost; whole != pouredBlocks<<20 {
		t.Errorf("%d bytes are kept or said to be left out, of %d", whole, pouredBlocks<<20)
	}
}
