package runner

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/redundctl/redundctl/engine/pipeline"
)

func TestOrder(t *testing.T) {
	t.Parallel()
	ok, bad := "", "fail:3"
	for _, c := range []struct {
		name  string
		steps []pipeline.Step
		want  string
		state pipeline.State
	}{
		{"list", []pipeline.Step{step("a", ok), step("b", ok)}, "a=succeeded b=succeeded", pipeline.Succeeded},
		{"list, the rest is skipped", []pipeline.Step{step("a", bad), step("b", ok), step("c", ok, when("true"))},
			"a=failed b=skipped c=skipped", pipeline.Failed},
		{"list, always and failure run", []pipeline.Step{step("a", bad), step("b", ok, when("always()")), step("c", ok, when("${{ failure() }}")), step("d", ok, when("cancelled()")), step("e", ok, when("success()"))},
			"a=failed b=succeeded c=succeeded d=skipped e=skipped", pipeline.Failed},
		{"list, an own if skips nothing else", []pipeline.Step{step("a", ok, when("false")), step("b", ok), step("c", ok, when("failure()"))},
			"a=skipped b=succeeded c=skipped", pipeline.Succeeded},
		{"list, a Skip skips nothing else", []pipeline.Step{step("a", "skip:none"), step("b", ok)}, "a=skipped b=succeeded", pipeline.Succeeded},
		{"list, continue-on-error", []pipeline.Step{step("a", bad, anyway), step("b", ok, when("steps.a.outcome == 'failed' && steps.a.conclusion == 'succeeded'")), step("c", ok, when("failure()"))},
			"a=failed! b=succeeded c=skipped", pipeline.Succeeded},
		{"list, exit-code and error", []pipeline.Step{step("a", bad, anyway), step("b", ok, when("steps.a.exit-code == 3 && contains(steps.a.error, 'exit code 3')"))},
			"a=failed! b=succeeded", pipeline.Succeeded},
		{"list, a bad condition fails the step", []pipeline.Step{step("a", ok, when("fromJSON('{') == 1")), step("b", ok)}, "a=failed b=skipped", pipeline.Failed},
		{"graph, a failure skips what needs it, directly or not", []pipeline.Step{step("a", bad), step("b", ok, needs("a")), step("c", ok, needs("b")), step("d", ok)},
			"a=failed b=skipped c=skipped d=succeeded", pipeline.Failed},
		{"graph, a skip skips what needs it", []pipeline.Step{step("a", ok, when("false")), step("b", ok, needs("a")), step("c", ok, needs("b"))},
			"a=skipped b=skipped c=skipped", pipeline.Succeeded},
		{"graph, always in the middle does not heal", []pipeline.Step{step("a", bad), step("b", ok, needs("a"), when("always()")), step("c", ok, needs("b"))},
			"a=failed b=succeeded c=skipped", pipeline.Failed},
		{"graph, failure looks at ancestors alone", []pipeline.Step{step("a", bad), step("b", ok, needs()), step("c", ok, needs("b"), when("failure()")), step("d", ok, needs("a"), when("failure()"))},
			"a=failed b=succeeded c=skipped d=succeeded", pipeline.Failed},
		{"graph, not failure runs after a skip", []pipeline.Step{step("a", ok, when("false")), step("b", ok, needs("a"), when("!failure() && !cancelled()"))},
			"a=skipped b=succeeded", pipeline.Succeeded},
		{"graph, needs of a later step", []pipeline.Step{step("a", ok, needs("b")), step("b", ok)}, "a=succeeded b=succeeded", pipeline.Succeeded},
		{"graph, continue-on-error", []pipeline.Step{step("a", bad, anyway), step("b", ok, needs("a"))}, "a=failed! b=succeeded", pipeline.Succeeded},
		{"needs: [] alone makes a graph", []pipeline.Step{step("a", bad), step("b", ok, needs())}, "a=failed b=succeeded", pipeline.Failed},
		{"killed is failed", []pipeline.Step{step("a", "killed")}, "a=failed", pipeline.Failed},
		{"a missing program is failed", []pipeline.Step{step("a", "missing")}, "a=failed", pipeline.Failed},
		{"success codes", []pipeline.Step{step("a", bad, func(s *pipeline.Step) { s.SuccessCodes = []int{3} })}, "a=succeeded", pipeline.Succeeded},
		{"a panic fails its step", []pipeline.Step{step("a", "panic"), step("b", ok, when("always()"))}, "a=failed b=succeeded", pipeline.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				j, _, b := setup(t, &pipeline.Pipeline{Steps: c.steps})
				r := Run(t.Context(), j, b)
				if got := states(r); got != c.want || r.State != c.state {
					t.Errorf("%s, %s: %s\nwant %s, %s", r.State, got, r.Error, c.state, c.want)
				}
			})
		})
	}
}

