package matrix

import (
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/pipeline"
)

func axis(name string, values ...any) pipeline.Axis { return pipeline.Axis{Name: name, Values: values} }

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
		{"objects", []pipeline.Axis{axis("c", map[string]any{"k": int64(1)}, []any{"x"})}, nil, nil, `c={"k":1} | c=["x"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, x := range Expand(c.axes, c.include, c.exclude) {
				got = append(got, x.Label)
			}
			if s := strings.Join(got, " | "); s != c.want {
				t.Errorf("got  %s\nwant %s", s, c.want)
			}
		})
	}
}
