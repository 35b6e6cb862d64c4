package decode

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"
)

type wait struct{ time.Duration }

func (w *wait) UnmarshalText(b []byte) (err error) {
	w.Duration, err = time.ParseDuration(string(b))
	return err
}

type inner struct {
	Wait wait `json:"wait"`
}

type target struct {
	Text    string            `json:"text"`
	Flag    bool              `json:"flag"`
	Int     int               `json:"int"`
	Small   int8              `json:"small"`
	Uint    uint64            `json:"uint"`
	Float   float64           `json:"float"`
	List    []string          `json:"list"`
	Inner   inner             `json:"inner"`
	Pointer *inner            `json:"pointer"`
	Inners  []inner           `json:"inners"`
	Env     map[string]string `json:"env"`
	Named   map[string]inner  `json:"named"`
	Any     any               `json:"any"`
	With    map[string]any    `json:"with"`
	Skipped string            `json:"-"`
}

func TestDecode(t *testing.T) {
	t.Parallel()
	var got target
	err := Into(map[string]any{
		"text": int64(3000), "flag": true, "int": 3.0, "small": int64(-7), "uint": uint64(math.MaxUint64), "float": int64(2), "list": "one",
		"inner": map[string]any{"wait": "1s", "unknown": 1}, "pointer": map[string]any{"wait": "2s"}, "inners": []any{map[string]any{"wait": "3s"}},
		"env": map[string]any{"A": true, "B": nil, "C": "c", "D": int64(1)}, "named": map[string]any{"x": map[string]any{}}, "any": []any{1}, "with": map[string]any{"a": 1}, "Skipped": "x", "-": "x",
	}, &got)
	want := target{Text: "3000", Flag: true, Int: 3, Small: -7, Uint: math.MaxUint64, Float: 2, List: []string{"one"}, Inner: inner{wait{time.Second}}, Pointer: &inner{wait{2 * time.Second}},
		Inners: []inner{{wait{3 * time.Second}}}, Env: map[string]string{"A": "true", "B": "", "C": "c", "D": "1"}, Named: map[string]inner{"x": {}}, Any: []any{1}, With: map[string]any{"a": 1}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v    any
		want string
	}{
		{map[string]any{"inners": []any{map[string]any{}, map[string]any{"wait": "x"}}}, `inners[1].wait: time: invalid duration "x"`},
		{map[string]any{"env": map[string]any{"A": []any{}}}, "env.A: must be a text, not a list"},
		{map[string]any{"flag": "true"}, "flag: must be true or false, not a text"},
		{map[string]any{"int": 1.5}, "int: must be an integer, not a number"},
		{map[string]any{"int": "3"}, "int: must be an integer, not a text"},
		{map[string]any{"small": int64(200)}, "small: 200 is out of range"},
		{map[string]any{"uint": int64(-1)}, "uint: must be an integer of 0 or more, not a number"},
		{map[string]any{"inner": "x"}, "inner: must be a mapping, not a text"},
		{map[string]any{"list": []any{"a", []any{}}}, "list[1]: must be a text, not a list"},
		{"text", "must be a mapping, not a text"},
	} {
		var got target
		if err := Into(c.v, &got); err == nil || err.Error() != c.want {
			t.Errorf("%v: %v, want %s", c.v, err, c.want)
		}
	}
	if err := Into(map[string]any{}, target{}); err == nil {
		t.Error("decoding into a value that nobody sees is no error")
	}
	var out struct {
		Bad failing `json:"bad"`
	}
	if err := Into(map[string]any{"bad": "x"}, &out); !errors.Is(err, errFailing) {
		t.Errorf("the error of UnmarshalText is lost: %v", err)
	}
}

var errFailing = errors.New("no")

type failing struct{}

func (*failing) UnmarshalText([]byte) error { return errFailing }
