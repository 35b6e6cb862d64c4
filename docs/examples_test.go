package docs

import (
	"context"
	"regexp"
	"strings"
	"time"

	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/redundctl/redundctl/engine/kind/pm2/pm2test"
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

// TestFailoverDemo runs the demonstration of failover beside a real PM2, and
// holds that it shows what its page says, in that order.
func TestFailoverDemo(t *testing.T) {
	bin := build(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	pm2, err := pm2test.Install(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "sh", "../examples/failover/demo.sh", filepath.Join(bin, "redundctl"), filepath.Join(pm2, "node_modules/pm2/bin/pm2"))
	cmd.Env = environment(t, bin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	shows(t, "tutorial-failover.md", string(out))
}

// TestSiteDemo runs the demonstration of the example site, and holds that it
// shows what its page says, in that order.
func TestSiteDemo(t *testing.T) {
	bin := build(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "../examples/site/demo.sh", filepath.Join(bin, "redundctl"))
	cmd.Env = environment(t, bin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	shows(t, "tutorial-site.md", string(out))
}

// shows holds that the text blocks of a page stand in an output, one after the
// other; … is anything, on a line of its own any number of lines.
func shows(t *testing.T, page, out string) {
	t.Helper()
	rest := out
	for _, b := range blocks(t, page) {
		if b.info != "text" {
			continue
		}
		var re strings.Builder
		between := ""
		for _, line := range strings.Split(strings.TrimSpace(b.text), "\n") {
			if re.WriteString(between); strings.TrimSpace(line) == "…" {
				re.WriteString(`(?:[^\n]*\n)*?`)
				between = ""
				continue
			}
			between = `[^\n]*\n[ \t]*`
			for j, w := range strings.Fields(line) {
				if j > 0 {
					re.WriteString(`[ \t]+`)
				}
				re.WriteString(strings.ReplaceAll(regexp.QuoteMeta(w), "…", `[^\n]*?`))
			}
		}
		at := regexp.MustCompile(re.String()).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("%s: not shown, after what stands before it, by\n%s", b, out)
		}
		rest = rest[at[1]:]
	}
}
