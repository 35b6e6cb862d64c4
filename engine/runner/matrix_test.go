package runner

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/redundctl/redundctl/engine/pipeline"
)

func axis(name string, values ...any) pipeline.Axis { return pipeline.Axis{Name: name, Values: values} }

func over(x pipeline.Matrix) func(*pipeline.Step) { return func(s *pipeline.Step) { s.Matrix = &x } }

func TestMatrix(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j, _, b := setup(t, &pipeline.Pipeline{Steps: []pipeline.Step{
			step("a", "out both=${{matrix.n}} env:N=${{matrix.n}}", over(pipeline.Matrix{Axes: []pipeline.Axis{axis("n", int64(1), int64(2), int64(3))}})),
			step("b", "out got=${{steps.a.outputs.both}}/${{env.N}}")}})
		r := Run(t.Context(), j, b)
		if got := states(r); got != "a(n=1)=succeeded a(n=2)=succeeded a(n=3)=succeeded b=succeeded" {
			t.Error(got)
		}
		if got := r.Steps[3].Outputs["got"]; got != "3/3" {
			t.Errorf("the last combination in order gives the outputs: got %v", got)
		}
	})
}

func TestMatrixFailFast(t *testing.T) {
	bubble(t, func(t *testing.T) {
		axes := pipeline.Matrix{Axes: []pipeline.Axis{axis("w", "sleep:5s", "fail:1", "sleep:1s")}}
		for _, c := range []struct {
			name   string
			change func(*pipeline.Step)
			want   string
			state  pipeline.State
		}{
			{"fail-fast", func(s *pipeline.Step) {}, "cancelled failed cancelled", pipeline.Failed},
			{"one at a time", func(s *pipeline.Step) { s.MaxParallel = 1 }, "succeeded failed cancelled", pipeline.Failed},
			{"not fast", func(s *pipeline.Step) { s.FailFast = false }, "succeeded failed succeeded", pipeline.Failed},
			{"continue-on-error", anyway, "succeeded failed! succeeded", pipeline.Succeeded},
		} {
			j, _, b := setup(t, &pipeline.Pipeline{Steps: []pipeline.Step{step("a", "${{matrix.w}}", over(axes), c.change)}})
			r := Run(t.Context(), j, b)
			got := states(r)
			for _, w := range []string{"a(w=sleep:5s)=", "a(w=fail:1)=", "a(w=sleep:1s)="} {
				got = strings.ReplaceAll(got, w, "")
			}
			if got != c.want || r.State != c.state {
				t.Errorf("%s: %s, %s (%s); want %s", c.name, r.State, got, r.Error, c.want)
			}
		}
	})
}

func TestMatrixOfExpressions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j, _, b := setup(t, &pipeline.Pipeline{Steps: []pipeline.Step{
			step("list", `out v=["x","y"] m={"b":[1],"a":[1,2]}`),
			step("axis", "", over(pipeline.Matrix{Axes: []pipeline.Axis{{Name: "k", Expr: "${{ fromJSON(steps.list.outputs.v) }}"}}})),
			step("whole", "", over(pipeline.Matrix{Expr: "${{ fromJSON(steps.list.outputs.m) }}"})),
			step("each", "", when("matrix.k == 'y'"), over(pipeline.Matrix{Axes: []pipeline.Axis{axis("k", "x", "y")}})),
			step("none", "", over(pipeline.Matrix{Axes: []pipeline.Axis{axis("k", "x")}, Exclude: []map[string]any{{"k": "x"}}})),
			step("bad", "", anyway, over(pipeline.Matrix{Axes: []pipeline.Axis{{Name: "k", Expr: "${{ 'text' }}"}}})),
		}})
		want := "list=succeeded axis(k=x)=succeeded axis(k=y)=succeeded whole(a=1, b=1)=succeeded whole(a=2, b=1)=succeeded each(k=x)=skipped each(k=y)=succeeded none=skipped bad=failed!"
		if got := states(Run(t.Context(), j, b)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestMatrixAndMaxParallel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := &pipeline.Pipeline{MaxParallel: 3, Steps: []pipeline.Step{
			step("a", "sleep:1s", needs(), over(pipeline.Matrix{Axes: []pipeline.Axis{axis("n", int64(1), int64(2), int64(3), int64(4))}})),
			step("b", "sleep:1s", needs()), step("c", "sleep:1s", needs())}}
		j, w, b := setup(t, p)
		from := time.Now()
		Run(t.Context(), j, b)
		if w.most != 3 || time.Since(from) != 2*time.Second {
			t.Errorf("%d side by side, %s", w.most, time.Since(from))
		}
	})
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	g := &graph{place: &place{}, steps: []pipeline.Step{{}, {Matrix: &pipeline.Matrix{Axes: []pipeline.Axis{axis("a", "x", "y"), axis("b", "x", "y")}, Include: []map[string]any{{}}}}, {Matrix: &pipeline.Matrix{Expr: "x"}}, {}}}
	end := g.number(0)
	if diff := cmp.Diff([]int{0, 1, 6, 6 + 1<<15}, g.index); diff != "" || end != 7+1<<15 {
		t.Errorf("%d %s", end, diff)
	}
}
