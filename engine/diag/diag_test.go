package diag

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"
)

var update = flag.Bool("update", false, "write the golden files anew")

// report has a problem of every shape.
func report() Report {
	long := "    run: " + strings.Repeat("echo 日本語 é; ", 20) + "${{ nope }}" + strings.Repeat(" && true", 20)
	return Report{Files: 4, Problems: []Problem{
		{File: "pipelines/pm2/a.yaml", Line: 3, Column: 5, Width: 4, Severity: Error, Rule: "unknown-key", Message: `unknown key "nane"`, Hint: "did you mean name?", Source: "    nane: x"},
		{File: "pipelines/pm2/a.yaml", Line: 12, Column: 3, Severity: Warning, Rule: "shell-injection", Message: "a parameter inside run", Source: "\t\trun: echo ${{ params.x }}"},
		{File: "pipelines/pm2/日本, b:c%.yaml", Line: 7, Column: 6, Width: 2, Severity: Error, Rule: "type", Message: "must be an integer", Source: "é日本: 🙂x"},
		{File: "b.yaml", Line: 1, Column: len([]rune(long[:strings.Index(long, "${{")])) + 1, Width: 11, Severity: Error, Rule: "unknown-context", Message: "there is no context nope", Hint: "one of steps, env", Source: long},
		{File: "b.yaml", Line: 2, Severity: Error, Rule: "yaml-syntax", Message: "the line as a whole", Source: "evil \x1b[2J\u202e line \xff"},
		{File: "b.yaml", Line: 2, Column: 99, Severity: Error, Rule: "yaml-syntax", Message: "beyond the end", Source: "short"},
		{File: "c.yaml", Severity: Error, Rule: "too-large", Message: "the file has 5 bytes\nforged: line\x1b[31m", Hint: "split it\n"},
	}}
}

func golden(t *testing.T, name string, write func(*bytes.Buffer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", name, d)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	text := golden(t, "text.golden", func(b *bytes.Buffer) error { return WriteText(b, report(), false) })
	for i, r := range text {
		if unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r) {
			t.Errorf("byte %d is %U", i, r)
		}
	}
	for l := range strings.Lines(text) {
		if strings.Contains(l, " | ") && runewidth.StringWidth(l) > window+12 {
			t.Errorf("%d columns: %s", runewidth.StringWidth(l), l)
		}
	}
	colored := golden(t, "color.golden", func(b *bytes.Buffer) error { return WriteText(b, report(), true) })
	if plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(colored, ""); plain != text {
		t.Error("colour changes more than colour:\n" + cmp.Diff(text, plain))
	}
	golden(t, "github.golden", func(b *bytes.Buffer) error { return WriteGitHub(b, report()) })
	golden(t, "report.json", func(b *bytes.Buffer) error { return WriteJSON(b, report()) })
	golden(t, "report.sarif", func(b *bytes.Buffer) error { return WriteSARIF(b, report()) })
}

