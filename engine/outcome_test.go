package engine_test

import (
	"testing"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestCancelledStaysCancelled lets the engine die in the handlers of a run that
// somebody has cancelled.
func TestCancelledStaysCancelled(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{"pipelines/pm2/it.yaml": `
version: 1
name: it
system: pm2
retry: {attempts: 2, delay: 1ms}
steps:
  - {id: a, run: 'echo a >> told; echo >> begun; exec sleep 100'}
  - {id: b, idempotent: true, run: 'echo b >> told'}
on-success: [{run: 'echo well >> told'}]
on-failure: [{run: 'echo failed >> told'}]
on-cancel:
  - {run: 'echo c1 >> told; echo >> reached; exec sleep 100'}
  - {run: 'echo "c2 $S" >> told', env: {S: '${{ run.state }}'}}
always: [{run: 'echo always >> told'}]
`})
	e, stop := serveUntil(t, p)
	run, err := e.Trigger(t.Context(), "it", "a test", engine.RunRequest{Slot: served()})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the step", func() bool { return there(p, "begun") })
	if _, err := e.Cancel(t.Context(), run.ID, "a test"); err != nil {
		t.Fatal(err)
	}
	until(t, "the handler", func() bool { return there(p, "reached") })
	stop()
	e = serve(t, p)
	until(t, "the end", func() bool { return runs(t, p)[0].State.Done() && len(owed(t, e)) == 0 })
	if list := runs(t, p); len(list) != 1 || list[0].State != pipeline.Cancelled || list[0].Error != "cancelled" {
		t.Errorf("%+v", list)
	}
	if got := told(t, p); got != "a,c1,c2 cancelled,always" {
		t.Errorf("told %q", got)
	}
}

// TestCancelRunningStaysCancelled lets the engine die in the handlers of a run
// that the next slot of its pipeline has ended.
func TestCancelRunningStaysCancelled(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{"pipelines/pm2/it.yaml": `
version: 1
name: it
system: pm2
schedule: {every: 1s}
overlap: cancel-running
missed: skip
steps: [{id: a, idempotent: true, run: 'if mkdir first; then echo a >> told; exec sleep 100; fi'}]
on-cancel: [{run: 'echo c1 >> told; echo >> reached; exec sleep 100'}, {run: 'echo c2 >> told'}]
`})
	_, stop := serveUntil(t, p)
	until(t, "the handler", func() bool { return there(p, "reached") })
	stop()
	first := runs(t, p)
	id := first[len(first)-1].ID
	serve(t, p)
	of := func() pipeline.Run {
		for _, r := range runs(t, p) {
			if r.ID == id {
				return r
			}
		}
		return pipeline.Run{}
	}
	until(t, "the end", func() bool { s := of().State; return s == pipeline.Cancelled || s == pipeline.Succeeded })
	if r := of(); r.State != pipeline.Cancelled {
		t.Errorf("%+v", r)
	}
	if got := told(t, p); got != "a,c1,c2" {
		t.Errorf("told %q", got)
	}
}
