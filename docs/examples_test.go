package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPluginExample plays the README of examples/plugin in a copy of it.
func TestPluginExample(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	const example = "../examples/plugin"
	project := t.TempDir()
	if err := os.CopyFS(project, os.DirFS(example)); err != nil {
		t.Fatal(err)
	}
	env, played := environment(t, build(t)), 0
	for _, b := range blocks(t, filepath.Join(example, "README.md")) {
		if b.info == "console" {
			console(t, b, project, env)
			played++
		}
	}
	if played == 0 {
		t.Error("its README shows no command")
	}
}
