// Package historytest is the suite that every backend of the history passes.
package historytest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/history/retention"
	"github.com/redundctl/redundctl/engine/history/summary"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Exercise runs the suite; open gives an empty history that ends with the test.
func Exercise(t *testing.T, open func(t *testing.T) *history.History) {
	for name, test := range map[string]func(*testing.T, *history.History){
		"empty":        empty,
		"round trip":   roundTrip,
		"pages":        pages,
		"filters":      filters,
		"slots":        slots,
		"fences":       fences,
		"finish":       finish,
		"events":       events,
		"summary":      summarized,
		"prune":        prune,
		"definitions":  definitions,
		"side by side": sideBySide,
		"active":       active,

		"queue":           queue,
		"claim":           claim,
		"claim of a slot": claimOfASlot,
		"one claim wins":  oneClaimWins,
		"skip":            skip,
		"cancel":          cancel,
		"decide":          decide,
		"decide at once":  decideAtOnce,
		"last slots":      lastSlots,
		"parts":           parts,
		"loaded":          loaded,
		"prune and queue": pruneAndQueue,
		"slot of a retry": slotOfARetry,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// day is when the suite's runs take place.
func day(n int) time.Time { return time.Date(2026, 3, 1+n, 12, 0, 0, 123000, time.UTC) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// record begins a run and, unless state is running, finishes it a minute later.
func record(t *testing.T, h *history.History, r pipeline.Run, state pipeline.State) pipeline.Run {
	t.Helper()
	if r.System == "" {
		r.System, r.Pipeline = "pm2", "sync"
	}
	if r.Trigger == "" {
		r.Trigger, r.Reason = "manual", "manual"
	}
	check(t, h.Begin(context.Background(), &r, history.Definition{}))
	if state != pipeline.Running {
		r.State, r.Finished = state, r.Started.Add(time.Minute)
		check(t, h.Finish(context.Background(), &r))
	}
	return r
}

func ids(runs []pipeline.Run) []int64 {
	out := make([]int64, len(runs))
	for i, r := range runs {
		out[i] = r.ID
	}
	return out
}

func empty(t *testing.T, h *history.History) {
	ctx := context.Background()
	runs, err := h.Runs(ctx, history.Filter{})
	check(t, err)
	equal(t, "runs", runs, []pipeline.Run{})
	evs, err := h.Events(ctx, history.EventFilter{})
	check(t, err)
	equal(t, "events", evs, []pipeline.Event{})
	if _, err := h.Run(ctx, 1); !errors.Is(err, history.ErrNoRun) {
		t.Errorf("run 1: %v", err)
	}
	if _, err := h.Steps(ctx, 1); !errors.Is(err, history.ErrNoRun) {
		t.Errorf("steps of run 1: %v", err)
	}
	rescued, err := h.Rescue(ctx, func(string) error { return nil })
	check(t, err)
	if len(rescued) != 0 {
		t.Errorf("rescued %v", rescued)
	}
	s, err := h.Summary(ctx, day(0), day(1))
	check(t, err)
	equal(t, "summary", s, summary.Summary{Since: day(0), Until: day(1), Systems: []summary.Totals{}})
	p, err := h.Prune(ctx, retention.Options{Before: day(0)})
	check(t, err)
	equal(t, "pruned", p, retention.Pruned{})
}

func roundTrip(t *testing.T, h *history.History) {
	ctx := context.Background()
	r := pipeline.Run{
		System: "pm2", Pipeline: "sync", Trigger: "schedule", Reason: "scheduled", Slot: day(0), Attempt: 2, Parent: 7,
		Queued: day(0), Started: day(0).Add(time.Second),
	}
	check(t, h.Begin(ctx, &r, history.Definition{Hash: "h1", File: "pipelines/pm2/sync.yaml", Body: []byte(`{"version":1}`)}))
	if r.ID == 0 || r.Fence == 0 || r.State != pipeline.Running || r.Hash != "h1" {
		t.Errorf("begun as %+v", r)
	}
	got, err := h.Run(ctx, r.ID)
	check(t, err)
	equal(t, "a running run", got, r)
	code := 0
	steps := []pipeline.StepRecord{
		{
			Run: r.ID, ID: "build", Matrix: "os=a, node=20", Uses: "run", State: pipeline.Running, Attempts: 1,
			Started: day(0),
		},
		{Run: r.ID, Index: 1, ID: "post", Uses: "http", State: pipeline.Skipped},
	}
	check(t, h.StartStep(ctx, &steps[0]))
	running, err := h.Steps(ctx, r.ID)
	check(t, err)
	equal(t, "a running step", running, steps[:1])
	s := &steps[0]
	s.State, s.Continued, s.Attempts, s.ExitCode, s.Signal, s.Finished = pipeline.Failed, true, 3, &code, "SIGKILL", day(1)
	s.Truncated, s.Error = true, "it ended with ünicode \x00"
	s.Outputs = map[string]any{"text": "a\nb", "n": int64(1) << 60, "f": 1.5, "list": []any{int64(1), nil, true}, "map": map[string]any{"k": "v"}}
	check(t, h.EndStep(ctx, s))
	check(t, h.EndStep(ctx, &steps[1]))
	ended, err := h.Steps(ctx, r.ID)
	check(t, err)
	equal(t, "ended steps", ended, steps)
	r.State, r.Error = pipeline.Failed, "step build failed"
	check(t, h.Finish(ctx, &r))
	got, err = h.Run(ctx, r.ID)
	check(t, err)
	equal(t, "a finished run", got, r)
}

func pages(t *testing.T, h *history.History) {
	var want []int64
	for i := range 25 {
		r := record(t, h, pipeline.Run{Started: day(0).Add(time.Duration(i) * time.Second)}, pipeline.Succeeded)
		want = append([]int64{r.ID}, want...)
	}
	var got []int64
	for before := int64(0); ; {
		runs, err := h.Runs(context.Background(), history.Filter{Limit: 10, Before: before})
		check(t, err)
		if len(runs) == 0 {
			break
		}
		got = append(got, ids(runs)...)
		before = runs[len(runs)-1].ID
	}
	equal(t, "all pages, newest first", got, want)
}

func filters(t *testing.T, h *history.History) {
	a := record(t, h, pipeline.Run{Started: day(0)}, pipeline.Succeeded)
	b := record(t, h, pipeline.Run{System: "netlify", Pipeline: "sync", Started: day(1)}, pipeline.Failed)
	c := record(t, h, pipeline.Run{System: "pm2", Pipeline: "other", Started: day(2)}, pipeline.Cancelled)
	d := record(t, h, pipeline.Run{Started: day(3)}, pipeline.Running)
	for name, f := range map[string]struct {
		filter history.Filter
		want   []pipeline.Run
	}{
		"all":            {history.Filter{}, []pipeline.Run{d, c, b, a}},
		"system":         {history.Filter{System: "pm2"}, []pipeline.Run{d, c, a}},
		"name":           {history.Filter{Name: "sync"}, []pipeline.Run{d, b, a}},
		"pipeline":       {history.Filter{System: "pm2", Name: "sync"}, []pipeline.Run{d, a}},
		"one state":      {history.Filter{States: []pipeline.State{pipeline.Failed}}, []pipeline.Run{b}},
		"several states": {history.Filter{States: []pipeline.State{pipeline.Succeeded, pipeline.Running, pipeline.Running}}, []pipeline.Run{d, a}},
		"state, limit":   {history.Filter{States: []pipeline.State{pipeline.Succeeded, pipeline.Cancelled}, Limit: 1}, []pipeline.Run{c}},
		"since":          {history.Filter{Since: day(1)}, []pipeline.Run{d, c, b}},
		"since later":    {history.Filter{Since: day(1).Add(time.Microsecond)}, []pipeline.Run{d, c}},
		"since never":    {history.Filter{Since: day(9)}, []pipeline.Run{}},
		"before":         {history.Filter{Before: c.ID}, []pipeline.Run{b, a}},
		"together":       {history.Filter{System: "pm2", Since: day(1), Before: d.ID, States: []pipeline.State{pipeline.Cancelled}}, []pipeline.Run{c}},
		"nothing":        {history.Filter{Name: "none"}, []pipeline.Run{}},
	} {
		got, err := h.Runs(context.Background(), f.filter)
		check(t, err)
		equal(t, name, got, f.want)
	}
}

func slots(t *testing.T, h *history.History) {
	ctx := context.Background()
	begin := func() (pipeline.Run, error) {
		r := pipeline.Run{System: "pm2", Pipeline: "sync", Slot: day(0)}
		err := h.Begin(ctx, &r, history.Definition{})
		return r, err
	}
	first, err := begin()
	check(t, err)
	var taken *history.SlotTaken
	if _, err := begin(); !errors.As(err, &taken) || taken.Run != first.ID || !taken.Active {
		t.Errorf("a slot that is being served: %v", err)
	}
	active, ok, err := h.ActiveSlot(ctx, "pm2", "sync", day(0))
	check(t, err)
	if !ok || active.ID != first.ID {
		t.Errorf("the active run: %+v, %v", active, ok)
	}
	first.State = pipeline.Failed
	check(t, h.Finish(ctx, &first))
	if _, ok, err := h.ActiveSlot(ctx, "pm2", "sync", day(0)); ok || err != nil {
		t.Errorf("a slot whose run failed counts as served; %v", err)
	}
	second, err := begin()
	check(t, err)
	if second.Fence <= first.Fence {
		t.Errorf("the fence went from %d to %d", first.Fence, second.Fence)
	}
	second.State = pipeline.Succeeded
	check(t, h.Finish(ctx, &second))
	if r, err := begin(); !errors.As(err, &taken) || taken.Run != second.ID || taken.Active || r.ID != 0 {
		t.Errorf("a slot that was served: %v, %+v", err, r)
	}
	record(t, h, pipeline.Run{Slot: day(1)}, pipeline.Running)
	record(t, h, pipeline.Run{System: "pm2", Pipeline: "other", Slot: day(0)}, pipeline.Running)
}

func fences(t *testing.T, h *history.History) {
	ctx := context.Background()
	r := record(t, h, pipeline.Run{}, pipeline.Running)
	stranger := pipeline.Run{ID: r.ID + 1, State: pipeline.Succeeded}
	loser := r
	loser.Fence, loser.State = r.Fence+1, pipeline.Failed
	for name, err := range map[string]error{
		"a run that is not ours":             h.Finish(ctx, &stranger),
		"a step of it":                       h.StartStep(ctx, &pipeline.StepRecord{Run: r.ID + 1, ID: "x", State: pipeline.Running}),
		"a run under another's fence":        h.Finish(ctx, &loser),
		"an event is nobody's in particular": h.Event(ctx, pipeline.Event{Run: r.ID, What: "retry"}),
	} {
		if name == "an event is nobody's in particular" {
			check(t, err)
		} else if !errors.Is(err, history.ErrOvertaken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.State = pipeline.Succeeded
	check(t, h.Finish(ctx, &r))
	late := pipeline.StepRecord{Run: r.ID, ID: "late", State: pipeline.Succeeded}
	if err := h.EndStep(ctx, &late); !errors.Is(err, history.ErrOvertaken) {
		t.Errorf("a step after the end: %v", err)
	}
}

func finish(t *testing.T, h *history.History) {
	ctx := context.Background()
	r := record(t, h, pipeline.Run{}, pipeline.Running)
	if err := h.Finish(ctx, &r); err == nil {
		t.Error("finished as running")
	}
	r.State, r.Reason, r.Error = pipeline.TimedOut, "manual", "out of time"
	check(t, h.Finish(ctx, &r))
	check(t, h.Finish(ctx, &r)) // as after a commit whose answer was lost
	other := r
	other.State = pipeline.Succeeded
	if err := h.Finish(ctx, &other); !errors.Is(err, history.ErrOvertaken) {
		t.Errorf("finished twice, differently: %v", err)
	}
	got, err := h.Run(ctx, r.ID)
	check(t, err)
	equal(t, "the run", got, r)
}

func events(t *testing.T, h *history.History) {
	ctx := context.Background()
	all := []pipeline.Event{
		{At: day(0), What: "started", Detail: "engine"},
		{At: day(1), Run: 3, Pipeline: "pm2/sync", What: "retry", Detail: "attempt 2"},
		{At: day(2), Pipeline: "pm2/sync", What: "late-primary", Detail: "by 3m"},
	}
	for _, e := range all {
		check(t, h.Event(ctx, e))
	}
	for name, f := range map[string]struct {
		filter history.EventFilter
		want   []pipeline.Event
	}{
		"all":      {history.EventFilter{}, all},
		"run":      {history.EventFilter{Run: 3}, all[1:2]},
		"pipeline": {history.EventFilter{Pipeline: "pm2/sync"}, all[1:]},
		"what":     {history.EventFilter{What: "late-primary"}, all[2:]},
		"since":    {history.EventFilter{Since: day(1)}, all[1:]},
		"limit":    {history.EventFilter{Limit: 2}, all[1:]},
		"none":     {history.EventFilter{Run: 9}, []pipeline.Event{}},
	} {
		got, err := h.Events(ctx, f.filter)
		check(t, err)
		equal(t, name, got, f.want)
	}
	check(t, h.Event(ctx, pipeline.Event{What: "now"}))
	got, err := h.Events(ctx, history.EventFilter{What: "now"})
	check(t, err)
	if len(got) != 1 || time.Since(got[0].At).Abs() > time.Hour {
		t.Errorf("an event without a time: %+v", got)
	}
}

func summarized(t *testing.T, h *history.History) {
	failover := func(n int, late time.Duration, state pipeline.State) {
		record(t, h, pipeline.Run{Trigger: "failover", Reason: "primary-missing", Slot: day(n), Started: day(n).Add(late)}, state)
	}
	failover(0, time.Hour, pipeline.Succeeded) // before the time asked for
	failover(1, 9*time.Minute, pipeline.Succeeded)
	failover(2, 1*time.Minute, pipeline.Succeeded)
	failover(3, 4*time.Minute, pipeline.Succeeded)
	failover(4, time.Minute, pipeline.Failed)
	failover(5, time.Minute, pipeline.Skipped)
	record(t, h, pipeline.Run{Started: day(1)}, pipeline.TimedOut)
	record(t, h, pipeline.Run{Started: day(1)}, pipeline.Cancelled)
	record(t, h, pipeline.Run{Started: day(1)}, pipeline.Running)
	record(t, h, pipeline.Run{System: "netlify", Pipeline: "post", Started: day(1)}, pipeline.Succeeded)
	record(t, h, pipeline.Run{System: "pm2", Pipeline: "a", Started: day(1)}, pipeline.Succeeded)
	record(t, h, pipeline.Run{System: "pm2", Pipeline: "later", Started: day(9)}, pipeline.Succeeded)
	for n := range 3 {
		check(t, h.Event(context.Background(), pipeline.Event{At: day(n), Pipeline: "pm2/sync", What: "late-primary"}))
	}
	got, err := h.Summary(context.Background(), day(1), day(9))
	check(t, err)
	for i := range got.Systems {
		for j := range got.Systems[i].Pipelines {
			got.Systems[i].Pipelines[j] = plain(got.Systems[i].Pipelines[j])
		}
		got.Systems[i] = plain(got.Systems[i])
	}
	ms := func(d time.Duration) *int64 { n := d.Milliseconds(); return &n }
	recovery := summary.Spread{P50: ms(5 * time.Minute), Max: ms(10 * time.Minute)}
	took := summary.Spread{P50: ms(time.Minute), Max: ms(time.Minute)}
	equal(t, "summary", got, summary.Summary{Since: day(1), Until: day(9), Systems: []summary.Totals{
		{Name: "netlify", Runs: 1, Succeeded: 1, Duration: took, Pipelines: []summary.Totals{{Name: "post", Runs: 1, Succeeded: 1, Duration: took}}},
		{
			Name: "pm2", Runs: 7, Succeeded: 4, Failed: 2, Cancelled: 1, Failovers: 4, LatePrimaries: 2, Duration: took, Recovery: recovery,
			Pipelines: []summary.Totals{
				{Name: "a", Runs: 1, Succeeded: 1, Duration: took},
				{Name: "sync", Runs: 6, Succeeded: 3, Failed: 2, Cancelled: 1, Failovers: 4, LatePrimaries: 2, Duration: took, Recovery: recovery},
			},
		},
	}})
}

// plain is what of t is told.
func plain(t summary.Totals) summary.Totals {
	return summary.Totals{
		Name: t.Name, Runs: t.Runs, Succeeded: t.Succeeded, Failed: t.Failed, Cancelled: t.Cancelled, Failovers: t.Failovers,
		LatePrimaries: t.LatePrimaries, Duration: t.Duration, Recovery: t.Recovery, Pipelines: t.Pipelines,
	}
}

func prune(t *testing.T, h *history.History) {
	ctx := context.Background()
	var old []pipeline.Run
	for i := range 450 { // more than one transaction removes
		r := pipeline.Run{System: "pm2", Pipeline: "sync", Started: day(0).Add(time.Duration(i) * time.Second), Slot: day(0).Add(time.Duration(i) * time.Second)}
		check(t, h.Begin(ctx, &r, history.Definition{Hash: fmt.Sprint("h", i%2), Body: []byte("{}")}))
		if i < 10 {
			check(t, h.EndStep(ctx, &pipeline.StepRecord{Run: r.ID, ID: "x", State: pipeline.Succeeded}))
			check(t, h.Event(ctx, pipeline.Event{At: day(0), Run: r.ID, What: "retry"}))
		}
		r.State, r.Finished = pipeline.Succeeded, r.Started
		check(t, h.Finish(ctx, &r))
		old = append(old, r)
	}
	check(t, h.Event(ctx, pipeline.Event{At: day(0), What: "started"}))
	running := record(t, h, pipeline.Run{Started: day(0)}, pipeline.Running)
	kept := pipeline.Run{System: "pm2", Pipeline: "sync", Started: day(8)}
	check(t, h.Begin(ctx, &kept, history.Definition{Hash: "h0", Body: []byte("{}")}))
	check(t, h.EndStep(ctx, &pipeline.StepRecord{Run: kept.ID, ID: "x", State: pipeline.Succeeded}))
	kept.State, kept.Finished = pipeline.Succeeded, day(8)
	check(t, h.Finish(ctx, &kept))
	want := retention.Pruned{Runs: len(old), Steps: 10, Slots: len(old), Events: 11, Definitions: 1, Oldest: day(0), Newest: old[len(old)-1].Queued}
	for _, dry := range []bool{true, true, false} {
		got, err := h.Prune(ctx, retention.Options{Before: day(5), Dry: dry})
		check(t, err)
		equal(t, fmt.Sprintf("dry %v", dry), got, want)
	}
	got, err := h.Prune(ctx, retention.Options{Before: day(5)})
	check(t, err)
	equal(t, "nothing is left to remove", got, retention.Pruned{})
	runs, err := h.Runs(ctx, history.Filter{})
	check(t, err)
	equal(t, "what stays", ids(runs), []int64{kept.ID, running.ID})
	steps, err := h.Steps(ctx, kept.ID)
	check(t, err)
	if len(steps) != 1 {
		t.Errorf("%d steps of the run that stays", len(steps))
	}
}

func definitions(t *testing.T, h *history.History) {
	ctx := context.Background()
	d := history.Definition{Hash: "h", File: "a.yaml", Body: []byte("{\"version\":1}")}
	for range 2 {
		r := pipeline.Run{System: "pm2", Pipeline: "sync"}
		check(t, h.Begin(ctx, &r, d))
	}
	got, ok, err := h.Definition(ctx, "h")
	check(t, err)
	if !ok {
		t.Error("not kept")
	}
	equal(t, "the definition", got, d)
	if _, ok, err := h.Definition(ctx, "other"); ok || err != nil {
		t.Errorf("another: %v, %v", ok, err)
	}
}

// sideBySide holds that ids ascend and that nothing is lost when many runs and
// their steps are recorded at once.
func sideBySide(t *testing.T, h *history.History) {
	ctx := context.Background()
	const runs, steps = 8, 20
	errs := make(chan error, runs*(steps+2))
	var wg sync.WaitGroup
	for range runs {
		wg.Go(func() {
			r := pipeline.Run{System: "pm2", Pipeline: "sync"}
			errs <- h.Begin(ctx, &r, history.Definition{})
			var each sync.WaitGroup
			for i := range steps {
				each.Go(func() {
					s := pipeline.StepRecord{Run: r.ID, Index: i, ID: fmt.Sprint("s", i), State: pipeline.Running}
					err := h.StartStep(ctx, &s)
					s.State = pipeline.Succeeded
					errs <- errors.Join(err, h.EndStep(ctx, &s))
				})
			}
			each.Wait()
			r.State = pipeline.Succeeded
			errs <- h.Finish(ctx, &r)
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		check(t, err)
	}
	all, err := h.Runs(ctx, history.Filter{States: []pipeline.State{pipeline.Succeeded}})
	check(t, err)
	if len(all) != runs {
		t.Errorf("%d runs succeeded", len(all))
	}
	for _, r := range all {
		recorded, err := h.Steps(ctx, r.ID)
		check(t, err)
		if len(recorded) != steps {
			t.Errorf("run %d has %d steps", r.ID, len(recorded))
		}
	}
}
