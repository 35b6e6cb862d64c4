// Package standby asks primaries about the open slots of pipelines that back
// them up, has each slot decided once, and goes on asking for as long as a
// primary may still turn up late.
//
// Start with New, then Watch.Run; Open takes slots over, and LastLook is asked
// right before the first step of a run. look.go is one look at one pipeline.
package standby

import (
	"container/heap"
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/probes"
)

// The bounds of looks.
const (
	atOnce   = 16               // looks side by side
	quick    = time.Second      // until a look that goes on leaves its place to another one
	hungOnce = 64               // looks side by side at parts whose last look ran out of time
	lookTime = 20 * time.Second // of one
	again    = 5 * time.Second  // until what could not be recorded is tried again
	longest  = time.Second      // between two looks at the wall clock, which may be set
)

// Options are what a Watch works with. The functions may be called by several
// goroutines.
type Options struct {
	Ledger  *ledger.Ledger
	History *history.History
	Log     *slog.Logger
	Force   func() *force.Force
	Stopped func() map[string]time.Time
	Serves  func(system string) bool
	// Build makes the probe of a part's primary, or gives back the one before, which
	// may be nil, where nothing has changed that it hangs on.
	Build func(f *force.Force, p *force.Part, before *probes.Primary) (*probes.Primary, error)
	// Decided is told of each slot that was decided, with its run and the runs
	// which that one ends.
	Decided func(ctx context.Context, run pipeline.Run, ends []int64)
	// Late is told of a primary that turned up after its backup ran.
	Late func(ctx context.Context, s ledger.Slot)
	// Known is told when a probe is conclusive again, or for the first time, and
	// Blind when a slot was given up because it never was.
	Known, Blind func(ctx context.Context, id string, r pipeline.Reading)
	// Failed is told why the ledger cannot be read or written, and nil when it
	// can be.
	Failed func(error)
}

// Watch asks primaries. Its methods may be called from several goroutines.
type Watch struct {
	o    Options
	wake chan struct{} // of one: a part was added, or is due earlier

	mu    sync.Mutex
	parts map[string]*part // by system/name
	queue parts            // those that nobody looks at
	known map[string]ledger.Probe
}

// New gives a Watch that asks nobody yet.
func New(o Options) *Watch {
	return &Watch{o: o, wake: make(chan struct{}, 1), parts: map[string]*part{}, known: map[string]ledger.Probe{}}
}

// part is one pipeline with slots that its primary is asked about.
type part struct {
	id    string
	at    time.Time // when it is to be looked at
	index int       // in the queue; -1: somebody looks at it

	looking sync.Mutex // held while somebody looks; guards what follows
	slots   []*watched // in order
	coming  []ledger.Slot
	called  bool // the primary called: each slot is looked at now; guarded by Watch.mu, like coming
	probe   *probes.Primary
	of      *force.Part       // that the probe was built for
	with    any               // and the set
	wrong   error             // why there is no probe
	spent   *pipeline.Reading // of the look that ran out of time, for the other slots of this one
	hung    atomic.Bool       // the last look ran out of time
}

// watched is a slot with when it is to be looked at.
type watched struct {
	ledger.Slot
	at       time.Time
	fenced   string // the primary's run that was ended last
	finished bool   // nothing more is asked about it
}

// Open records slots as open and has their primaries asked.
func (w *Watch) Open(ctx context.Context, list []ledger.Slot) error {
	open, err := w.o.Ledger.Open(ctx, list)
	if err != nil {
		return err
	}
	w.Add(open)
	return nil
}

