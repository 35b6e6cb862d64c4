// Package queue brings runs that wait to free workers: the most urgent first,
// within the limits of all runs, of systems and of pipelines. What waits stands
// in the history, and whoever is told of a run claims it there: several
// processes with a queue each never run the same one twice.
//
// Start with New, then Queue.Run, and Queue.Wake whenever something was
// enqueued.
package queue

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redundctl/redundctl/engine/history"
)

// unlimited is how many runs go on at once where no limit is set.
const unlimited = 256

// again is how often the history is read without having been told: what was
// lost in passing is found. Each whole-th time everything is read.
const (
	lookAgain = 5 * time.Second
	whole     = 6
)

// ErrCancelled is the cause of the context of a run that Cancel ended.
var ErrCancelled = errors.New("the run was cancelled")

// Later is the error of a start that is to be tried again at a time, as when a
// primary may still do the work.
type Later struct{ At time.Time }

// Error says when.
func (l *Later) Error() string { return "it waits until " + l.At.UTC().Format(time.RFC3339) }

// again is when a start is tried again that ended like this; zero: it is not.
func again(e *entry, err error, now time.Time) time.Time {
	later, leased := new(Later), new(history.Leased)
	switch {
	case errors.As(err, &later):
		return later.At
	case errors.As(err, &leased):
		return leased.Until
	case err != nil && !errors.Is(err, history.ErrNotQueued):
		return now.Add(e.pause())
	}
	return time.Time{}
}

// Options say how runs are started.
type Options struct {
	Limits Limits
	// Start claims a run (history.Claim), runs it and returns when it has
	// ended. An error says that it still waits: it is tried again after a
	// second, later every five, or when a *Later or a *history.Leased says;
	// history.ErrNotQueued does not count as one.
	// The context ends by Cancel and CancelAll, not with that of Run.
	Start func(ctx context.Context, q history.Queued) error
	// Failed is told when the history cannot be read, and with nil when it can be
	// again; nil: nobody.
	Failed func(error)
}

// Limits bound how many runs go on at once, by system and by "system/name"; 0
// and what is missing: no limit; below 0: none starts.
type Limits struct {
	Total    int // 0: 256
	System   map[string]int
	Pipeline map[string]int
}

// Active is a run that goes on.
type Active struct {
	Run      int64
	Pipeline string // system/name
	Since    time.Time
}

// Queue starts what waits in one history. Its methods may be called from
// several goroutines.
type Queue struct {
	history *history.History
	o       Options
	wake    chan struct{} // holds one token: look at the history
	look    chan struct{} // holds one token: a worker returned, or the limits changed
	anew    atomic.Bool   // everything is to be read

	mu     sync.Mutex
	line   *line
	active map[int64]*worker

	// What only the goroutine of Run uses.
	last    int64 // the newest run it has heard of
	failing bool  // the history could not be read
}

type worker struct {
	Active
	cancel context.CancelCauseFunc
}

// New gives a queue that starts nothing yet.
func New(h *history.History, o Options) *Queue {
	return &Queue{
		history: h, o: o, wake: make(chan struct{}, 1), look: make(chan struct{}, 1),
		line: newLine(o.Limits), active: map[int64]*worker{},
	}
}

// Wake says that something was enqueued, cancelled or skipped, here or by
// another process. It never blocks.
func (q *Queue) Wake() { tell(q.wake) }

// WakeAll is Wake where a run with an old id waits again (history.Again): only
// who reads everything finds it.
func (q *Queue) WakeAll() {
	q.anew.Store(true)
	tell(q.wake)
}

func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is told already
	}
}

// Limit replaces the limits. Runs that go on are left alone.
func (q *Queue) Limit(l Limits) {
	q.mu.Lock()
	q.line.limit(l)
	q.mu.Unlock()
	tell(q.look)
}

// Active gives the runs that go on, by id.
func (q *Queue) Active() []Active {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := make([]Active, 0, len(q.active))
	for _, w := range q.active {
		all = append(all, w.Active)
	}
	slices.SortFunc(all, func(a, b Active) int { return cmp.Compare(a.Run, b.Run) })
	return all
}

