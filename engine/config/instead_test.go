package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/config/files"
)

// TestInstead holds that a text that somebody is about to save is checked in
// place of the file's own, with all other files: as a pipeline, an action or
// the project file, and by whichever path the file is reached.
func TestInstead(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	file(t, at("redund.yaml"), []byte("version: 1\n"))
	file(t, at("pipelines/pm2/a.yaml"), []byte(head+"steps:\n  - uses: ./actions/x.yaml\n"))
	file(t, at("actions/x.yaml"), []byte("kind: action\nname: x\nsteps:\n  - run: echo\n"))
	if err := os.Symlink(at("actions/x.yaml"), at("link.yaml")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, text, want string }{
		{"pipelines/pm2/a.yaml", head + "steps: [{rnu: x}]\n", `pipelines/pm2/a.yaml: did you mean "run"?`},
		{"pipelines/pm2/a.yaml", head + "enabled: false\nsteps: [{run: echo}]\n", ""},
		{"actions/x.yaml", "kind: action\nname: x\nsteps: []\n", "actions/x.yaml: "},
		{"link.yaml", "kind: action\nname: x\ninputs: {to: {required: true}}\nsteps: [{run: echo}]\n", "pipelines/pm2/a.yaml: give it in with"},
		{"redund.yaml", "version: 1\npipelines: [jobs]\n", "redund.yaml: make it"},
		{"redund.yaml", "version: 1\nlimits: {file-size: 10B}\n", "pipelines/pm2/a.yaml: "},
	} {
		p := config.Load(t.Context(), config.Options{Dir: root, Kinds: builtin.Kinds(), Env: environ, Instead: &files.Instead{Path: at(c.path), Text: []byte(c.text)}})
		var got []string
		for _, x := range p.Problems {
			got = append(got, x.File+": "+x.Hint)
		}
		if all := strings.Join(got, "\n"); (c.want == "") != (all == "") || !strings.HasPrefix(all, c.want) {
			t.Errorf("%s with %q: got %q, want %q", c.path, c.text, all, c.want)
		}
	}
}

// TestPluginsOfTheProject holds that validate finds the plugins that run finds:
// what lies in the project is none by its name alone.
func TestPluginsOfTheProject(t *testing.T) {
	t.Parallel()
	root, outside := t.TempDir(), t.TempDir()
	file(t, filepath.Join(root, "pipelines/pm2/a.yaml"), []byte(head+"steps:\n  - uses: plugin:x\n"))
	for _, dir := range []string{filepath.Join(root, "bin"), outside} {
		program := filepath.Join(dir, "redund-step-x")
		file(t, program, []byte("#!/bin/sh\n"))
		if err := os.Chmod(program, 0o755); err != nil {
			t.Fatal(err)
		}
		env := func(name string) (string, bool) { return dir, name == "PATH" }
		p := config.Load(t.Context(), config.Options{Dir: root, Kinds: builtin.Kinds(), Env: env})
		if found := len(p.Problems) == 0; found != (dir == outside) {
			t.Errorf("PATH=%s: %v", dir, p.Problems)
		}
	}
}

// TestMovedState holds what a project says of a state directory that its file
// moves to, while another is used.
func TestMovedState(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "redund.yaml"), []byte("version: 1\nstate: b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := config.Load(t.Context(), config.Options{Dir: root, Kinds: builtin.Kinds()})
	if p.Moves() || !slices.Equal(p.Protected(), []string{filepath.Join(root, "b"), filepath.Join(root, ".env")}) {
		t.Error(p.Protected())
	}
	p.State = filepath.Join(root, "a")
	if !p.Moves() || !slices.Equal(p.Protected(), []string{filepath.Join(root, "a"), filepath.Join(root, "b"), filepath.Join(root, ".env")}) {
		t.Error(p.Protected())
	}
	if n := p.Again(t.Context(), config.Change{Paths: []string{}}); n.State != p.State {
		t.Error(n.State)
	}
}