func TestReasons(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j, _, b := setup(t, &pipeline.Pipeline{Steps: []pipeline.Step{
			step("a", "fail:3"), step("b", "", needs("a"), when("always()")), step("c", "", needs("b")), step("d", "", when("1 == 2")), step("e", "skip:no_token")}})
		r := Run(t.Context(), j, b)
		var got []string
		for _, s := range r.Steps {
			got = append(got, s.Error)
		}
		want := []string{"exit code 3", "", "it needs a, which failed", "its if is false", "no_token"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if r.Error != "step a: exit code 3" {
			t.Errorf("error %q", r.Error)
		}
	})
}

func TestWavesAndEdges(t *testing.T) {
	t.Parallel()
	list := &pipeline.Pipeline{Steps: []pipeline.Step{{ID: "a"}, {ID: "b"}}}
	graph := &pipeline.Pipeline{Steps: []pipeline.Step{step("d", "", needs("b", "c")), step("a", ""), step("b", "", needs("a")), step("c", "", needs("a"))}}
	for _, c := range []struct{ got, want [][]string }{
		{Waves(list), [][]string{{"a"}, {"b"}}},
		{Edges(list), [][]string{{"a", "b"}}},
		{Waves(graph), [][]string{{"a"}, {"b", "c"}, {"d"}}},
		{Edges(graph), [][]string{{"b", "d"}, {"c", "d"}, {"a", "b"}, {"a", "c"}}},
		{Waves(&pipeline.Pipeline{}), [][]string{}},
		{Waves(&pipeline.Pipeline{Steps: []pipeline.Step{step("a", "", needs("a"))}}), [][]string{}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestCycleFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, p := range []*pipeline.Pipeline{
			{Steps: []pipeline.Step{step("a", "", needs("b")), step("b", "", needs("a"))}},
			{Steps: []pipeline.Step{step("a", "", needs("nobody"))}},
		} {
			j, _, b := setup(t, p)
			if r := Run(t.Context(), j, b); r.State != pipeline.Failed || r.Error == "" {
				t.Errorf("%s: %s", r.State, r.Error)
			}
		}
	})
}

func TestMaxParallel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, width := range []int{0, 1, 3} {
			p := &pipeline.Pipeline{MaxParallel: width}
			for i := range 9 {
				p.Steps = append(p.Steps, step(fmt.Sprintf("s%d", i), "sleep:1s", needs()))
			}
			j, w, b := setup(t, p)
			from := time.Now()
			r := Run(t.Context(), j, b)
			want := width
			if want == 0 {
				want = 9
			}
			if w.most != want || r.State != pipeline.Succeeded || time.Since(from) != time.Duration(9/want)*time.Second {
				t.Errorf("max-parallel %d: %d side by side, %s, %s", width, w.most, r.State, time.Since(from))
			}
		}
	})
}

// TestRandomGraphs compares random graphs with a model that looks at each step
// after all that it needs, and knows nothing of time.
func TestRandomGraphs(t *testing.T) {
	t.Parallel()
	conditions := []string{"", "", "", "always()", "failure()", "success()", "cancelled()", "false", "true", "!failure()"}
	words := []string{"", "", "fail:1", "skip:no", "sleep:1s", "sleep:2s"}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := 1 + r.IntN(12)
		p := &pipeline.Pipeline{MaxParallel: r.IntN(4)}
		graph := r.IntN(4) > 0
		for i := range n {
			s := step(fmt.Sprintf("s%d", i), words[r.IntN(len(words))], when(conditions[r.IntN(len(conditions))]))
			s.ContinueOnError = r.IntN(6) == 0
			if graph {
				s.HasNeeds = true
				for k := range i {
					if r.IntN(4) == 0 {
						s.Needs = append(s.Needs, fmt.Sprintf("s%d", k))
					}
				}
			}
			p.Steps = append(p.Steps, s)
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				want := model(p, graph)
				j, _, b := setup(t, p)
				if got := states(Run(t.Context(), j, b)); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			})
		})
	}
}

