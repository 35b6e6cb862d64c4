package source

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

func TestSet(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, value, want string }{
		{"plain", "a: {k: x} # c\n", "y", "a: {k: y} # c\n"},
		{"plain that needs quotes", "a:\n  k: x   # c\n", "y # z", "a:\n  k: \"y # z\"   # c\n"},
		{"single quotes", "a: {k: 'x'}\n", "it's", "a: {k: 'it''s'}\n"},
		{"double quotes", "a: {k: \"x\\n\"}\n", "é\"\u2028", "a: {k: \"é\\\"\\u2028\"}\n"},
		{"a boolean stays one", "a:\n  k: true\n", "false", "a:\n  k: false\n"},
		{"a number stays one", "a:\n  k: 5\n", "6", "a:\n  k: 6\n"},
		{"a string stays one", "a:\n  k: x\n", "true", "a:\n  k: \"true\"\n"},
		{"text in place of a boolean", "a:\n  k: true\n", "x", "a:\n  k: x\n"},
		{"cron", "a:\n  k: \"0 1 * * *\" # nightly\n", "*/5 * * * *", "a:\n  k: \"*/5 * * * *\" # nightly\n"},
		{"literal", "a:\r\n  k: |\r\n    x\r\n    y\r\nb: 1\r\n", "z\n\nw\n", "a:\r\n  k: |\r\n    z\r\n\r\n    w\r\nb: 1\r\n"},
		{"folded becomes quoted", "a:\n  k: >-\n    x\n    y\nb: 1\n", "z", "a:\n  k: \"z\"\nb: 1\n"},
		{"empty", "a:\n  k: # c\nb: 1\n", "z", "a:\n  k: z # c\nb: 1\n"},
		{"alias", "x: &x 1\na:\n  k: *x\n", "z", ""},
		{"anchor in use", "a:\n  k: &x 1\nb: *x\n", "z", ""},
		{"anchor in use further up", "a: &x\n  k: 1\nb: *x\n", "z", ""},
		{"below an alias", "x: &x {k: 1}\na: *x\n", "z", ""},
		{"not there", "a: {l: 1}\n", "z", ""},
		{"a mapping", "a: {k: {}}\n", "z", ""},
		{"anchor not in use", "a:\n  k: &x !!str 1\n", "2", "a:\n  k: &x !!str 2\n"},
	} {
		f, _ := Parse("f.yaml", []byte(tt.text), Limits{})
		got, err := f.Set([]any{"a", "k"}, tt.value)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%s: changed to %q", tt.name, got)
			}
			continue
		}
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
		if string(f.Text) != tt.text {
			t.Errorf("%s: the file itself was changed", tt.name)
		}
	}
}

var values = []string{
	"", "x", "true", "12", "a: b", "# c", "x # c", "@x", "*a", "&a", "!t", "- a", "? a", "it's", `"q"`, "two\nlines", "two\nlines\n", "\n", " lead", "tail ", "\ttab", "a\r\nb",
	"é\u2028", "\ufeff", "\u0085", "\u009b", "{{ a }}", "[", "]", "a,b", "|", ">", "%", "`", "null", "~", "---", "...", "<<", "0 0 * * *", "🙂", `back\slash`, "\x00",
}

// TestSetChangesOneValue makes random edits and reads the whole file again.
func TestSetChangesOneValue(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 2))
	edits, refused := 0, 0
	for seed := range uint64(600) {
		f, _ := Parse("f.yaml", document(seed), Limits{})
		if f.root == nil {
			continue
		}
		var paths [][]any
		leaves(f.root, nil, &paths)
		for range 3 {
			path, value := paths[r.IntN(len(paths))], values[r.IntN(len(values))]
			steps, _ := f.walk(path)
			n := steps[len(steps)-1].value
			text, err := f.Set(path, value)
			edits++
			if err != nil {
				if !strings.Contains(err.Error(), "alias") {
					refused++
					t.Logf("seed %d: %v: %q for %q", seed, err, value, n.Value)
				}
				continue
			}
			tok, _ := f.locate(n)
			if !bytes.HasPrefix(text, f.Text[:tok.start]) || !bytes.HasSuffix(text, f.Text[tok.end:]) {
				t.Fatalf("seed %d: other bytes changed:\n%s\n----\n%s", seed, f.Text, text)
			}
			again, _ := Parse("f.yaml", text, Limits{})
			now, whole := again.walk(path)
			if !whole || now[len(now)-1].value.Value != value {
				t.Fatalf("seed %d: %v is not %q in\n%s", seed, path, value, text)
			}
		}
	}
	if edits < 1000 || refused*100 > edits {
		t.Errorf("%d of %d edits were refused", refused, edits)
	}
}

func leaves(n *yaml.Node, path []any, list *[][]any) {
	for i, c := range n.Content {
		var p []any
		if n.Kind == yaml.MappingNode {
			if i%2 == 0 {
				continue
			}
			p = append(path[:len(path):len(path)], n.Content[i-1].Value)
		} else {
			p = append(path[:len(path):len(path)], i)
		}
		if c.Kind == yaml.ScalarNode {
			*list = append(*list, p)
		}
		leaves(c, p, list)
	}
}
