package artifact

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/kindtest"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// bench is a project, a run's directory and a home.
type bench struct {
	t         *testing.T
	home      string
	root      string
	artifacts string
	mu        sync.Mutex
	out       bytes.Buffer
	literal   []string // paths that stand so in the file
	now       time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	home := t.TempDir()
	b := &bench{t: t, home: home, root: filepath.Join(home, "project"), artifacts: filepath.Join(home, "temp", "artifacts"), now: time.Now()}
	for _, d := range []string{b.root, b.artifacts, filepath.Join(b.root, ".redund")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// Write takes the output of steps, also of several at once.
func (b *bench) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Write(p)
}

func (b *bench) put(path, text string) {
	b.t.Helper()
	kindtest.Write(b.t, filepath.Join(b.root, path), text)
}

func (b *bench) link(to, path string) {
	b.t.Helper()
	if err := os.Symlink(to, filepath.Join(b.root, path)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) scope() *pipeline.Scope {
	return &pipeline.Scope{
		Root: b.root, Dir: b.root, State: filepath.Join(b.root, ".redund"), Temp: filepath.Join(b.home, "temp"), Protected: []string{filepath.Join(b.root, ".env")},
		Env: []string{"HOME=" + b.home, "REDUND_ARTIFACTS=" + b.artifacts}, Out: b, Step: "s", Run: pipeline.RunInfo{ID: "7", System: "pm2", Pipeline: "p"},
		Mask: func(s string) string { return strings.ReplaceAll(s, "s3cret", "***") },
		Inside: func(p string) (string, error) {
			abs := p
			if !filepath.IsAbs(abs) {
				abs = filepath.Join(b.root, p)
			}
			if slices.Contains(b.literal, p) {
				return abs, nil
			}
			real, err := filepath.EvalSymlinks(abs)
			if err != nil {
				real = abs
			}
			if rel, err := filepath.Rel(b.root, real); err != nil || !filepath.IsLocal(rel) {
				return "", fmt.Errorf("the path %s lies outside the project", p)
			}
			return abs, nil
		},
	}
}

func (b *bench) run(k kind.Action, with map[string]any) (pipeline.Outputs, error) {
	b.t.Helper()
	if k.Name == "artifact/upload" && with["name"] == nil {
		with["name"] = "artifact"
	}
	if k.Name == "artifact/upload" && with["if-no-files-found"] == nil {
		with["if-no-files-found"] = "warn"
	}
	if k.Name == "artifact/download" && with["path"] == nil {
		with["path"] = "."
	}
	a, err := k.Build(with, kind.Deps{})
	if err != nil {
		return pipeline.Outputs{}, err
	}
	if c, ok := a.(*cache); ok {
		c.now = func() time.Time { return b.now }
	}
	_, _ = kindtest.Plan(b.t, a, b.scope())
	b.out.Reset()
	return a.Run(b.t.Context(), b.scope())
}

// tree lists the files below a folder with their text.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		if d.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(p)
			out = append(out, rel+"->"+to)
			return err
		}
		text, err := os.ReadFile(p)
		out = append(out, rel+"="+string(text))
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

// TestUpload holds what upload-artifact v4 makes of paths: which files, and from
// which folder on their names are told.
func TestUpload(t *testing.T) {
	for path, want := range map[string]string{
		"dist":                                 "a.js=1 sub/b.js=2 sub/c.css=3",
		"dist/":                                "a.js=1 sub/b.js=2 sub/c.css=3",
		"./dist/":                              "a.js=1 sub/b.js=2 sub/c.css=3",
		"dist/a.js":                            "a.js=1",
		"dist/sub/b.js":                        "b.js=2",
		"dist/*.js":                            "a.js=1",
		"dist/**/*.js":                         "a.js=1 sub/b.js=2",
		"**/*.js":                              "dist/a.js=1 dist/sub/b.js=2",
		"dist/*/":                              "sub/b.js=2 sub/c.css=3",
		"dist/s?b":                             "sub/b.js=2 sub/c.css=3",
		"dist/[st]ub":                          "sub/b.js=2 sub/c.css=3",
		"dist/a.js\nreport/r.html":             "dist/a.js=1 report/r.html=4",
		"dist/a.js\ndist/sub/b.js":             "a.js=1 sub/b.js=2",
		"dist\ndist/sub":                       "a.js=1 sub/b.js=2 sub/c.css=3",
		"dist\n!dist/sub":                      "a.js=1",
		"dist\n!dist/**/*.css":                 "a.js=1 sub/b.js=2",
		"dist\n!dist/sub\ndist/sub/b.js":       "a.js=1 sub/b.js=2",
		"# only this\n\n  report  \n":          "r.html=4",
		"dist/{a,b}.js":                        "",
		"br{ace}/x":                            "x=5",
		"none":                                 "",
		"dist/sub/../a.js":                     "a.js=1",
		"dist/.hidden":                         "",
		".conf/inner":                          "y=7",
		"dist\nnone/deep":                      "dist/a.js=1 dist/sub/b.js=2 dist/sub/c.css=3",
		"report\n**/a.js":                      "dist/a.js=1 report/r.html=4",
		"!dist/a.js\ndist/a.js":                "a.js=1",
		"dist/sub/**":                          "b.js=2 c.css=3",
		"project-does-not-exist/**\ndist/*.js": "dist/a.js=1",
	} {
		t.Run(strings.ReplaceAll(path, "/", "_"), func(t *testing.T) {
			b := newBench(t)
			for p, text := range map[string]string{"dist/a.js": "1", "dist/sub/b.js": "2", "dist/sub/c.css": "3", "report/r.html": "4", "br{ace}/x": "5",
				"dist/.hidden": "6", ".conf/inner/y": "7", ".redund/state.db": "8", ".env": "9"} {
				b.put(p, text)
			}
			out, err := b.run(Upload(), map[string]any{"path": path})
			if err != nil {
				t.Fatal(err)
			}
			got := tree(t, filepath.Join(b.artifacts, "artifact"))
			if got != want || (want == "") != (out.Values["path"] == "") || out.Values["files"] != len(strings.Fields(want)) {
				t.Errorf("%q kept %s, not %s (%v)", path, got, want, out.Values)
			}
			if left := tree(t, b.artifacts); want == "" && left != "" {
				t.Errorf("%q left %s", path, left)
			}
		})
	}
}

func TestUploadList(t *testing.T) {
	b := newBench(t)
	b.put("a", "1")
	b.put("b", "2")
	if _, err := b.run(Upload(), map[string]any{"path": []any{"*", "!b"}}); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, b.artifacts); got != "artifact/a=1" {
		t.Error(got)
	}
}

