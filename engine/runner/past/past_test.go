package past

import (
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/outputs"
)

// records reads "0 a succeeded" lines: position, id and state, and what the step
// left that held a secret, as "output:k" or "env:K".
func records(text string) (out []pipeline.StepRecord) {
	for _, line := range strings.Split(text, ";") {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		s := pipeline.StepRecord{Index: int(f[0][0] - '0'), ID: f[1], State: pipeline.State(f[2])}
		if id, combination, ok := strings.Cut(f[1], "/"); ok {
			s.ID, s.Matrix = id, combination
		}
		for _, x := range f[3:] {
			if k, ok := strings.CutPrefix(x, "output:"); ok {
				s.Outputs = map[string]any{k: outputs.Withheld, "other": "1"}
			}
			if k, ok := strings.CutPrefix(x, "env:"); ok {
				s.Env = map[string]string{k: outputs.Withheld}
			}
		}
		out = append(out, s)
	}
	return out
}

func TestBlocked(t *testing.T) {
	t.Parallel()
	a, b := pipeline.Step{ID: "a", Run: "x"}, pipeline.Step{ID: "b", Run: "x"}
	again := b
	again.Idempotent = true
	reads := func(text string) pipeline.Step { return pipeline.Step{ID: "b", Run: "x " + text} }
	needs := func(s pipeline.Step, ids ...string) pipeline.Step { s.Needs, s.HasNeeds = ids, true; return s }
	many := pipeline.Step{ID: "b", Run: "x", Matrix: &pipeline.Matrix{Axes: []pipeline.Axis{{Name: "n", Values: []any{1, 2}}}}}
	for name, c := range map[string]struct {
		steps []pipeline.Step
		past  string
		cut   bool
		more  func(*pipeline.Pipeline)
		want  string // begins so
	}{
		"nothing had begun":                  {steps: []pipeline.Step{a, b}, past: "0 a succeeded"},
		"begun":                              {steps: []pipeline.Step{a, b}, past: "0 a succeeded;1 b running", want: "step b had begun"},
		"begun, idempotent":                  {steps: []pipeline.Step{a, again}, past: "0 a succeeded;1 b running"},
		"cut":                                {steps: []pipeline.Step{a, b}, past: "0 a succeeded", cut: true, want: "step b may have begun"},
		"cut, idempotent":                    {steps: []pipeline.Step{a, again}, past: "0 a succeeded", cut: true},
		"cut, all had ended":                 {steps: []pipeline.Step{a, b}, past: "0 a failed;1 b skipped", cut: true},
		"cut, a record is missing":           {steps: []pipeline.Step{a, b}, past: "1 b succeeded", cut: true, want: "step a may have begun"},
		"a combination had begun":            {steps: []pipeline.Step{a, many}, past: "0 a succeeded;1 b/n=1 succeeded;2 b/n=2 running", want: "step b had begun"},
		"a combination had not begun":        {steps: []pipeline.Step{a, many}, past: "0 a succeeded;1 b/n=1 succeeded"},
		"cut, a combination is missing":      {steps: []pipeline.Step{a, many}, past: "0 a succeeded;1 b/n=1 succeeded", cut: true, want: "step b may have begun"},
		"cut, all combinations":              {steps: []pipeline.Step{a, many}, past: "0 a succeeded;1 b/n=1 succeeded;2 b/n=2 succeeded", cut: true},
		"cut, the whole matrix was left out": {steps: []pipeline.Step{a, many}, past: "0 a failed;1 b skipped", cut: true},
		"secret":                             {steps: []pipeline.Step{a, reads("${{ steps.A.outputs.k }}")}, past: "0 a succeeded output:k", want: "an output of step a"},
		"secret, by any name":                {steps: []pipeline.Step{a, reads("${{ steps.a.outputs[format('{0}', 'k')] }}")}, past: "0 a succeeded output:k", want: "an output of step a"},
		"secret, of the whole":               {steps: []pipeline.Step{a, reads("${{ toJSON(steps) }}")}, past: "0 a succeeded output:k", want: "an output of step a"},
		"secret, another output":             {steps: []pipeline.Step{a, reads("${{ steps.a.outputs.other }}")}, past: "0 a succeeded output:k"},
		"secret, the outcome":                {steps: []pipeline.Step{a, reads("${{ steps.a.outcome }}")}, past: "0 a succeeded output:k"},
		"secret, read by what has ended":     {steps: []pipeline.Step{a, reads("${{ steps.a.outputs.k }}"), {ID: "c", Run: "x"}}, past: "0 a succeeded output:k;1 b succeeded"},
		"secret, read by a handler": {
			steps: []pipeline.Step{a, b}, past: "0 a succeeded output:k", want: "an output of step a",
			more: func(p *pipeline.Pipeline) { p.Always = []pipeline.Step{reads("${{ steps.a.outputs.k }}")} },
		},
		"environment":                        {steps: []pipeline.Step{a, b}, past: "0 a succeeded env:K", want: "what step a wrote"},
		"environment, nothing is left":       {steps: []pipeline.Step{a, b}, past: "0 a succeeded env:K;1 b succeeded"},
		"environment, nothing left needs it": {steps: []pipeline.Step{a, needs(pipeline.Step{ID: "c", Run: "x"}), needs(b, "c")}, past: "0 a succeeded env:K"},
		"environment, below":                 {steps: []pipeline.Step{a, needs(pipeline.Step{ID: "c", Run: "x"}, "a"), needs(b, "c")}, past: "0 a succeeded env:K;1 c succeeded", want: "what step a wrote"},
		"environment, for handlers": {
			steps: []pipeline.Step{a}, past: "0 a succeeded env:K", want: "what step a wrote",
			more: func(p *pipeline.Pipeline) { p.Always = []pipeline.Step{b} },
		},
		"in a handler": {
			steps: []pipeline.Step{a}, past: "0 a succeeded;1 always.1 running",
			more: func(p *pipeline.Pipeline) { p.Always = []pipeline.Step{b} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			of := &pipeline.Pipeline{Steps: c.steps}
			if c.more != nil {
				c.more(of)
			}
			x := &Past{Steps: records(c.past), Cut: c.cut}
			if got := x.Blocked(of); !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if want := strings.Contains(c.past, "always"); x.Handled(of) != want {
				t.Errorf("handled %v", !want)
			}
		})
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	of := &pipeline.Pipeline{Steps: []pipeline.Step{{ID: "a"}, {ID: "b"}}}
	for name, c := range map[string]struct {
		state pipeline.State
		err   string
		want  pipeline.State
	}{
		"ended in time":         {pipeline.Succeeded, "", ""},
		"left out by its if":    {pipeline.Skipped, "its if is false", ""},
		"between two steps":     {pipeline.Skipped, OutOfTime, pipeline.TimedOut},
		"cancelled between":     {pipeline.Skipped, Cancelled, pipeline.Cancelled},
		"in a step":             {pipeline.Cancelled, "cancelled: the run is out of time (timeout: 1s)", pipeline.TimedOut},
		"cancelled in a step":   {pipeline.Cancelled, "cancelled", pipeline.Cancelled},
		"a combination, by one": {pipeline.Cancelled, "cancelled: " + Sibling, ""},
	} {
		x := &Past{Steps: []pipeline.StepRecord{{Index: 0, ID: "a", State: pipeline.Succeeded}, {Index: 1, ID: "b", State: c.state, Error: c.err}}}
		if got := x.Short(of); got.State != c.want {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
	}
	if got := (&Past{Steps: records("2 on-failure.1 cancelled")}).Short(of); got.State != "" {
		t.Errorf("a handler: %+v", got)
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	var none *Past
	if _, ok := none.At(0, "a"); ok || none.After(0) || len(none.Of(0, 5)) > 0 {
		t.Error("a run that begins has a past")
	}
	x := &Past{Steps: records("0 a succeeded;2 b/n=1 succeeded;3 b/n=2 failed;7 c running")}
	if got := x.Of(1, 4); len(got) != 2 || got[1].Matrix != "n=2" {
		t.Errorf("%+v", got)
	}
	if _, ok := x.At(1, "b"); ok {
		t.Error("there is nothing at 1")
	}
	if _, ok := x.At(7, "d"); ok {
		t.Error("at 7 is another step")
	}
	if r, ok := x.At(7, "c"); !ok || r.ID != "c" || !x.After(7) || x.After(8) {
		t.Errorf("%+v", r)
	}
}
