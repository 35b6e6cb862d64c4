// Package overdue ends runs that go on past their time, and gives up those that
// do not end even then, so that nothing waits for them.
package overdue

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner"
)

// slack is what a run may take beyond its limits: processes that do not heed
// SIGTERM have five seconds, and what ended is recorded.
const slack = 10 * time.Second

// Grace is how long a run may take to end once its processes were asked to: they
// are killed long before.
const Grace = 15 * time.Second

// lastWait is how long the end of an engine waits for what nobody waits for.
const lastWait = 5 * time.Second

// errStuck is the cause that ends a run which went on past its time.
var errStuck = fmt.Errorf("%w: it went on past its timeout and the time of its handlers", runner.ErrTimeout)

// Runs are the runs of this process that may be ended. The zero value has none.
type Runs struct {
	mu     sync.Mutex
	going  map[int64]*going
	left   error             // why nobody waits for any run any more
	told   func(run int64)   // of one that is left
	strays []<-chan struct{} // of those that were given up or left, closed when they end
}

type going struct {
	pipeline string
	began    time.Time
	limit    time.Duration // 0: none
	cancel   context.CancelCauseFunc
	asked    bool
	list     string        // of handlers, that began last
	until    time.Time     // these have time
	givenUp  chan struct{} // closed when nobody waits for it any more
	why      error         // it is left, else it ran out of time
	over     bool          // givenUp is closed
}

// giveUp lets nobody wait for it any more.
func (g *going) giveUp(why error) {
	if !g.over {
		g.over, g.why = true, why
		close(g.givenUp)
	}
}

// Limit is how long an attempt of a pipeline takes at most, with its handlers
// and the steps that run after a cancellation; 0: as long as it likes.
func Limit(p *pipeline.Pipeline) time.Duration {
	limit := p.Timeout.Std()
	if limit <= 0 || p.Service != nil {
		return 0
	}
	for _, there := range []bool{
		len(p.OnSuccess)+len(p.OnFailure)+len(p.OnCancel) > 0, len(p.Always) > 0,
		slices.ContainsFunc(p.Steps, func(s pipeline.Step) bool { return s.If != "" }),
	} {
		if there {
			limit += runner.HandlerLimit
		}
	}
	return limit + slack
}

// Late gives the runs that go on past their time, with since when, by id.
func (r *Runs) Late(now time.Time) map[int64]Late {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[int64]Late{}
	for id, g := range r.going {
		if g.limit > 0 && now.Sub(g.began) > g.limit && now.After(g.until) {
			out[id] = Late{g.pipeline, g.began}
		}
	}
	return out
}

// Late is a run that goes on past its time.
type Late struct {
	Pipeline string // system/name
	Began    time.Time
}

// Run is what is run, under the form of its pipeline that it began with.
type Run struct {
	pipeline.Run
	Of *pipeline.Pipeline
	Do func(context.Context) (pipeline.Run, error)
}

// Do runs it, and gives what that gives. When End asked it to end and it did not
// within Grace, it is given up: then out is the run as timed out, which the
// caller records, and what was run goes on by itself. The error of Leave says
// that it goes on by itself too, and is to be recorded no more.
func (r *Runs) Do(ctx context.Context, x Run) (out pipeline.Run, givenUp bool, err error) {
	run := x.Run
	ctx, cancel := context.WithCancelCause(ctx)
	g := &going{pipeline: x.Of.ID(), began: time.Now(), limit: Limit(x.Of), cancel: cancel, givenUp: make(chan struct{})}
	r.mu.Lock()
	if r.going == nil {
		r.going = map[int64]*going{}
	}
	r.going[run.ID] = g
	if r.left != nil {
		r.leave(run.ID, g)
	}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.going, run.ID)
		r.mu.Unlock()
	}()
	var its pipeline.Run
	var failed error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer cancel(nil)
		its, failed = x.Do(ctx)
	}()
	select {
	case <-ended:
		return its, false, failed
	case <-g.givenUp:
		r.mu.Lock()
		r.strays = append(slices.DeleteFunc(r.strays, over), ended)
		why := g.why
		r.mu.Unlock()
		if why != nil {
			return run, false, why
		}
		run.State, run.Error, run.Finished = pipeline.TimedOut, errStuck.Error()+"; it could not be ended and is given up", time.Now()
		return run, true, nil
	}
}

// End asks a run to end, and reports whether it goes on here and was not asked
// before. It is given up after Grace, but not while handlers of it have time left.
func (r *Runs) End(id int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.going[id]
	if g == nil || g.asked {
		return false
	}
	g.asked = true
	g.cancel(errStuck)
	time.AfterFunc(Grace, func() { r.expire(g) })
	return true
}

func (r *Runs) expire(g *going) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if wait := time.Until(g.until); wait > 0 {
		time.AfterFunc(wait, func() { r.expire(g) })
		return
	}
	g.giveUp(nil)
}

func over(ended <-chan struct{}) bool {
	select {
	case <-ended:
		return true
	default:
		return false
	}
}

// Step is told that a step begins. A list of handlers has its time from its first
// one on, however late that is: the disk may have been full for long before.
func (r *Runs) Step(s *pipeline.StepRecord) {
	list, _, handler := strings.Cut(s.ID, ".")
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.going[s.Run]; g != nil && handler && g.list != list {
		g.list, g.until = list, time.Now().Add(runner.HandlerLimit+slack)
	}
}

// Leave lets nobody wait for runs any more from Grace on: Do gives why then, and
// told is called for each. To end their contexts is the caller's.
func (r *Runs) Leave(why error, told func(run int64)) {
	time.AfterFunc(Grace, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.left, r.told = why, told
		for id, g := range r.going {
			r.leave(id, g)
		}
	})
}

func (r *Runs) leave(id int64, g *going) {
	if !g.over {
		r.told(id)
	}
	g.giveUp(r.left)
}

// Close waits for what was given up or left, for lastWait, and then calls end, which
// waits for processes: no longer than lastWait either if any of it still goes on.
func (r *Runs) Close(end func() error) error {
	r.mu.Lock()
	strays := slices.Clone(r.strays)
	r.mu.Unlock()
	var late <-chan time.Time
	most := time.NewTimer(lastWait)
	defer most.Stop()
	for _, stray := range strays {
		select {
		case <-stray:
			continue
		case <-most.C:
			late = time.After(lastWait)
		}
		break
	}
	ended := make(chan error, 1)
	go func() { ended <- end() }()
	select {
	case err := <-ended:
		return err
	case <-late:
		return nil // it goes on until this process ends
	}
}