// TestHidden holds that the state directory and secrets are in no artifact, even
// where hidden files are wanted, whatever leads to them.
func TestHidden(t *testing.T) {
	b := newBench(t)
	b.put(".conf", "1")
	b.put(".redund/engine.db", "state")
	b.put(".env", "KEY=s3cret")
	b.link(".redund", "state")
	b.link(".env", "settings")
	if _, err := b.run(Upload(), map[string]any{"path": ".", "include-hidden-files": true}); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, b.artifacts); got != "artifact/.conf=1" {
		t.Error(got)
	}
	for _, p := range []string{".redund", ".redund/engine.db", "state/engine.db", "settings", ".env"} {
		if _, err := b.run(Upload(), map[string]any{"path": p, "name": "x", "include-hidden-files": true}); err != nil {
			t.Error(err)
		}
		if got := tree(t, filepath.Join(b.artifacts, "x")); got != "" {
			t.Errorf("%s: %s", p, got)
		}
	}
}

func TestNoFiles(t *testing.T) {
	b := newBench(t)
	if _, err := b.run(Upload(), map[string]any{"path": "none", "if-no-files-found": "error"}); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("%v", err)
	}
	if _, err := b.run(Upload(), map[string]any{"path": "none"}); err != nil || !strings.Contains(b.out.String(), "warning") {
		t.Errorf("%v %s", err, b.out.String())
	}
	if _, err := b.run(Upload(), map[string]any{"path": "none", "if-no-files-found": "ignore"}); err != nil || b.out.Len() > 0 {
		t.Errorf("%v %s", err, b.out.String())
	}
	for _, p := range []string{"", "\n", "!a", "# a", "[", "a\x00b"} {
		if _, err := b.run(Upload(), map[string]any{"path": p}); err == nil && p != "[" {
			t.Errorf("%q names something", p)
		}
	}
}

