package source

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

func parse(t *testing.T, text string) *File {
	t.Helper()
	f, problems := Parse("f.yaml", []byte(text), Limits{})
	if len(problems) > 0 {
		t.Fatalf("%q: %v", text, problems)
	}
	return f
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	f := parse(t, "\ufeffname: x # c\r\nsteps:\r\n  - run: |\r\n      echo é ${{ a }}\r\n\r\n      two\r\n  - id: &b 'it''s'\r\n    with: {k: \"\\u00e9x\", list: [1, é]}\r\nempty:\r\n\"quoted key\": *b\r\n")
	for _, tt := range []struct {
		name string
		got  Pos
		want Pos
	}{
		{"root", f.At(nil), Pos{1, 1, 0}},
		{"value", f.At([]any{"name"}), Pos{1, 7, 1}},
		{"key", f.KeyAt([]any{"name"}), Pos{1, 1, 4}},
		{"block", f.At([]any{"steps", 0, "run"}), Pos{3, 10, 1}},
		{"anchored", f.At([]any{"steps", 1, "id"}), Pos{7, 12, 7}},
		{"flow", f.At([]any{"steps", 1, "with", "list", 1}), Pos{8, 36, 1}},
		{"item", f.At([]any{"steps", 1}), Pos{7, 5, 0}},
		{"key of an item", f.KeyAt([]any{"steps", 1}), Pos{7, 5, 0}},
		{"empty", f.At([]any{"empty"}), Pos{9, 1, 5}},
		{"quoted key", f.KeyAt([]any{"quoted key"}), Pos{10, 1, 12}},
		{"alias", f.At([]any{"quoted key"}), Pos{10, 15, 0}},
		{"missing below a key", f.At([]any{"steps", 1, "with", "nope", "more"}), Pos{8, 5, 4}},
		{"missing at the root", f.At([]any{"nope"}), Pos{1, 1, 0}},
		{"missing item", f.At([]any{"steps", 9}), Pos{2, 1, 5}},
		{"a path of the wrong kind", f.At([]any{"steps", "x"}), Pos{2, 1, 5}},
		{"in a block", f.InString([]any{"steps", 0, "run"}, len("echo é "), len("${{ a }}")), Pos{4, 14, 8}},
		{"in a block, second line", f.InString([]any{"steps", 0, "run"}, strings.Index(f.Value.(map[string]any)["steps"].([]any)[0].(map[string]any)["run"].(string), "two"), 3), Pos{6, 7, 3}},
		{"in quotes", f.InString([]any{"steps", 1, "id"}, 2, 2), Pos{7, 15, 3}},
		{"after an escape", f.InString([]any{"steps", 1, "with", "k"}, 2, 1), Pos{8, 22, 1}},
		{"through an alias", f.InString([]any{"quoted key"}, 0, 2), Pos{7, 13, 2}},
		{"beyond the value", f.InString([]any{"name"}, 50, 2), Pos{1, 7, 1}},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	if d := cmp.Diff([]string{"name", "steps", "empty", "quoted key"}, f.Keys(nil)); d != "" {
		t.Error(d)
	}
	if k := f.Keys([]any{"name"}); k != nil {
		t.Errorf("keys of a scalar: %v", k)
	}
	if p := f.Problem(Pos{4, 14, 8}, "error", "r", "m", "h"); p.Source != "      echo é ${{ a }}" {
		t.Errorf("source line %q", p.Source)
	}
}

// TestWalkFindsEveryScalar follows every scalar of many random documents, and
// finds each expression in them where it is written.
func TestWalkFindsEveryScalar(t *testing.T) {
	t.Parallel()
	documents, scalars, expressions := 0, 0, 0
	for seed := range uint64(1500) {
		text := document(seed)
		f, problems := Parse("f.yaml", text, Limits{})
		if f.root == nil {
			continue // a few random texts are not YAML
		}
		_ = problems
		documents++
		for _, n := range flatten(f.root, nil) {
			if n.Kind != yaml.ScalarNode {
				continue
			}
			scalars++
			tok, ok := f.locate(n)
			if !ok {
				t.Fatalf("seed %d: %q of line %d is not found in\n%s", seed, n.Value, n.Line, text)
			}
			if n.Value != "" && len(bytes.TrimSpace(text[tok.start:tok.end])) == 0 {
				t.Fatalf("seed %d: %q has no text", seed, n.Value)
			}
			for at := 0; ; at++ {
				i := strings.Index(n.Value[at:], "${{")
				if i < 0 {
					break
				}
				at += i
				expressions++
				if !bytes.HasPrefix(text[tok.from[at]:], []byte("${{")) {
					t.Fatalf("seed %d: an expression of %q is looked for at %q", seed, n.Value, text[tok.from[at]:])
				}
			}
		}
	}
	if documents < 1000 || expressions < 1000 {
		t.Fatalf("%d documents, %d scalars, %d expressions: too few to show anything", documents, scalars, expressions)
	}
}

// TestValuesAreThoseOfYAML compares our values with yaml.v3's own.
func TestValuesAreThoseOfYAML(t *testing.T) {
	t.Parallel()
	same := func(text []byte) {
		f, problems := Parse("f.yaml", text, Limits{})
		if len(problems) > 0 || f.root == nil {
			return
		}
		var want any
		if err := yaml.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, widen(f.Value)); d != "" {
			t.Fatalf("%s\n%s", text, d)
		}
	}
	for seed := range uint64(300) {
		same(document(seed))
	}
	for _, s := range []string{
		"0", "-0", "1_000", "0x1F", "0o17", "0b101", "-0b11", "+5", "1e3", "1.", ".5", "1e400", "9223372036854775807", "9223372036854775808", "1_0.5",
		"18446744073709551616", "-9223372036854775808", "yes", "on", "off", "True", "NULL", "~", "null", "12:30:45", "0x", "1__0", "'1'", "!!str 5", "!!int 5", "!!float 3", "<<", "!!bool true",
	} {
		same([]byte("a: " + s + "\n"))
	}
}

// widen makes yaml.v3's int of our int64.
func widen(v any) any {
	switch v := v.(type) {
	case int64:
		return int(v)
	case map[string]any:
		m := map[string]any{}
		for k, x := range v {
			m[k] = widen(x)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, x := range v {
			l[i] = widen(x)
		}
		return l
	}
	return v
}

// TestPlacesStandInTheText holds that no place lies outside its file.
func TestPlacesStandInTheText(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		f, _ := Parse("f.yaml", document(seed), Limits{})
		if f.root != nil {
			inside(t, f, f.Value, nil)
		}
	}
}

func inside(t *testing.T, f *File, v any, path []any) {
	t.Helper()
	for _, p := range []Pos{f.At(path), f.KeyAt(path), f.InString(path, 0, 3)} {
		if p.Line < 1 || p.Column < 1 || p.Column+max(p.Width, 1)-1 > utf8.RuneCount(f.line(p.Line))+1 {
			t.Fatalf("%v is at %v in\n%s", path, p, f.Text)
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			inside(t, f, x, append(path[:len(path):len(path)], k))
		}
	case []any:
		for i, x := range v {
			inside(t, f, x, append(path[:len(path):len(path)], i))
		}
	}
}
