package record

import (
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// begun gives a run in a history of its own, and counts its transactions.
func begun(t *testing.T) (*Recorder, *pipeline.Run, *atomic.Int64) {
	t.Helper()
	commits := new(atomic.Int64)
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Trace: func(s string) {
		if s == "COMMIT" {
			commits.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	h := history.New(db)
	t.Cleanup(func() {
		if err := errors.Join(h.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	run := &pipeline.Run{System: "s", Pipeline: "p"}
	if err := h.Begin(t.Context(), run, history.Definition{}); err != nil {
		t.Fatal(err)
	}
	commits.Store(0)
	return &Recorder{History: h, Log: slog.New(slog.DiscardHandler), Note: func(string, ...any) {}}, run, commits
}

// recorded tells the steps of a run as another reads them: "a=succeeded".
func recorded(t *testing.T, r *Recorder, run int64) string {
	t.Helper()
	list, err := r.History.Steps(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range list {
		out = append(out, s.ID+"="+string(s.State))
	}
	return strings.Join(out, " ")
}

// TestEndIsCarried holds that the end of a step which another record follows is
// written with that, in one transaction, and with Flush where none does.
func TestEndIsCarried(t *testing.T) {
	t.Parallel()
	r, run, commits := begun(t)
	a := pipeline.StepRecord{Run: run.ID, Index: 0, ID: "a", Uses: "exec", State: pipeline.Running}
	b := pipeline.StepRecord{Run: run.ID, Index: 1, ID: "b", Uses: "exec", State: pipeline.Running}
	check := func(what string, err error, n int64, want string) {
		t.Helper()
		if got := recorded(t, r, run.ID); err != nil || commits.Load() != n || got != want {
			t.Errorf("%s: %s in %d transactions, %v; want %s in %d", what, got, commits.Load(), err, want, n)
		}
	}
	check("a starts", r.StartStep(t.Context(), &a), 1, "a=running")
	a.State = pipeline.Succeeded
	check("a ends", r.EndStep(t.Context(), &a, true), 1, "a=running")
	check("b starts", r.StartStep(t.Context(), &b), 2, "a=succeeded b=running")
	b.State = pipeline.Succeeded
	check("b ends", r.EndStep(t.Context(), &b, true), 2, "a=succeeded b=running")
	check("nothing follows", r.Flush(t.Context()), 3, "a=succeeded b=succeeded")
	check("nothing is held", r.Flush(t.Context()), 3, "a=succeeded b=succeeded")
	c := pipeline.StepRecord{Run: run.ID, Index: 2, ID: "c", Uses: "exec", State: pipeline.Succeeded}
	check("c ends", r.EndStep(t.Context(), &c, true), 3, "a=succeeded b=succeeded")
	run.State = pipeline.Succeeded
	check("the run ends", r.Finish(t.Context(), run, nil), 4, "a=succeeded b=succeeded c=succeeded")
}

// TestHeldEndThatFails holds that a record does not count while an end before it
// could not be written.
func TestHeldEndThatFails(t *testing.T) {
	t.Parallel()
	r, run, _ := begun(t)
	s := pipeline.StepRecord{Run: run.ID, ID: "a", Uses: "exec", State: pipeline.Succeeded}
	if err := r.EndStep(t.Context(), &s, true); err != nil {
		t.Fatal(err)
	}
	run.State = pipeline.Failed
	if err := r.History.Finish(t.Context(), run); err != nil { // another's: the end is carried before it
		t.Fatal(err)
	}
	if got := recorded(t, r, run.ID); got != "a=succeeded" {
		t.Error(got)
	}
	other := pipeline.StepRecord{Run: run.ID, Index: 1, ID: "b", Uses: "exec", State: pipeline.Succeeded}
	if err := r.EndStep(t.Context(), &other, true); !errors.Is(err, history.ErrOvertaken) {
		t.Errorf("a step of a run that has ended: %v", err)
	}
}
