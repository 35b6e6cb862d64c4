package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
)

// TestCorpus loads the projects of testdata, each with the problems that it
// gives: all of them, in order, with their places and messages. REDUND_UPDATE=1
// writes down what is found instead, to be read before it is kept.
func TestCorpus(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) < 3 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, c := range strings.Split(strings.TrimPrefix(string(text), "=== "), "\n=== ") {
			title, body, _ := strings.Cut(c, "\n")
			a := txtar.Parse([]byte(body))
			got := found(t, title, a)
			var kept []txtar.File
			for _, f := range a.Files {
				if f.Name == "want" && string(f.Data) != got {
					t.Errorf("%s: %s gives\n%swant\n%s", name, title, got, f.Data)
				}
				if f.Name != "want" {
					kept = append(kept, f)
				}
			}
			a.Files = append(kept, txtar.File{Name: "want", Data: []byte(got)})
			out = append(out, "=== "+title+"\n"+strings.TrimSuffix(string(txtar.Format(a)), "\n"))
		}
		if os.Getenv("REDUND_UPDATE") != "" {
			if err := os.WriteFile(name, []byte(strings.Join(out, "\n")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// found loads one project and writes its problems as lines. The title may end
// in options: [environment] and [paths…].
func found(t *testing.T, title string, a *txtar.Archive) string {
	t.Helper()
	root := t.TempDir()
	for _, f := range a.Files {
		if f.Name != "want" {
			file(t, filepath.Join(root, f.Name), f.Data)
		}
	}
	o := config.Options{Dir: root, Kinds: builtin.Kinds(), Env: environ}
	if _, list, ok := strings.Cut(title, " paths: "); ok {
		o.Paths = strings.Fields(list)
	} else if _, name, ok := strings.Cut(title, " environment: "); ok {
		o.Environment = name
	}
	p := config.Load(t.Context(), o)
	var b strings.Builder
	for _, x := range p.Problems {
		fmt.Fprintf(&b, "%s:%d:%d %s %s: %s", x.File, x.Line, x.Column, x.Severity, x.Rule, x.Message)
		if x.Hint != "" {
			fmt.Fprintf(&b, " (%s)", x.Hint)
		}
		b.WriteString("\n")
		if x.Severity == "error" {
			for _, pl := range p.Pipelines {
				if pl.File == x.File {
					t.Errorf("%s: %s is loaded in spite of its error", title, pl.ID())
				}
			}
		}
	}
	return b.String()
}
