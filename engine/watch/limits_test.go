package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// What happens between New and Run is told.
func TestBeforeRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, err := New(Options{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), generous)
	defer cancel()
	err = w.Run(ctx, func(c Change) {
		if len(c.Paths) == 1 && filepath.Base(c.Paths[0]) == "a.yaml" && !c.All {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{}); err == nil {
		t.Error("nothing is watched")
	}
	w, err := New(Options{Paths: []string{t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- w.Run(t.Context(), func(Change) {}) }()
	for range 2 {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A file that is written without end is told nevertheless.
func TestNeverQuiet(t *testing.T) {
	t.Parallel()
	f := watched(t, Options{Quiet: 300 * time.Millisecond}, "in/a.yaml")
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	begin := time.Now()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
			f.write("in/a.yaml", fmt.Sprint(n))
			continue
		case c := <-f.changes:
			if took := time.Since(begin); took < patience-200*time.Millisecond || len(c.Paths) != 1 {
				t.Errorf("%v after %v: the test wrote too slowly, or it was told too early", c.Paths, took)
			}
		case <-time.After(generous):
			t.Fatal("no change was told")
		}
		return
	}
}

// What waits for Hold is told as one, and not for ever.
func TestHold(t *testing.T) {
	t.Parallel()
	var held atomic.Bool
	asked := make(chan bool, 1000)
	f := watched(t, Options{Quiet: 10 * time.Millisecond, Hold: func() bool { asked <- held.Load(); return held.Load() }}, "in/a.yaml")
	held.Store(true)
	f.write("in/b.yaml", "x")
	<-asked
	<-asked // twice quiet
	f.write("in/c.yaml", "x")
	held.Store(false)
	if c := f.next(); len(c.Paths) != 2 {
		t.Errorf("told %v", c.Paths)
	}
	held.Store(true)
	f.alive("in/a.yaml")
}

// An event that the system lost is found by the rescan.
func TestLostEvent(t *testing.T) {
	t.Parallel()
	f := hooked(t, Options{Rescan: 100 * time.Millisecond}, hooks{add: func(*fsnotify.Watcher, string) error { return nil }}, "in/a.yaml")
	f.alive("in/a.yaml")
	f.alive("in/new/b.yaml")
}

func TestOverflow(t *testing.T) {
	t.Parallel()
	var events *fsnotify.Watcher
	f := hooked(t, Options{}, hooks{open: func() (w *fsnotify.Watcher, err error) {
		events, err = fsnotify.NewWatcher()
		return events, err
	}}, "in/a.yaml")
	events.Errors <- fsnotify.ErrEventOverflow
	if c := f.next(); !c.All || len(c.Paths) != 0 {
		t.Errorf("%+v", c)
	}
	f.alive("in/a.yaml")
}

// Without a place left in the system's tables the watch looks by itself, says so
// once, and goes back to events when there is place again.
func TestLimits(t *testing.T) {
	t.Parallel()
	full := make(chan bool, 1)
	full <- true
	is := func() bool { v := <-full; full <- v; return v }
	for name, h := range map[string]hooks{
		"instances": {open: func() (*fsnotify.Watcher, error) {
			if is() {
				return nil, fmt.Errorf("couldn't initialize inotify: %w", syscall.EMFILE)
			}
			return fsnotify.NewWatcher()
		}},
		"watches": {add: func(w *fsnotify.Watcher, p string) error {
			if is() {
				return syscall.ENOSPC
			}
			return w.Add(p)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			<-full
			full <- true
			var log bytes.Buffer
			f := hooked(t, Options{Rescan: 100 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil))}, h, "in/a.yaml")
			f.alive("in/a.yaml")
			f.alive("in/a.yaml")
			<-full
			full <- false
			f.alive("in/a.yaml")
			f.alive("in/a.yaml")
			if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "inotify") {
				t.Errorf("%d lines: %s", n, log.String())
			}
		})
	}
	w := &Watcher{o: Options{Rescan: time.Hour}}
	w.system.short = true
	if w.every() != 2*time.Second {
		t.Errorf("looks every %v", w.every())
	}
}

// Writing that leaves no trace in what the system tells of the file: its clock
// had not gone on since the last look.
func TestWrittenWithinOneTick(t *testing.T) {
	t.Parallel()
	st := state{size: 3, modified: 5}
	fresh := st
	fresh.fresh = true
	before := &snapshot{files: map[string]state{"/d/fresh": fresh, "/d/old": st, "/d/other": fresh}}
	now := &snapshot{files: map[string]state{"/d/fresh": st, "/d/old": st, "/d/other": st}}
	if got := before.differ(now, map[string]bool{"fresh": true, "old": true}); !slices.Equal(got, []string{"/d/fresh"}) {
		t.Error(got)
	}
}

// A look at 1,000 files in 50 folders.
func BenchmarkLook(b *testing.B) {
	dir := b.TempDir()
	for i := range 1000 {
		p := filepath.Join(dir, fmt.Sprint(i%50), fmt.Sprint(i)+".yaml")
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, nil, 0o644)); err != nil {
			b.Fatal(err)
		}
	}
	w, err := New(Options{Paths: []string{dir}})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	for b.Loop() {
		if n := len(w.look().files); n != 1000 {
			b.Fatal(n)
		}
	}
}
