package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAction runs the workflow of import.md, which uses this repository's own
// action.yml, on this machine: all that is well passes, and each fault is told.
func TestAction(t *testing.T) {
	bin := build(t)
	project := t.TempDir()
	action, err := os.ReadFile("../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	workflow := ""
	for _, b := range blocks(t, "import.md") {
		if b.info == "yml ci" {
			workflow = b.text
		}
	}
	for _, change := range [][2]string{
		{"uses: redundctl/redundctl@v1", "uses: ./action"}, {"fail-under: 90", "fail-under: 90\n          version: installed"},
		{"      - uses: actions/setup-go@v6\n        with: {go-version: stable}\n", ""},
	} {
		if !strings.Contains(workflow, change[0]) {
			t.Fatalf("the workflow of import.md has no %q", change[0])
		}
		workflow = strings.Replace(workflow, change[0], change[1], 1)
	}
	write(t, filepath.Join(project, "action/action.yml"), string(action))
	write(t, filepath.Join(project, ".github/workflows/backups.yml"), workflow)
	write(t, filepath.Join(project, "pipelines/github-actions/ci.yaml"), "version: 1\nname: ci\nsteps:\n  - uses: github/workflow\n    with: {file: .github/workflows/backups.yml, event: push}\n")
	const nightly = "on: {schedule: [{cron: \"0 3 * * *\"}]}\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: make}]}}\n"
	write(t, filepath.Join(project, ".github/workflows/nightly.yml"), nightly)
	env := environment(t, bin)
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "redundctl"), append([]string{"-C", project}, args...)...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("run", "ci"); err == nil || !strings.Contains(out, "0 % covered") {
		t.Errorf("nothing is covered: %v\n%s", err, out)
	}
	if out, err := run("import", "actions", filepath.Join(project, ".github/workflows")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := run("run", "ci"); err != nil || !strings.Contains(out, "100 % covered") {
		t.Errorf("all is covered: %v\n%s", err, out)
	}
	write(t, filepath.Join(project, ".github/workflows/nightly.yml"), strings.Replace(nightly, "0 3", "0 4", 1))
	if out, err := run("run", "ci"); err == nil || !strings.Contains(out, "schedule of .github/workflows/nightly.yml has changed") {
		t.Errorf("a schedule has changed: %v\n%s", err, out)
	}
	write(t, filepath.Join(project, ".github/workflows/nightly.yml"), nightly)
	write(t, filepath.Join(project, "pipelines/pm2/bad.yaml"), "version: 1\nname: bad\nsteps: []\n")
	if out, err := run("run", "ci"); err == nil || !strings.Contains(out, "pipelines/pm2/bad.yaml") {
		t.Errorf("a pipeline is broken: %v\n%s", err, out)
	}
	// A command that fails keeps none from being run after it.
	write(t, filepath.Join(project, "pipelines/pm2/bad.yaml"), "version: 1\nname: bad\nsteps: [{run: x}]\n")
	write(t, filepath.Join(project, "broken/redund.yaml"), "version: 7\n")
	write(t, filepath.Join(project, ".github/workflows/broken.yml"), "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{uses: ./action, with: {version: installed, working-directory: broken, commands: coverage oops}}]}}\n")
	write(t, filepath.Join(project, "pipelines/github-actions/broken.yaml"), "version: 1\nname: broken\nsteps:\n  - uses: github/workflow\n    with: {file: .github/workflows/broken.yml, event: push}\n")
	if out, err := run("run", "broken"); err == nil || !strings.Contains(out, "must be 1") || !strings.Contains(out, "drift, not oops") {
		t.Errorf("redund.yaml is broken: %v\n%s", err, out)
	}
}
