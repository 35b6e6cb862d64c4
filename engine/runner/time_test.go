package runner

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/redundctl/redundctl/engine/pipeline"
)

func retried(n int, delay time.Duration, backoff string, most time.Duration) func(*pipeline.Step) {
	return func(s *pipeline.Step) {
		s.Retry = pipeline.Retry{Attempts: n, Delay: pipeline.Duration(delay), Backoff: backoff, MaxDelay: pipeline.Duration(most)}
	}
}

func timeout(d time.Duration) func(*pipeline.Step) {
	return func(s *pipeline.Step) { s.Timeout = pipeline.Duration(d) }
}

// TestD4 holds that a step is tried again, with growing delays, and that each
// attempt can be seen.
func TestD4RetriesHappen(t *testing.T) {
	for _, c := range []struct {
		name, words string
		again       func(*pipeline.Step)
		attempts    int
		took        time.Duration
		state       pipeline.State
	}{
		{"exponential", "flaky:3", retried(5, time.Second, "exponential", time.Minute), 4, 7 * time.Second, pipeline.Succeeded},
		{"at most max-delay", "flaky:4", retried(5, 4*time.Second, "exponential", 10*time.Second), 5, 32 * time.Second, pipeline.Succeeded},
		{"fixed", "flaky:2", retried(3, 5*time.Second, "fixed", time.Minute), 3, 10 * time.Second, pipeline.Succeeded},
		{"defaults", "flaky:1", retried(2, 0, "", 0), 2, time.Second, pipeline.Succeeded},
		{"none left", "fail:1", retried(3, time.Second, "fixed", time.Minute), 3, 2 * time.Second, pipeline.Failed},
		{"told when to come again", "later", retried(2, time.Second, "fixed", time.Minute), 2, 30 * time.Second, pipeline.Failed},
		{"a start that fails is tried again", "missing", retried(2, time.Second, "fixed", time.Minute), 2, time.Second, pipeline.Failed},
		{"a skip is an answer", "skip:no", retried(3, time.Second, "fixed", time.Minute), 1, 0, pipeline.Skipped},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				j, w, b := setup(t, &pipeline.Pipeline{Steps: []pipeline.Step{step("a", c.words, c.again)}})
				from := time.Now()
				r := Run(t.Context(), j, b)
				if took := time.Since(from); took != c.took {
					t.Errorf("took %s, want %s", took, c.took)
				}
				s := r.Steps[0]
				if s.State != c.state || s.Attempts != c.attempts || w.tries["a"] != c.attempts {
					t.Errorf("%s after %d attempts (%d runs), want %s after %d", s.State, s.Attempts, w.tries["a"], c.state, c.attempts)
				}
				seen := 0
				for _, e := range b.events {
					if e.What == "attempt" {
						seen++
					}
				}
				if seen != c.attempts {
					t.Errorf("%d attempts can be seen, want %d: %v", seen, c.attempts, b.events)
				}
			})
		})
	}
}

func TestStepTimeoutBoundsOneAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j, w, b := setup(t, &pipeline.Pipeline{Steps: []pipeline.Step{
			step("a", "sleep:1h", timeout(30*time.Second), retried(2, time.Second, "fixed", time.Minute), anyway), step("b", "")}})
		from := time.Now()
		r := Run(t.Context(), j, b)
		if got := states(r); got != "a=timed-out! b=succeeded" || w.tries["a"] != 2 || time.Since(from) != 61*time.Second {
			t.Errorf("%s, %d attempts, %s", got, w.tries["a"], time.Since(from))
		}
		if r.Steps[0].Error != "timed out after 30s" {
			t.Errorf("error %q", r.Steps[0].Error)
		}
		j, _, b = setup(t, &pipeline.Pipeline{Steps: []pipeline.Step{step("a", "sleep:1h", timeout(time.Second))}})
		if r := Run(t.Context(), j, b); r.State != pipeline.Failed || r.Steps[0].State != pipeline.TimedOut {
			t.Errorf("a step out of time makes the run %s", r.State)
		}
	})
}

// TestRunTimeout holds that the run's timeout covers attempts and delays, that
// nothing of the graph starts after it, and that handlers have time of their
// own.
func TestRunTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := &pipeline.Pipeline{
			Timeout: pipeline.Duration(10 * time.Second),
			Steps: []pipeline.Step{
				step("a", "fail:1", retried(9, 4*time.Second, "fixed", time.Minute)), step("b", "", when("always()")), step("c", "")},
			OnFailure: []pipeline.Step{step("", "sleep:60s out state=${{run.state}}")},
			OnCancel:  []pipeline.Step{step("", "")},
			Always:    []pipeline.Step{step("", "sleep:60s")},
		}
		j, _, b := setup(t, p)
		from := time.Now()
		r := Run(t.Context(), j, b)
		want := "a=cancelled b=skipped c=skipped on-failure.1=succeeded always.1=succeeded"
		if got := states(r); got != want || r.State != pipeline.TimedOut || time.Since(from) != 130*time.Second {
			t.Errorf("%s after %s: %s\nwant %s", r.State, time.Since(from), got, want)
		}
		if r.Error != "the run is out of time (timeout: 10s)" || r.Steps[3].Outputs["state"] != "timed-out" {
			t.Errorf("error %q, state in the handler %v", r.Error, r.Steps[3].Outputs)
		}
	})
}

