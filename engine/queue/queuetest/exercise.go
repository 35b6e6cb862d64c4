// Package queuetest is the suite that a queue passes over every backend of the
// history.
package queuetest

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/queue"
)

// patience is how long what must come is waited for.
const patience = 20 * time.Second

// Exercise runs the suite. open gives a history that ends with the test: an
// empty one at a place it has not seen (an empty directory of the test's), the
// same one, as another process would open it, at one it has.
func Exercise(t *testing.T, open func(t *testing.T, place string) *history.History) {
	for name, test := range map[string]func(*testing.T, *bench){
		"order":          order,
		"woken":          woken,
		"due later":      dueLater,
		"limits":         limits,
		"new limits":     newLimits,
		"cancel queued":  cancelQueued,
		"cancel running": cancelRunning,
		"cancel all":     cancelAll,
		"two of them":    twoOfThem,
		"end":            end,
		"tried again":    triedAgain,
		"from before":    fromBefore,
		"goes on":        goesOn,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := t.TempDir()
			test(t, &bench{t: t, h: open(t, place), other: func() *history.History { return open(t, place) }})
		})
	}
}

// bench is a history with queues on it.
type bench struct {
	t     *testing.T
	h     *history.History
	other func() *history.History
}

func (b *bench) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) equal(what string, got, want any) {
	b.t.Helper()
	if !reflect.DeepEqual(got, want) {
		b.t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func (b *bench) add(o history.Order) int64 {
	b.t.Helper()
	if o.System == "" {
		o.System = "pm2"
	}
	if o.Pipeline == "" {
		o.Pipeline = "sync"
	}
	r, err := b.h.Enqueue(context.Background(), o)
	b.check(err)
	return r.ID
}

func (b *bench) state(id int64) pipeline.State {
	b.t.Helper()
	r, err := b.h.Run(context.Background(), id)
	b.check(err)
	return r.State
}

// started is a run that a queue has claimed; it goes on until it is told to end.
type started struct {
	pipeline.Run
	ctx context.Context
	end chan pipeline.State
}

// runs is a queue that runs.
type runs struct {
	*queue.Queue
	started chan started
	ended   chan int64
	stop    func() // and waits for the queue to return
}

// run starts a queue whose runs go on until they are told to end or cancelled.
func (b *bench) run(h *history.History, l queue.Limits) *runs {
	b.t.Helper()
	r := &runs{started: make(chan started, 1000), ended: make(chan int64, 1000)}
	r.Queue = queue.New(h, queue.Options{Limits: l, Failed: func(err error) { b.t.Error(err) }, Start: func(ctx context.Context, q history.Queued) error {
		claimed, err := h.Claim(ctx, q.ID, history.Definition{})
		if err != nil {
			return err
		}
		s := started{claimed, ctx, make(chan pipeline.State, 1)}
		r.started <- s
		select {
		case claimed.State = <-s.end:
		case <-ctx.Done():
			claimed.State = pipeline.Cancelled
		}
		err = h.Finish(context.WithoutCancel(ctx), &claimed)
		r.ended <- q.ID
		if err != nil {
			b.t.Error(err)
		}
		return nil
	}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Run(ctx); err != nil {
			b.t.Error(err)
		}
	}()
	r.stop = sync.OnceFunc(func() { cancel(); <-done })
	b.t.Cleanup(func() { cancel(); r.CancelAll(errors.New("the test ended")); <-done })
	return r
}

// take gives the next run that was started.
func (b *bench) take(r *runs) started {
	b.t.Helper()
	return take(b.t, r.started)
}

func take[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}

// quiet holds that nothing more was started by when a run of a pipeline that
// nothing else concerns has come and gone: the queue has then seen all.
func (b *bench) quiet(r *runs) {
	b.t.Helper()
	id := b.add(history.Order{System: "other", Pipeline: "probe", Priority: history.Low})
	r.Wake()
	s := b.take(r)
	if s.ID != id {
		b.t.Errorf("run %d of %s was started", s.ID, s.Pipeline)
	}
	s.end <- pipeline.Succeeded
	for take(b.t, r.ended) != id {
		continue
	}
}

func order(t *testing.T, b *bench) {
	now := time.Now()
	early, late := now.Add(-2*time.Hour), now.Add(-time.Hour)
	want := make([]int64, 8)
	want[5] = b.add(history.Order{Priority: history.Normal, Due: late})
	want[6] = b.add(history.Order{Priority: history.Normal, Due: late, Pipeline: "b"})
	want[4] = b.add(history.Order{Priority: history.Normal, Due: early, Pipeline: "b"})
	want[7] = b.add(history.Order{Priority: history.Low, Due: early})
	want[2] = b.add(history.Order{Priority: history.High, Due: late, System: "netlify"})
	want[0] = b.add(history.Order{Priority: history.Critical})
	want[1] = b.add(history.Order{Priority: history.High, Due: early})
	want[3] = b.add(history.Order{Priority: history.High})
	r := b.run(b.h, queue.Limits{Total: 1})
	var got []int64
	for range want {
		s := b.take(r)
		got = append(got, s.ID)
		s.end <- pipeline.Succeeded
	}
	b.equal("the order", got, want)
}

// woken holds that what is enqueued is started when the queue is told, and
// with what it was enqueued with.
func woken(t *testing.T, b *bench) {
	got := make(chan history.Queued, 1)
	q := queue.New(b.h, queue.Options{Start: func(_ context.Context, q history.Queued) error { got <- q; return history.ErrNotQueued }})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- q.Run(ctx) }()
	want := history.Order{
		System: "pm2", Pipeline: "sync", Trigger: "api", Reason: "manual", Priority: history.High, Due: time.Now().Add(-time.Minute).UTC().Truncate(time.Microsecond),
		Attempt: 2, Params: map[string]string{"text": "ü"}, Env: map[string]string{"A": "b\n"},
	}
	id := b.add(want)
	q.Wake()
	g := take(t, got)
	b.equal("the run", g.Run, pipeline.Run{
		ID: id, System: "pm2", Pipeline: "sync", Trigger: "api", Reason: "manual", State: pipeline.Queued, Attempt: 2, Queued: g.Queued.UTC(),
	})
	b.equal("what it is started with", []any{g.Priority, g.Due, g.Params, g.Env}, []any{want.Priority, want.Due, want.Params, want.Env})
	cancel()
	b.check(<-done)
}

func dueLater(t *testing.T, b *bench) {
	r := b.run(b.h, queue.Limits{Total: 1})
	due := time.Now().Add(200 * time.Millisecond)
	second := b.add(history.Order{Priority: history.Critical, Due: due.Add(time.Second)})
	first := b.add(history.Order{Priority: history.Low, Due: due})
	r.Wake()
	for _, id := range []int64{first, second} {
		s := b.take(r)
		if s.ID != id || time.Now().Before(due) {
			t.Errorf("run %d was started %s after it was due, expected %d", s.ID, time.Since(due), id)
		}
		s.end <- pipeline.Succeeded
	}
}

// limits holds that each limit holds, and that who is at one holds up nobody.
func limits(t *testing.T, b *bench) {
	r := b.run(b.h, queue.Limits{
		Total: 6, System: map[string]int{"pm2": 3, "closed": -1}, Pipeline: map[string]int{"pm2/sync": 1, "pm2/none": -1},
	})
	count := map[string]int{}
	for range 4 {
		b.add(history.Order{Priority: history.Critical})
		b.add(history.Order{Pipeline: "b", Priority: history.High})
		b.add(history.Order{Pipeline: "none", Priority: history.Critical})
		b.add(history.Order{System: "closed", Priority: history.Critical})
	}
	r.Wake()
	var on []started
	for range 3 {
		s := b.take(r)
		on = append(on, s)
		count[s.Pipeline]++
	}
	b.equal("at the limits", count, map[string]int{"sync": 1, "b": 2})
	b.quiet(r) // a system below its limit
	for range 4 {
		b.add(history.Order{System: "netlify", Priority: history.Low})
	}
	r.Wake()
	for range 3 {
		if s := b.take(r); s.System != "netlify" {
			t.Errorf("%s was started beyond its limit", s.Pipeline)
		} else {
			on = append(on, s)
		}
	}
	if n, _ := r.Waiting(); len(r.Active()) != 6 || n != 3+2+4+1 {
		t.Errorf("%d go on, %d wait", len(r.Active()), n)
	}
	on[0].end <- pipeline.Failed
	if s := b.take(r); s.System != "pm2" {
		t.Errorf("%s/%s took a free place before the more urgent", s.System, s.Pipeline)
	}
}

func newLimits(t *testing.T, b *bench) {
	r := b.run(b.h, queue.Limits{Pipeline: map[string]int{"pm2/sync": 1}})
	for range 3 {
		b.add(history.Order{})
	}
	r.Wake()
	first := b.take(r)
	b.quiet(r)
	r.Limit(queue.Limits{System: map[string]int{"pm2": 2}})
	second := b.take(r)
	b.quiet(r)
	r.Limit(queue.Limits{Total: 1})
	first.end <- pipeline.Succeeded
	for take(t, r.ended) != first.ID {
		continue
	}
	if got := r.Active(); len(got) != 1 || got[0].Run != second.ID || got[0].Pipeline != "pm2/sync" || time.Since(got[0].Since).Abs() > time.Minute {
		// The first may still be counted for an instant after its end.
		if len(got) != 2 {
			t.Errorf("%+v", got)
		}
	}
	second.end <- pipeline.Succeeded
	b.take(r)
}

func cancelQueued(t *testing.T, b *bench) {
	ctx := context.Background()
	r := b.run(b.h, queue.Limits{Pipeline: map[string]int{"pm2/sync": 1}})
	b.add(history.Order{})
	r.Wake()
	first := b.take(r)
	dropped := b.add(history.Order{})
	skipped := b.add(history.Order{})
	last := b.add(history.Order{})
	b.quiet(r)
	state, err := b.other().Cancel(ctx, dropped, "api")
	if err != nil || state != pipeline.Cancelled || b.state(dropped) != pipeline.Cancelled {
		t.Errorf("%s, %v", state, err)
	}
	b.check(b.h.Skip(ctx, skipped, "overlap"))
	b.quiet(r)
	if n, _ := r.Waiting(); n != 1 {
		t.Errorf("%d wait", n)
	}
	first.end <- pipeline.Succeeded
	if s := b.take(r); s.ID != last {
		t.Errorf("run %d was started", s.ID)
	}
	if r.Cancel(dropped) {
		t.Error("a run that waits has no context to end")
	}
}

func cancelRunning(t *testing.T, b *bench) {
	ctx := context.Background()
	r := b.run(b.h, queue.Limits{})
	watching, unwatch := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- b.h.Changed(watching, time.Millisecond, r.Wake) }()
	defer func() { unwatch(); b.check(<-done) }()
	b.add(history.Order{})
	here := b.add(history.Order{})
	r.Wake()
	a, c := b.take(r), b.take(r)
	if a.ID == here {
		a, c = c, a
	}
	if !r.Cancel(here) || !errors.Is(context.Cause(c.ctx), queue.ErrCancelled) || take(t, r.ended) != here {
		t.Error("not cancelled from here")
	}
	other := b.other()
	state, err := other.Cancel(ctx, a.ID, "api")
	if err != nil || state != pipeline.Running {
		t.Errorf("%s, %v", state, err)
	}
	if id := take(t, r.ended); id != a.ID || !errors.Is(context.Cause(a.ctx), queue.ErrCancelled) || b.state(id) != pipeline.Cancelled {
		t.Errorf("run %d ended as %s", id, b.state(id))
	}
	fromElsewhere, err := other.Enqueue(ctx, history.Order{System: "pm2", Pipeline: "sync"})
	b.check(err)
	if s := b.take(r); s.ID != fromElsewhere.ID {
		t.Errorf("run %d was started", s.ID)
	}
}

func cancelAll(t *testing.T, b *bench) {
	r := b.run(b.h, queue.Limits{})
	b.add(history.Order{})
	b.add(history.Order{})
	r.Wake()
	cause := errors.New("out")
	on := []started{b.take(r), b.take(r)}
	r.CancelAll(cause)
	for _, s := range on {
		take(t, r.ended)
		b.equal("the cause", context.Cause(s.ctx), cause)
	}
}

// twoOfThem holds that each run is claimed once, whoever is told of it.
func twoOfThem(t *testing.T, b *bench) {
	const runs = 60
	both := make(chan int64, 10*runs)
	start := func(h *history.History) func(context.Context, history.Queued) error {
		return func(ctx context.Context, q history.Queued) error {
			r, err := h.Claim(ctx, q.ID, history.Definition{})
			if err != nil {
				return err
			}
			both <- q.ID
			r.State = pipeline.Succeeded
			return h.Finish(ctx, &r)
		}
	}
	for range runs / 2 {
		b.add(history.Order{})
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	var queues []*queue.Queue
	for _, h := range []*history.History{b.h, b.other()} {
		q := queue.New(h, queue.Options{Limits: queue.Limits{Total: 4}, Start: start(h)})
		queues = append(queues, q)
		wg.Go(func() { _ = q.Run(ctx) })
	}
	for range runs / 2 {
		b.add(history.Order{})
		for _, q := range queues {
			q.Wake()
		}
	}
	seen := map[int64]bool{}
	for range runs {
		id := take(t, both)
		if seen[id] {
			t.Errorf("run %d was claimed twice", id)
		}
		seen[id] = true
	}
	cancel()
	wg.Wait()
	if len(both) > 0 {
		t.Errorf("%d claims too many", len(both))
	}
}

// end holds that a queue that ends starts nothing more, leaves what goes on
// alone and returns after it.
func end(t *testing.T, b *bench) {
	r := b.run(b.h, queue.Limits{Total: 1})
	b.add(history.Order{})
	waits := b.add(history.Order{})
	r.Wake()
	s := b.take(r)
	stopped := make(chan struct{})
	go func() { r.stop(); close(stopped) }()
	select {
	case <-stopped:
		t.Error("returned before its run")
	case <-s.ctx.Done():
		t.Error("ended its run")
	case <-time.After(50 * time.Millisecond):
	}
	s.end <- pipeline.Succeeded
	take(t, stopped)
	if got := b.state(s.ID); got != pipeline.Succeeded {
		t.Errorf("the run: %s", got)
	}
	if got := b.state(waits); got != pipeline.Queued {
		t.Errorf("what waited: %s", got)
	}
}

// triedAgain holds that a run which could not be claimed is tried again, and
// that others go on meanwhile.
func triedAgain(t *testing.T, b *bench) {
	tries := make(chan time.Time, 100)
	var hurdles sync.Map
	q := queue.New(b.h, queue.Options{Start: func(ctx context.Context, q history.Queued) error {
		tries <- time.Now()
		if _, seen := hurdles.LoadOrStore(q.ID, true); !seen {
			return errors.New("no room")
		}
		_, err := b.h.Claim(ctx, q.ID, history.Definition{})
		return err
	}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	b.add(history.Order{})
	q.Wake()
	first := take(t, tries)
	if n, oldest := q.Waiting(); n > 1 || n == 1 && oldest.After(first) {
		t.Errorf("%d wait since %s", n, oldest)
	}
	second := take(t, tries)
	if pause := second.Sub(first); pause < 900*time.Millisecond || pause > 4*time.Second {
		t.Errorf("tried again after %s", pause)
	}
	cancel()
	b.check(<-done)
	if len(tries) > 0 {
		t.Errorf("tried %d times more", len(tries))
	}
}

// fromBefore holds that a queue begins with what others left.
func fromBefore(t *testing.T, b *bench) {
	id := b.add(history.Order{})
	if s := b.take(b.run(b.other(), queue.Limits{})); s.ID != id {
		t.Errorf("run %d was started", s.ID)
	}
}
