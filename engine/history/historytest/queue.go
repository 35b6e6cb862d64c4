package historytest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/history/priority"
	"github.com/redundctl/redundctl/engine/history/retention"
	"github.com/redundctl/redundctl/engine/pipeline"
)

func enqueue(t *testing.T, h *history.History, o history.Order) pipeline.Run {
	t.Helper()
	if o.System == "" {
		o.System, o.Pipeline = "pm2", "sync"
	}
	if o.Trigger == "" {
		o.Trigger, o.Reason = "api", "manual"
	}
	r, err := h.Enqueue(context.Background(), o)
	check(t, err)
	return r
}

func waiting(t *testing.T, h *history.History) []int64 {
	t.Helper()
	list, err := h.Queue(context.Background())
	check(t, err)
	out := []int64{}
	for _, q := range list {
		out = append(out, q.ID)
	}
	return out
}

func get(t *testing.T, h *history.History, id int64) pipeline.Run {
	t.Helper()
	r, err := h.Run(context.Background(), id)
	check(t, err)
	return r
}

func queue(t *testing.T, h *history.History) {
	ctx := context.Background()
	list, err := h.Queue(ctx)
	check(t, err)
	equal(t, "an empty queue", list, []history.Queued{})
	o := history.Order{
		System: "pm2", Pipeline: "sync", Trigger: "retry", Reason: "retry", Slot: day(0), Priority: history.High, Due: day(3), Attempt: 3, Parent: 5,
		Params: map[string]string{"text": "ü\n", "": "x"}, Env: map[string]string{"A": "b"},
		Definition: history.Definition{Hash: "h", File: "a.yaml", Body: []byte("{}")},
	}
	r := enqueue(t, h, o)
	want := pipeline.Run{
		ID: r.ID, System: "pm2", Pipeline: "sync", Trigger: "retry", Reason: "retry", Slot: day(0), State: pipeline.Queued,
		Attempt: 3, Parent: 5, Queued: r.Queued, Hash: "h",
	}
	equal(t, "enqueued as", r, want)
	equal(t, "read as", get(t, h, r.ID), want)
	list, err = h.Queue(ctx)
	check(t, err)
	equal(t, "queued as", list, []history.Queued{{Run: want, Priority: history.High, Due: day(3), Params: o.Params, Env: o.Env}})
	if _, ok, err := h.Definition(ctx, "h"); !ok || err != nil {
		t.Errorf("its definition: %v, %v", ok, err)
	}
	low := enqueue(t, h, history.Order{Due: day(0)})
	now := enqueue(t, h, history.Order{Priority: history.High})
	first := enqueue(t, h, history.Order{Priority: history.Critical, Due: day(9)})
	same := enqueue(t, h, history.Order{Priority: history.High, Due: day(3)})
	equal(t, "the order", waiting(t, h), []int64{first.ID, r.ID, same.ID, now.ID, low.ID})
	after, all, err := h.QueueAfter(ctx, now.ID)
	check(t, err)
	if all != 5 || len(after) != 2 || after[0].ID != first.ID || after[1].ID != same.ID {
		t.Errorf("after %d: %d of %d: %+v", now.ID, len(after), all, after)
	}
	runs, err := h.Runs(ctx, history.Filter{States: []pipeline.State{pipeline.Queued}})
	check(t, err)
	if len(runs) != 5 {
		t.Errorf("%d runs are queued", len(runs))
	}
	for word, want := range map[string]int{"critical": 3, "high": 2, "normal": 1, "": 1, "low": 0} {
		equal(t, word, priority.Of(word), want)
	}
}

func claim(t *testing.T, h *history.History) {
	ctx := context.Background()
	r := enqueue(t, h, history.Order{Definition: history.Definition{Hash: "old", Body: []byte("{}")}})
	if _, err := h.Claim(ctx, r.ID+1, history.Definition{}); !errors.Is(err, history.ErrNoRun) {
		t.Errorf("no such run: %v", err)
	}
	got, err := h.Claim(ctx, r.ID, history.Definition{Hash: "new", Body: []byte("{}")})
	check(t, err)
	want := r
	want.State, want.Started, want.Fence, want.Hash = pipeline.Running, got.Started, 1, "new"
	equal(t, "claimed as", got, want)
	equal(t, "read as", get(t, h, r.ID), want)
	if got.Started.Before(r.Queued) {
		t.Errorf("started %s, queued %s", got.Started, r.Queued)
	}
	equal(t, "what waits", waiting(t, h), []int64{})
	if _, err := h.Claim(ctx, r.ID, history.Definition{}); !errors.Is(err, history.ErrNotQueued) {
		t.Errorf("claimed twice: %v", err)
	}
	check(t, h.StartStep(ctx, &pipeline.StepRecord{Run: r.ID, ID: "x", State: pipeline.Running}))
	got.State, got.Error = pipeline.Failed, "no"
	check(t, h.Finish(ctx, &got))
	if _, err := h.Claim(ctx, r.ID, history.Definition{}); !errors.Is(err, history.ErrNotQueued) {
		t.Errorf("claimed after its end: %v", err)
	}
	kept := enqueue(t, h, history.Order{Definition: history.Definition{Hash: "old"}})
	if got, err := h.Claim(ctx, kept.ID, history.Definition{}); err != nil || got.Hash != "old" {
		t.Errorf("without a definition of its own: %+v, %v", got, err)
	}
}

