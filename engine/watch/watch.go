// Package watch tells when files have changed and it is quiet again.
//
// Events of the system are hints: what has changed is found by comparing what
// lies there with what lay there, so an event too many costs a look, and an event
// that was lost is made up for by the next look. Start with this file, the loop;
// scan.go is the look, events.go is what is asked of the system.
package watch

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Options say what is watched. Paths is needed; zero values of the others have a
// meaning.
type Options struct {
	// Paths are files and folders, which need not exist. Folders are watched with
	// all that is in them, through links too, but for names that begin with ".".
	Paths []string
	// Quiet is how long nothing must happen before a change is told; 0 means 50 ms.
	Quiet time.Duration
	// Rescan is how often all is looked at without any event; 0 means 30 s.
	Rescan time.Duration
	// Ignore leaves out a file, or a folder with all in it; nil ignores nothing.
	Ignore func(path string) bool
	// Hold reports that more is about to come, as while .git/index.lock exists: what
	// has changed then waits, for two seconds at most. Nil holds nothing.
	Hold func() bool
	// Log is told when the system cannot give events; nil tells nobody.
	Log *slog.Logger
}

// Change is what has happened since the last one, or since New.
type Change struct {
	// Paths are the files that are new, gone or different, sorted: as they are
	// reached from Options.Paths, made absolute.
	Paths []string
	// All is set when a folder went, came back as another, or events may have been
	// lost. Paths are all that differ nevertheless.
	All bool
	// First is when the first sign of it was seen.
	First time.Time
}

// The bounds of a Watcher.
const (
	quiet    = 50 * time.Millisecond
	patience = 2 * time.Second // a burst that never gets quiet is told after this
	rescan   = 30 * time.Second
	poll     = 2 * time.Second       // between two looks where the system gives no events
	margin   = 20 * time.Millisecond // the clock of a file system ticks more often
)

// Watcher watches paths. One goroutine runs it; Close may be called by any.
type Watcher struct {
	o       Options
	system  system
	last    *snapshot
	closed  chan struct{}
	closing atomic.Bool
	running atomic.Bool
}

// New begins to watch: what happens after New has returned is told by Run. The
// error is about Options alone; a system that cannot give events is looked at
// more often.
func New(o Options) (*Watcher, error) { return begin(o, hooks{}) }

func begin(o Options, h hooks) (*Watcher, error) {
	if len(o.Paths) == 0 {
		return nil, errors.New("nothing to watch: give the path of a file or folder")
	}
	o.Paths = slices.Clone(o.Paths)
	for i, p := range o.Paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, err
		}
		o.Paths[i] = abs
	}
	if o.Quiet <= 0 {
		o.Quiet = quiet
	}
	if o.Rescan <= 0 {
		o.Rescan = rescan
	}
	if o.Ignore == nil {
		o.Ignore = func(string) bool { return false }
	}
	if o.Hold == nil {
		o.Hold = func() bool { return false }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	w := &Watcher{o: o, closed: make(chan struct{})}
	w.system.hooks = h
	w.last = w.look()
	return w, nil
}

// Run calls changed after each change, in the goroutine that called Run, until ctx
// is done or the Watcher is closed. It gives the reason of ctx, or nil; it is an
// error to run a Watcher that runs.
func (w *Watcher) Run(ctx context.Context, changed func(Change)) error {
	if !w.running.CompareAndSwap(false, true) {
		return errors.New("the watcher is running already")
	}
	defer w.running.Store(false)
	b := newBurst(w.o.Quiet)
	defer b.stop()
	next := time.NewTimer(w.every())
	defer next.Stop()
	for {
		events, errs := w.system.channels()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-w.closed:
			return nil
		case e, ok := <-events:
			if ok && w.concerns(e) {
				b.sign(e)
			}
			continue
		case err, ok := <-errs:
			if ok {
				// Mostly an overflow; whatever it is, an event may be missing.
				w.o.Log.Debug("the watch of files lost events", "err", err)
				b.sign(fsnotify.Event{})
				b.lost = true
			}
			continue
		case <-b.quiet.C:
			if w.o.Hold() {
				b.quiet.Reset(w.o.Quiet)
				continue
			}
		case <-b.deadline.C:
		case <-next.C:
			b.names[""] = true // all is looked at, whether there were events or not
		}
		if c, ok := w.compare(b); ok {
			changed(c)
		}
		b.reset()
		next.Reset(w.every())
	}
}

// Since reports whether something may have changed after a time and before New
// returned, by the change times that the system keeps. It must not be called
// once the Watcher runs.
func (w *Watcher) Since(t time.Time) bool { return w.last.newest > t.Add(-margin).UnixNano() }

// Close ends the watch, and Run with it. It may be called more than once.
func (w *Watcher) Close() error {
	if !w.closing.CompareAndSwap(false, true) {
		return nil
	}
	close(w.closed)
	return w.system.close()
}

// every is the time to the next look without an event.
func (w *Watcher) every() time.Duration {
	if w.system.short {
		return min(poll, w.o.Rescan)
	}
	return w.o.Rescan
}

// compare looks, and tells what differs from the last look.
func (w *Watcher) compare(b *burst) (Change, bool) {
	c := Change{First: b.first, All: b.lost}
	if c.First.IsZero() {
		c.First = time.Now()
	}
	if !b.lost && !b.names[""] {
		if paths, ok := w.glance(b.paths); ok {
			c.Paths = paths
			return c, len(paths) > 0
		}
	}
	before := w.last
	w.last = w.look()
	c.Paths = before.differ(w.last, b.names)
	c.All = c.All || before.moved(w.last)
	return c, c.All || len(c.Paths) > 0
}

// concerns reports whether an event may be about a watched path: folders above
// and beside them are watched for a few names alone.
func (w *Watcher) concerns(e fsnotify.Event) bool {
	dir, name := filepath.Split(e.Name)
	if e.Name == "" {
		return false
	}
	if _, self := w.system.watched[e.Name]; self {
		return true // the folder itself went, or got another mode
	}
	id, known := w.system.watched[filepath.Clean(dir)]
	want := w.last.wanted[id]
	if !known || want == nil {
		return true
	}
	return want.names[name] || want.all && !w.o.Ignore(e.Name)
}

// burst is what happened since the last look.
type burst struct {
	wait            time.Duration
	quiet, deadline *time.Timer
	first           time.Time       // zero: nothing
	names           map[string]bool // the last elements of the files that were written
	paths           map[string]bool // all that something happened to, as the system names it; of those written, true
	lost            bool            // not all is known
}

func newBurst(wait time.Duration) *burst {
	b := &burst{wait: wait, quiet: time.NewTimer(time.Hour), deadline: time.NewTimer(time.Hour)}
	b.reset()
	return b
}

// sign takes an event in.
func (b *burst) sign(e fsnotify.Event) {
	if b.first.IsZero() {
		b.first = time.Now()
		b.deadline.Reset(max(patience, b.wait))
	}
	b.paths[e.Name] = b.paths[e.Name] || e.Has(fsnotify.Write)
	if e.Has(fsnotify.Write) {
		b.names[filepath.Base(e.Name)] = true
	}
	b.quiet.Reset(b.wait)
}

func (b *burst) reset() {
	b.stop()
	b.first, b.names, b.paths, b.lost = time.Time{}, map[string]bool{}, map[string]bool{}, false
}

func (b *burst) stop() {
	b.quiet.Stop()
	b.deadline.Stop()
}
