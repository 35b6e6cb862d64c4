package source

import (
	"testing"
	"unicode/utf8"

	"github.com/redundctl/redundctl/engine/diag"
)

// FuzzParse holds what is true of every text: no panic, either a value or a
// problem, and every problem with a rule of the table and a place in the file.
func FuzzParse(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(document(seed))
	}
	for _, s := range []string{"a: [1,\nb: 2", "a: &x [*x]", "<<: {a: 1}", "\xff\xfea", "a: \"\\q\"", "a: 017\n--- x", "? {a: b}\n: c", "a: *b", "%TAG ! x", "a: |0\n b", "\ta: b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, problems := Parse("f.yaml", text, Limits{})
		if file.Value == nil && len(problems) == 0 {
			t.Fatal("neither a value nor a problem")
		}
		if len(problems) > most {
			t.Fatalf("%d problems", len(problems))
		}
		for _, p := range problems {
			if _, ok := diag.RuleByID(p.Rule); !ok || p.Message == "" {
				t.Fatalf("%+v", p)
			}
			if p.Line > 0 && (p.Column < 1 || p.Column > utf8.RuneCountInString(p.Source)+1) {
				t.Fatalf("%d:%d lies outside %q", p.Line, p.Column, p.Source)
			}
		}
		if len(problems) == 0 {
			inside(t, file, file.Value, nil)
		}
	})
}

// FuzzSet edits the first scalar of any text: the edit is refused, or changes
// that one value.
func FuzzSet(f *testing.F) {
	for i, v := range values {
		f.Add(document(uint64(i)), v)
	}
	f.Fuzz(func(t *testing.T, text []byte, value string) {
		file, _ := Parse("f.yaml", text, Limits{})
		if file.root == nil {
			return
		}
		var paths [][]any
		leaves(file.root, nil, &paths)
		for _, path := range paths[:min(len(paths), 3)] {
			out, err := file.Set(path, value)
			if err != nil {
				continue
			}
			again, _ := Parse("f.yaml", out, Limits{})
			steps, whole := again.walk(path)
			if !whole || steps[len(steps)-1].value.Value != value {
				t.Fatalf("%v of %q set to %q is %q", path, text, value, out)
			}
		}
	})
}
