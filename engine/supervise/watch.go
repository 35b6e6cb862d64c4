package supervise

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"sync"
	"time"
)

const (
	// askEvery is the pause between two questions whether a process is ready.
	askEvery = 100 * time.Millisecond
	// askWithin is how long one such answer may take.
	askWithin = 5 * time.Second
	// longestLine is how much of a line is held against a regular expression.
	longestLine = 64 << 10
)

// watcher asks one process how it does.
type watcher struct {
	k     *keeper
	want  *Wanted
	lines *lines // nil: its output does not matter

	once  sync.Once
	began chan struct{} // closed when the process has been started
}

func newWatcher(k *keeper, w *Wanted) *watcher {
	out := &watcher{k: k, want: w, began: make(chan struct{})}
	if w.Ready != nil && w.Ready.Log != nil {
		out.lines = &lines{want: w.Ready.Log, found: make(chan struct{})}
	}
	return out
}

// begin is told that the process has been started.
func (w *watcher) begin() { w.once.Do(func() { close(w.began) }) }

// output is where the output of the process is looked at.
func (w *watcher) output() io.Writer {
	if w.lines == nil {
		return nil
	}
	return w.lines
}

// watch waits until the process is ready, and from then on asks whether it
// lives, until ctx is done. The error says that it is to be ended.
func (w *watcher) watch(ctx context.Context) error {
	select {
	case <-w.began:
	case <-ctx.Done():
		return nil
	}
	if err := w.ready(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	w.k.show(func(x *Instance) {
		if x.State == Starting {
			x.State = Running
		}
	})
	if w.want.Ready != nil {
		w.k.tell("ready", "")
	}
	return w.alive(ctx)
}

// ready waits until it is.
func (w *watcher) ready(ctx context.Context) error {
	r := w.want.Ready
	if r == nil {
		return nil
	}
	within, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	var last error
	for {
		if w.lines != nil {
			select {
			case <-w.lines.found:
				return nil
			case <-within.Done():
			}
		} else {
			err := ask(within, r.Ask, w.k.key.n, askWithin)
			if err == nil {
				return nil
			}
			if within.Err() == nil {
				last = err
			}
			if pause(within, max(r.Every, askEvery)) {
				continue
			}
		}
		if ctx.Err() != nil {
			return nil // it has ended
		}
		reason := fmt.Sprintf("it was not ready within %s", r.Timeout)
		if last != nil {
			reason += ": " + last.Error()
		}
		return &failing{reason: reason, late: true}
	}
}

// alive asks whether it lives. What is asked may change meanwhile, without a
// restart.
func (w *watcher) alive(ctx context.Context) error {
	bad := 0
	for {
		t := w.k.now()
		if t.Wanted == nil || t.Liveness == nil {
			select {
			case <-t.news:
				bad = 0
				continue
			case <-ctx.Done():
				return nil
			}
		}
		l := t.Liveness
		if !pause(ctx, l.Every) {
			return nil
		}
		err := ask(ctx, l.Ask, w.k.key.n, l.Timeout)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the process has ended, and its answer with it
		}
		if err == nil {
			bad = 0
			continue
		}
		if bad++; bad >= l.Failures {
			return &failing{reason: fmt.Sprintf("liveness failed %d times in a row: %v", bad, err)}
		}
	}
}

// ask asks once, within a time.
func ask(ctx context.Context, question func(context.Context, int) error, instance int, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return question(ctx, instance)
}

// pause waits, and reports whether the time is over before ctx is.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// lines looks for a line in what a process writes.
type lines struct {
	want  *regexp.Regexp
	found chan struct{} // closed when there is one

	mu   sync.Mutex
	done bool
	rest []byte
}

// Write looks at the next piece of output. It never fails.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	for !l.done && len(p) > 0 {
		line, after, whole := bytes.Cut(p, []byte{'\n'})
		if room := longestLine - len(l.rest); len(line) > room {
			line = line[:max(room, 0)]
		}
		l.rest = append(l.rest, line...)
		if whole && l.want.Match(bytes.TrimSuffix(l.rest, []byte{'\r'})) {
			l.done, l.rest = true, nil
			close(l.found)
		} else if whole {
			l.rest = l.rest[:0]
		}
		p = after
	}
	return n, nil
}
