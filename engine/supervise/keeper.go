package supervise

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// The reasons for which a process is ended that do not count as its failure.
var (
	errStopped = errors.New("it was stopped")
	errChanged = errors.New("what it sees has changed")
	errAsked   = errors.New("somebody asked for a restart")
	errCron    = errors.New("cron-restart is due")
)

// failing is the reason for which a process is ended that does not do its work.
type failing struct {
	reason string
	late   bool // it was not ready in time
}

func (f *failing) Error() string { return f.reason }

// keeper keeps one process of a service running: one after the other, and never
// two.
type keeper struct {
	s    *Supervisor
	key  key
	wake chan struct{} // holds one token: what is wanted has changed
	done chan struct{} // closed when its last process has ended

	// The Supervisor guards what follows.
	want  *Wanted       // nil: nothing is to run
	asked int           // how often somebody asked for a restart
	news  chan struct{} // closed when what is wanted changes
	shown Instance
}

func newKeeper(s *Supervisor, k key, w *Wanted) *keeper {
	at := &keeper{s: s, key: k, want: w, wake: make(chan struct{}, 1), done: make(chan struct{}), news: make(chan struct{})}
	at.shown = Instance{State: Starting, Since: time.Now()}
	return at
}

// set changes what is wanted. The caller holds the Supervisor.
func (k *keeper) set(w *Wanted) {
	k.want = w
	k.ring()
}

// again asks for a restart. The caller holds the Supervisor.
func (k *keeper) again() {
	k.asked++
	k.ring()
}

func (k *keeper) ring() {
	close(k.news)
	k.news = make(chan struct{})
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// task is what is wanted at one time.
type task struct {
	*Wanted
	asked int
	news  <-chan struct{} // closed once something else is wanted
}

// now is what is wanted now; a nil Wanted: nothing.
func (k *keeper) now() task {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	return task{k.want, k.asked, k.news}
}

// last is now, and lets the keeper go when nothing is wanted: from then on
// another one may start.
func (k *keeper) last() (task, bool) {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	if k.want == nil {
		delete(k.s.keepers, k.key)
		close(k.done)
		return task{}, true
	}
	return task{k.want, k.asked, k.news}, false
}

// show changes how the instance does.
func (k *keeper) show(change func(*Instance)) {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	before := k.shown.State
	change(&k.shown)
	if k.shown.State != before {
		k.shown.Since = time.Now()
	}
}

func (k *keeper) tell(what, detail string) {
	k.s.o.Told(Event{ID: k.key.id, Instance: k.key.n, What: what, Detail: detail})
}

// run starts one process after the other until nothing is wanted.
func (k *keeper) run() {
	var past restarts
	why := "" // the process before ended
	for {
		t, over := k.last()
		if over {
			return
		}
		err, lived := k.once(t, why)
		why = "it ended"
		if err != nil {
			why = err.Error()
		}
		after, judged := next{again: true}, k.now().Wanted
		if judged == nil {
			judged = t.Wanted
		}
		var f *failing
		var exit *pipeline.Exit
		switch {
		case errors.Is(err, errStopped), errors.Is(err, errChanged), errors.Is(err, errAsked):
			past = restarts{}
		case errors.Is(err, errCron):
		case errors.As(err, &f), errors.As(err, &exit) && exit.OverMemory:
			if f != nil && f.late {
				lived = 0
			}
			after = past.after(judged.Restart, ended{failed: true, lived: lived, forced: true}, time.Now())
		default:
			after = past.after(judged.Restart, ended{failed: err != nil, lived: lived}, time.Now())
		}
		if k.rest(t, judged, verdict{after, why}) {
			past = restarts{}
		}
	}
}

// verdict is what follows an end, and what that was.
type verdict struct {
	next
	why string
}

// rest waits until the next process is to start, as v says, or something else is
// wanted, and then reports that the past does not count any more. The process was
// started for t, and how it ended was judged by what was wanted then.
func (k *keeper) rest(t task, judged *Wanted, v verdict) (anew bool) {
	why := v.why
	c := newCron(nil)
	var due <-chan time.Time
	switch {
	case v.errored:
		k.show(func(x *Instance) { x.State, x.Reason = Errored, why })
		k.tell("errored", why)
	case !v.again:
		k.show(func(x *Instance) { x.State, x.Reason = Stopped, why })
		k.tell("ended", why)
		c = newCron(judged.Cron)
	case v.wait <= 0:
		return false
	default:
		k.show(func(x *Instance) {
			x.State, x.Reason = Starting, fmt.Sprintf("%s; started again in %s", why, v.wait)
		})
		timer := time.NewTimer(v.wait)
		defer timer.Stop()
		due = timer.C
	}
	defer c.stop()
	for {
		select {
		case <-due:
			return false
		case <-c.due():
			if c.passed() {
				return true
			}
		case <-k.wake:
			// What has ended as it should begins anew only where that matters to it.
			now, bad := k.now(), v.errored || v.again
			if now.Wanted == nil || now.Sees != t.Sees || now.asked != t.asked || bad && now.Form != judged.Form || now.Restart != judged.Restart {
				return true
			}
		}
	}
}

// once runs one process to its end, and says how it ended and how long it lived.
// why is how the one before ended, "": there was none.
func (k *keeper) once(t task, why string) (error, time.Duration) { //nolint:revive,staticcheck // the error is what it is about
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	k.show(func(x *Instance) {
		x.State = Starting
		if why != "" {
			x.Restarts++
			x.Reason = why
		}
	})
	if why != "" {
		k.tell("restarted", why)
	}
	w := newWatcher(k, t.Wanted)
	p := Process{Instance: k.key.n, Output: w.output(), Started: func(pid int) {
		k.show(func(x *Instance) { x.PID = pid })
		w.begin()
		k.tell("started", fmt.Sprintf("process %d", pid))
	}}
	began, end := time.Now(), make(chan error, 1)
	go func() { end <- t.Run(ctx, p) }()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if err := w.watch(ctx); err != nil {
			cancel(err)
		}
	}()
	err := k.follow(t, cancel, end)
	lived := time.Since(began)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(nil)
	<-watched
	k.show(func(x *Instance) { x.PID = 0 })
	return err, lived
}

// follow waits for the end of a process, and brings it about when something else
// is wanted.
func (k *keeper) follow(t task, cancel context.CancelCauseFunc, end <-chan error) error {
	c := newCron(t.Cron)
	defer func() { c.stop() }()
	stop := func(why error) {
		k.show(func(x *Instance) { x.State = Stopping })
		cancel(why)
	}
	for {
		select {
		case err := <-end:
			return err
		case <-c.due():
			if c.passed() {
				stop(errCron)
			}
		case <-k.wake:
			now := k.now()
			switch {
			case now.Wanted == nil:
				stop(errStopped)
			case now.Sees != t.Sees:
				stop(errChanged)
			case now.asked != t.asked:
				stop(errAsked)
			case now.Cron != t.Cron:
				c.stop()
				c = newCron(now.Cron)
				t.Wanted = now.Wanted
			}
		}
	}
}