// claimOfASlot holds that runs of one slot never go on side by side, and that
// each claim has a higher fence.
func claimOfASlot(t *testing.T, h *history.History) {
	ctx := context.Background()
	var taken *history.SlotTaken
	first := enqueue(t, h, history.Order{Slot: day(0)})
	if _, err := h.Enqueue(ctx, history.Order{System: "pm2", Pipeline: "sync", Slot: day(0)}); !errors.As(err, &taken) || taken.Run != first.ID || !taken.Active {
		t.Errorf("enqueued twice: %v", err)
	}
	if err := h.Begin(ctx, &pipeline.Run{System: "pm2", Pipeline: "sync", Slot: day(0)}, history.Definition{}); !errors.As(err, &taken) {
		t.Errorf("begun while it waits: %v", err)
	}
	a, err := h.Claim(ctx, first.ID, history.Definition{})
	check(t, err)
	if _, err := h.Enqueue(ctx, history.Order{System: "pm2", Pipeline: "sync", Slot: day(0)}); !errors.As(err, &taken) {
		t.Errorf("enqueued while it runs: %v", err)
	}
	a.State = pipeline.Failed
	check(t, h.Finish(ctx, &a))
	retry := enqueue(t, h, history.Order{Slot: day(0), Attempt: 2, Trigger: "retry", Reason: "retry"})
	c, err := h.Claim(ctx, retry.ID, history.Definition{})
	check(t, err)
	if c.Fence <= a.Fence || c.Attempt != 2 {
		t.Errorf("fence %d after %d, attempt %d", c.Fence, a.Fence, c.Attempt)
	}
	c.State = pipeline.Succeeded
	check(t, h.Finish(ctx, &c))
	if _, err := h.Enqueue(ctx, history.Order{System: "pm2", Pipeline: "sync", Slot: day(0)}); !errors.As(err, &taken) || taken.Run != c.ID || taken.Active {
		t.Errorf("enqueued when it was served: %v", err)
	}
}

func oneClaimWins(t *testing.T, h *history.History) {
	ctx := context.Background()
	for range 20 {
		r := enqueue(t, h, history.Order{})
		errs := make(chan error, 4)
		for range cap(errs) {
			go func() {
				_, err := h.Claim(ctx, r.ID, history.Definition{})
				errs <- err
			}()
		}
		won := 0
		for range cap(errs) {
			if err := <-errs; err == nil {
				won++
			} else if !errors.Is(err, history.ErrNotQueued) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d claims won", won)
		}
	}
}

func skip(t *testing.T, h *history.History) {
	ctx := context.Background()
	r := enqueue(t, h, history.Order{Slot: day(0)})
	check(t, h.Skip(ctx, r.ID, "overlap"))
	got := get(t, h, r.ID)
	if got.State != pipeline.Skipped || got.Reason != "overlap" || got.Finished.IsZero() || !got.Started.IsZero() {
		t.Errorf("skipped as %+v", got)
	}
	equal(t, "what waits", waiting(t, h), []int64{})
	if err := h.Skip(ctx, r.ID, "stopped"); !errors.Is(err, history.ErrNotQueued) {
		t.Errorf("skipped twice: %v", err)
	}
	if _, err := h.Claim(ctx, r.ID, history.Definition{}); !errors.Is(err, history.ErrNotQueued) {
		t.Errorf("claimed when it was skipped: %v", err)
	}
	if err := h.Skip(ctx, r.ID+1, "stopped"); !errors.Is(err, history.ErrNoRun) {
		t.Errorf("no such run: %v", err)
	}
	enqueue(t, h, history.Order{Slot: day(0)}) // the slot is free
}