// TestCaretStandsBelow finds for every column of a line that the caret stands
// below the rune it means.
func TestCaretStandsBelow(t *testing.T) {
	t.Parallel()
	source := "\ta: é日本🙂\t\x07" + strings.Repeat("x日", 200) + "\tend"
	for i, r := range []rune(source) {
		line, caret := excerpt(Problem{Line: 1, Column: i + 1, Source: source})
		below, pad := 0, strings.IndexByte(caret, '^')
		var at rune
		for _, c := range line {
			if below >= pad {
				at = c
				break
			}
			below += runewidth.RuneWidth(c)
		}
		want := r
		switch r {
		case '\t':
			want = ' '
		case 7:
			want = '\\'
		}
		if below != pad || at != want {
			t.Fatalf("column %d (%q):\n%s\n%s", i+1, r, line, caret)
		}
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	p := Problem{File: "a", Severity: Error, Message: "m"}
	w := Problem{File: "b", Severity: Warning, Message: "m"}
	for _, tt := range []struct {
		r    Report
		want string
	}{
		{Report{Valid: true, Files: 1}, "1 file is valid"},
		{Report{Valid: true, Files: 3}, "3 files are valid"},
		{Report{Valid: true}, "nothing was found to check: pipelines are files that end in .yaml or .yml"},
		{Report{Files: 1, Problems: []Problem{p}}, "1 error in 1 of 1 file"},
		{Report{Files: 3, Problems: []Problem{p, p, w}}, "2 errors, 1 warning in 2 of 3 files"},
	} {
		var b strings.Builder
		if err := WriteText(&b, tt.r, false); err != nil || !strings.HasSuffix(b.String(), tt.want+"\n") {
			t.Errorf("%q, want %q", b.String(), tt.want)
		}
	}
}

// TestSARIF holds what the specification requires of the parts that are
// written.
func TestSARIF(t *testing.T) {
	t.Parallel()
	for _, r := range []Report{report(), {Valid: true, Files: 1}} {
		var b bytes.Buffer
		if err := WriteSARIF(&b, r); err != nil {
			t.Fatal(err)
		}
		var log struct {
			Schema  string `json:"$schema"`
			Version string
			Runs    []struct {
				ColumnKind string
				Tool       struct {
					Driver struct {
						Name  string
						Rules []struct{ ID string }
					}
				}
				Results []struct {
					RuleID    string
					RuleIndex *int
					Level     string
					Message   struct{ Text string }
					Locations []struct {
						PhysicalLocation struct {
							ArtifactLocation struct{ URI string }
							Region           *struct{ StartLine, StartColumn, EndColumn int }
						}
					}
				}
			}
		}
		if err := json.Unmarshal(b.Bytes(), &log); err != nil {
			t.Fatal(err)
		}
		if log.Version != "2.1.0" || len(log.Runs) != 1 || log.Runs[0].Results == nil || log.Runs[0].ColumnKind != "unicodeCodePoints" {
			t.Fatalf("%s", b.String())
		}
		run := log.Runs[0]
		ids := map[string]bool{}
		for _, rule := range run.Tool.Driver.Rules {
			if rule.ID == "" || ids[rule.ID] {
				t.Errorf("rule %q is empty or stands twice", rule.ID)
			}
			ids[rule.ID] = true
		}
		if len(run.Results) != len(r.Problems) {
			t.Fatalf("%d results of %d", len(run.Results), len(r.Problems))
		}
		for _, x := range run.Results {
			if run.Tool.Driver.Rules[*x.RuleIndex].ID != x.RuleID || x.Message.Text == "" || x.Level != "error" && x.Level != "warning" {
				t.Errorf("%+v", x)
			}
			for _, l := range x.Locations {
				u, err := url.Parse(l.PhysicalLocation.ArtifactLocation.URI)
				if err != nil || u.IsAbs() || strings.ContainsAny(u.String(), " \n") {
					t.Errorf("uri %q: %v", l.PhysicalLocation.ArtifactLocation.URI, err)
				}
				if g := l.PhysicalLocation.Region; g != nil && (g.StartLine < 1 || g.StartColumn > 0 && g.EndColumn <= g.StartColumn) {
					t.Errorf("%+v", g)
				}
			}
		}
	}
	for in, want := range map[string]string{"a b.yaml": "a%20b.yaml", "a:b": "./a:b", "/x/y": "file:///x/y", "../é": "../%C3%A9"} {
		if got := uri(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := WriteJSON(&b, Report{Valid: true, Files: 2}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(strings.Fields(b.String()), ""); got != `{"valid":true,"files":2,"problems":[]}` {
		t.Error(got)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	keys := []string{"name", "needs", "steps", "schedule", "description", "working-directory", "on-failure", "env", "timeout", "with", "run"}
	for in, want := range map[string]string{
		"nane": "name", "anme": "name", "Name": "name", "step": "steps", "shedule": "schedule", "desc": "description", "workingDirectory": "working-directory",
		"on_failure": "on-failure", "abcdefghijk": "", "timeuot": "timeout", "xyz": "", "": "", "rum": "run", strings.Repeat("n", 5000): "",
	} {
		if got := Nearest(in, keys); got != want {
			t.Errorf("%.20q: %q, want %q", in, got, want)
		}
	}
	for _, in := range []string{"FETCH", "CATCH", "b"} {
		if got := Nearest(in, []string{"GET", "HEAD", "POST", "PUT", "PATCH", "a"}); got != map[string]string{"CATCH": "PATCH"}[in] {
			t.Errorf("%q: %q, which is merely alike", in, got)
		}
	}
	if got := Nearest("a1", []string{"a3", "a2"}); got != "a2" {
		t.Errorf("of equals %q", got)
	}
}

func TestSort(t *testing.T) {
	t.Parallel()
	want := []Problem{
		{File: "a", Line: 1, Column: 2, Rule: "b"}, {File: "a", Line: 2, Column: 1, Rule: "a"}, {File: "a", Line: 2, Column: 1, Rule: "b"},
		{File: "a", Line: 10}, {File: "b"},
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestRules holds the form of the table.
func TestRules(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range Rules {
		if !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`).MatchString(r.ID) || seen[r.ID] {
			t.Errorf("%q is no id of its own", r.ID)
		}
		seen[r.ID] = true
		if r.Severity != Error && r.Severity != Warning || r.Summary == "" || strings.HasSuffix(r.Summary, ".") || r.Bad == "" || r.Good == "" {
			t.Errorf("%+v is not complete", r)
		}
		if got, ok := RuleByID(r.ID); !ok || got != r {
			t.Errorf("%s is not found", r.ID)
		}
	}
	if _, ok := RuleByID("nope"); ok {
		t.Error("a rule that is not there is found")
	}
}