// Waiting gives how many runs wait that are due and may start here, and since
// when the oldest is.
func (q *Queue) Waiting() (n int, oldest time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.line.waiting(time.Now())
}

// Cancel ends the context of a run that goes on here, with ErrCancelled as its
// cause, and reports whether there is one. One that waits is cancelled in the
// history (history.Cancel); the queue does this for runs that are marked there.
func (q *Queue) Cancel(id int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.active[id]
	if w == nil {
		return false
	}
	w.cancel(ErrCancelled)
	return true
}

// CancelAll ends the contexts of all runs that go on, with that cause.
func (q *Queue) CancelAll(cause error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.active {
		w.cancel(cause)
	}
}

// Run starts what waits until ctx is done. It returns nil when the last run
// that it started has returned. It may be called once.
func (q *Queue) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	read := q.all
	for n := 1; ; {
		var err error
		if read != nil {
			err = read(ctx)
		}
		q.start(ctx, &workers, timer)
		if read != nil { // who waits for a start goes first
			q.report(ctx, errors.Join(err, q.cancelAsked(ctx)))
		}
		read = nil
		select {
		case <-ctx.Done():
			return nil
		case <-q.wake:
			read = q.new
		case <-tick.C:
			read = q.new
			if n++; n%whole == 0 {
				read = q.all
			}
		case <-q.look:
		case <-timer.C:
		}
	}
}

// report tells that the history cannot be read, or can be again, once.
func (q *Queue) report(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	told := q.failing
	q.failing = err != nil
	if q.failing != told && q.o.Failed != nil {
		q.o.Failed(err)
	}
}

// all replaces what is known of those who wait.
func (q *Queue) all(ctx context.Context) error {
	q.anew.Store(false) // before it is read: who asks meanwhile asks for more
	list, err := q.history.Queue(ctx)
	if err != nil {
		q.anew.Store(true)
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range list {
		q.last = max(q.last, list[i].ID)
	}
	q.line.replace(list, func(id int64) bool { return q.active[id] != nil }, time.Now())
	return nil
}

// new adds what was enqueued since. When others wait, or do not, than that
// explains, everything is read.
func (q *Queue) new(ctx context.Context) error {
	if q.anew.Load() {
		return q.all(ctx)
	}
	list, all, err := q.history.QueueAfter(ctx, q.last)
	if err != nil {
		return err
	}
	q.mu.Lock()
	now := time.Now()
	for _, r := range list {
		q.last = max(q.last, r.ID)
		q.line.add(r, now)
	}
	known := len(q.line.known)
	fits := known <= all && all <= known+len(q.active) // an active one may not be claimed yet
	q.mu.Unlock()
	if fits {
		return nil
	}
	return q.all(ctx)
}

// start starts what may start, and sets the timer to when more is due.
func (q *Queue) start(ctx context.Context, workers *sync.WaitGroup, timer *time.Timer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	timer.Stop()
	if ctx.Err() != nil {
		return
	}
	if wait := q.line.advance(time.Now()); wait > 0 {
		timer.Reset(wait)
	}
	for e := q.line.next(); e != nil; e = q.line.next() {
		// Who ends the queue says with CancelAll when its runs are to end.
		run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
		q.active[e.ID] = &worker{Active{e.ID, e.System + "/" + e.Pipeline, time.Now()}, cancel}
		workers.Go(func() {
			err := q.o.Start(run, e.Queued)
			cancel(nil)
			q.mu.Lock()
			delete(q.active, e.ID)
			now := time.Now()
			q.line.done(e, again(e, err, now), now)
			q.mu.Unlock()
			tell(q.look)
		})
	}
}

// cancelAsked cancels what somebody has marked in the history.
func (q *Queue) cancelAsked(ctx context.Context) error {
	q.mu.Lock()
	none := len(q.active) == 0
	q.mu.Unlock()
	if none {
		return nil
	}
	ids, err := q.history.CancelAsked(ctx)
	for _, id := range ids {
		q.Cancel(id)
	}
	return err
}