func model(p *pipeline.Pipeline, graph bool) string {
	state := map[string]string{}
	above := map[string]map[string]bool{}
	var out, earlier []string
	for _, s := range p.Steps {
		look := map[string]bool{}
		if graph {
			for _, k := range s.Needs {
				look[k] = true
				for a := range above[k] {
					look[a] = true
				}
			}
		} else {
			for _, k := range earlier {
				look[k] = true
			}
		}
		above[s.ID] = look
		failed, clear := false, true
		for k := range look {
			failed = failed || state[k] == "failed"
			clear = clear && (state[k] == "succeeded" || state[k] == "failed!" || !graph && state[k] == "skipped")
		}
		run := map[string]bool{"": clear, "true": clear, "success()": clear, "always()": true, "failure()": failed, "!failure()": !failed, "cancelled()": false, "false": false}[s.If]
		word := strings.Join(s.Exec[1:], " ")
		switch {
		case !run || strings.HasPrefix(word, "skip"):
			state[s.ID] = "skipped"
		case strings.HasPrefix(word, "fail") && s.ContinueOnError:
			state[s.ID] = "failed!"
		case strings.HasPrefix(word, "fail"):
			state[s.ID] = "failed"
		default:
			state[s.ID] = "succeeded"
		}
		earlier = append(earlier, s.ID)
		out = append(out, s.ID+"="+state[s.ID])
	}
	return strings.Join(out, " ")
}

func TestRecordedBeforeStartAndBeforeTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		steps := func() *pipeline.Pipeline {
			return &pipeline.Pipeline{Steps: []pipeline.Step{step("a", ""), step("b", "", needs("a"))}}
		}
		j, _, b := setup(t, steps())
		Run(t.Context(), j, b)
		if diff := cmp.Diff([]string{"a>", "<a succeeded", "b>", "<b succeeded"}, b.order); diff != "" {
			t.Error(diff)
		}
		j, w, b := setup(t, steps())
		b.startErr = context.DeadlineExceeded
		if r := Run(t.Context(), j, b); r.State != pipeline.Failed || len(w.ran) > 0 {
			t.Errorf("what could not be recorded started: %s, %v", r.State, w.ran)
		}
		j, w, b = setup(t, steps())
		b.endErr = context.DeadlineExceeded
		if r := Run(t.Context(), j, b); r.State != pipeline.Failed || len(w.ran) != 1 {
			t.Errorf("a success that was not recorded was told: %s, %v", r.State, w.ran)
		}
	})
}

// BenchmarkSteps is what the runner adds to each step of a long list.
func BenchmarkSteps(b *testing.B) {
	p := &pipeline.Pipeline{Name: "p", System: "s"}
	for i := range b.N {
		p.Steps = append(p.Steps, step(fmt.Sprintf("s%d", i), ""))
	}
	j := Job{Pipeline: p, Build: func(string, map[string]any) (pipeline.Action, error) { return nothing{}, nil }}
	b.ReportAllocs()
	b.ResetTimer()
	if r := Run(b.Context(), j, silent{}); r.State != pipeline.Succeeded {
		b.Fatal(r.Error)
	}
}

type nothing struct{}

func (nothing) Plan(context.Context, *pipeline.Scope) ([]pipeline.Effect, error) { return nil, nil }
func (nothing) Run(context.Context, *pipeline.Scope) (pipeline.Outputs, error) {
	return pipeline.Outputs{}, nil
}

type silent struct{}

func (silent) StartStep(context.Context, *pipeline.StepRecord) error     { return nil }
func (silent) EndStep(context.Context, *pipeline.StepRecord, bool) error { return nil }
func (silent) Event(context.Context, pipeline.Event) error               { return nil }
