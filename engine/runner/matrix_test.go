package runner

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/redundctl/redundctl/engine/pipeline"
)

func axis(name string, values ...any) pipeline.Axis { return pipeline.Axis{Name: name, Values: values} }

type m = map[string]any

// TestExpand holds the rules of GitHub, with the example of its own page.
func TestExpand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		axes             []pipeline.Axis
		include, exclude []map[string]any
		want             string
	}{
		{"first axis slowest", []pipeline.Axis{axis("os", "a", "b"), axis("node", int64(18), int64(20))}, nil, nil,
			"os=a, node=18 | os=a, node=20 | os=b, node=18 | os=b, node=20"},
		{"exclude matches partly", []pipeline.Axis{axis("os", "a", "b"), axis("node", int64(18), int64(20))}, nil, []map[string]any{{"os": "a", "node": 18.0}, {"os": "b"}}, "os=a, node=20"},
		{"the page's example", []pipeline.Axis{axis("fruit", "apple", "pear"), axis("animal", "cat", "dog")},
			[]map[string]any{{"color": "green"}, {"color": "pink", "animal": "cat"}, {"fruit": "apple", "shape": "circle"}, {"fruit": "banana"}, {"fruit": "banana", "animal": "cat"}}, nil,
			"fruit=apple, animal=cat, color=pink, shape=circle | fruit=apple, animal=dog, color=green, shape=circle | fruit=pear, animal=cat, color=pink | fruit=pear, animal=dog, color=green | fruit=banana | fruit=banana, animal=cat"},
		{"include alone", nil, []map[string]any{{"site": "x"}, {"site": "y"}}, nil, "site=x | site=y"},
		{"all excluded", []pipeline.Axis{axis("os", "a")}, nil, []map[string]any{{"os": "a"}}, ""},
		{"objects", []pipeline.Axis{axis("c", m{"k": int64(1)}, []any{"x"})}, nil, nil, `c={"k":1} | c=["x"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, x := range expand(c.axes, c.include, c.exclude) {
				got = append(got, x.label)
			}
			if s := strings.Join(got, " | "); s != c.want {
				t.Errorf("got  %s\nwant %s", s, c.want)
			}
		})
	}
}

func matrix(x pipeline.Matrix) func(*pipeline.Step) { return func(s *pipeline.Step) { s.Matrix = &x } }

func TestMatrix(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j, _, b := setup(t, &pipeline.Pipeline{Steps: []pipeline.Step{
			step("a", "out both=${{matrix.n}} env:N=${{matrix.n}}", matrix(pipeline.Matrix{Axes: []pipeline.Axis{axis("n", int64(1), int64(2), int64(3))}})),
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
			j, _, b := setup(t, &pipeline.Pipeline{Steps: []pipeline.Step{step("a", "${{matrix.w}}", matrix(axes), c.change)}})
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
			step("axis", "", matrix(pipeline.Matrix{Axes: []pipeline.Axis{{Name: "k", Expr: "${{ fromJSON(steps.list.outputs.v) }}"}}})),
			step("whole", "", matrix(pipeline.Matrix{Expr: "${{ fromJSON(steps.list.outputs.m) }}"})),
			step("each", "", when("matrix.k == 'y'"), matrix(pipeline.Matrix{Axes: []pipeline.Axis{axis("k", "x", "y")}})),
			step("none", "", matrix(pipeline.Matrix{Axes: []pipeline.Axis{axis("k", "x")}, Exclude: []map[string]any{{"k": "x"}}})),
			step("bad", "", anyway, matrix(pipeline.Matrix{Axes: []pipeline.Axis{{Name: "k", Expr: "${{ 'text' }}"}}})),
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
			step("a", "sleep:1s", needs(), matrix(pipeline.Matrix{Axes: []pipeline.Axis{axis("n", int64(1), int64(2), int64(3), int64(4))}})),
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
	if diff := cmp.Diff([]int{0, 1, 6, 6 + matrixRoom}, g.index); diff != "" || end != 7+matrixRoom {
		t.Errorf("%d %s", end, diff)
	}
}
