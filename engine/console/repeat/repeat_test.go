package repeat

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines is where records go, as text without their times.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// take gives what came since it was asked last.
func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.b.Reset()
	if l.b.Len() == 0 {
		return nil
	}
	return strings.Split(strings.TrimSpace(l.b.String()), "\n")
}

func open(every time.Duration) (*slog.Logger, *Handler, *lines) {
	out := &lines{}
	h := New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}), every)
	return slog.New(h), h, out
}

func want(t *testing.T, out *lines, list ...string) {
	t.Helper()
	if got := out.take(); !reflect.DeepEqual(got, list) {
		t.Errorf("got %q, want %q", got, list)
	}
}

// TestTheSameOnceAMinute says the same each second for a while: one line a
// minute comes of it, and no line is lost without a count.
func TestTheSameOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, h, out := open(time.Minute)
		defer h.Close()
		l.Warn("no room", "disk", "/")
		time.Sleep(time.Second / 2) //nolint:forbidigo // no two things are to happen at once
		for range 149 {
			l.Warn("no room", "disk", "/")
			time.Sleep(time.Second) //nolint:forbidigo // of the bubble
		}
		want(t, out, `level=WARN msg="no room" disk=/`, `level=WARN msg="no room" disk=/ left-out=59`, `level=WARN msg="no room" disk=/ left-out=59`)
		time.Sleep(time.Hour) //nolint:forbidigo // of the bubble
		want(t, out, `level=WARN msg="no room" disk=/ left-out=28`)
		l.Warn("no room", "disk", "/")
		want(t, out, `level=WARN msg="no room" disk=/`)
	})
}

// TestWhatDiffersGetsThrough changes one thing after the other.
func TestWhatDiffersGetsThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, h, out := open(time.Minute)
		defer h.Close()
		for _, say := range []func(){
			func() { l.Info("m", "k", 1) },
			func() { l.Warn("m", "k", 1) },
			func() { l.Info("n", "k", 1) },
			func() { l.Info("m", "k", 2) },
			func() { l.Info("m", "j", 1) },
			func() { l.Info("m") },
			func() { l.With("k", 1).Info("m", "j", 1) },
			func() { l.WithGroup("g").Info("m", "k", 1) },
			func() { l.Info("m", "error", errors.New("one")) },
			func() { l.Info("m", "error", errors.New("other")) },
		} {
			for range 3 {
				say()
			}
			if got := out.take(); len(got) != 1 {
				t.Errorf("got %q", got)
			}
		}
		l.With("k", 1).Info("m") // as it would be written, it is the first one again
		want(t, out)
	})
}

// TestCloseTells holds that the end owes no line.
func TestCloseTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, h, out := open(time.Minute)
		for range 3 {
			l.Info("m")
		}
		h.Close()
		want(t, out, "level=INFO msg=m", "level=INFO msg=m left-out=1")
		l.Info("m")
		l.Info("m")
		want(t, out, "level=INFO msg=m", "level=INFO msg=m")
		time.Sleep(time.Hour) //nolint:forbidigo // of the bubble
		want(t, out)
	})
}

// TestManyDiffer holds that what is remembered is bounded, and counted to the
// end all the same.
func TestManyDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, h, out := open(time.Minute)
		l.Info("first")
		l.Info("first")
		for i := range 2 * most {
			l.Info("m", "i", i)
		}
		if n := len(h.all.known); n != most || len(h.all.order) != most {
			t.Errorf("%d are known, %d in order", n, len(h.all.order))
		}
		h.Close()
		n := 0
		for _, line := range out.take() {
			if strings.Contains(line, "first") {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%d lines of two that were the same", n)
		}
	})
}

func TestSideBySide(t *testing.T) {
	l, h, out := open(time.Millisecond)
	var wg sync.WaitGroup
	const each, many = 500, 4
	for range many {
		wg.Go(func() {
			for i := range each {
				l.Info("m", "i", i%7)
			}
		})
	}
	wg.Wait()
	h.Close()
	n := 0
	for _, line := range out.take() {
		n++
		if _, left, ok := strings.Cut(line, LeftOut+"="); ok {
			var k int
			if _, err := fmt.Sscan(left, &k); err != nil {
				t.Fatal(err)
			}
			n += k
		}
	}
	if n != each*many {
		t.Errorf("%d of %d are accounted for", n, each*many)
	}
}
