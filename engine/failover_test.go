package engine_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// stage is a primary that does for each slot what a test says.
type stage struct {
	mu        sync.Mutex
	does      func(n int, w pipeline.Window) (pipeline.Reading, error) // n counts the looks at the slot, from 1
	looks     map[time.Time]int
	cancelled []string
}

func (s *stage) Probe(_ context.Context, w pipeline.Window) (pipeline.Reading, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks[w.Slot]++
	return s.does(s.looks[w.Slot], w)
}

func (s *stage) Cancel(_ context.Context, r pipeline.Reading) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancelled = append(s.cancelled, r.Run)
	return nil
}

// kinds are those that are shipped, with the stage in the place of `file`.
func (s *stage) kinds() *kind.Set {
	s.looks = map[time.Time]int{}
	return standIns(func(kind.PrimaryDeps) pipeline.Probe { return s }, nil)
}

// backup is a pipeline that is due each second and backs up the stage.
func backup(more string) map[string]string {
	return map[string]string{"pipelines/pm2/a.yaml": fmt.Sprintf(`
version: 1
name: a
system: pm2
primary: {file: {path: nowhere}, every: 50ms%s}
grace: 300ms
overlap: allow
schedule: {every: 1s}
steps: [{exec: ["true"]}]
`, more)}
}

// decided gives the newest run of each slot whose decision is final.
func decided(t *testing.T, p *config.Project) map[int64]pipeline.Run {
	t.Helper()
	out := map[int64]pipeline.Run{}
	for _, r := range runs(t, p) {
		if _, ok := out[r.Slot.Unix()]; !ok && r.State.Done() {
			out[r.Slot.Unix()] = r
		}
	}
	return out
}

