// Package overdue ends runs that go on past their time, and gives up those that
// do not end even then, so that nothing waits for them.
package overdue

import (
	"context"
	"fmt"
	"slices"
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

// errStuck is the cause that ends a run which went on past its time.
var errStuck = fmt.Errorf("%w: it went on past its timeout and the time of its handlers", runner.ErrTimeout)

// Runs are the runs of this process that may be ended. The zero value has none.
type Runs struct {
	mu    sync.Mutex
	going map[int64]*going
}

type going struct {
	pipeline string
	began    time.Time
	limit    time.Duration // 0: none
	cancel   context.CancelCauseFunc
	asked    bool
	givenUp  chan struct{} // closed when nobody waits for it any more
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
		if g.limit > 0 && now.Sub(g.began) > g.limit {
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
// caller records, and what was run goes on by itself.
func (r *Runs) Do(ctx context.Context, x Run) (out pipeline.Run, givenUp bool, err error) {
	run := x.Run
	ctx, cancel := context.WithCancelCause(ctx)
	g := &going{pipeline: x.Of.ID(), began: time.Now(), limit: Limit(x.Of), cancel: cancel, givenUp: make(chan struct{})}
	r.mu.Lock()
	if r.going == nil {
		r.going = map[int64]*going{}
	}
	r.going[run.ID] = g
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.going, run.ID)
		r.mu.Unlock()
	}()
	type ended struct {
		run pipeline.Run
		err error
	}
	done := make(chan ended, 1)
	go func() {
		defer cancel(nil)
		out, err := x.Do(ctx)
		done <- ended{out, err}
	}()
	select {
	case x := <-done:
		return x.run, false, x.err
	case <-g.givenUp:
		run.State, run.Error, run.Finished = pipeline.TimedOut, errStuck.Error()+"; it could not be ended and is given up", time.Now()
		return run, true, nil
	}
}

// End asks a run to end, and reports whether it goes on here and was not asked
// before. It is given up after Grace.
func (r *Runs) End(id int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.going[id]
	if g == nil || g.asked {
		return false
	}
	g.asked = true
	g.cancel(errStuck)
	time.AfterFunc(Grace, func() { close(g.givenUp) })
	return true
}
