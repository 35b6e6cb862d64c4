package historytest

import (
	"fmt"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// active is what an engine asks for: what goes on, and what ended last.
func active(t *testing.T, h *history.History) {
	ctx := t.Context()
	got, err := h.ActiveRuns(ctx)
	check(t, err)
	equal(t, "active runs of nothing", len(got), 0)
	last, ended, failed, err := h.LastRuns(ctx)
	check(t, err)
	equal(t, "last runs of nothing", len(last)+len(ended)+len(failed), 0)

	var newest [3]pipeline.Run
	for i := range 9 {
		state := []pipeline.State{pipeline.Succeeded, pipeline.Failed, pipeline.TimedOut}[i/3]
		newest[i%3] = record(t, h, pipeline.Run{System: "pm2", Pipeline: fmt.Sprint("p", i%3)}, state)
	}
	running := pipeline.Run{System: "pm2", Pipeline: "p1"}
	check(t, h.Begin(ctx, &running, history.Definition{}))
	waits, err := h.Enqueue(ctx, history.Order{System: "cron", Pipeline: "p1", Params: map[string]string{"a": "b"}})
	check(t, err)
	_, err = h.Decide(ctx, []history.Decision{
		{System: "pm2", Name: "p0", Slot: day(1), Reason: "missed"}, {System: "pm2", Name: "p0", Slot: day(2), Reason: "overlap"},
	})
	check(t, err)

	got, err = h.ActiveRuns(ctx)
	check(t, err)
	equal(t, "active runs", got, map[string]history.Active{"pm2/p1": {Running: []int64{running.ID}, Attempt: 1}, "cron/p1": {Queued: 1, Attempt: 1}})
	last, ended, failed, err = h.LastRuns(ctx)
	check(t, err)
	ids := map[string]int64{}
	for k, r := range last {
		ids[k] = r.ID
	}
	equal(t, "last runs", ids, map[string]int64{"pm2/p0": newest[0].ID, "pm2/p1": running.ID, "pm2/p2": newest[2].ID})
	equal(t, "the last run that failed", []int64{failed["pm2/p0"].ID, failed["pm2/p1"].ID, failed["pm2/p2"].ID}, []int64{newest[0].ID, newest[1].ID, newest[2].ID})
	equal(t, "the last run that ended", ended["pm2/p1"].ID, newest[1].ID)
	before, _, err := h.Before(ctx, running)
	check(t, err)
	equal(t, "the run before", before.ID, newest[1].ID)
	next := pipeline.Run{System: "pm2", Pipeline: "p1", Attempt: 2}
	check(t, h.Begin(ctx, &next, history.Definition{}))
	before, _, err = h.Before(ctx, next)
	check(t, err)
	equal(t, "the run before the first attempt", before.ID, newest[1].ID)
	check(t, h.Finish(ctx, &pipeline.Run{ID: next.ID, Fence: next.Fence, State: pipeline.Cancelled}))
	_, ok, err := h.Before(ctx, pipeline.Run{ID: 1, System: "pm2", Pipeline: "p0"})
	check(t, err)
	equal(t, "a run before the first one", ok, false)
	equal(t, "the state of a last run", last["pm2/p2"].State, pipeline.TimedOut)

	missed, err := h.Missed(ctx, time.Now().Add(-time.Minute))
	check(t, err)
	equal(t, "missed", missed, map[string]int{"pm2": 1})
	asked, err := h.Asked(ctx, waits.ID)
	check(t, err)
	equal(t, "params", asked.Params, map[string]string{"a": "b"})
	if _, err := h.Asked(ctx, 1<<40); err != history.ErrNoRun { //nolint:errorlint // it is given as it is
		t.Errorf("a run that there is not: %v", err)
	}
	check(t, h.Finish(ctx, &pipeline.Run{ID: running.ID, Fence: running.Fence, State: pipeline.Cancelled}))
}
