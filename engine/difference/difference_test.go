package difference

import (
	"slices"
	"testing"
)

func TestPaths(t *testing.T) {
	t.Parallel()
	type m = map[string]any
	base := m{"name": "a", "steps": []any{m{"run": "x"}, m{"run": "y"}}, "env": m{"A": "1"}}
	for _, c := range []struct {
		name string
		to   any
		want []string
	}{
		{"nothing", m{"name": "a", "steps": []any{m{"run": "x"}, m{"run": "y"}}, "env": m{"A": "1"}}, nil},
		{"a text deep down", m{"name": "a", "steps": []any{m{"run": "x"}, m{"run": "z"}}, "env": m{"A": "1"}}, []string{"steps.1.run"}},
		{"a longer list", m{"name": "a", "steps": []any{m{"run": "x"}}, "env": m{"A": "1"}}, []string{"steps"}},
		{"keys that come and go", m{"name": "a", "steps": []any{m{"run": "x"}, m{"run": "y"}}, "env": m{"B": "1"}}, []string{"env.A", "env.B"}},
		{"another shape", m{"name": []any{"a"}, "steps": nil, "env": m{"A": "1"}}, []string{"name", "steps"}},
	} {
		if got, err := Paths(base, c.to); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
	if _, err := Paths(func() {}, 1); err == nil {
		t.Error("a function has no JSON")
	}
}