func TestCancel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := &pipeline.Pipeline{
			Steps: []pipeline.Step{
				step("a", "sleep:1h", retried(3, time.Second, "fixed", time.Minute)), step("b", ""), step("c", "sleep:1s", when("always()")),
				step("d", "", when("cancelled()")), step("e", "", when("failure()"))},
			OnFailure: []pipeline.Step{step("", "")},
			OnCancel:  []pipeline.Step{step("", "sleep:1s"), step("", "", when("cancelled()"))},
			Always:    []pipeline.Step{step("", "out s=${{run.state}}")},
		}
		j, w, b := setup(t, p)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		r := Run(ctx, j, b)
		want := "a=cancelled b=skipped c=succeeded d=succeeded e=skipped on-cancel.1=succeeded on-cancel.2=succeeded always.1=succeeded"
		if got := states(r); got != want || r.State != pipeline.Cancelled || w.tries["a"] != 1 {
			t.Errorf("%s, %d attempts: %s\nwant %s", r.State, w.tries["a"], got, want)
		}
		if r.Steps[7].Outputs["s"] != "cancelled" {
			t.Errorf("the handler saw %v", r.Steps[7].Outputs)
		}
	})
}

// TestCancelGraph cancels while steps run, wait for a place and wait for
// others.
func TestCancelGraph(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := &pipeline.Pipeline{MaxParallel: 1, Steps: []pipeline.Step{
			step("a", "sleep:1h", needs()), step("b", "", needs()), step("c", "", needs(), when("always()")), step("d", "", needs("a"), when("cancelled()")), step("e", "", needs("b"))}}
		j, _, b := setup(t, p)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		r := Run(ctx, j, b)
		want := "a=cancelled b=skipped c=succeeded d=succeeded e=skipped"
		if got := states(r); got != want || r.State != pipeline.Cancelled {
			t.Errorf("%s: %s\nwant %s", r.State, got, want)
		}
	})
}

func TestCancelledWhileWaitingForTheNextAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j, _, b := setup(t, &pipeline.Pipeline{Steps: []pipeline.Step{step("a", "fail:4", retried(3, time.Hour, "fixed", time.Hour))}})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		r := Run(ctx, j, b)
		if r.State != pipeline.Cancelled || r.Steps[0].State != pipeline.Cancelled || !strings.Contains(r.Steps[0].Error, "attempt 2, after: exit code 4") {
			t.Errorf("%s: %+v", r.State, r.Steps[0])
		}
	})
}

func TestHandlers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := &pipeline.Pipeline{
			Steps:     []pipeline.Step{step("a", "out env:TOLD=yes text=hi"), step("b", "fail:9")},
			OnSuccess: []pipeline.Step{step("", "")},
			OnFailure: []pipeline.Step{
				step("own", "fail:1"), step("", "out got=${{steps.a.outputs.text}},${{run.error}},${{run.state}},${{env.TOLD}}"),
				step("", "", when("success()")), step("", "", when("failure()")), step("", "sleep:10m"), step("", "")},
			Always: []pipeline.Step{step("", "out s=${{steps['on-failure.1'].outcome}}")},
		}
		j, w, b := setup(t, p)
		from := time.Now()
		r := Run(t.Context(), j, b)
		want := "a=succeeded b=failed on-failure.1=failed on-failure.2=succeeded on-failure.3=skipped on-failure.4=succeeded on-failure.5=cancelled on-failure.6=skipped always.1=succeeded"
		if got := states(r); got != want || r.State != pipeline.Failed || r.Error != "step b: exit code 9" {
			t.Errorf("%s (%s): %s\nwant %s", r.State, r.Error, got, want)
		}
		if got := r.Steps[3].Outputs["got"]; got != "hi,step b: exit code 9,failed,yes" {
			t.Errorf("the handler saw %q", got)
		}
		if time.Since(from) != HandlerLimit {
			t.Errorf("the handlers took %s", time.Since(from))
		}
		if r.Steps[8].Outputs["s"] != "failed" || !strings.Contains(strings.Join(w.env["on-failure.1"], " "), "TOLD=yes") {
			t.Errorf("the handlers saw %v and %v", r.Steps[8].Outputs, w.env["on-failure.1"])
		}
		indexes := map[int]bool{}
		for _, s := range r.Steps {
			if indexes[s.Index] {
				t.Errorf("two records at %d", s.Index)
			}
			indexes[s.Index] = true
		}
	})
}

func TestSucceededHandlers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j, _, b := setup(t, &pipeline.Pipeline{Steps: []pipeline.Step{step("a", "")},
			OnSuccess: []pipeline.Step{step("", "fail:1")}, OnFailure: []pipeline.Step{step("", "")}, Always: []pipeline.Step{step("", "")}})
		r := Run(t.Context(), j, b)
		if got := states(r); got != "a=succeeded on-success.1=failed always.1=succeeded" || r.State != pipeline.Succeeded || r.Error != "" {
			t.Errorf("%s %q: %s", r.State, r.Error, got)
		}
	})
}

// TestOneBegin holds that a step costs one write before it starts, however long
// it takes.
func TestOneBegin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j, _, b := setup(t, &pipeline.Pipeline{Steps: []pipeline.Step{step("long", ""), step("short", "")}})
		j.Build = func(string, map[string]any) (pipeline.Action, error) { return long{}, nil }
		Run(t.Context(), j, b)
		if diff := cmp.Diff(map[string]int{"long": 1, "short": 1}, b.begun); diff != "" {
			t.Error(diff)
		}
		synctest.Wait()
	})
}

type long struct{}

func (long) Plan(context.Context, *pipeline.Scope) ([]pipeline.Effect, error) { return nil, nil }
func (long) Run(_ context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	if s.Step == "long" {
		<-time.After(time.Second)
	}
	return pipeline.Outputs{}, nil
}