func cancel(t *testing.T, h *history.History) {
	ctx := context.Background()
	if _, err := h.Cancel(ctx, 1, "me"); !errors.Is(err, history.ErrNoRun) {
		t.Errorf("no such run: %v", err)
	}
	asked := func(want ...int64) {
		t.Helper()
		got, err := h.CancelAsked(ctx)
		check(t, err)
		equal(t, "asked to cancel", got, want)
	}
	state := func(id int64, want pipeline.State) {
		t.Helper()
		got, err := h.Cancel(ctx, id, "me")
		check(t, err)
		equal(t, "its state", got, want)
	}
	asked()
	waits := enqueue(t, h, history.Order{})
	state(waits.ID, pipeline.Cancelled)
	got := get(t, h, waits.ID)
	if got.State != pipeline.Cancelled || got.Finished.IsZero() || got.Error == "" {
		t.Errorf("cancelled as %+v", got)
	}
	state(waits.ID, pipeline.Cancelled)
	if _, err := h.Claim(ctx, waits.ID, history.Definition{}); !errors.Is(err, history.ErrNotQueued) {
		t.Errorf("claimed when it was cancelled: %v", err)
	}
	a, b := record(t, h, pipeline.Run{}, pipeline.Running), record(t, h, pipeline.Run{}, pipeline.Running)
	asked()
	state(b.ID, pipeline.Running)
	state(b.ID, pipeline.Running)
	equal(t, "until it ends", get(t, h, b.ID), b)
	asked(b.ID)
	state(a.ID, pipeline.Running)
	asked(a.ID, b.ID)
	b.State = pipeline.Cancelled
	check(t, h.Finish(ctx, &b))
	asked(a.ID)
	a.State = pipeline.Succeeded // it was faster
	check(t, h.Finish(ctx, &a))
	state(a.ID, pipeline.Succeeded)
	asked()
	events, err := h.Events(ctx, history.EventFilter{What: "cancel"})
	check(t, err)
	if len(events) != 3 || events[1].Run != b.ID || events[1].Pipeline != "pm2/sync" || events[1].Detail != "me" {
		t.Errorf("events: %+v", events)
	}
}

func decide(t *testing.T, h *history.History) {
	ctx := context.Background()
	got, err := h.Decide(ctx, nil)
	check(t, err)
	if len(got) != 0 {
		t.Errorf("of nothing came %+v", got)
	}
	byHand := record(t, h, pipeline.Run{Slot: day(2)}, pipeline.Failed)
	list := []history.Decision{
		{System: "pm2", Name: "sync", Slot: day(0), Trigger: "schedule", Reason: "missed", Detail: "the engine was down"},
		{
			System: "pm2", Name: "sync", Slot: day(1), Run: true, Trigger: "schedule", Reason: "scheduled", Priority: history.High, Due: day(1).Add(time.Second),
			Definition: history.Definition{Hash: "h", File: "a.yaml", Body: []byte("{}")},
		},
		{System: "pm2", Name: "sync", Slot: day(2), Run: true, Trigger: "schedule", Reason: "scheduled"},
		{System: "pm2", Name: "other", Slot: day(1), Run: true, Trigger: "failover", Reason: "primary-missing"},
	}
	got, err = h.Decide(ctx, list)
	check(t, err)
	at := got[0].Queued
	equal(t, "the runs", got, []pipeline.Run{
		{ID: byHand.ID + 1, System: "pm2", Pipeline: "sync", Trigger: "schedule", Reason: "missed", Slot: day(0), State: pipeline.Skipped, Attempt: 1, Queued: at, Finished: at},
		{ID: byHand.ID + 2, System: "pm2", Pipeline: "sync", Trigger: "schedule", Reason: "scheduled", Slot: day(1), State: pipeline.Queued, Attempt: 1, Queued: at, Hash: "h"},
		{},
		{ID: byHand.ID + 3, System: "pm2", Pipeline: "other", Trigger: "failover", Reason: "primary-missing", Slot: day(1), State: pipeline.Queued, Attempt: 1, Queued: at},
	})
	for _, r := range got {
		if r.ID != 0 {
			equal(t, "read as", get(t, h, r.ID), r)
		}
	}
	equal(t, "what waits", waiting(t, h), []int64{got[1].ID, got[3].ID})
	if q, err := h.Queue(ctx); err != nil || q[0].Priority != history.High || !q[0].Due.Equal(day(1).Add(time.Second)) || !q[1].Due.Equal(at) {
		t.Errorf("%+v, %v", q, err)
	}
	events, err := h.Events(ctx, history.EventFilter{What: "decided"})
	check(t, err)
	equal(t, "events", events, []pipeline.Event{{At: at, Run: got[0].ID, Pipeline: "pm2/sync", What: "decided", Detail: "the engine was down"}})
	again, err := h.Decide(ctx, list)
	check(t, err)
	equal(t, "decided again", again, make([]pipeline.Run, 4))
	if all, err := h.Runs(ctx, history.Filter{}); err != nil || len(all) != 4 {
		t.Errorf("%d runs, %v", len(all), err)
	}
	claimed, err := h.Claim(ctx, got[1].ID, history.Definition{})
	check(t, err)
	if claimed.Fence != 1 {
		t.Errorf("fence %d", claimed.Fence)
	}
}

