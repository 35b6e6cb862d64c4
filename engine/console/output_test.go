package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestOutputPrefixesLines(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	o := NewOutput(&b, OutputOptions{})
	s := o.Step("build")
	for _, p := range []string{"one\ntw", "o\n\nthr", "\xe6\x97", "\xa5\n", "10%\r20%\r", "\r30%\r", "\n", "a\r\n", "b\r", "c\n", "\x1b[31mred\x1b[0m \x07\tx\n", "no end"} {
		if n, err := s.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	s.Close()
	s.Write([]byte("too late\n"))
	o.Note("step %s ended\nwell\x1b[2J", "build")
	o.Step("a-longer-name").Write([]byte("still open"))
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o.Step("after").Write([]byte("x\n"))
	want := "build | one\nbuild | two\nbuild | \nbuild | thr日\nbuild | 30%\nbuild | a\nbuild | c\nbuild | red \\x07\tx\nbuild | no end\n" +
		"step build ended\nwell\na-longer-name | still open\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if o.Close() != nil {
		t.Error("a second Close fails")
	}
}

func TestOutputColoursNames(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	o := NewOutput(&b, OutputOptions{Color: true})
	one, two := o.Step("one"), o.Step("three")
	fmt.Fprintln(one, "x")
	fmt.Fprintln(two, "y")
	fmt.Fprintln(one, "z")
	o.Close()
	if want := "\x1b[36mone  \x1b[0m | x\n\x1b[35mthree\x1b[0m | y\n\x1b[36mone  \x1b[0m | z\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

func TestOutputCutsEndlessLines(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	o := NewOutput(&b, OutputOptions{})
	s := o.Step("s")
	long := strings.Repeat("é日🙂", 40_000)
	for rest := []byte(long); len(rest) > 0; {
		n := min(len(rest), 997)
		s.Write(rest[:n])
		rest = rest[n:]
	}
	s.Close()
	o.Close()
	var got strings.Builder
	for l := range strings.Lines(b.String()) {
		if len(l) > longest+10 {
			t.Fatalf("a line of %d bytes", len(l))
		}
		got.WriteString(strings.TrimSuffix(strings.TrimPrefix(l, "s | "), "\n"))
	}
	if got.String() != long {
		t.Error("the pieces are not the whole")
	}
}

func TestOutputFromManyWriters(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	o := NewOutput(&b, OutputOptions{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s := o.Step(fmt.Sprintf("s%d", i))
			defer s.Close()
			for j := range 500 {
				fmt.Fprintf(s, "line %d\n", j)
			}
		})
	}
	wg.Wait()
	o.Close()
	if n := strings.Count(b.String(), "\n"); n != 4000 {
		t.Errorf("%d lines of 4000", n)
	}
}

// stalling blocks every write until it is let go.
type stalling struct {
	mu   sync.Mutex
	b    bytes.Buffer
	free chan struct{}
}

func (s *stalling) Write(p []byte) (int, error) {
	<-s.free
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// TestOutputOfAStalledReader writes ten times what is queued while nobody
// reads: the writer goes on, and what was left out is counted.
func TestOutputOfAStalledReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &stalling{free: make(chan struct{})}
		o := NewOutput(w, OutputOptions{})
		s := o.Step("s")
		text := strings.Repeat("x", 1000) + "\n"
		start := time.Now()
		const lines = 10 * capacity / 1000
		for range lines {
			io.WriteString(s, text)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("the writer waited %v", took)
		}
		o.Note("a note is kept")
		close(w.free)
		synctest.Wait()
		io.WriteString(s, "later\n")
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		shown, dropped := 0, 0
		for l := range strings.Lines(w.b.String()) {
			if strings.HasPrefix(l, "s | x") {
				shown++
			} else if n, _ := fmt.Sscanf(l, "… %d lines are not shown", &dropped); n == 0 && l != "a note is kept\n" && l != "s | later\n" {
				t.Errorf("%q", l)
			}
		}
		if shown+dropped != lines || dropped == 0 {
			t.Errorf("%d shown and %d dropped of %d", shown, dropped, lines)
		}
		if !strings.HasSuffix(w.b.String(), "a note is kept\ns | later\n") {
			t.Error("the note or the last line is missing")
		}
	})
}

// TestCloseDoesNotWaitForEver closes while nobody reads.
func TestCloseDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &stalling{free: make(chan struct{})}
		o := NewOutput(w, OutputOptions{})
		o.Note("x")
		if err := o.Close(); !errors.Is(err, ErrStalled) {
			t.Errorf("%v", err)
		}
		close(w.free)
	})
}

func TestOutputTellsErrors(t *testing.T) {
	t.Parallel()
	o := NewOutput(failing{}, OutputOptions{})
	o.Note("x")
	if err := o.Close(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v", err)
	}
}

// screen counts what is written to it.
type screen struct {
	mu     sync.Mutex
	writes []string
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = append(s.writes, string(p))
	return len(p), nil
}

// TestProgressLine draws it over a minute of the fake clock, seldom, and takes
// it away for lines and at the end.
func TestProgressLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &screen{}
		o := newOutput(w, OutputOptions{Steps: 3}, func() int { return 60 })
		build := o.Step("build")
		<-time.After(22 * time.Second)
		test := o.Step("test")
		for range 1000 {
			io.WriteString(test, "x\n")
		}
		build.Close()
		<-time.After(12*time.Second + 300*time.Millisecond)
		test.Close()
		o.Close()
		all := strings.Join(w.writes, "")
		for _, want := range []string{
			"\r\x1b[K0/3 done, running: build 0s", "\r\x1b[K0/3 done, running: build 21s",
			"\r\x1b[Ktest  | x\n", "\r\x1b[K1/3 done, running: test 12s\r\x1b[K",
		} {
			if !strings.Contains(all, want) {
				t.Errorf("%q is missing", want)
			}
		}
		if n := strings.Count(all, " done"); n > 40 {
			t.Errorf("drawn %d times", n)
		}
		if !strings.HasSuffix(all, "\r\x1b[K") {
			t.Errorf("not taken away: %q", all[len(all)-20:])
		}
	})
}

func TestProgressText(t *testing.T) {
	t.Parallel()
	p := newProgress(2)
	p.begin("a")
	p.begin("a")
	p.end("a")
	if got := p.text(time.Now(), 0); got != "0/2 done, running: a 0s" {
		t.Error(got)
	}
	p.end("a")
	p.begin("日本")
	p.begin("c")
	if got := p.text(time.Now(), 23); got != "1/3 done, running: 日…" {
		t.Errorf("%q", got)
	}
	p = newProgress(0)
	if got := p.text(time.Now(), 0); got != "0 done" {
		t.Error(got)
	}
}

// TestProgressOnlyOnATerminal holds that a pipe gets lines and nothing else.
func TestProgressOnlyOnATerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	for _, tty := range []bool{true, false} {
		var f *os.File
		if tty {
			_, f = terminal(t, 80)
		} else {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			defer w.Close()
			f = w
		}
		o := NewOutput(io.Discard, OutputOptions{Terminal: f})
		if (o.columns != nil) != tty {
			t.Errorf("a terminal: %v; progress: %v", tty, o.columns != nil)
		}
		o.Close()
	}
}
