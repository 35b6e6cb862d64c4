package schedule

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Entry is what a Timer gives the slots of.
type Entry struct {
	// ID names the entry, and is what the jitter of its slots is derived from.
	ID string
	// Schedules give the slots; those that fall together are one.
	Schedules []*Schedule
	// After is the last slot that needs no more attention: those after it are
	// given, long passed ones too. The zero time stands for now.
	After time.Time
}

// Due is an entry whose slots are to be served.
type Due struct {
	ID string
	// Slots are in order; of more than TimerOptions.Most the newest.
	Slots []time.Time
	// Skipped counts the older slots that were left out, 1,000,000 at most. Where
	// several schedules of an entry left out many, slots that fall together may
	// count more than once.
	Skipped int
	// Late is set when their time passed while nobody looked: before the Timer
	// ran, while the machine slept, by a jump of the clock, or because fire was
	// busy. An entry that has slots of both kinds is given twice, Late first.
	Late bool
}

// Jump is a change of the wall clock by more than two seconds that the time
// waited does not explain: somebody set it, or the machine, or the process, slept.
type Jump struct {
	From time.Time // what the clock would have shown
	To   time.Time // what it shows
}

// TimerOptions are the settings of a Timer; the zero value is ready for use.
type TimerOptions struct {
	// Most is how many slots of an entry one Due has at most; 0 means 1,000.
	Most int
	// Now is the wall clock; nil means time.Now. How long to wait is measured by
	// the monotonic clock in any case.
	Now func() time.Time
}

// The bounds of a Timer.
const (
	most    = 1000            // slots of one Due, when nothing is said
	tick    = time.Second     // the longest wait while there are entries
	late    = time.Second     // a slot seen later than this is late
	leap    = 2 * time.Second // a smaller change of the clock is no Jump
	ahead   = 10_000          // slots looked at to find one whose jitter ends earlier
	skipped = 1_000_000       // slots that are left out are counted up to here
)

// Timer gives the slots of many entries when their time has come. An entry that
// is not due costs nothing: the timer wakes once a second for all of them, and
// not at all when it has none. Its methods are safe for concurrent use.
//
// Slots are given at slot + jitter by the wall clock, in order, and each once:
// when the clock goes back, an entry waits until it has come forward again, or is
// set anew. A slot whose jitter outlasts that of a slot after it is given with
// that one, so no slot is held up by another, and those before the last one
// given need no memory.
type Timer struct {
	now     func() time.Time
	base    time.Time     // what the monotonic clock is read against
	changed chan struct{} // of one: entries were set or removed
	running atomic.Bool
	busy    atomic.Int64 // since when, after base, Run has not waited; 0: it waits

	mu    sync.Mutex
	most  int // slots of one Due
	items map[string]*item
	queue queue // those of items that have a slot to come
}

// NewTimer returns a Timer without entries.
func NewTimer(o TimerOptions) *Timer {
	t := &Timer{now: o.Now, base: time.Now(), changed: make(chan struct{}, 1), items: map[string]*item{}}
	t.Limit(o.Most)
	if t.now == nil {
		t.now = time.Now
	}
	return t
}

// Limit replaces TimerOptions.Most, for slots that are given from now on.
func (t *Timer) Limit(n int) {
	if n <= 0 {
		n = most
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.most = n
}

// Set adds entries, and replaces those of the same ID: what a replaced entry had
// been given does not count, its After does.
func (t *Timer) Set(list ...Entry) {
	now := t.wall()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range list {
		t.drop(e.ID)
		it := newItem(e, now)
		t.items[e.ID] = it
		if it.plan() {
			heap.Push(&t.queue, it)
		}
	}
	t.wake()
}

// Remove takes entries out. What fire was called with before stays given.
func (t *Timer) Remove(ids ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		t.drop(id)
	}
	t.wake()
}

func (t *Timer) drop(id string) {
	if it, ok := t.items[id]; ok {
		delete(t.items, id)
		if it.index >= 0 {
			heap.Remove(&t.queue, it.index)
		}
	}
}