// decideAtOnce holds that of several who decide the same slots, one does.
func decideAtOnce(t *testing.T, h *history.History) {
	var list []history.Decision
	for i := range 200 {
		list = append(list, history.Decision{System: "pm2", Name: fmt.Sprint("p", i), Slot: day(0), Run: true, Trigger: "schedule", Reason: "scheduled"})
	}
	var wg sync.WaitGroup
	decided := make(chan int64, 4*len(list))
	for range 4 {
		wg.Go(func() {
			runs, err := h.Decide(context.Background(), list)
			if err != nil {
				t.Error(err)
			}
			for _, r := range runs {
				if r.ID != 0 {
					decided <- r.ID
				}
			}
		})
	}
	wg.Wait()
	if len(decided) != len(list) || len(waiting(t, h)) != len(list) {
		t.Errorf("%d were decided, %d wait", len(decided), len(waiting(t, h)))
	}
}

func lastSlots(t *testing.T, h *history.History) {
	ctx := context.Background()
	last := func(name string, want time.Time) {
		t.Helper()
		got, ok, err := h.LastSlot(ctx, "pm2", name)
		check(t, err)
		if ok == want.IsZero() || !got.Equal(want) {
			t.Errorf("%s: %s, %v", name, got, ok)
		}
	}
	decide := func(name string, slot time.Time) {
		t.Helper()
		_, err := h.Decide(ctx, []history.Decision{{System: "pm2", Name: name, Slot: slot, Reason: "missed"}})
		check(t, err)
	}
	last("sync", time.Time{})
	all, err := h.LastSlots(ctx)
	check(t, err)
	equal(t, "of nothing", all, map[string]time.Time{})
	record(t, h, pipeline.Run{Slot: day(5)}, pipeline.Succeeded) // by hand
	last("sync", time.Time{})
	decide("sync", day(2))
	decide("sync", day(1))
	decide("other", day(3))
	last("sync", day(2))
	decide("sync", time.Now().Add(24*time.Hour)) // under a clock that was wrong
	last("sync", day(2))
	decide("sync", day(5))
	last("sync", day(5))
	record(t, h, pipeline.Run{System: "pm2", Pipeline: "hand", Slot: day(5)}, pipeline.Succeeded)
	all, err = h.LastSlots(ctx)
	check(t, err)
	equal(t, "of all", all, map[string]time.Time{"pm2/sync": day(5), "pm2/other": day(3)})
}

func parts(t *testing.T, h *history.History) {
	ctx := context.Background()
	stopped := func(want ...string) map[string]time.Time {
		t.Helper()
		got, err := h.Stopped(ctx)
		check(t, err)
		for _, id := range want {
			if since, ok := got[id]; !ok || time.Since(since).Abs() > time.Minute {
				t.Errorf("%s: %v, %s", id, ok, since)
			}
		}
		if len(got) != len(want) {
			t.Errorf("stopped: %v", got)
		}
		return got
	}
	stopped()
	check(t, h.Stop(ctx, "pm2", "sync", "me"))
	check(t, h.Stop(ctx, "pm2", "", "me"))
	before := stopped("pm2", "pm2/sync")
	check(t, h.Stop(ctx, "pm2", "sync", "another"))
	equal(t, "stopped again", stopped("pm2", "pm2/sync"), before)
	check(t, h.Start(ctx, "pm2", "", "me"))
	check(t, h.Start(ctx, "pm2", "", "me"))
	stopped("pm2/sync")
	check(t, h.Start(ctx, "pm2", "sync", "you"))
	stopped()
	events, err := h.Events(ctx, history.EventFilter{})
	check(t, err)
	var told []string
	for _, e := range events {
		told = append(told, e.What+" "+e.Pipeline+" "+e.Detail)
	}
	equal(t, "events", told, []string{"part-stopped pm2/sync me", "part-stopped pm2 me", "part-started pm2 me", "part-started pm2/sync you"})
}

