package saved_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/saved"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestLostEvents changes a file in a way that no event tells of, through memory:
// the look that comes without one finds it, and names it.
func TestLostEvents(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "pipelines/pm2/a.yaml")
	write(t, path, "name: a\nsteps: [{run: echo}]\n")
	p := config.Load(t.Context(), config.Options{Dir: root, Kinds: builtin.Kinds()})
	ctx, cancel := context.WithCancel(t.Context())
	changes, ended := make(chan saved.Change, 100), make(chan struct{})
	f := saved.Files{Log: slog.New(slog.DiscardHandler), Rescan: 100 * time.Millisecond}
	go func() {
		f.Watch(ctx, func() *config.Project { return p }, func(c saved.Change) { changes <- c })
		close(ended)
	}()
	if c := <-changes; !c.Any {
		t.Errorf("a watch that begins says %+v", c)
	}
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	m, err := unix.Mmap(int(w.Fd()), 0, 10, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	m[6] = 'b'
	if err := errors.Join(unix.Msync(m, unix.MS_SYNC), unix.Munmap(m)); err != nil {
		t.Fatal(err)
	}
	select {
	case c := <-changes:
		of := c.Of()
		if !slices.Contains(c.Paths, path) || of.Paths != nil && !slices.Contains(of.Paths, path) {
			t.Errorf("%+v", c)
		}
		if n := p.Again(ctx, of); len(n.Pipelines) != 1 || n.Pipelines[0].Name != "b" {
			t.Errorf("%+v", n.Problems)
		}
	case <-time.After(20 * time.Second):
		t.Error("it was not found")
	}
	cancel()
	<-ended
}

// TestLeaving holds how long what is gone stays.
func TestLeaving(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1e9, 0)
	for _, c := range []struct {
		what  string
		after time.Duration
		held  bool
		stays bool
	}{
		{"at once", 0, false, true},
		{"within a second", 900 * time.Millisecond, false, true},
		{"after a second", time.Second, false, false},
		{"while git is at work", 5 * time.Second, true, true},
		{"under a lock that a killed git left", 10 * time.Second, true, false},
	} {
		var l saved.Leaving
		held := func() bool { return c.held }
		l.Of([]string{"a"}, begin, held)
		if got := l.Of([]string{"a", "b"}, begin.Add(c.after), held); slices.Contains(got, "a") != c.stays || !slices.Contains(got, "b") {
			t.Errorf("%s: %v stay", c.what, got)
		}
		// What could not be taken up is told again as gone.
		if got := l.Of([]string{"a", "b"}, begin.Add(c.after+time.Millisecond), held); slices.Contains(got, "a") != c.stays {
			t.Errorf("%s: a moment later %v stay", c.what, got)
		}
		l.Of([]string{"b"}, begin.Add(c.after), held) // it came back
		if got := l.Of([]string{"a"}, begin.Add(c.after), held); !slices.Contains(got, "a") {
			t.Errorf("%s: what came back is gone at once when it goes again", c.what)
		}
	}
}

// TestAddNamesEachOnce holds that a file which is saved over and over, while
// nothing can be taken up, takes room once.
func TestAddNamesEachOnce(t *testing.T) {
	t.Parallel()
	var c saved.Change
	for range 100 {
		news := saved.Change{Paths: []string{"/b", "/a"}}
		c.Add(news)
		if news.Paths[0] != "/b" {
			t.Fatal("the news was changed")
		}
	}
	if !slices.Equal(c.Paths, []string{"/a", "/b"}) {
		t.Errorf("%d paths", len(c.Paths))
	}
}