// TestOutside holds that nothing is taken from outside of the project but by a
// path that stands so in the file.
func TestOutside(t *testing.T) {
	b := newBench(t)
	if err := os.WriteFile(filepath.Join(b.home, "outside.txt"), []byte("out"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.put("dist/a", "1")
	b.link("../outside.txt", "leak")
	b.link("..", "up")
	b.link("../..", "dist/far")
	for _, p := range []string{"../outside.txt", b.home, "up/outside.txt", "up", "leak", "dist", "**", "dist\n../outside.txt", "~/outside.txt", "/etc/passwd", "dist/far/outside.txt"} {
		if _, err := b.run(Upload(), map[string]any{"path": p}); err == nil {
			t.Errorf("%q was kept: %s", p, tree(t, b.artifacts))
		}
		if got := tree(t, b.artifacts); got != "" {
			t.Errorf("%q left %s", p, got)
		}
	}
	if _, err := b.run(Upload(), map[string]any{"path": "dist\n!dist/far"}); err != nil {
		t.Errorf("a link that is left out: %v", err)
	}
	b.literal = []string{"../outside.txt"}
	if _, err := b.run(Upload(), map[string]any{"path": "../outside.txt", "name": "literal"}); err != nil {
		t.Errorf("a path that stands so in the file: %v", err)
	}
	temp := filepath.Join(b.home, "temp", "made.txt")
	if err := os.WriteFile(temp, []byte("t"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.run(Upload(), map[string]any{"path": temp, "name": "temp"}); err != nil {
		t.Errorf("a file of the run's own: %v", err)
	}
}

// TestLinks holds that links within the project are followed, and end.
func TestLinks(t *testing.T) {
	b := newBench(t)
	b.put("real/a", "1")
	b.link("../real", "real/again")
	b.link(filepath.Join(b.root, "real", "a"), "alias")
	if _, err := b.run(Upload(), map[string]any{"path": "alias\nreal"}); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, b.artifacts); got != "artifact/alias=1 artifact/real/a=1" {
		t.Error(got)
	}
	b.link("nowhere", "real/dangling")
	if _, err := b.run(Upload(), map[string]any{"path": "real", "name": "d"}); err == nil || !strings.Contains(err.Error(), "dangling") {
		t.Errorf("%v", err)
	}
}

func TestNames(t *testing.T) {
	b := newBench(t)
	b.put("a", "1")
	for _, n := range []string{"", ".", "..", ".x", "a/b", "../x", "a\\b", "a\x00", "a\nb", strings.Repeat("x", 201)} {
		if _, err := b.run(Upload(), map[string]any{"path": "a", "name": n}); err == nil {
			t.Errorf("%q is a name", n)
		}
		if _, err := Download().Build(map[string]any{"path": ".", "name": n}, kind.Deps{}); err == nil && n != "" {
			t.Errorf("%q is a name", n)
		}
	}
	for _, n := range []string{"a b", "a.b", "ä", "a..b", strings.Repeat("x", 200)} {
		if _, err := b.run(Upload(), map[string]any{"path": "a", "name": n}); err != nil {
			t.Errorf("%q: %v", n, err)
		}
	}
	s := b.scope()
	s.Env = nil
	a, err := Upload().Build(map[string]any{"path": "a", "name": "n"}, kind.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(t.Context(), s); err == nil || !strings.Contains(err.Error(), "REDUND_ARTIFACTS") {
		t.Errorf("%v", err)
	}
}

func TestOverwrite(t *testing.T) {
	b := newBench(t)
	b.put("a", "1")
	b.put("b", "2")
	if _, err := b.run(Upload(), map[string]any{"path": "a"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.run(Upload(), map[string]any{"path": "b"}); err == nil || !strings.Contains(err.Error(), "overwrite") {
		t.Errorf("%v", err)
	}
	if _, err := b.run(Upload(), map[string]any{"path": "b", "overwrite": true}); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, b.artifacts); got != "artifact/b=2" {
		t.Error(got)
	}
	// Of many at once one is first, and nothing of the others is left.
	var all sync.WaitGroup
	failed := make(chan error, 20)
	for range 20 {
		a, err := Upload().Build(map[string]any{"path": "a", "name": "race", "if-no-files-found": "warn"}, kind.Deps{})
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			if _, err := a.Run(t.Context(), b.scope()); err != nil {
				failed <- err
			}
		})
	}
	all.Wait()
	if n := len(failed); n != 19 {
		t.Errorf("%d of 20 failed", n)
	}
	if got := tree(t, b.artifacts); got != "artifact/b=2 race/a=1" {
		t.Error(got)
	}
}

func TestDownload(t *testing.T) {
	b := newBench(t)
	b.put("a", "1")
	b.put("b/c", "2")
	if err := os.Chmod(filepath.Join(b.root, "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"one-a": "a", "one-b": "b", "two": "b"} {
		if _, err := b.run(Upload(), map[string]any{"path": path, "name": name}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(b.artifacts, "loose.txt"), []byte("a script's"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, with := range map[string]map[string]any{
		"a=1":                         {"name": "one-a"},
		"c=2":                         {"name": "two"},
		"one-a/a=1 one-b/c=2 two/c=2": {},
		"one-a/a=1 one-b/c=2":         {"pattern": "one-*"},
		"a=1 c=2":                     {"merge-multiple": true},
		"one-b/c=2":                   {"pattern": "*-b"},
		"":                            {"pattern": "none-*"},
	} {
		with["path"] = "out"
		out, err := b.run(Download(), with)
		if err != nil {
			t.Fatalf("%v: %v", with, err)
		}
		if got := tree(t, filepath.Join(b.root, "out")); got != want || with["merge-multiple"] == nil && out.Values["files"] != len(strings.Fields(want)) {
			t.Errorf("%v brought %s, not %s", with, got, want)
		}
		if info, err := os.Stat(filepath.Join(b.root, "out", "a")); err == nil && info.Mode()&0o100 == 0 {
			t.Error("a program can no longer be run")
		}
		if err := os.RemoveAll(filepath.Join(b.root, "out")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.run(Download(), map[string]any{"name": "three"}); err == nil || !strings.Contains(err.Error(), "one-a, one-b, two") {
		t.Errorf("%v", err)
	}
	if _, err := b.run(Download(), map[string]any{"pattern": "["}); err == nil {
		t.Error("a glob that cannot be read")
	}
}

// TestDownloadStays holds that nothing is written outside of the folder that is
// named, nor into what is redundctl's own.
func TestDownloadStays(t *testing.T) {
	b := newBench(t)
	b.put("in/x/a", "new")
	if _, err := b.run(Upload(), map[string]any{"path": "in"}); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(b.home, "outside")
	if err := os.Mkdir(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	b.put("d1/keep", "")
	b.link(outside, "d1/x")
	b.put("d2/x/real", "old")
	b.link("real", "d2/x/a")
	b.put("d3/keep", "")
	b.link("../.redund", "d3/x")
	b.link(".redund", "x")
	for path, fails := range map[string]bool{"d1": true, "d2": false, "d3": true, ".": true, "../outside": true, ".redund": true, ".redund/y": true} {
		if _, err := b.run(Download(), map[string]any{"path": path, "name": "artifact"}); (err != nil) != fails {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got := tree(t, outside) + tree(t, filepath.Join(b.root, ".redund")); got != "" {
		t.Errorf("written outside: %s", got)
	}
	if text, _ := os.ReadFile(filepath.Join(b.root, "d2", "x", "real")); string(text) != "old" {
		t.Error("a link was written through, and not replaced")
	}
	// A script may have put links into an artifact.
	if err := os.Symlink("/etc/passwd", filepath.Join(b.artifacts, "artifact", "passwd")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.run(Download(), map[string]any{"path": "d5", "name": "artifact"}); err != nil || !strings.Contains(b.out.String(), "passwd") {
		t.Errorf("%v %s", err, b.out.String())
	}
	if got := tree(t, filepath.Join(b.root, "d5")); got != "x/a=new" {
		t.Error(got)
	}
}

func TestOtherRun(t *testing.T) {
	b := newBench(t)
	b.put(".redund/artifacts/5/site/index.html", "old")
	if _, err := b.run(Download(), map[string]any{"run-id": "5", "name": "site", "path": "out"}); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, filepath.Join(b.root, "out")); got != "index.html=old" {
		t.Error(got)
	}
	if _, err := b.run(Download(), map[string]any{"run-id": 6.0, "name": "site"}); err == nil || !strings.Contains(err.Error(), "run 6") {
		t.Errorf("%v", err)
	}
	for _, id := range []string{"..", "../5", "0", "-1", "x", "05"} {
		if _, err := b.run(Download(), map[string]any{"run-id": id}); err == nil {
			t.Errorf("%q is a run", id)
		}
	}
}
