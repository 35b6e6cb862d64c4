package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestD2SlowJobStopsNothing: while a job goes on that does not end, schedules
// are kept to the second, health answers, a signal ends the engine.
func TestD2SlowJobStopsNothing(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{
		"redund.yaml":             "version: 1\nsystems: {pm2: {concurrency: 4}}\n",
		"pipelines/pm2/slow.yaml": "version: 1\nname: slow\nsteps: [{run: 'sleep 1000'}]\n",
		"pipelines/pm2/tick.yaml": "version: 1\nname: tick\nschedule: {every: 1s}\nsteps: [{exec: ['true']}]\n",
	})
	e, stop := serveUntil(t, p)
	ctx := t.Context()
	for range 3 {
		if _, err := e.Trigger(ctx, "slow", "a test", engine.RunRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	ticks := func() (out []pipeline.Run) {
		for _, r := range runs(t, p) {
			if r.Pipeline == "tick" && r.State == pipeline.Succeeded {
				out = append(out, r)
			}
		}
		return out
	}
	until(t, "three slots beside a slow job", func() bool { return len(ticks()) >= 3 })
	for i, r := range ticks() {
		if late := r.Started.Sub(r.Slot); late > time.Second {
			t.Errorf("slot %s began %s late", r.Slot, late)
		}
		if i > 0 && ticks()[i-1].Slot.Sub(r.Slot) > time.Second {
			t.Errorf("a slot is missing after %s", r.Slot)
		}
	}
	from := time.Now()
	if _, err := e.Health(ctx); err != nil || time.Since(from) > time.Second {
		t.Errorf("health took %s: %v", time.Since(from), err)
	}
	if _, err := e.Status(ctx); err != nil {
		t.Error(err)
	}
	from = time.Now()
	stop()
	if time.Since(from) > 10*time.Second {
		t.Errorf("the engine ended after %s", time.Since(from))
	}
}

// TestD5SlotIsFreeWhenItsRunEnds: of runs that wait for one place, each begins
// as soon as the one before has ended, however it did.
func TestD5SlotIsFreeWhenItsRunEnds(t *testing.T) {
	t.Parallel()
	files := map[string]string{"redund.yaml": "version: 1\nsystems: {pm2: {concurrency: 1}}\n"}
	for name, does := range map[string]string{
		"well": "steps: [{exec: ['true']}]", "badly": "steps: [{exec: ['false']}]", "missing": "steps: [{exec: [no-such-program]}]",
		"killed": "steps: [{run: 'kill -9 $$'}]", "late": "timeout: 50ms\nsteps: [{exec: [sleep, '1000']}]",
		"cancelled": "steps: [{exec: [sleep, '1000']}]",
	} {
		files["pipelines/pm2/"+name+".yaml"] = "version: 1\nname: " + name + "\n" + does + "\n"
	}
	p := project(t, files)
	e := serve(t, p)
	for range 2 {
		for _, name := range []string{"badly", "missing", "killed", "late", "cancelled", "well"} {
			if _, err := e.Trigger(t.Context(), name, "a test", engine.RunRequest{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	until(t, "the end of all", func() bool {
		left := 0
		for _, r := range runs(t, p) {
			if r.State == pipeline.Running && r.Pipeline == "cancelled" {
				if _, err := e.Cancel(t.Context(), r.ID, "a test"); err != nil {
					t.Fatal(err)
				}
			}
			if !r.State.Done() {
				left++
			}
		}
		return left == 0
	})
	list := runs(t, p) // the newest first
	for i := 1; i < len(list); i++ {
		next, ended := list[i-1], list[i]
		if gap := next.Started.Sub(ended.Finished); gap < 0 || gap > time.Second {
			t.Errorf("run %d of %s began %s after run %d of %s had ended", next.ID, next.Pipeline, gap, ended.ID, ended.Pipeline)
		}
	}
}

// TestPriorityOfWhatIsAskedFor holds that runs which are asked for wait by the priority of their pipelines.
func TestPriorityOfWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"redund.yaml":           "version: 1\nsystems: {pm2: {concurrency: 1}}\n",
		"pipelines/pm2/it.yaml": "version: 1\nname: it\nsteps: [{run: '" + hang + "'}]\n",
	}
	ascending := []string{"low", "normal", "high", "critical"}
	for _, name := range ascending {
		files["pipelines/pm2/"+name+".yaml"] = "version: 1\nname: " + name + "\npriority: " + name + "\nsteps: [{run: 'echo " + name + " >> told'}]\n"
	}
	p := project(t, files)
	e := serve(t, p)
	first, err := e.Trigger(t.Context(), "it", "a test", engine.RunRequest{})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the run that holds the others up", func() bool { return there(p, "reached") })
	for _, name := range ascending {
		if _, err := e.Trigger(t.Context(), name, "a test", engine.RunRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Cancel(t.Context(), first.ID, "a test"); err != nil {
		t.Fatal(err)
	}
	until(t, "the last of them", func() bool { return there(p, "told") && strings.Count(told(t, p), ",") == len(ascending)-1 })
	if got := told(t, p); got != "critical,high,normal,low" {
		t.Errorf("they ran in this order: %s", got)
	}
}

// TestD7QueueAndSchedulePositionSurvive: what waits when the engine ends is run
// by the next one, and slots that passed meanwhile are decided as `missed` says.
func TestD7QueueAndSchedulePositionSurvive(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{
		"redund.yaml":                "version: 1\nsystems: {pm2: {concurrency: 1}, netlify-functions: {concurrency: 8}}\n",
		"pipelines/pm2/it.yaml":      "version: 1\nname: it\nsteps: [{run: '" + hang + "'}]\n",
		"pipelines/pm2/waits.yaml":   "version: 1\nname: waits\nparams: {n: {type: string, required: true}}\nsteps: [{run: 'echo $N >> told', env: {N: '${{ params.n }}'}}]\n",
		"pipelines/netlify/all.yaml": "version: 1\nname: all\nsystem: netlify-functions\nschedule: {every: 1s}\nmissed: run-all\nsteps: [{exec: ['true']}]\n",
		"pipelines/netlify/one.yaml": "version: 1\nname: one\nsystem: netlify-functions\nschedule: {every: 1s}\nsteps: [{exec: ['true']}]\n",
	})
	e, stop := serveUntil(t, p)
	ctx := t.Context()
	if _, err := e.Trigger(ctx, "it", "a test", engine.RunRequest{}); err != nil {
		t.Fatal(err)
	}
	until(t, "the run that holds the others up", func() bool { return there(p, "reached") })
	for i := range 3 {
		if _, err := e.Trigger(ctx, "waits", "a test", engine.RunRequest{Params: map[string]string{"n": fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "a slot of each", func() bool { return len(slots(t, p, "all")) > 0 && len(slots(t, p, "one")) > 0 })
	stop()
	down := slots(t, p, "all")[0].Slot
	until(t, "slots while no engine serves", func() bool { return time.Since(down) > 3500*time.Millisecond })
	save(t, p, "again", "")
	serve(t, p)
	until(t, "what had waited", func() bool { return there(p, "told") && told(t, p) == "0,1,2" })
	until(t, "slots of the second engine", func() bool { return time.Since(slots(t, p, "all")[0].Slot) < 1500*time.Millisecond })
	for name, want := range map[string][2]string{"all": {"catch-up", "catch-up"}, "one": {"missed", "catch-up"}} {
		list, late := slots(t, p, name), map[string]int{}
		for i := 1; i < len(list); i++ {
			if list[i-1].Slot.Sub(list[i].Slot) != time.Second {
				t.Errorf("%s: slot %s follows %s", name, list[i-1].Slot, list[i].Slot)
			}
			late[list[i].Reason]++
		}
		if late[want[0]] == 0 || late[want[1]] == 0 {
			t.Errorf("%s: %v", name, late)
		}
	}
}

// slots gives the runs of a pipeline, by slot, the newest first.
func slots(t *testing.T, p *config.Project, name string) []pipeline.Run {
	t.Helper()
	list := slices.DeleteFunc(runs(t, p), func(r pipeline.Run) bool { return r.Pipeline != name || r.Slot.IsZero() })
	slices.SortFunc(list, func(a, b pipeline.Run) int { return b.Slot.Compare(a.Slot) })
	return list
}
