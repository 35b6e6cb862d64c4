package discover_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/discover"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// finder finds what it is given, as the primaries of a system.
func finder(name, system string, list ...kind.Found) kind.Finder {
	return kind.Finder{Name: name, System: system,
		Find: func(context.Context, kind.Search) ([]kind.Found, error) { return list, nil },
		Backs: func(p *pipeline.Primary, f *kind.Found) bool {
			return p.Kind == "command" && p.With["run"] == f.Primary
		}}
}

// drafted is a primary that a pipeline of one step would back up.
func drafted(primary, name string, more ...kind.Field) kind.Found {
	return kind.Found{Primary: primary, Name: name, Source: "jobs/" + primary, Line: 3, Script: "abc",
		Schedules: []kind.Due{{Cron: "0 6 * * *", File: "jobs/" + primary, Line: 4}},
		Draft: append(kind.Map{
			{Key: "primary", Value: kind.Map{{Key: "command", Value: kind.Map{{Key: "run", Value: primary}}}}},
			{Key: "schedule", Value: kind.Map{{Key: "cron", Value: "0 6 * * *"}}},
			{Key: "steps", Value: []any{kind.Map{{Key: "run", Value: "echo " + primary}}}},
		}, more...)}
}

func find(t *testing.T, finders ...kind.Finder) []discover.Primary {
	t.Helper()
	found, err := discover.Find(t.Context(), finders, kind.Search{})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func load(t *testing.T, dir string) *config.Project {
	t.Helper()
	return config.Load(t.Context(), config.Options{Dir: dir, Kinds: builtin.Kinds(), Env: func(string) (string, bool) { return "", false }})
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func reasons(p discover.Plan) string {
	var out []string
	for _, l := range p.Left {
		out = append(out, l.Primary.Primary+": "+l.Reason)
	}
	return strings.Join(out, "\n")
}

// TestWrittenFilesAreValid holds that what is written is loaded as it was drafted.
func TestWrittenFilesAreValid(t *testing.T) {
	dir := t.TempDir()
	odd := "\n  \n\tfirst: 'x' # no\n---\n\u00e9 ${{ run.id }}\n trailing  \n\n"
	off := drafted("off", "off", kind.Field{Key: "description", Value: "yes"})
	off.Disabled, off.Note = "it needs\ndocker: no", "its platform never fires it"
	off.Constructs = []kind.Construct{{Key: "jobs.a.services", Support: kind.Unsupported, File: "jobs/off", Line: 9, Column: 5, Note: "left out\n# and: {more"}, {Key: "jobs.a", Support: kind.Exact}}
	text := drafted("text", "text")
	text.Draft[2].Value = []any{kind.Map{{Key: "run", Value: odd, Comment: "a comment"}, {Key: "env", Value: kind.Map{{Key: "A", Value: "*/5 * * * *"}, {Key: "B", Value: "no", Comment: "so"}, {Key: "C", Value: "a plain_one/of.4-words"}, {Key: "D", Value: "1e3"}, {Key: "y", Value: "null"}, {Key: "E", Value: "a: b #c"}}}}}
	p := load(t, dir)
	plan := discover.Make(p, find(t, finder("a", "pm2", drafted("one", "one"), off, text)))
	plan.Write(dir)
	if len(plan.Left) > 0 || len(plan.Files) != 3 {
		t.Fatalf("%d files, and left: %s", len(plan.Files), reasons(plan))
	}
	p = load(t, dir)
	for _, x := range p.Problems {
		if x.Severity == diag.Error {
			t.Errorf("%s:%d: %s", x.File, x.Line, x.Message)
		}
	}
	if len(p.Pipelines) != 3 || p.Pipelines[0].Enabled || !p.Pipelines[1].Enabled || p.Pipelines[0].Description != "yes" {
		t.Fatalf("the pipelines are %v", p.Pipelines)
	}
	if s := p.Pipelines[2].Steps[0]; s.Run != odd || s.Env["A"] != "*/5 * * * *" || s.Env["B"] != "no" || s.Env["C"] != "a plain_one/of.4-words" || s.Env["D"] != "1e3" || s.Env["y"] != "null" || s.Env["E"] != "a: b #c" {
		t.Errorf("the step is %q %q", s.Run, s.Env)
	}
	got, err := os.ReadFile(filepath.Join(dir, "pipelines/pm2/off.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# yaml-language-server: $schema=", "\n# Made from jobs/off:3 by redundctl.", "\n# Note: its platform never fires it\n",
		"\n# unsupported: jobs.a.services (jobs/off:9:5): left out # and: {more\n", "\nenabled: false # it needs docker: no\n",
		"\nschedule: {cron: \"0 6 * * *\"}\n", "\nx-imported:\n  source: jobs/off\n  line: 3\n  script: abc\n",
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(string(got), "exact") {
		t.Errorf("what is exact stands in\n%s", got)
	}
}

// TestNothingIsOverwritten holds that files, names and pipelines that are there stay
// as they are, and that nothing is written twice.
func TestNothingIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "redund.yaml", "version: 1\npipelines: ['more/*.yaml', own]\n")
	write(t, dir, "own/pm2/other.yaml", "version: 1\nname: one\nsteps: [{run: echo}]\n")
	write(t, dir, "own/pm2/broken.yaml", "version: 1\nname: broken\nsteps: [\n")
	write(t, dir, "own/pm2/file.yaml", "version: 1\nname: elsewhere\nsteps: [{run: echo}]\n")
	write(t, dir, "own/pm2/hand.yaml", "version: 1\nname: hand\nprimary: {command: {run: known}}\nschedule: {cron: '0 6 * * *'}\nsteps: [{run: echo}]\n")
	list := []kind.Found{drafted("one", "one"), drafted("One", "One!"), drafted("broken", "broken"), drafted("file", "file"), drafted("known", "known"), drafted("&", "???"),
		{Primary: "bad", Source: "jobs/bad", Line: 7, Broken: "not a job"}, drafted("wrong", "wrong", kind.Field{Key: "colour", Value: 1})}
	p := load(t, dir)
	plan := discover.Make(p, find(t, finder("a", "pm2", list...)))
	plan.Write(dir)
	var got []string
	for _, f := range plan.Files {
		got = append(got, f.Path)
	}
	if want := "own/pm2/one-2.yaml own/pm2/one-3.yaml own/pm2/file-2.yaml own/pm2/primary.yaml"; strings.Join(got, " ") != want {
		t.Errorf("wrote %s, not %s", got, want)
	}
	for _, want := range []string{"broken: own/pm2/broken.yaml may back it up, and is invalid", "known: own/pm2/hand.yaml backs it up already", "bad: not a job",
		"wrong: the pipeline made of it would not be valid"} {
		if !strings.Contains(reasons(plan), want) {
			t.Errorf("%q is not in\n%s", want, reasons(plan))
		}
	}
	if !plan.Broken() || !plan.Failed() {
		t.Errorf("broken %t, failed %t", plan.Broken(), plan.Failed())
	}
	again := discover.Make(load(t, dir), find(t, finder("a", "pm2", list...)))
	if len(again.Files) > 0 {
		t.Errorf("the second time %d files are made", len(again.Files))
	}
	all := discover.MakeAll(load(t, dir), find(t, finder("a", "pm2", list...)))
	if len(all.Files) != 5 {
		t.Errorf("with all, %d files are made", len(all.Files))
	}
	// What comes between the plan and its writing stays too.
	late := discover.Make(load(t, dir), find(t, finder("a", "pm2", drafted("late", "late"))))
	write(t, dir, "own/pm2/late.yaml", "mine")
	late.Write(dir)
	if text, _ := os.ReadFile(filepath.Join(dir, "own/pm2/late.yaml")); string(text) != "mine" || len(late.Files) > 0 || late.Failed() {
		t.Errorf("the file is %q, left: %s", text, reasons(late))
	}
}

func TestFindTellsWhoFailed(t *testing.T) {
	bad := kind.Finder{Name: "b", Find: func(context.Context, kind.Search) ([]kind.Found, error) { return nil, errors.New("no folder") }}
	found, err := discover.Find(t.Context(), []kind.Finder{bad, finder("a", "pm2", drafted("one", "one"))}, kind.Search{})
	if len(found) != 1 || err == nil || !strings.Contains(err.Error(), "what b holds: no folder") {
		t.Errorf("found %d, %v", len(found), err)
	}
}

// TestPlaceOfBrokenSource holds that a place is told once, wherever a Finder says it.
func TestPlaceOfBrokenSource(t *testing.T) {
	for said, want := range map[string]string{
		"jobs/a:7: a brace is open": "7 a brace is open", "jobs/a:7:3: a brace is open": "7 a brace is open", "jobs/a: it is too large": "2 it is too large",
		"jobs/a:": "2 jobs/a:", "it is not YAML": "2 it is not YAML", "jobs/a:x: y": "2 x: y",
	} {
		f := find(t, finder("a", "pm2", kind.Found{Source: "jobs/a", Line: 2, Broken: said}))[0]
		if got := fmt.Sprint(f.Line, " ", f.Broken); got != want {
			t.Errorf("%q is told as %q, not %q", said, got, want)
		}
	}
}

func TestNoFolderToWriteTo(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "redund.yaml", "version: 1\npipelines: ['more/*.yaml']\n")
	plan := discover.Make(load(t, dir), find(t, finder("a", "pm2", drafted("one", "one"))))
	if len(plan.Files) > 0 || !plan.Failed() || !strings.Contains(reasons(plan), "names no folder to write to") {
		t.Errorf("%d files, left: %s", len(plan.Files), reasons(plan))
	}
}
