package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/diag"
)

// write makes a project of a text: one pipeline, or several files as txtar.
func write(t *testing.T, text string) string {
	t.Helper()
	root := t.TempDir()
	if !strings.HasPrefix(text, "-- ") {
		text = "-- pipelines/pm2/sync.yaml --\n" + text
	}
	for _, f := range txtar.Parse([]byte(text)).Files {
		file(t, filepath.Join(root, f.Name), f.Data)
	}
	return root
}

func file(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// environ is an environment with a PATH and nothing else.
func environ(name string) (string, bool) {
	if name == "PATH" {
		return os.Getenv("PATH"), true
	}
	return "", false
}

func load(t *testing.T, root, environment string) *config.Project {
	t.Helper()
	p := config.Load(t.Context(), config.Options{Dir: root, Kinds: builtin.Kinds(), Env: environ, Environment: environment})
	for _, x := range p.Problems {
		if _, ok := diag.RuleByID(x.Rule); !ok {
			t.Errorf("%s:%d: the rule %q is in no table", x.File, x.Line, x.Rule)
		}
	}
	return p
}

// made are the examples that cannot be written down as text.
func made(t *testing.T, id string) (root, environment string, ok bool) {
	t.Helper()
	root = t.TempDir()
	name := filepath.Join(root, "pipelines/pm2/sync.yaml")
	good := "version: 1\nname: sync\nsteps:\n  - run: echo done\n"
	switch id {
	case "too-large":
		file(t, name, []byte(good+"#"+strings.Repeat("x", 1<<20)))
	case "not-utf8":
		file(t, name, []byte(good+"# \xff\n"))
	case "too-deep":
		file(t, name, []byte(good+"x-deep: "+strings.Repeat("[", 60)+strings.Repeat("]", 60)+"\n"))
	case "too-many-aliases":
		file(t, name, []byte(good+"x-a: &a 1\nx-b: ["+strings.TrimSuffix(strings.Repeat("*a, ", 101), ", ")+"]\n"))
	case "unreadable":
		file(t, filepath.Join(root, "pipelines/pm2/other.yaml"), []byte("version: 1\nname: other\nsteps:\n  - run: echo done\n"))
		if err := os.Symlink("nowhere.yaml", name); err != nil {
			t.Fatal(err)
		}
	case "unknown-environment":
		file(t, name, []byte(good))
		file(t, filepath.Join(root, "redund.yaml"), []byte("environments: {staging: {}}\n"))
		return root, "stagng", true
	default:
		return "", "", false
	}
	return root, "", true
}

// TestRules runs the examples of every rule: the bad one gives one problem, of
// that rule; the good one gives none.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, r := range diag.Rules {
		t.Run(r.ID, func(t *testing.T) {
			t.Parallel()
			root, environment, ok := made(t, r.ID)
			if !ok {
				root = write(t, r.Bad)
			}
			got := load(t, root, environment).Problems
			if len(got) != 1 || got[0].Rule != r.ID || got[0].Severity != r.Severity || got[0].Message == "" {
				t.Errorf("the bad example gives %+v", got)
			} else if got[0].Line == 0 && r.ID != "too-large" && r.ID != "unreadable" {
				t.Errorf("the problem has no line: %+v", got[0])
			}
			if got := load(t, write(t, r.Good), "").Problems; len(got) != 0 {
				t.Errorf("the good example gives %+v", got)
			}
		})
	}
}