func (t *Timer) wake() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// Run calls fire with all that is due at once, until ctx is done, and gives the
// reason of ctx; it is an error to run a Timer that runs. Both functions are
// called by the goroutine that called Run, and may call Set and Remove; jumped may
// be nil, and is called before the slots that the jump made due are given.
func (t *Timer) Run(ctx context.Context, fire func([]Due), jumped func(Jump)) error {
	if !t.running.CompareAndSwap(false, true) {
		return errors.New("the timer is running already")
	}
	defer t.running.Store(false)
	if jumped == nil {
		jumped = func(Jump) {}
	}
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	seen := t.look()
	defer t.busy.Store(0)
	for ctx.Err() == nil {
		t.busy.Store(max(int64(time.Since(t.base)), 1))
		if due := t.take(seen.wall); len(due) > 0 {
			fire(due)
		}
		seen = t.after(seen, 1<<62, jumped) // fire may have taken long
		wait, some := t.wait(seen.wall)
		var ring <-chan time.Time
		if some {
			alarm.Reset(wait)
			ring = alarm.C
		}
		t.busy.Store(0)
		select {
		case <-ctx.Done():
		case <-t.changed:
		case <-ring:
		}
		if some {
			seen = t.after(seen, wait, jumped)
		} else {
			seen = t.look() // who has no entries asks for no jumps
		}
	}
	return context.Cause(ctx)
}

// Busy is for how long Run has been at work without a wait: what it called does
// not return. 0: it waits, or does not run.
func (t *Timer) Busy() time.Duration {
	since := t.busy.Load()
	if since == 0 {
		return 0
	}
	return time.Since(t.base) - time.Duration(since)
}

// reading is one look at both clocks.
type reading struct {
	wall    time.Time
	elapsed time.Duration
}

func (t *Timer) look() reading { return reading{t.wall(), time.Since(t.base)} }

// wall strips the monotonic clock, which would win in every comparison.
func (t *Timer) wall() time.Time { return t.now().Round(0) }

// after looks again, and tells of a jump since the last look: planned is how
// long nobody wanted to look, so time beyond it was slept.
func (t *Timer) after(last reading, planned time.Duration, jumped func(Jump)) reading {
	now := t.look()
	from := last.wall.Add(min(now.elapsed-last.elapsed, planned))
	if now.wall.Sub(from).Abs() > leap {
		jumped(Jump{From: from, To: now.wall})
	}
	return now
}

// wait is how long to wait for the next slot, a second at most so that jumps are
// seen; false when there is nothing to wait for.
func (t *Timer) wait(now time.Time) (time.Duration, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		return 0, false
	}
	return max(min(t.queue[0].due.Sub(now), tick), 0), true
}

// take takes out what is due.
func (t *Timer) take(now time.Time) []Due {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Due
	for len(t.queue) > 0 && !t.queue[0].due.After(now) {
		it := t.queue[0]
		out = it.take(out, now, t.most)
		if it.plan() {
			heap.Fix(&t.queue, 0)
		} else {
			heap.Pop(&t.queue)
		}
	}
	return out
}

// Take gives what is due by an instant, as Run would, and when the next slot is
// given: the zero time when there are no more. It is for who keeps a clock of
// their own, goes from one such instant to the next, and does not call Run.
func (t *Timer) Take(now time.Time) (due []Due, next time.Time) {
	due = t.take(now.Round(0))
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) > 0 {
		next = t.queue[0].due
	}
	return due, next
}

// queue is a heap of items, the one that is due first on top.
type queue []*item

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if c := q[i].due.Compare(q[j].due); c != 0 {
		return c < 0
	}
	return q[i].id < q[j].id
}
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push is for container/heap.
func (q *queue) Push(x any) {
	it := x.(*item)
	it.index = len(*q)
	*q = append(*q, it)
}

// Pop is for container/heap.
func (q *queue) Pop() any {
	last := len(*q) - 1
	it := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	it.index = -1
	return it
}
