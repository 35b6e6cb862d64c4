package runner

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/past"
)

// settled lets what a job tells of the end of its graph be told in order with
// its records.
func settled(j *Job, b *book) {
	j.Settle = func(_ context.Context, o past.Outcome) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.order = append(b.order, "="+string(o.State))
		return nil
	}
}

// TestSettledBeforeItIsCut: how the graph ends is recorded before the first
// record that its end explains, and before any handler.
func TestSettledBeforeItIsCut(t *testing.T) {
	handler := []pipeline.Step{{ID: "h", Exec: []string{"x"}}}
	for name, c := range map[string]struct {
		p       pipeline.Pipeline
		cancels bool
		want    string
	}{
		"in a step": {
			p:    pipeline.Pipeline{Timeout: pipeline.Duration(time.Second), Steps: []pipeline.Step{step("a", "sleep:1h"), step("b", "")}, Always: handler},
			want: "a> =timed-out <a cancelled <b skipped always.1> <always.1 succeeded",
		},
		"between two steps": {
			p:    pipeline.Pipeline{Timeout: pipeline.Duration(time.Second), Steps: []pipeline.Step{step("a", "stubborn:2s"), step("b", "")}, Always: handler},
			want: "a> <a succeeded =timed-out <b skipped always.1> <always.1 succeeded",
		},
		"cancelled": {
			p: pipeline.Pipeline{Steps: []pipeline.Step{step("a", "stubborn:2s"), step("b", "", when("always()"))}}, cancels: true,
			want: "a> <a succeeded =cancelled b> <b succeeded",
		},
		"failed":              {p: pipeline.Pipeline{Steps: []pipeline.Step{step("a", "fail:1")}, Always: handler}, want: "a> <a failed =failed always.1> <always.1 succeeded"},
		"succeeded":           {p: pipeline.Pipeline{Steps: []pipeline.Step{step("a", "")}, Always: handler}, want: "a> <a succeeded =succeeded always.1> <always.1 succeeded"},
		"nothing comes after": {p: pipeline.Pipeline{Steps: []pipeline.Step{step("a", "")}}, want: "a> <a succeeded"},
		"it skipped itself":   {p: pipeline.Pipeline{Steps: []pipeline.Step{step("a", "skip:no")}}, want: "a> <a skipped"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				j, _, b := setup(t, &c.p)
				settled(&j, b)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.cancels {
					time.AfterFunc(time.Second, cancel)
				}
				Run(ctx, j, b)
				if got := strings.Join(b.order, " "); got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
			})
		})
	}
}

// TestOutcomeIsTakenUp: a graph that had ended stays as it ended, whatever its
// records say, and a handler of another list is not taken for one of this.
func TestOutcomeIsTakenUp(t *testing.T) {
	for name, c := range map[string]struct {
		o    past.Outcome
		once bool
		want string
	}{
		"out of time":           {o: past.Outcome{State: pipeline.TimedOut, Error: "late"}, want: "a=succeeded b=skipped on-failure.1=failed always.1=succeeded"},
		"succeeded":             {o: past.Outcome{State: pipeline.Succeeded}, want: "a=succeeded b=skipped on-success.1=succeeded always.1=succeeded"},
		"its handlers run once": {o: past.Outcome{State: pipeline.Failed, Error: "x"}, once: true, want: "a=succeeded b=skipped"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				one := func() []pipeline.Step { return []pipeline.Step{{Exec: []string{"x"}}} }
				j, _, b := setup(t, &pipeline.Pipeline{
					Steps: []pipeline.Step{step("a", ""), step("b", "")}, OnSuccess: one(), OnFailure: one(), Always: one(),
				})
				j.Past = &past.Past{Outcome: c.o, Once: c.once, Steps: []pipeline.StepRecord{
					{Index: 0, ID: "a", State: pipeline.Succeeded}, {Index: 1, ID: "b", State: pipeline.Skipped, Error: past.OutOfTime},
					{Index: 2, ID: "on-failure.1", State: pipeline.Running},
				}}
				r := Run(t.Context(), j, b)
				if got := states(r); got != c.want || r.State != c.o.State || r.Error != c.o.Error {
					t.Errorf("%s: %s %q", got, r.State, r.Error)
				}
			})
		})
	}
}
