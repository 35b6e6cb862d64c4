// Package repeat keeps a log readable when the same is said again and again: a
// record that is the same as one before is let through once in a while, and
// with how often it was left out.
package repeat

import (
	"context"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"
)

// LeftOut is the key of how many records were left out since the one before.
const LeftOut = "left-out"

// most bounds the records that are known; of more, the oldest are forgotten.
const most = 4096

// Handler lets a record through when none with the same level, message and
// attributes was in the time before; what differs in anything is another one,
// and always gets through. Of those that are left out the last one follows when
// the time is over, with LeftOut when there were more. It may be used from
// several goroutines. Close ends it.
type Handler struct {
	next  slog.Handler
	bound string // what With and WithGroup have added, as it goes into the key
	all   *records
}

// New gives a handler that lets the same through once in every.
func New(next slog.Handler, every time.Duration) *Handler {
	return &Handler{next: next, all: &records{every: every, seed: maphash.MakeSeed(), known: map[uint64]*record{}}}
}

// Enabled asks the next handler.
func (h *Handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle passes a record on, or leaves it out.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if h.all.repeats(h, r) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs gives a handler that shares what is known with this one.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	bound := h.bound
	for _, a := range attrs {
		bound += text(a)
	}
	return &Handler{h.next.WithAttrs(attrs), bound, h.all}
}

// WithGroup gives a handler that shares what is known with this one.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.next.WithGroup(name), h.bound + "\x00" + name + "{", h.all}
}

// Close passes on what was left out and is still owed; what comes later is
// passed on at once.
func (h *Handler) Close() {
	h.all.mu.Lock()
	h.all.closed = true
	if h.all.timer != nil {
		h.all.timer.Stop()
	}
	due := h.all.forget(len(h.all.order))
	h.all.mu.Unlock()
	h.all.saying.Wait()
	tell(due)
}

func text(a slog.Attr) string { return "\x00" + a.Key + "=" + a.Value.Resolve().String() }

// records are those that got through not long ago.
type records struct {
	every time.Duration
	seed  maphash.Seed

	mu     sync.Mutex
	known  map[uint64]*record
	order  []*record // by the end of their time
	timer  *time.Timer
	closed bool
	saying sync.WaitGroup // timers that pass something on; begun under mu
}

type record struct {
	key  uint64
	end  time.Time
	left int // how many were left out
	last slog.Record
	to   slog.Handler
}

// repeats reports whether a record is to be left out, and remembers it.
func (x *records) repeats(h *Handler, r slog.Record) bool {
	var key maphash.Hash
	key.SetSeed(x.seed)
	_, _ = key.WriteString(r.Level.String() + "\x00" + r.Message + h.bound)
	r.Attrs(func(a slog.Attr) bool {
		_, _ = key.WriteString(text(a))
		return true
	})
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return false
	}
	if e := x.known[key.Sum64()]; e != nil {
		e.left, e.last, e.to = e.left+1, r.Clone(), h.next
		x.mu.Unlock()
		return true
	}
	var due []record
	if len(x.order) >= most {
		due = x.forget(1)
	}
	x.add(&record{key: key.Sum64()})
	x.mu.Unlock()
	tell(due)
	return false
}

// add begins the time of a record.
func (x *records) add(e *record) {
	e.end = time.Now().Add(x.every)
	x.known[e.key] = e
	if x.order = append(x.order, e); len(x.order) == 1 {
		x.timer = time.AfterFunc(x.every, x.over)
	}
}

// forget ends the time of the first n records, and gives those that are owed.
func (x *records) forget(n int) (due []record) {
	for _, e := range x.order[:n] {
		delete(x.known, e.key)
		if e.left > 0 {
			due = append(due, *e)
		}
	}
	x.order = x.order[n:]
	return due
}

// over ends the time of records; one that was repeated has another.
func (x *records) over() {
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return
	}
	now, n := time.Now(), 0
	for n < len(x.order) && !x.order[n].end.After(now) {
		n++
	}
	due := x.forget(n)
	if len(x.order) > 0 {
		x.timer = time.AfterFunc(x.order[0].end.Sub(now), x.over)
	}
	for _, e := range due {
		x.add(&record{key: e.key})
	}
	x.saying.Add(1)
	x.mu.Unlock()
	defer x.saying.Done()
	tell(due)
}

// tell passes on what was left out last.
func tell(due []record) {
	for _, e := range due {
		if e.left > 1 {
			e.last.AddAttrs(slog.Int(LeftOut, e.left-1))
		}
		_ = e.to.Handle(context.Background(), e.last) // whom else to tell?
	}
}
