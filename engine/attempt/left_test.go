package attempt

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/past"
	"github.com/redundctl/redundctl/engine/store"
)

const twice = `{"version":1,"name":"a","system":"pm2","retry":{"attempts":2,"delay":"1ms"},"steps":[{"id":"x","exec":["true"]}]}`

// claimed is a run that an engine has begun, in a history of its own.
func claimed(t *testing.T, body string, slot time.Time) (*store.DB, *history.History, pipeline.Run) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	h := history.New(db)
	t.Cleanup(func() {
		if err := errors.Join(h.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	q, err := h.Enqueue(t.Context(), history.Order{
		System: "pm2", Pipeline: "a", Trigger: "schedule", Slot: slot, Params: map[string]string{"p": "1"},
		Definition: history.Definition{Hash: "h", File: "a.yaml", Body: []byte(body)},
	})
	if err != nil {
		t.Fatal(err)
	}
	run, err := h.Claim(t.Context(), q.ID, history.Definition{})
	if err != nil {
		t.Fatal(err)
	}
	return db, h, run
}

func every(string) bool { return true }

func waiting(t *testing.T, h *history.History) []history.Queued {
	t.Helper()
	list, err := h.Queue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestNextAttemptIsNotLost: an engine that dies between the end of a run that
// failed and the lining up of its next attempt leaves that to the next one, and
// it is done once.
func TestNextAttemptIsNotLost(t *testing.T) {
	t.Parallel()
	_, h, run := claimed(t, twice, time.Time{})
	run.State, run.Error = pipeline.Failed, "step x: exit code 1"
	if err := h.Finish(t.Context(), &run); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false} {
		if waits, err := Left(t.Context(), h, every, slog.New(slog.DiscardHandler)); err != nil || waits != want {
			t.Errorf("time %d: waits %v, %v", i+1, waits, err)
		}
	}
	// Who looked before, and comes late, does it no second time.
	again, err := Next(t.Context(), h, pipeline.Retry{Attempts: 2}, Ended{Queued: history.Queued{Run: run}})
	if !again || err != nil { // it comes, so nobody is to be told that the run failed
		t.Errorf("who came late: %v, %v", again, err)
	}
	list := waiting(t, h)
	if len(list) != 1 || list[0].Attempt != 2 || list[0].Params["p"] != "1" {
		t.Errorf("%+v", list)
	}
}

// TestInterruptedIsSeenToOnce has another process write the end of a run and
// end without more: what comes after is still done, by the next engine, once.
func TestInterruptedIsSeenToOnce(t *testing.T) {
	t.Parallel()
	db, h, run := claimed(t, twice, time.Unix(1e9, 0))
	if err := h.StartStep(t.Context(), &pipeline.StepRecord{Run: run.ID, ID: "x", Uses: "exec", State: pipeline.Running}); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil { // as dead as a process can be
		t.Fatal(err)
	}
	other := history.New(db)
	if ids, err := other.Rescue(t.Context(), func(string) error { return nil }); err != nil || len(ids) != 1 {
		t.Fatalf("%v, %v", ids, err)
	}
	next := history.New(db)
	if waits, err := Left(t.Context(), next, func(system string) bool { return system != "pm2" }, slog.New(slog.DiscardHandler)); err != nil || waits {
		t.Errorf("an engine of other systems: waits %v, %v", waits, err)
	}
	for i, want := range []bool{true, false} {
		if waits, err := Left(t.Context(), next, every, slog.New(slog.DiscardHandler)); err != nil || waits != want {
			t.Errorf("time %d: waits %v, %v", i+1, waits, err)
		}
	}
	if list := waiting(t, next); len(list) != 1 || list[0].Attempt != 2 {
		t.Errorf("%+v", list)
	}
}

// TestOneGoesOn lets a run that may go on be seen to by two engines: it waits
// once, with its attempt and a higher fence; and when another run has its slot
// meanwhile, it does not go on.
func TestOneGoesOn(t *testing.T) {
	t.Parallel()
	for _, taken := range []bool{false, true} {
		db, h, run := claimed(t, twice, time.Unix(1e9, 0))
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		a, b := history.New(db), history.New(db)
		defer b.Close()
		if _, err := a.Rescue(t.Context(), func(string) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if taken {
			r := pipeline.Run{System: "pm2", Pipeline: "a", Trigger: "manual", Slot: run.Slot}
			if err := b.Begin(t.Context(), &r, history.Definition{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, h := range []*history.History{a, b} {
			if _, err := Left(context.Background(), h, every, slog.New(slog.DiscardHandler)); err != nil {
				t.Error(err)
			}
		}
		list := waiting(t, b)
		if taken {
			if len(list) != 0 {
				t.Errorf("beside another run of the slot: %+v", list)
			}
			continue
		}
		if err := a.Again(t.Context(), run.ID, history.Resumed, time.Time{}); !errors.Is(err, history.ErrNotQueued) {
			t.Errorf("seen to twice: %v", err)
		}
		if len(list) != 1 || list[0].ID != run.ID || list[0].Attempt != 1 || list[0].Owed != history.Resumed {
			t.Fatalf("%+v", list)
		}
		again, err := b.Claim(t.Context(), run.ID, history.Definition{})
		if err != nil || again.Fence <= run.Fence || !again.Started.Equal(run.Started) {
			t.Errorf("%+v, %v", again, err)
		}
		if _, err := b.Claim(t.Context(), run.ID, history.Definition{}); !errors.Is(err, history.ErrNotQueued) {
			t.Errorf("claimed twice: %v", err)
		}
		run.State = pipeline.Succeeded
		if err := h.Finish(t.Context(), &run); !errors.Is(err, history.ErrOvertaken) {
			t.Errorf("who was overtaken wrote: %v", err)
		}
	}
}

// dead is a run whose engine died, and a history of the next one.
func dead(t *testing.T, body string) (*history.History, history.Queued) {
	t.Helper()
	db, h, run := claimed(t, body, time.Unix(1e9, 0))
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	next := history.New(db)
	t.Cleanup(func() { _ = next.Close() })
	if _, err := next.Rescue(t.Context(), func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if waits, err := Left(t.Context(), next, every, slog.New(slog.DiscardHandler)); err != nil || !waits {
		t.Fatalf("waits %v, %v", waits, err)
	}
	list := waiting(t, next)
	if len(list) != 1 || list[0].ID != run.ID {
		t.Fatalf("%+v", list)
	}
	return next, list[0]
}

const handled = `{"version":1,"name":"a","system":"pm2","retry":{"attempts":2,"delay":"1ms"},"steps":[{"id":"x","exec":["true"]}],` +
	`"on-failure":[{"exec":["true"]}],"on-cancel":[{"exec":["true"]}]}`

// TestOutOfTimeBetweenTwoSteps: no step was ended, one was left out, and that
// is how the run ended, whether its process came to record it or not.
func TestOutOfTimeBetweenTwoSteps(t *testing.T) {
	t.Parallel()
	for _, settled := range []bool{true, false} {
		db, h, run := claimed(t, handled, time.Unix(1e9, 0))
		if settled {
			if err := h.Settle(t.Context(), run.ID, pipeline.TimedOut, "the run is out of time"); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.EndStep(t.Context(), &pipeline.StepRecord{Run: run.ID, ID: "x", Uses: "exec", State: pipeline.Skipped, Error: past.OutOfTime}); err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		next := history.New(db)
		defer next.Close()
		if _, err := next.Rescue(t.Context(), func(string) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if waits, err := Left(t.Context(), next, every, slog.New(slog.DiscardHandler)); err != nil || !waits {
			t.Fatalf("waits %v, %v", waits, err)
		}
		q := waiting(t, next)[0]
		x, err := Resume(t.Context(), next, &q)
		if err != nil || x.Past.Outcome != (past.Outcome{State: pipeline.TimedOut, Error: "the run is out of time"}) {
			t.Errorf("settled %v: %+v, %v", settled, x.Past.Outcome, err)
		}
	}
}

// TestCancelledWhileItWaitsToGoOn: its handlers are still to run, so it waits
// for its turn, and its graph does not go on.
func TestCancelledWhileItWaitsToGoOn(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		h, q := dead(t, handled)
		cancel := func() {
			if state, err := h.Cancel(t.Context(), q.ID, "a test"); err != nil || state.Done() {
				t.Fatalf("%s, %v", state, err)
			}
		}
		if !late {
			cancel()
		}
		x, err := Resume(t.Context(), h, &q)
		if err != nil {
			t.Fatal(err)
		}
		if late {
			cancel()
		}
		if _, err := h.Claim(t.Context(), q.ID, history.Definition{}); err != nil {
			t.Fatal(err)
		}
		if err := x.GoesOn(t.Context(), h, &q); err != nil || x.Past.Outcome.State != pipeline.Cancelled {
			t.Errorf("late %v: %+v, %v", late, x.Past.Outcome, err)
		}
	}
}

// TestSkippedWhileItWaitsToGoOn: a run whose slot another one serves by now is
// still owed its handlers.
func TestSkippedWhileItWaitsToGoOn(t *testing.T) {
	t.Parallel()
	h, q := dead(t, handled)
	if err := h.Skip(t.Context(), q.ID, "superseded"); err != nil {
		t.Fatal(err)
	}
	r := pipeline.Run{System: "pm2", Pipeline: "a", Trigger: "manual", Slot: q.Slot}
	if err := h.Begin(t.Context(), &r, history.Definition{}); err != nil {
		t.Fatal(err)
	}
	if waits, err := Left(t.Context(), h, every, slog.New(slog.DiscardHandler)); err != nil || !waits {
		t.Errorf("waits %v, %v", waits, err)
	}
	if list := waiting(t, h); len(list) != 1 || list[0].ID != q.ID || list[0].Owed != history.Handled {
		t.Errorf("%+v", list)
	}
}

// TestGoingOnIsToldOnce: the event comes with the claim, not with each try.
func TestGoingOnIsToldOnce(t *testing.T) {
	t.Parallel()
	h, q := dead(t, handled)
	for range 3 {
		x, err := Resume(t.Context(), h, &q)
		if err != nil || x.before != 0 {
			t.Errorf("went on %d times before, %v", x.before, err)
		}
	}
}

// TestBrokenDefinition: what cannot be read is told once, and left.
func TestBrokenDefinition(t *testing.T) {
	t.Parallel()
	_, h, run := claimed(t, "{", time.Time{})
	run.State = pipeline.Failed
	if err := h.Finish(t.Context(), &run); err != nil {
		t.Fatal(err)
	}
	if waits, err := Left(t.Context(), h, every, slog.New(slog.DiscardHandler)); err != nil || waits {
		t.Errorf("waits %v, %v", waits, err)
	}
	if list, err := h.Owed(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestPause: a run that goes on again and again waits between, but not at first.
func TestPause(t *testing.T) {
	t.Parallel()
	for before, want := range map[int]time.Duration{0: 0, 2: 0, 3: time.Second, 5: 4 * time.Second, 7: mostWait, 1000: mostWait} {
		if got := pause(before); got != want {
			t.Errorf("after %d times: %s", before, got)
		}
	}
}
