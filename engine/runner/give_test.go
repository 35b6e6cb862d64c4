package runner

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/secret"
)

func TestEnvironment(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := &pipeline.Pipeline{
			InheritEnv: []string{"KEEP"}, Secrets: []string{"TOKEN", "UNSET"},
			Env: map[string]string{"A": "file", "B": "file", "S": "${{ secrets.TOKEN }}${{ secrets.UNSET }}", "K": "${{ env.KEEP }}", "REDUND_FENCE": "99"},
			Steps: []pipeline.Step{
				step("one", "env:C=early env:B=early"),
				step("two", "out got=${{env.C}},${{env.D}},${{env.PATH}}", func(s *pipeline.Step) {
					s.Env = map[string]string{"C": "step", "D": "${{ env.B }}", "HOME": "/other", "REDUND_RUN_ID": "1", "REDUND_OUTPUT": "x"}
				}),
			},
		}
		j, w, b := setup(t, p)
		j.Env = map[string]string{"A": "flag", "C": "flag"}
		j.Secrets = map[string]string{"TOKEN": "tok-123456"}
		j.Run.Slot = time.Date(2027, 3, 28, 2, 0, 0, 0, time.FixedZone("", 3600))
		j.Run.Fence = 5
		r := Run(t.Context(), j, b)
		if r.State != pipeline.Succeeded {
			t.Fatal(r.Error)
		}
		want := []string{"A=flag", "B=early", "C=step", "D=early", "HOME=/other", "K=kept", "KEEP=kept", "PATH=/bin",
			"REDUNDANCY_MODE=true", "REDUND_ARTIFACTS=/tmp/x/artifacts", "REDUND_ATTEMPT=2", "REDUND_FENCE=5", "REDUND_PIPELINE=p",
			"REDUND_RUN_ID=7", "REDUND_SLOT=2027-03-28T01:00:00Z", "REDUND_SYSTEM=s", "S=tok-123456"}
		got := slices.Sorted(slices.Values(w.env["two"]))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if got := r.Steps[1].Outputs["got"]; got != "step,early," {
			t.Errorf("the env context gave %q", got)
		}
	})
}

// TestEnvInGraph holds that a step sees what those above it wrote, and of two
// the one that comes later.
func TestEnvInGraph(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j, w, b := setup(t, &pipeline.Pipeline{Steps: []pipeline.Step{
			step("last", "", needs("mid", "first")), step("first", "env:X=1 env:Y=1"), step("mid", "env:X=2", needs("first")),
			step("other", "env:Z=1", needs())}})
		Run(t.Context(), j, b)
		env := w.env["last"]
		for _, want := range []string{"X=2", "Y=1"} {
			if !slices.Contains(env, want) {
				t.Errorf("%s is missing in %v", want, env)
			}
		}
		if slices.Contains(env, "Z=1") {
			t.Error("a step that is not needed gave its environment")
		}
	})
}

func TestContextsKeepTypes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		with := func(id string, v any) pipeline.Step {
			return pipeline.Step{ID: id, Uses: "with", With: map[string]any{"v": v}}
		}
		j, _, b := setup(t, &pipeline.Pipeline{
			File: "pipelines/s/p.yaml", Category: "c", Primary: &pipeline.Primary{Kind: "http"},
			Steps: []pipeline.Step{
				with("a", "${{ params.n }}"), with("b", "${{ fromJSON('[1]') }}"), with("c", "${{ pipeline.system }}/${{ pipeline.name }} ${{ pipeline.file }} ${{ primary.kind }}"),
				with("d", "${{ vars.x }}"), with("e", int64(5)), with("f", "${{ run.attempt }} ${{ run.id }} ${{ run.state }}"), with("g", "${{ steps.a.outputs.got }}"),
			}})
		j.Params, j.Vars = map[string]any{"n": int64(3)}, map[string]any{"x": true}
		r := Run(t.Context(), j, b)
		want := []string{"3 int64", "[1] []interface {}", "s/p pipelines/s/p.yaml http string", "true bool", "5 int64", "2 7 running string", "3 string"}
		for i, s := range r.Steps {
			if got := s.Outputs["got"].(string) + " " + s.Outputs["type"].(string); got != want[i] {
				t.Errorf("%s: %s, want %s", s.ID, got, want[i])
			}
		}
	})
}