// TestReplacedPrimaryIsSeen holds that a pipeline which replaces its primary runs every slot, and warns of a primary
// that goes on; one that is silent leaves nothing.
func TestReplacedPrimaryIsSeen(t *testing.T) {
	t.Parallel()
	for verdict, want := range map[pipeline.Verdict]bool{pipeline.UnderWay: true, pipeline.Delivered: true, pipeline.Nothing: false, pipeline.Unknown: false} {
		t.Run(string(verdict), func(t *testing.T) {
			t.Parallel()
			s := &stage{does: func(int, pipeline.Window) (pipeline.Reading, error) {
				return pipeline.Reading{Verdict: verdict, Reason: "as the test says"}, nil
			}}
			files := backup("")
			files["pipelines/pm2/a.yaml"] += "mode: replacement\n"
			p := project(t, files)
			e, end := serveOnly(t, p, s.kinds())
			until(t, "three slots", func() bool { return len(decided(t, p)) >= 3 })
			if got := strings.Count(happened(t, e, "pm2/a"), "primary-seen"); got > 0 != want {
				t.Errorf("seen %d times", got)
			}
			if err := end(); err != nil {
				t.Error(err)
			}
			for _, r := range decided(t, p) {
				if r.State != pipeline.Succeeded || r.Reason != "scheduled" || r.Trigger != "schedule" {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

// TestBackupDeliversSlotsBefore holds that with covers: since a run of ours that succeeds delivers the slots before
// its own, like one of the primary, and one that fails does not.
func TestBackupDeliversSlotsBefore(t *testing.T) {
	for exec, want := range map[string]bool{"true": true, "false": false} {
		t.Run(exec, func(t *testing.T) {
			var first, last atomic.Int64 // slots that are open
			s := &stage{does: func(_ int, w pipeline.Window) (pipeline.Reading, error) {
				first.CompareAndSwap(0, w.Slot.Unix())
				last.Store(max(last.Load(), w.Slot.Unix()))
				return pipeline.Reading{Verdict: pipeline.Nothing, Reason: "as the test says"}, nil
			}}
			files := backup("")
			text := strings.Replace(files["pipelines/pm2/a.yaml"], "grace: 300ms", "grace: 1h\ncovers: since", 1)
			files["pipelines/pm2/a.yaml"] = strings.Replace(text, `["true"]`, `["`+exec+`"]`, 1)
			p := project(t, files)
			e, end := serveOnly(t, p, s.kinds())
			until(t, "two slots", func() bool { return first.Load() < last.Load() })
			run, err := e.Trigger(t.Context(), "a", "a test", engine.RunRequest{Slot: time.Unix(last.Load(), 0)})
			if err != nil {
				t.Fatal(err)
			}
			until(t, "the end of it", func() bool {
				r, err := e.Records().Run(t.Context(), run.ID)
				return err == nil && r.State.Done()
			})
			if want {
				until(t, "the slot before it", func() bool { return decided(t, p)[run.Slot.Unix()-1].Reason == "superseded" })
			}
			if err := end(); err != nil {
				t.Error(err)
			}
			if r, ok := decided(t, p)[run.Slot.Unix()-1]; ok != want {
				t.Errorf("the slot before it: %+v", r)
			}
		})
	}
}

// TestD1BackupRunsOnlyInThePlaceOfItsPrimary holds for each way in which a primary may do that the slot ends
// in one decision, with its reason.
func TestD1BackupRunsOnlyInThePlaceOfItsPrimary(t *testing.T) {
	t.Parallel()
	is := func(v pipeline.Verdict) pipeline.Reading {
		return pipeline.Reading{Verdict: v, Reason: "as the test says"}
	}
	s := &stage{does: func(n int, w pipeline.Window) (pipeline.Reading, error) {
		run := fmt.Sprint("r", w.Slot.Unix())
		switch w.Slot.Unix() % 7 {
		case 0:
			return is(pipeline.Delivered), nil
		case 1:
			return is(pipeline.NotDelivered), nil
		case 2:
			return is(pipeline.Nothing), nil
		case 3: // running, and too long
			return pipeline.Reading{Verdict: pipeline.UnderWay, Run: run, Began: w.Slot}, nil
		case 4: // nobody knows
			return pipeline.Reading{}, fmt.Errorf("the line is\nbroken")
		case 5: // late, but before its grace is over
			if n < 3 {
				return is(pipeline.Nothing), nil
			}
			return is(pipeline.Delivered), nil
		}
		return pipeline.Reading{Verdict: "unheard-of"}, nil
	}}
	kinds := s.kinds()
	files := backup(", stall-after: 200ms")
	files["pipelines/pm2/a.yaml"] = strings.Replace(files["pipelines/pm2/a.yaml"], "grace: 300ms", "grace: 900ms", 1)
	p := project(t, files)
	_, end := serveOnly(t, p, kinds)
	all := map[int64]pipeline.Run{}
	until(t, "a slot of each kind", func() bool {
		for at, r := range decided(t, p) {
			all[at%7] = r
		}
		return len(all) == 7
	})
	if err := end(); err != nil {
		t.Error(err)
	}
	for at, want := range []struct {
		state  pipeline.State
		reason string
	}{
		{pipeline.Skipped, "primary-succeeded"}, {pipeline.Succeeded, "primary-failed"}, {pipeline.Succeeded, "primary-missing"},
		{pipeline.Succeeded, "primary-stalled"}, {pipeline.Succeeded, "primary-unknown"}, {pipeline.Skipped, "primary-succeeded"}, {pipeline.Succeeded, "primary-unknown"},
	} {
		r := all[int64(at)]
		if r.State != want.state || r.Reason != want.reason || r.Trigger != "failover" {
			t.Errorf("slots of kind %d: %s %s by %s, want %s %s", at, r.State, r.Reason, r.Trigger, want.state, want.reason)
		}
	}
	once(t, p)
}

// leaveOpen leaves slots open for the engine that serves next.
func leaveOpen(t *testing.T, p *config.Project, slots ...ledger.Slot) {
	t.Helper()
	err := os.MkdirAll(p.State, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Options{Dir: p.State})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := ledger.New(db).Open(t.Context(), slots); err != nil {
		t.Fatal(err)
	}
}

// seldom has a pipeline of backup have no slot of its own while a test goes on.
func seldom(files map[string]string) {
	files["pipelines/pm2/a.yaml"] = strings.Replace(files["pipelines/pm2/a.yaml"], "{every: 1s}", `{cron: "0 0 1 1 *"}`, 1)
}

// once holds that no slot was decided twice.
func once(t *testing.T, p *config.Project) {
	t.Helper()
	seen := map[time.Time]int64{}
	for _, r := range runs(t, p) {
		if n := seen[r.Slot]; n != 0 && r.Attempt == 1 {
			t.Errorf("slot %s has the runs %d and %d", r.Slot, n, r.ID)
		}
		seen[r.Slot] = r.ID
	}
}

// TestLastLook holds that a primary which comes while the backup waits for its
// turn is seen before the first step: it skips what has waited, or holds it
// back for as long as the primary goes on.
func TestLastLook(t *testing.T) {
	var mu sync.Mutex
	came := false
	s := &stage{}
	s.does = func(_ int, w pipeline.Window) (pipeline.Reading, error) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case !came:
			return pipeline.Reading{Verdict: pipeline.Nothing}, nil
		case w.Slot.Unix()%2 == 0:
			return pipeline.Reading{Verdict: pipeline.Delivered, Run: "late"}, nil
		}
		return pipeline.Reading{Verdict: pipeline.UnderWay, Run: "goes on", Began: time.Now()}, nil
	}
	kinds := s.kinds()
	files := backup("")
	files["redund.yaml"] = "version: 1\nsystems: {pm2: {concurrency: 1}}\n"
	files["pipelines/pm2/holds.yaml"] = "version: 1\nname: holds\nsystem: pm2\nsteps: [{exec: [sleep, '100']}]\n"
	p := project(t, files)
	e, end := serveOnly(t, p, kinds)
	holds, err := e.Trigger(t.Context(), "holds", "the test", engine.RunRequest{})
	if err != nil {
		t.Fatal(err)
	}
	waiting := func() (even, odd int) {
		for _, r := range runs(t, p) {
			if r.Pipeline == "a" && r.State == pipeline.Queued {
				if r.Slot.Unix()%2 == 0 {
					even++
				} else {
					odd++
				}
			}
		}
		return even, odd
	}
	until(t, "runs that wait", func() bool { even, odd := waiting(); return even > 0 && odd > 0 })
	mu.Lock()
	came = true
	mu.Unlock()
	if _, err := e.Cancel(t.Context(), holds.ID, "the test"); err != nil {
		t.Fatal(err)
	}
	until(t, "a run that is skipped at its last look", func() bool { even, odd := waiting(); return even == 0 && odd > 0 })
	if err := end(); err != nil {
		t.Error(err)
	}
	for _, r := range runs(t, p) {
		if r.Pipeline == "a" && !r.Started.IsZero() {
			t.Errorf("run %d of slot %s began beside its primary", r.ID, r.Slot)
		}
	}
	once(t, p)
}

// TestNotLateBesideNoRun holds that a primary which is seen by the last look of its
// backup is not late: there was no run of the backup.
func TestNotLateBesideNoRun(t *testing.T) {
	t.Parallel()
	first := time.Now().UTC().Truncate(time.Minute).Add(-time.Hour)
	var held, came, skipped, seen, next atomic.Bool
	s := &stage{does: func(_ int, w pipeline.Window) (pipeline.Reading, error) {
		if skipped.Load() {
			next.Store(next.Load() || seen.Load() && !w.Slot.Equal(first)) // slots are looked at one after another
			seen.Store(seen.Load() || w.Slot.Equal(first))
		}
		switch {
		case !w.Slot.Equal(first), !held.Load():
			return pipeline.Reading{Verdict: pipeline.UnderWay, Run: "r0", Began: time.Now()}, nil
		case !came.Load():
			return pipeline.Reading{Verdict: pipeline.Nothing}, nil
		}
		return pipeline.Reading{Verdict: pipeline.Delivered, Run: "r1", Began: w.Slot.Add(time.Second)}, nil
	}}
	files := backup("")
	seldom(files)
	files["redund.yaml"] = "version: 1\nsystems: {pm2: {concurrency: 1}}\n"
	files["pipelines/pm2/holds.yaml"] = "version: 1\nname: holds\nsystem: pm2\nsteps: [{exec: [sleep, '100']}]\n"
	p := project(t, files)
	for n := range 2 {
		leaveOpen(t, p, ledger.Slot{System: "pm2", Name: "a", At: first.Add(time.Duration(n) * time.Minute), Next: first.Add(24 * time.Hour)})
	}
	e, end := serveOnly(t, p, s.kinds())
	holds, err := e.Trigger(t.Context(), "holds", "the test", engine.RunRequest{})
	if err != nil {
		t.Fatal(err)
	}
	is := func(name string, state pipeline.State) func() bool {
		return func() bool {
			list, err := e.Records().Runs(t.Context(), history.Filter{})
			return err == nil && slices.ContainsFunc(list, func(r pipeline.Run) bool { return r.Pipeline == name && r.State == state })
		}
	}
	until(t, "a run that holds", is("holds", pipeline.Running))
	held.Store(true)
	until(t, "a run that waits", is("a", pipeline.Queued))
	came.Store(true)
	if _, err := e.Cancel(t.Context(), holds.ID, "the test"); err != nil {
		t.Fatal(err)
	}
	until(t, "a run that is skipped at its last look", is("a", pipeline.Skipped))
	skipped.Store(true)
	until(t, "a look after it", next.Load)
	if err := end(); err != nil {
		t.Error(err)
	}
	if late := eventsOf(t, p, "late-primary"); len(late) != 0 {
		t.Errorf("%+v", late)
	}
}

// TestLatePrimary holds that a primary that turns up after its backup ran is
// recorded with its lateness, and ended where the pipeline says so.
func TestLatePrimary(t *testing.T) {
	t.Parallel()
	s := &stage{}
	var ran sync.Map
	s.does = func(_ int, w pipeline.Window) (pipeline.Reading, error) {
		if _, ok := ran.Load(w.Slot); !ok {
			return pipeline.Reading{Verdict: pipeline.Nothing}, nil
		}
		return pipeline.Reading{Verdict: pipeline.UnderWay, Run: "r7", Began: w.Slot.Add(500 * time.Millisecond), Scheduled: true}, nil
	}
	kinds := s.kinds()
	files := backup(", fence: cancel-late")
	files["pipelines/pm2/a.yaml"] = strings.Replace(files["pipelines/pm2/a.yaml"], "every: 1s", "every: 3s", 1)
	p := project(t, files)
	_, end := serveOnly(t, p, kinds)
	until(t, "the late primary", func() bool {
		for _, r := range runs(t, p) {
			if r.State == pipeline.Succeeded {
				ran.Store(r.Slot, true)
			}
		}
		return len(eventsOf(t, p, "fenced")) > 0
	})
	if err := end(); err != nil {
		t.Error(err)
	}
	late := eventsOf(t, p, "late-primary")
	if len(late) == 0 || !strings.Contains(late[0].Detail, "1s late") && !strings.Contains(late[0].Detail, "500ms late") && !strings.Contains(late[0].Detail, "0s late") {
		t.Errorf("%+v", late)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.cancelled) == 0 || s.cancelled[0] != "r7" {
		t.Errorf("cancelled %v", s.cancelled)
	}
}

// TestCatchesUpBesideAPrimary holds that overlap does not apply to slots that are
// caught up: each that the primary did not deliver is run.
func TestCatchesUpBesideAPrimary(t *testing.T) {
	t.Parallel()
	for _, overlap := range []string{"skip", "cancel-running"} {
		t.Run(overlap, func(t *testing.T) {
			t.Parallel()
			s := &stage{does: func(n int, w pipeline.Window) (pipeline.Reading, error) {
				if n <= 4*w.Slot.Minute() { // the next one is decided while the run of this one goes on
					return pipeline.Reading{Verdict: pipeline.UnderWay, Began: time.Now()}, nil
				}
				return pipeline.Reading{Verdict: pipeline.Nothing}, nil
			}}
			files := backup("")
			files["pipelines/pm2/a.yaml"] = strings.NewReplacer("allow", overlap+"\nmissed: run-all", `"true"`, `sleep, "0.4"`).Replace(files["pipelines/pm2/a.yaml"])
			seldom(files)
			p := project(t, files)
			var missed []ledger.Slot
			for n := range 4 {
				at := time.Now().UTC().Truncate(time.Hour).Add(time.Duration(n)*time.Minute - time.Hour)
				missed = append(missed, ledger.Slot{System: "pm2", Name: "a", At: at, Next: at.Add(time.Minute), Missed: true})
			}
			leaveOpen(t, p, missed...)
			_, end := serveOnly(t, p, s.kinds())
			until(t, "the end of all slots", func() bool { return len(decided(t, p)) == len(missed) })
			if err := end(); err != nil {
				t.Error(err)
			}
			for _, r := range runs(t, p) {
				if r.State != pipeline.Succeeded || r.Reason != "primary-missing" {
					t.Errorf("%s: %s %s %s", pipeline.Time(r.Slot), r.State, r.Reason, r.Error)
				}
			}
		})
	}
}

// TestOnlyLeavesOthersOpen holds that an engine which serves some systems leaves
// the open slots of others to one that serves them.
func TestOnlyLeavesOthersOpen(t *testing.T) {
	s := &stage{does: func(int, pipeline.Window) (pipeline.Reading, error) {
		return pipeline.Reading{Verdict: pipeline.Nothing}, nil
	}}
	kinds := s.kinds()
	files := backup("")
	files["pipelines/pm2/a.yaml"] = strings.NewReplacer("300ms", "1h", "every: 1s", "every: 1s").Replace(files["pipelines/pm2/a.yaml"])
	p := project(t, files)
	open := func() (n int) {
		db, err := store.Open(t.Context(), store.Options{Dir: p.State, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		list, err := ledger.New(db).Watched(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	_, end := serveOnly(t, p, kinds)
	until(t, "open slots", func() bool { return open() > 1 })
	if err := end(); err != nil {
		t.Fatal(err)
	}
	n := open()
	e, err := engine.New(t.Context(), engine.Options{Project: p, Kinds: kinds, Environ: environ(t), Serve: engine.Serve{Only: []string{"github-actions"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := e.Run(ctx); err != nil {
		t.Error(err)
	}
	if is := open(); is != n || len(runs(t, p)) > 0 {
		t.Errorf("%d of %d slots are open, runs %+v", is, n, runs(t, p))
	}
}

func eventsOf(t *testing.T, p *config.Project, what string) []pipeline.Event {
	t.Helper()
	h, err := engine.OpenHistory(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	list, err := h.Events(t.Context(), history.EventFilter{What: what})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
