package finder

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// tree is a repository with these workflows, by file name.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		if !strings.Contains(name, "/") {
			name = Folder + "/" + name
		}
		p := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func origin(t testing.TB, root, url string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(root, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, ".git/config"), []byte("[core]\n\tbare = false\n[remote \"origin\"]\n\turl = "+url+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func search(t testing.TB, root string) []kind.Found {
	t.Helper()
	out, err := Finder().Find(t.Context(), kind.Search{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// show writes a draft as YAML would hold it, for comparison.
func show(v any, indent string) string {
	var b strings.Builder
	switch x := v.(type) {
	case kind.Map:
		for _, f := range x {
			fmt.Fprintf(&b, "%s%s:", indent, f.Key)
			if s := show(f.Value, indent+"  "); strings.HasPrefix(s, "\n") || !strings.Contains(s, "\n") {
				b.WriteString(" " + s)
			} else {
				b.WriteString("\n" + s)
			}
			if f.Comment != "" {
				b.WriteString(" # " + f.Comment)
			}
			b.WriteString("\n")
		}
		return strings.TrimSuffix(b.String(), "\n")
	case []any:
		for _, e := range x {
			b.WriteString(indent + "-\n" + show(e, indent+"  ") + "\n")
		}
		return strings.TrimSuffix(b.String(), "\n")
	}
	return indentless(fmt.Sprint(v), indent)
}

func indentless(s, indent string) string {
	if indent == "" {
		return s
	}
	return s
}

const nightly = `name: Nightly build
on:
  schedule:
    - cron: "*/20 2 * * *"
      timezone: Europe/Berlin
    - cron: "0 4 * * 1"
  workflow_dispatch:
env: {KEY: "${{ secrets.API_KEY }}"}
jobs:
  build:
    runs-on: ubuntu-latest
    timeout-minutes: 10
    steps:
      - uses: actions/checkout@v4
      - run: make
        env: {TOKEN: "${{ github.token }}"}
  publish:
    needs: build
    runs-on: ubuntu-latest
    timeout-minutes: 5.5
    steps:
      - run: echo ${{ secrets.HOOK }}
`

// TestDraft holds all that is said of one workflow.
func TestDraft(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"nightlyBuild.yml": nightly, "push.yml": "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo}]}}\n"})
	origin(t, root, "git@github.com:acme/site.git")
	all := search(t, root)
	if len(all) != 1 {
		t.Fatalf("%d found: %+v", len(all), all)
	}
	f := all[0]
	if f.Primary != "nightlyBuild.yml" || f.Name != "nightly-build" || f.Source != ".github/workflows/nightlyBuild.yml" || f.Line != 4 || f.Broken+f.Note+f.Disabled != "" {
		t.Errorf("%+v", f)
	}
	if got := fmt.Sprint(f.Secrets); got != "[API_KEY GITHUB_TOKEN HOOK]" {
		t.Error(got)
	}
	if len(f.Schedules) != 2 || f.Schedules[0] != (kind.Due{Cron: "*/20 2 * * *", Timezone: "Europe/Berlin", File: f.Source, Line: 4}) || f.Schedules[1].Line != 6 {
		t.Errorf("%+v", f.Schedules)
	}
	want := `description: Backs up the workflow nightlyBuild.yml: Nightly build
category: ci
primary:
  github-workflow:
    repository: acme/site
    workflow: nightlyBuild.yml
covers: since
schedule:
  -
    cron: */20 2 * * *
    timezone: Europe/Berlin
  -
    cron: 0 4 * * 1
timeout: 16m
secrets: [API_KEY GITHUB_TOKEN HOOK]
steps:
  -
    uses: github/workflow
    with: file: .github/workflows/nightlyBuild.yml`
	got := show(f.Draft, "")
	got = strings.ReplaceAll(got, "secrets:\n  -\nAPI_KEY\n  -\nGITHUB_TOKEN\n  -\nHOOK", "secrets: [API_KEY GITHUB_TOKEN HOOK]")
	if squeeze(got) != squeeze(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

func scheduled(cron, rest string) string {
	return "on: {schedule: [{cron: \"" + cron + "\"}]}\njobs:\n" + rest
}

const plainJob = "  a: {runs-on: ubuntu-latest, steps: [{run: echo}]}\n"

// TestFindings holds what is wrong with workflows, and where that is said.
func TestFindings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, broken, note, disabled string }{
		"yaml":     {text: "on: {schedule: [{cron: \"0 0 * * *\"}]}\njobs:\n\t- x", broken: ".github/workflows/x.yml:3"},
		"conflict": {text: "on: push\n<<<<<<< HEAD\njobs: {}\n=======\n>>>>>>> b\n", broken: ".github/workflows/x.yml:2: a merge conflict was left in the file"},
		"empty":    {text: "", broken: ".github/workflows/x.yml:"},
		"list":     {text: "- a\n", broken: ".github/workflows/x.yml:1"},
		"nojobs":   {text: "on: {schedule: [{cron: \"0 0 * * *\"}]}\n", broken: "jobs"},
		"key":      {text: scheduled("0 0 * * *", "  a: {runs_on: ubuntu-latest, steps: [{run: echo}]}\n"), note: `GitHub refuses the file and never runs it: .github/workflows/x.yml:3:3: "runs-on" section is missing`},
		"cron":     {text: scheduled("61 * * * *", plainJob), note: "line 1: GitHub never fires this schedule", disabled: "it has no schedule that can be kept"},
		"short":    {text: scheduled("* * * * *", plainJob), note: "every 5 minutes at most"},
		"hourly":   {text: scheduled("@hourly", plainJob), note: "GitHub does not know @hourly"},
		"services": {text: scheduled("0 0 * * *", "  a: {runs-on: ubuntu-latest, services: {db: {image: postgres}}, steps: [{run: echo}]}\n"), disabled: "it cannot run here: .github/workflows/x.yml:3:41: jobs.a.services: containers are not started here"},
		"windows":  {text: scheduled("0 0 * * *", "  a: {runs-on: windows-latest, steps: [{run: echo}]}\n"), disabled: "jobs.a.runs-on: windows-latest is Windows"},
		"remote":   {text: scheduled("0 0 * * *", "  a: {runs-on: ubuntu-latest, steps: [{uses: acme/deploy@v1}]}\n"), disabled: "jobs.a.steps[0].uses: acme/deploy@v1 lies in another repository"},
		"given":    {text: scheduled("0 0 * * *", "  a: {runs-on: ubuntu-latest, steps: [{uses: acme/deploy@v1, continue-on-error: true}]}\n")},
		"event":    {text: scheduled("0 0 * * *", "  a: {if: github.event_name == 'push', runs-on: windows-latest, steps: [{run: echo}]}\n  b: {needs: a, runs-on: macos-13, steps: [{run: echo}]}\n"+strings.Replace(plainJob, "a:", "c:", 1))},
		"local":    {text: scheduled("0 0 * * *", "  a: {runs-on: ubuntu-latest, steps: [{uses: ./nowhere}]}\n"), disabled: "uses: nowhere/action.yml: there is no such action"},
		"called":   {text: scheduled("0 0 * * *", "  a: {uses: ./.github/workflows/gone.yml}\n"), disabled: "there is no such workflow"},
		"circle":   {text: scheduled("0 0 * * *", "  a: {needs: b, runs-on: ubuntu-latest, steps: [{run: echo}]}\n  b: {needs: a, runs-on: ubuntu-latest, steps: [{run: echo}]}\n"), note: "circle", disabled: "circle"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := search(t, tree(t, map[string]string{"x.yml": c.text}))
			if len(all) != 1 {
				t.Fatalf("%d found", len(all))
			}
			for what, p := range map[string][2]string{"broken": {all[0].Broken, c.broken}, "note": {all[0].Note, c.note}, "disabled": {all[0].Disabled, c.disabled}} {
				if p[1] == "" && p[0] != "" || !strings.Contains(p[0], p[1]) || strings.Contains(p[0], "\n") {
					t.Errorf("%s: %q, want %q", what, p[0], p[1])
				}
			}
		})
	}
}

// TestNobody holds that a person is told of a repository that git does not name:
// a backup would know nothing of its primary.
func TestNobody(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"x.yml": scheduled("0 0 * * *", plainJob)})
	for _, url := range []string{"", "git@github.com:acme/site.git"} {
		if url != "" {
			origin(t, root, url)
		}
		told := false
		for _, c := range search(t, root)[0].Constructs {
			told = told || c.Key == "repository" && c.Support == kind.Approximated && strings.Contains(c.Note, nobody)
		}
		if told != (url == "") {
			t.Errorf("with the remote %q it is told: %t", url, told)
		}
	}
}

