package github

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/kindtest"
	"github.com/redundctl/redundctl/engine/pipeline"
)

const planned = `name: CI
on: {schedule: [{cron: "0 0 * * *"}]}
jobs:
  build:
    runs-on: ubuntu-latest
    strategy: {matrix: {os: [a, b]}}
    steps:
      - uses: actions/checkout@v4
        with: {fetch-depth: 0}
      - name: Test ${{ secrets.TOKEN }}
        run: touch made
      - uses: acme/deploy@v1
        continue-on-error: true
  windows:
    needs: build
    runs-on: windows-latest
    steps: [{run: dir}]
  late:
    needs: [build]
    if: always()
    runs-on: ubuntu-latest
    strategy: {matrix: "${{ fromJSON(needs.build.outputs.list) }}"}
    steps: [{uses: ./act, if: failure()}, {run: "echo", shell: python}]
`

func project(t *testing.T, files map[string]string) (*pipeline.Scope, kind.Deps) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	spawn := kindtest.Spawner(t)
	return &pipeline.Scope{
		Root: dir, Dir: dir, Out: io.Discard, Step: "step", Attempt: 1, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir},
		Mask: func(s string) string { return strings.ReplaceAll(s, "hush", "***") },
		Inside: func(p string) (string, error) {
			if filepath.IsAbs(p) {
				return p, nil
			}
			return filepath.Join(dir, p), nil
		},
		Secret: func(string) (string, bool) { return "hush", true },
	}, kind.Deps{Proc: spawn}
}

func flowAction(t *testing.T, with map[string]any, d kind.Deps) pipeline.Action {
	t.Helper()
	a, err := Workflow(nil).Build(with, d)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestFlowPlan holds what the dry run says: jobs in waves, with combinations and
// steps, and what cannot run, step by step; it changes nothing.
func TestFlowPlan(t *testing.T) {
	t.Parallel()
	s, d := project(t, map[string]string{"x.yml": planned})
	got, err := kindtest.Plan(t, flowAction(t, map[string]any{"file": "x.yml"}, d), s)
	if err == nil || err.Error() != "it cannot run here: x.yml:16:14: jobs.windows.runs-on: windows-latest is Windows, and this machine is not" {
		t.Error(err)
	}
	want := `runs x.yml for the event schedule, in place
wave 1: job build, 2 combinations: os=a; os=b
  step 1: Run actions/checkout@v4: github/checkout (fetch-depth: 0)
  step 2: Test ${{ secrets.TOKEN }}: a script with bash -e
  step 3: Run acme/deploy@v1
    cannot run here: x.yml:12:15: jobs.build.steps[2].uses: acme/deploy@v1 lies in another repository, and nothing is fetched here
wave 2: job windows
  cannot run here: x.yml:16:14: jobs.windows.runs-on: windows-latest is Windows, and this machine is not
wave 2: job late, once for each combination of its matrix, which is known when the jobs it reads have run
  only if: always()
  step 1: Run ./act, only if: failure()
    cannot run here: x.yml:23:20: uses: act/action.yml: there is no such action
  step 2: Run echo: a script with python`
	lines := make([]string, len(got))
	for i, e := range got {
		lines[i] = string(e)
	}
	if text := strings.Join(lines, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	for with, want := range map[string]string{"none.yml": "there is no workflow none.yml", "bad.yml": "bad.yml:1"} {
		s, d := project(t, map[string]string{"bad.yml": "a: ["})
		if _, err := kindtest.Plan(t, flowAction(t, map[string]any{"file": with}, d), s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", with, err)
		}
	}
	if _, err := kindtest.Plan(t, flowAction(t, map[string]any{"file": "x.yml", "job": "nope"}, d), s); err == nil || !strings.Contains(err.Error(), "has no job") {
		t.Error(err)
	}
}

// TestFlowCheck holds that `validate` says the same, with places.
func TestFlowCheck(t *testing.T) {
	t.Parallel()
	s, _ := project(t, map[string]string{"x.yml": planned, "bad.yml": "on: push\n<<<<<<< a\n", "good.yml": "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: x}]}}"})
	check := Workflow(nil).Check
	at := kind.Place{Root: s.Root, Dir: s.Dir}
	for _, c := range []struct {
		with  map[string]any
		rules string
		says  string
	}{
		{map[string]any{"file": "x.yml"}, "cannot-run-here cannot-run-here cannot-run-here", "x.yml:12:15: jobs.build.steps[2].uses: acme/deploy@v1"},
		{map[string]any{"file": "bad.yml"}, "cannot-run-here", "bad.yml:2: a merge conflict was left in the file"},
		{map[string]any{"file": "gone.yml"}, "missing-script", "there is no workflow gone.yml"},
		{map[string]any{"file": "good.yml"}, "", ""},
		{map[string]any{"file": "good.yml", "job": "b"}, "cannot-run-here", "good.yml has no job b"},
		{map[string]any{"file": "${{ vars.x }}"}, "", ""},
		{map[string]any{"file": "../outside.yml"}, "", ""},
	} {
		var rules []string
		says := ""
		for _, f := range check(c.with, at) {
			rules = append(rules, f.Rule)
			says += f.Message + "\n"
			if f.Severity != "warning" || f.Hint == "" || strings.Contains(f.Message, "\n") {
				t.Errorf("%+v", f)
			}
		}
		if strings.Join(rules, " ") != c.rules || !strings.Contains(says, c.says) {
			t.Errorf("%v: %v %s", c.with, rules, says)
		}
	}
	at.Secrets = []string{}
	if got := check(map[string]any{"file": "x.yml"}, at); len(got) != 4 || got[0].Rule != "missing-secret" || !strings.Contains(got[0].Message, "x.yml reads what the pipeline does not declare and so is empty there: TOKEN") {
		t.Errorf("%+v", got)
	}
	at.Secrets = []string{"token"}
	if got := check(map[string]any{"file": "x.yml"}, at); len(got) != 3 {
		t.Errorf("%+v", got)
	}
	if got := check(map[string]any{"file": "x.yml"}, kind.Place{Root: s.Root}); got != nil {
		t.Error(got)
	}
}

// TestD14 holds that the step itself says what the check only warned of.
func TestD14(t *testing.T) {
	t.Parallel()
	s, d := project(t, nil)
	s.Temp = t.TempDir()
	if _, err := flowAction(t, map[string]any{"file": ".github/workflows/none.yml"}, d).Run(t.Context(), s); err == nil || err.Error() != "there is no workflow .github/workflows/none.yml" {
		t.Error(err)
	}
}

// TestD16 holds that a mistyped key is told with its line, though the file runs
// on without it.
func TestD16(t *testing.T) {
	t.Parallel()
	s, d := project(t, map[string]string{"x.yml": "on: push\njobs:\n  a:\n    runs_on: ubuntu-latest\n    steps: [{run: \"true\"}]\n"})
	got, err := kindtest.Plan(t, flowAction(t, map[string]any{"file": "x.yml"}, d), s)
	found := false
	for _, e := range got {
		found = found || strings.Contains(string(e), `GitHub refuses the file: x.yml:4:5: unexpected key "runs_on"`)
	}
	if err != nil || !found {
		t.Errorf("%q, %v", got, err)
	}
}
