package params

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/redundctl/redundctl/engine/pipeline"
)

func TestParams(t *testing.T) {
	t.Parallel()
	declared := map[string]pipeline.Param{
		"s": {Type: "string"}, "i": {Type: "integer", Default: int64(4)}, "n": {Type: "number"}, "b": {Type: "boolean"},
		"c": {Type: "choice", Options: []any{"x", int64(2)}, Default: "x"},
	}
	got, err := Of(declared, map[string]any{"i": "12", "n": "1.5", "b": "true", "c": "2", "s": int64(3)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"s": "3", "i": int64(12), "n": 1.5, "b": true, "c": int64(2)}, got); diff != "" {
		t.Error(diff)
	}
	got, err = Of(declared, nil)
	if diff := cmp.Diff(map[string]any{"s": "", "i": int64(4), "n": nil, "b": nil, "c": "x"}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, c := range []struct {
		given map[string]any
		want  string
	}{
		{map[string]any{"i": "1.5"}, `i must be an integer, not "1.5"`},
		{map[string]any{"n": "NaN"}, `n must be a number, not "NaN"`},
		{map[string]any{"b": "yes"}, `b must be true or false, not "yes"`},
		{map[string]any{"c": "y"}, `c must be one of x, 2, not "y"`},
		{map[string]any{"s": []any{}}, `s must be a string, not []`},
		{map[string]any{"z": "y"}, `there is no z; declared: b, c, i, n, s`},
	} {
		if _, err := Of(declared, c.given); err == nil || err.Error() != c.want {
			t.Errorf("%v: %v, want %s", c.given, err, c.want)
		}
	}
	for _, given := range []map[string]any{nil, {"r": nil}} {
		if _, err := Of(map[string]pipeline.Param{"r": {Type: "string", Required: true}}, given); err == nil || err.Error() != "r is required" {
			t.Errorf("a required parameter may be missing: %v", err)
		}
	}
	got, err = Of(declared, map[string]any{"s": nil, "i": nil, "b": nil})
	if diff := cmp.Diff(map[string]any{"s": "", "i": int64(4), "n": nil, "b": nil, "c": "x"}, got); diff != "" || err != nil {
		t.Errorf("null is no value: %s, %v", diff, err)
	}
}