// TestD14 finds that what a scheduled workflow uses is not there before anything
// is scheduled, whichever file asks for it.
func TestD14(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{
		"x.yml":                    scheduled("0 0 * * *", "  a: {uses: ./.github/workflows/inner.yml, secrets: inherit}\n"),
		"inner.yml":                "on: {workflow_call: {}}\njobs:\n  b:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: ./actions/outer\n        with: {key: \"${{ secrets.DEEP }}\"}\n",
		"actions/outer/action.yml": "name: outer\nruns:\n  using: composite\n  steps:\n    - uses: ./actions/gone\n",
	})
	all := search(t, root)
	if len(all) != 1 || !strings.Contains(all[0].Disabled, "actions/outer/action.yml:5:13: uses: actions/gone/action.yml: there is no such action") {
		t.Fatalf("%+v", all)
	}
	if fmt.Sprint(all[0].Secrets) != "[DEEP]" {
		t.Error(all[0].Secrets)
	}
}

func TestScript(t *testing.T) {
	t.Parallel()
	sum := func(text string) string { return search(t, tree(t, map[string]string{"x.yml": text}))[0].Script }
	first := sum(nightly)
	if len(first) != 64 || sum(strings.Replace(nightly, "*/20 2", "5 3", 1)) != first || sum("# a comment\n"+strings.Replace(nightly, "run: make", "run:   \"make\"", 1)) != first {
		t.Error("what does not change the work changes the hash")
	}
	if sum(strings.Replace(nightly, "run: make", "run: make all", 1)) == first {
		t.Error("another script has the same hash")
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"a.yml": nightly, "b.yaml": nightly, "notes.md": "x", ".hidden.yml": nightly})
	for path, want := range map[string]string{
		"": "[.github/workflows/a.yml .github/workflows/b.yaml]", root: "[.github/workflows/a.yml .github/workflows/b.yaml]",
		filepath.Join(root, Folder): "[.github/workflows/a.yml .github/workflows/b.yaml]", filepath.Join(root, Folder, "b.yaml"): "[.github/workflows/b.yaml]",
	} {
		all, err := Finder().Find(t.Context(), kind.Search{Root: root, Path: path})
		var names []string
		for _, f := range all {
			names = append(names, f.Source)
		}
		if err != nil || fmt.Sprint(names) != want {
			t.Errorf("%s: %v, %v", path, names, err)
		}
	}
	if _, err := Finder().Find(t.Context(), kind.Search{Root: root, Path: root + "/nowhere"}); err == nil {
		t.Error("a path that is not there is no error")
	}
	if all := search(t, t.TempDir()); len(all) != 0 {
		t.Error(all)
	}
	// A file of another tree.
	other := tree(t, map[string]string{"a.yml": nightly})
	all, err := Finder().Find(t.Context(), kind.Search{Root: t.TempDir(), Path: filepath.Join(other, Folder, "a.yml")})
	if err != nil || len(all) != 1 || all[0].Broken != "" {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"ci.yml": "ci", "nightlyBuild.yml": "nightly-build", "CI.yaml": "ci", "a_b c.yml": "a-b-c", "--x--.yml": "x", "été.yml": "t", "日本.yml": "workflow", "v2Deploy.yml": "v2-deploy",
		strings.Repeat("a", 80) + ".yml": strings.Repeat("a", 63),
	} {
		if got := Name(".github/workflows/" + in); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestBacks(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"a.yml": nightly})
	bare := search(t, root)[0]
	origin(t, root, "https://github.com/acme/site")
	f := search(t, root)[0]
	p := func(repository, workflow string) *pipeline.Primary {
		return &pipeline.Primary{Kind: "github-workflow", With: map[string]any{"repository": repository, "workflow": workflow}}
	}
	for _, c := range []struct {
		p    *pipeline.Primary
		f    *kind.Found
		want bool
	}{
		{p("acme/site", "a.yml"), &f, true}, {p("Acme/Site", ".github/workflows/a.yml"), &f, true}, {p("acme/other", "a.yml"), &f, false},
		{p("acme/site", "b.yml"), &f, false}, {p("acme/any", "a.yml"), &bare, true}, {nil, &f, false}, {&pipeline.Primary{Kind: "pm2"}, &f, false},
	} {
		if got := Finder().Backs(c.p, c.f); got != c.want {
			t.Errorf("%+v: %v", c.p, got)
		}
	}
}