func TestPathsOfSteps(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dir := func(d string) func(*pipeline.Step) { return func(s *pipeline.Step) { s.WorkingDirectory = d } }
		j, w, b := setup(t, &pipeline.Pipeline{WorkingDirectory: "web", Steps: []pipeline.Step{
			step("a", ""), step("b", "", dir("css")), step("c", "", dir("/abs")), step("d", "", dir("${{ params.d }}"), anyway),
			step("e", "path:../../x"), step("f", "path:${{params.d}}", anyway), step("g", "path:${{params.in}}"),
			{ID: "h", Uses: "with", With: map[string]any{"v": "../lit", "w": "${{ params.d }}"}},
		}})
		j.Params = map[string]any{"d": "../../etc", "in": "x"}
		r := Run(t.Context(), j, b)
		if got := states(r); got != "a=succeeded b=succeeded c=succeeded d=failed! e=succeeded f=failed! g=succeeded h=succeeded" {
			t.Error(got)
		}
		for id, want := range map[string]string{"a": "web", "b": "web/css"} {
			if w.dirs[id] != filepath.Join(j.Root, want) {
				t.Errorf("%s ran in %s", id, w.dirs[id])
			}
		}
		if w.dirs["c"] != "/abs" || !strings.Contains(r.Steps[3].Error, "outside the project") {
			t.Errorf("c in %s; d: %s", w.dirs["c"], r.Steps[3].Error)
		}
	})
}

func action(f *pipeline.ActionFile) func(string) (*pipeline.ActionFile, error) {
	return func(path string) (*pipeline.ActionFile, error) {
		if path != "./actions/a.yaml" {
			return nil, errors.New("no such file")
		}
		return f, nil
	}
}

func TestAction(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &pipeline.ActionFile{
			Inputs:  map[string]pipeline.Param{"who": {Type: "string", Required: true}, "n": {Type: "integer", Default: int64(2)}},
			Outputs: map[string]pipeline.Output{"text": {Value: "${{ steps.inner.outputs.t }}"}, "n": {Value: "${{ inputs.n }}"}},
			Steps: []pipeline.Step{
				step("inner", "out t=${{inputs.who}}-${{inputs.n}}-${{steps.before.outcome}} env:FROM=action"),
				step("after", "", when("steps.inner.outcome == 'succeeded'"))},
		}
		use := func(s *pipeline.Step) {
			s.Exec, s.Uses, s.Env = nil, "./actions/a.yaml", map[string]string{"E": "1"}
			s.With = map[string]any{"who": "${{ steps.before.outputs.name }}"}
		}
		j, w, b := setup(t, &pipeline.Pipeline{MaxParallel: 1, Steps: []pipeline.Step{
			step("before", "out name=ann"), step("a", "", use), step("b", "out got=${{steps.a.outputs.text}},${{env.FROM}}")}})
		j.Action = action(f)
		r := Run(t.Context(), j, b)
		if got := states(r); got != "before=succeeded a=succeeded b=succeeded" {
			t.Fatal(got, r.Error)
		}
		if got := r.Steps[2].Outputs["got"]; got != "ann-2-,action" || r.Steps[1].Outputs["n"] != int64(2) {
			t.Errorf("%v, %v", got, r.Steps[1].Outputs)
		}
		if !slices.Contains(w.env["inner"], "E=1") || w.tries["after"] != 1 {
			t.Error("the inner steps did not see what the step set")
		}

		f.Steps = append(f.Steps, step("bad", "fail:4"), step("clean", "", when("always()")))
		j, w, b = setup(t, &pipeline.Pipeline{Steps: []pipeline.Step{step("before", "out name=ann"), step("a", "", use)}})
		j.Action = action(f)
		if r := Run(t.Context(), j, b); r.Error != "step a: step bad: exit code 4" || w.tries["clean"] != 1 {
			t.Errorf("%s", r.Error)
		}

		f.Steps = []pipeline.Step{step("x", "", use)}
		j, _, b = setup(t, &pipeline.Pipeline{Steps: []pipeline.Step{step("before", "out name=ann"), step("a", "", use)}})
		j.Action = action(f)
		if r := Run(t.Context(), j, b); !strings.Contains(r.Error, "an action uses itself: actions/a.yaml -> actions/a.yaml") {
			t.Errorf("%s", r.Error)
		}
	})
}