func loaded(t *testing.T, h *history.History) {
	ctx := context.Background()
	set := func(want ...history.Loaded) {
		t.Helper()
		got, err := h.LastLoaded(ctx)
		check(t, err)
		for i := range got {
			if i < len(want) && want[i].Since.IsZero() && time.Since(got[i].Since).Abs() < time.Minute {
				got[i].Since = time.Time{}
			}
		}
		equal(t, "the set", got, append([]history.Loaded{}, want...))
	}
	set()
	a := history.Loaded{System: "pm2", Name: "a", File: "a.yaml", Hash: "h1", Since: day(0)}
	b := history.Loaded{System: "netlify", Name: "b", File: "b.yaml", Hash: "h2"}
	check(t, h.Load(ctx, []history.Loaded{a, b}, []history.Definition{{Hash: "h1", File: "a.yaml", Body: []byte("1")}, {Hash: "h2", File: "b.yaml", Body: []byte("2")}}))
	set(b, a)
	changed := history.Loaded{System: "pm2", Name: "a", File: "moved.yaml", Hash: "h3", Since: day(9)}
	check(t, h.Load(ctx, []history.Loaded{changed}, []history.Definition{{Hash: "h3", File: "moved.yaml", Body: []byte("3")}}))
	changed.Since = a.Since
	set(changed)
	_, err := h.Prune(ctx, retention.Options{Before: time.Now().Add(time.Hour)})
	check(t, err)
	for hash, want := range map[string]bool{"h1": false, "h2": false, "h3": true} {
		if _, ok, err := h.Definition(ctx, hash); ok != want || err != nil {
			t.Errorf("definition %s is kept: %v, %v", hash, ok, err)
		}
	}
	check(t, h.Load(ctx, nil, nil))
	set()
}

// pruneAndQueue holds that what waits stays, however old, and with it how far
// each schedule has come.
func pruneAndQueue(t *testing.T, h *history.History) {
	ctx := context.Background()
	waits := enqueue(t, h, history.Order{Slot: day(0), Definition: history.Definition{Hash: "h", Body: []byte("{}")}})
	for n := range 3 {
		_, err := h.Decide(ctx, []history.Decision{{System: "pm2", Name: "yearly", Slot: day(n), Reason: "missed"}})
		check(t, err)
	}
	before := time.Now().Add(time.Hour)
	dry, err := h.Prune(ctx, retention.Options{Before: before, Dry: true})
	check(t, err)
	if dry.Runs != 3 || dry.Slots != 2 || dry.Definitions != 0 {
		t.Errorf("dry: %+v", dry)
	}
	wet, err := h.Prune(ctx, retention.Options{Before: before})
	check(t, err)
	equal(t, "as was said", wet, dry)
	equal(t, "what waits", waiting(t, h), []int64{waits.ID})
	if slot, ok, err := h.LastSlot(ctx, "pm2", "yearly"); !ok || err != nil || !slot.Equal(day(2)) {
		t.Errorf("the last slot: %s, %v, %v", slot, ok, err)
	}
	if _, err := h.Claim(ctx, waits.ID, history.Definition{}); err != nil {
		t.Error(err)
	}
}

// slotOfARetry holds that a run which waits serves its slot, and no more when it
// was skipped.
func slotOfARetry(t *testing.T, h *history.History) {
	ctx := context.Background()
	got, err := h.Decide(ctx, []history.Decision{{System: "pm2", Name: "sync", Slot: day(0), Run: true, Trigger: "schedule", Reason: "scheduled"}})
	check(t, err)
	first, err := h.Claim(ctx, got[0].ID, history.Definition{})
	check(t, err)
	first.State = pipeline.Failed
	check(t, h.Finish(ctx, &first))
	retry := enqueue(t, h, history.Order{Slot: day(0), Attempt: 2})
	active, ok, err := h.ActiveSlot(ctx, "pm2", "sync", day(0))
	check(t, err)
	if !ok || active.ID != retry.ID {
		t.Errorf("what serves the slot: %+v, %v", active, ok)
	}
	check(t, h.Skip(ctx, retry.ID, "removed"))
	if _, ok, err := h.ActiveSlot(ctx, "pm2", "sync", day(0)); ok || err != nil {
		t.Errorf("a slot whose run was skipped counts as served; %v", err)
	}
}