// TestMany reads as many workflows as the largest repository that was looked at
// has.
func TestMany(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range 1500 {
		files[fmt.Sprintf("w%04d.yml", i)] = nightly
	}
	root := tree(t, files)
	began := time.Now()
	all := search(t, root)
	if took := time.Since(began); len(all) != 1500 || took > 20*time.Second {
		t.Errorf("%d in %s", len(all), took)
	} else {
		t.Logf("1,500 workflows in %s", took)
	}
}

func FuzzFind(f *testing.F) {
	f.Add([]byte(nightly))
	f.Add([]byte(scheduled("0 0 * * *", "  a: {uses: ./.github/workflows/x.yml}\n")))
	f.Add([]byte("on: {schedule: [{cron: x, timezone: y}]}\njobs: {a: {strategy: {matrix: {a: [1, {b: c}]}}, steps: [{uses: ./}]}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		root := tree(t, map[string]string{"x.yml": string(text)})
		for _, x := range search(t, root) {
			if x.Name == "" || x.Source == "" || strings.Contains(x.Broken+x.Note+x.Disabled, "\n") {
				t.Errorf("%+v", x)
			}
			if (x.Broken == "") == (x.Draft == nil) {
				t.Errorf("a draft of what is broken, or none of what is not: %+v", x)
			}
		}
	})
}