func TestPlan(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j, w, _ := setup(t, &pipeline.Pipeline{Steps: []pipeline.Step{
			step("a", "${{params.p}}"), step("b", "${{steps.a.outputs.text}}", needs("a")), step("c", "", needs("a"), when("failure()")),
			step("d", "", needs("a"), when("steps.a.outcome == 'failed'")), step("e", "${{matrix.k}}", over(pipeline.Matrix{Axes: []pipeline.Axis{axis("k", "x", "y")}})),
			{ID: "f", Uses: "nosuch"}, {ID: "g", Uses: "./actions/a.yaml"},
			step("h", "", over(pipeline.Matrix{Expr: "${{ fromJSON(steps.a.outputs.m) }}"}))}})
		j.Params = map[string]any{"p": "word"}
		j.Action = action(&pipeline.ActionFile{Steps: []pipeline.Step{step("in", "deep")}})
		got, err := Plan(t.Context(), j)
		if err != nil {
			t.Fatal(err)
		}
		effects := map[string][]string{}
		for _, s := range got.Steps {
			effects[s.ID] = s.Effects
		}
		want := map[string][]string{
			"a": {"does x word"}, "b": {"does x ${{ steps.a.outputs.text }}"}, "c": {"left out unless: failure()"},
			"d": {"only if: steps.a.outcome == 'failed'", "does x"}, "e": {"k=x: does x x", "k=y: does x y"},
			"f": {"would fail: no kind nosuch"}, "g": {"in: does x deep"},
			"h": {"once for each combination of its matrix, which is known when the steps it reads have run"},
		}
		if diff := cmp.Diff(want, effects); diff != "" {
			t.Error(diff)
		}
		if len(w.ran) > 0 || got.Err == nil || len(got.Waves) != 2 {
			t.Errorf("ran %v, error %v, waves %v", w.ran, got.Err, got.Waves)
		}
	})
}

func TestErrorsAreOneLine(t *testing.T) {
	t.Parallel()
	r := newRun(Job{Pipeline: &pipeline.Pipeline{}}, nil)
	if got := r.line("a\n  b\t\x1bc" + strings.Repeat("x", 2000)); strings.ContainsAny(got, "\n\t") || len(got) > lineLimit+4 {
		t.Errorf("%q", got)
	}
}

// TestSecrets holds that nothing that is recorded or shown holds a secret,
// while the steps pass it on.
func TestSecrets(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const token = "s3cret-token-123"
		var shown strings.Builder
		j, w, b := setup(t, &pipeline.Pipeline{Secrets: []string{"T"}, Steps: []pipeline.Step{
			step("a", "say:${{secrets.T}} out v=${{secrets.T}} fine=x"), step("b", "${{steps.a.outputs.v}} env:E=${{secrets.T}}"),
			step("c", "${{matrix.k}}", over(pipeline.Matrix{Axes: []pipeline.Axis{axis("k", "${{secrets.T}}")}})),
			{ID: "d", Uses: "no-${{secrets.T}}", ContinueOnError: true}, step("e", "", anyway, when("fromJSON(secrets.T) == 1")),
			{ID: "f", Uses: "with", With: map[string]any{"v": "${{ fromJSON(format('[\"{0}\"]', secrets.T)) }}"}}}})
		j.Secrets, j.Masker = map[string]string{"T": token}, secret.NewMasker(token)
		j.Open = func(string) io.WriteCloser { return nopCloser{&shown} }
		r := Run(t.Context(), j, b)
		if r.Steps[0].Outputs["v"] != Withheld || r.Steps[0].Outputs["fine"] != "x" {
			t.Errorf("outputs %v", r.Steps[0].Outputs)
		}
		if text := fmt.Sprintf("%+v %+v %s", r, b.events, shown.String()); strings.Contains(text, token) || !strings.Contains(shown.String(), "***") {
			t.Errorf("recorded: %s", text)
		}
		if !slices.Contains(w.env["c(k=***)"], "E="+token) {
			t.Error("the secret was not passed on")
		}
	})
}