// Add has the primaries of slots asked that are open already.
func (w *Watch) Add(list []ledger.Slot) {
	if len(list) == 0 {
		return
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range list {
		p := w.parts[s.ID()]
		if p == nil {
			p = &part{id: s.ID(), at: now}
			w.parts[p.id] = p
			heap.Push(&w.queue, p)
		}
		p.coming = append(p.coming, s)
		if p.index >= 0 && now.Before(p.at) {
			p.at = now
			heap.Fix(&w.queue, p.index)
		}
	}
	w.tell()
}

func (w *Watch) tell() {
	select {
	case w.wake <- struct{}{}:
	default: // it is told already
	}
}

// Nudge has the primary of a pipeline asked now, as when it called.
func (w *Watch) Nudge(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.parts[id]; p != nil {
		p.called, p.at = true, time.Time{}
		if p.index >= 0 {
			heap.Fix(&w.queue, p.index)
		}
		w.tell()
	}
}

// Probes gives what the probe of each pipeline said last.
func (w *Watch) Probes() map[string]ledger.Probe {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(map[string]ledger.Probe, len(w.known))
	for id, p := range w.known {
		out[id] = p
	}
	return out
}

// Run asks until ctx is done, and returns when all looks have ended.
func (w *Watch) Run(ctx context.Context) {
	for {
		err := w.load(ctx)
		if ctx.Err() != nil {
			return
		}
		w.o.Failed(err)
		if err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(again):
		}
	}
	var looks sync.WaitGroup
	defer looks.Wait()
	free, hung := make(chan struct{}, atOnce), make(chan struct{}, hungOnce)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		case <-timer.C:
		}
		for {
			p, wait := w.next(time.Now())
			if p == nil {
				timer.Reset(wait)
				break
			}
			if p.hung.Load() { // it waits with its like, and holds up nobody else
				looks.Go(func() {
					select {
					case hung <- struct{}{}:
						w.put(p, w.look(ctx, p))
						<-hung
					case <-ctx.Done():
					}
				})
				continue
			}
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
				return
			}
			looks.Go(func() {
				leave := sync.OnceFunc(func() { <-free })
				defer leave()
				defer time.AfterFunc(quick, leave).Stop()
				w.put(p, w.look(ctx, p))
			})
		}
	}
}

// load takes up what the ledger holds.
func (w *Watch) load(ctx context.Context) error {
	known, err := w.o.Ledger.Probes(ctx)
	if err != nil {
		return err
	}
	list, err := w.o.Ledger.Watched(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	for id, p := range known {
		w.known[id] = p
	}
	w.mu.Unlock()
	w.Add(list)
	return nil
}

// next takes the part that is due, or says how long until one is.
func (w *Watch) next(now time.Time) (*part, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return nil, time.Hour
	}
	if wait := w.queue[0].at.Sub(now); wait > 0 {
		return nil, min(wait, longest)
	}
	return heap.Pop(&w.queue).(*part), 0
}

// put gives a part back with when it is due again; zero: nothing is left to ask.
func (w *Watch) put(p *part, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case len(p.coming) > 0 || p.called:
		at = time.Now()
	case at.IsZero():
		delete(w.parts, p.id)
		return
	}
	p.at = at
	heap.Push(&w.queue, p)
	w.tell()
}

// take gives a part the slots that have come for it, and says that somebody
// looks.
func (w *Watch) take(p *part) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p.at = time.Now()
	for _, s := range p.coming {
		if !slices.ContainsFunc(p.slots, func(x *watched) bool { return x.At.Equal(s.At) }) {
			p.slots = append(p.slots, &watched{Slot: s})
		}
	}
	p.coming = nil
	if p.called {
		for _, s := range p.slots {
			s.at = time.Time{}
		}
		p.called = false
	}
	slices.SortFunc(p.slots, func(a, b *watched) int { return a.At.Compare(b.At) })
}

// parts is a heap by when they are due.
type parts []*part

func (q parts) Len() int           { return len(q) }
func (q parts) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q parts) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push is for package heap.
func (q *parts) Push(x any) {
	p := x.(*part)
	p.index = len(*q)
	*q = append(*q, p)
}

// Pop is for package heap.
func (q *parts) Pop() any {
	old := *q
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	p.index = -1
	return p
}
