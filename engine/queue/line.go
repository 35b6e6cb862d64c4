package queue

import (
	"container/heap"
	"maps"
	"time"

	"github.com/redundctl/redundctl/engine/history"
)

// A run that could not be started is tried again after firstPause, then after
// twice as long each time, up to lastPause.
const (
	firstPause = time.Second
	lastPause  = 5 * time.Second
)

// line holds what waits and counts what goes on. To take the next run costs
// the logarithm of how many wait, however many are held back by a limit: what
// is at its limit stands in no heap above it.
type line struct {
	limits  Limits
	active  int
	systems map[string]*system
	later   entries // not due yet
	known   map[int64]*entry
}

type system struct {
	active    int
	pipelines map[string]*group
	ready     groups // with a run that is due, and below their limit
}

// group is one pipeline.
type group struct {
	id     string // system/name
	active int
	due    entries
	at     int // in ready, -1: not there
}

type entry struct {
	history.Queued
	after  time.Time // not before
	pauses int
}

func newLine(l Limits) *line {
	out := &line{systems: map[string]*system{}, later: entries{byTime: true}, known: map[int64]*entry{}}
	out.limit(l)
	return out
}

// free reports whether one more may start where so many go on.
func free(active, limit int) bool { return limit == 0 || active < limit }

func (l *line) group(e *entry) (*system, *group) {
	s := l.systems[e.System]
	if s == nil {
		s = &system{pipelines: map[string]*group{}}
		l.systems[e.System] = s
	}
	g := s.pipelines[e.Pipeline]
	if g == nil {
		g = &group{id: e.System + "/" + e.Pipeline, at: -1}
		s.pipelines[e.Pipeline] = g
	}
	return s, g
}

// place brings a pipeline to where it belongs after it has changed.
func (l *line) place(s *system, g *group, name string) {
	ready := len(g.due.list) > 0 && free(g.active, l.limits.Pipeline[g.id])
	switch {
	case ready && g.at < 0:
		heap.Push(&s.ready, g)
	case ready:
		heap.Fix(&s.ready, g.at)
	case g.at >= 0:
		heap.Remove(&s.ready, g.at)
	}
	if g.active == 0 && len(g.due.list) == 0 {
		delete(s.pipelines, name)
	}
}

// add takes in a run that waits, unless it is known.
func (l *line) add(q history.Queued, now time.Time) {
	if l.known[q.ID] == nil {
		l.put(&entry{Queued: q, after: q.Due}, now)
	}
}

func (l *line) put(e *entry, now time.Time) {
	l.known[e.ID] = e
	if e.after.After(now) {
		heap.Push(&l.later, e)
		return
	}
	s, g := l.group(e)
	heap.Push(&g.due, e)
	l.place(s, g, e.Pipeline)
}

// advance brings up what has become due, and says how long until more does,
// 0: nothing will.
func (l *line) advance(now time.Time) time.Duration {
	for len(l.later.list) > 0 {
		if wait := l.later.list[0].after.Sub(now); wait > 0 {
			return wait
		}
		l.put(heap.Pop(&l.later).(*entry), now)
	}
	return 0
}

// next takes the run that is to start now, or nil.
func (l *line) next() *entry {
	most := l.limits.Total
	if most == 0 {
		most = unlimited
	}
	if l.active >= most {
		return nil
	}
	var best *system
	for name, s := range l.systems {
		if len(s.ready) > 0 && free(s.active, l.limits.System[name]) && (best == nil || s.ready[0].before(best.ready[0])) {
			best = s
		}
	}
	if best == nil {
		return nil
	}
	g := best.ready[0]
	e := heap.Pop(&g.due).(*entry)
	delete(l.known, e.ID)
	l.active++
	best.active++
	g.active++
	l.place(best, g, e.Pipeline)
	return e
}

// done takes a run off the count of those that go on. It waits again from a
// time on; zero: it does not.
func (l *line) done(e *entry, after, now time.Time) {
	s, g := l.group(e)
	l.active--
	s.active--
	g.active--
	l.place(s, g, e.Pipeline)
	if !after.IsZero() {
		l.put(&entry{Queued: e.Queued, after: after, pauses: e.pauses + 1}, now)
	}
}

// pause is how long a run waits that could not be started.
func (e *entry) pause() time.Duration { return min(firstPause<<min(e.pauses, 8), lastPause) }

// limit replaces the limits.
func (l *line) limit(limits Limits) {
	l.limits = Limits{limits.Total, maps.Clone(limits.System), maps.Clone(limits.Pipeline)}
	for _, s := range l.systems {
		for name, g := range s.pipelines {
			l.place(s, g, name)
		}
	}
}

// replace makes the line be what the list says, but for those that skip knows.
func (l *line) replace(list []history.Queued, skip func(id int64) bool, now time.Time) {
	before := l.known
	l.known, l.later.list = make(map[int64]*entry, len(list)), nil
	for _, s := range l.systems {
		for name, g := range s.pipelines {
			g.due.list = nil
			l.place(s, g, name)
		}
	}
	for _, q := range list {
		if skip(q.ID) || l.known[q.ID] != nil {
			continue
		}
		e := &entry{Queued: q, after: q.Due}
		if b := before[q.ID]; b != nil {
			e.after, e.pauses = b.after, b.pauses
		}
		l.put(e, now)
	}
}

// waiting counts what is due, also what is tried again later, but not what
// another engine is to start.
func (l *line) waiting(now time.Time) (n int, oldest time.Time) {
	for _, e := range l.known {
		if e.Due.After(now) || l.limits.System[e.System] < 0 {
			continue
		}
		if n++; n == 1 || e.Due.Before(oldest) {
			oldest = e.Due
		}
	}
	return n, oldest
}

// entries is a heap of runs.
type entries struct {
	list   []*entry
	byTime bool // by when they may start; else by who goes first
}

func (h *entries) Len() int { return len(h.list) }
func (h *entries) Less(i, j int) bool {
	if h.byTime {
		return h.list[i].after.Before(h.list[j].after)
	}
	return h.list[i].before(h.list[j])
}
func (h *entries) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *entries) Push(x any)    { h.list = append(h.list, x.(*entry)) }
func (h *entries) Pop() any {
	n := len(h.list) - 1
	e := h.list[n]
	h.list[n] = nil
	h.list = h.list[:n]
	return e
}

// before is the order in which runs start.
func (e *entry) before(o *entry) bool {
	if e.Priority != o.Priority {
		return e.Priority > o.Priority
	}
	if !e.Due.Equal(o.Due) {
		return e.Due.Before(o.Due)
	}
	return e.ID < o.ID
}

// groups is a heap of pipelines, by their first runs.
type groups []*group

func (g *group) before(o *group) bool { return g.due.list[0].before(o.due.list[0]) }

func (h groups) Len() int           { return len(h) }
func (h groups) Less(i, j int) bool { return h[i].before(h[j]) }
func (h groups) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push is for container/heap.
func (h *groups) Push(x any) {
	g := x.(*group)
	g.at = len(*h)
	*h = append(*h, g)
}

// Pop is for container/heap.
func (h *groups) Pop() any {
	n := len(*h) - 1
	g := (*h)[n]
	(*h)[n], g.at = nil, -1
	*h = (*h)[:n]
	return g
}
