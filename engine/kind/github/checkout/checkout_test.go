package checkout

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/kindtest"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// bench is a remote and a clone of it, in a home of their own.
type bench struct {
	t      *testing.T
	home   string
	dir    string
	remote string
	env    []string
	out    bytes.Buffer
	deps   kind.Deps
}

func newBench(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	p := kindtest.Spawner(t)
	home := t.TempDir()
	b := &bench{t: t, home: home, dir: filepath.Join(home, "site"), remote: filepath.Join(home, "acme", "site.git"), deps: kind.Deps{Proc: p}}
	b.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_GLOBAL=" + filepath.Join(home, "gitconfig"), "GIT_CONFIG_NOSYSTEM=1"}
	b.put("gitconfig", "[user]\n\tname = Ann\n\temail = ann@example.com\n[init]\n\tdefaultBranch = main\n[protocol \"file\"]\n\tallow = always\n")
	b.git(home, "init", "-q", "--bare", b.remote)
	b.git(home, "clone", "-q", b.remote, b.dir)
	b.commit("a.txt", "one")
	b.git(b.dir, "tag", "v1")
	b.git(b.dir, "push", "-q", "origin", "main", "v1")
	return b
}

func (b *bench) put(path, text string) {
	b.t.Helper()
	kindtest.Write(b.t, filepath.Join(b.home, path), text)
}

func (b *bench) git(dir string, args ...string) string {
	b.t.Helper()
	c := exec.Command("git", args...)
	c.Dir, c.Env = dir, b.env
	out, err := c.CombinedOutput()
	if err != nil {
		b.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (b *bench) commit(name, text string) string {
	b.t.Helper()
	b.put("site/"+name, text)
	b.git(b.dir, "add", "-A")
	b.git(b.dir, "commit", "-qm", name+" "+text)
	return b.git(b.dir, "rev-parse", "HEAD")
}

func (b *bench) scope() *pipeline.Scope {
	return &pipeline.Scope{Root: b.dir, Dir: b.dir, State: filepath.Join(b.dir, ".redund"), Env: b.env, Out: &b.out, Step: "s",
		Mask: func(s string) string { return strings.ReplaceAll(s, "tok3n", "***") }, Inside: func(p string) (string, error) { return filepath.Join(b.dir, p), nil }}
}

func (b *bench) run(with map[string]any) (pipeline.Outputs, error) {
	b.t.Helper()
	for k, v := range map[string]any{"fetch-depth": 1.0, "path": ".", "github-server-url": "https://github.com"} {
		if _, ok := with[k]; !ok {
			with[k] = v
		}
	}
	a, err := Kind().Build(with, b.deps)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	if _, err := kindtest.Plan(b.t, a, b.scope()); err != nil {
		b.t.Logf("plan: %v", err)
	}
	b.out.Reset()
	return a.Run(b.t.Context(), b.scope())
}

// refused holds that a checkout fails, in one line that holds the words, and that
// nothing here has moved.
func (b *bench) refused(with map[string]any, words ...string) {
	b.t.Helper()
	head := b.git(b.dir, "rev-parse", "HEAD", "--abbrev-ref", "HEAD") + b.git(b.dir, "status", "--porcelain")
	_, err := b.run(with)
	if err == nil {
		b.t.Errorf("%v did not fail", with)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) || strings.Contains(err.Error(), "\n") {
			b.t.Errorf("%v: %q does not say %q in one line", with, err, w)
		}
	}
	if now := b.git(b.dir, "rev-parse", "HEAD", "--abbrev-ref", "HEAD") + b.git(b.dir, "status", "--porcelain"); now != head {
		b.t.Errorf("%v moved the work tree: %s, before %s", with, now, head)
	}
}

func TestHere(t *testing.T) {
	b := newBench(t)
	head := b.git(b.dir, "rev-parse", "HEAD")
	for _, with := range []map[string]any{
		{}, {"ref": "main"}, {"ref": "refs/heads/main"}, {"ref": "v1"}, {"ref": "refs/tags/v1"}, {"ref": head}, {"ref": head[:8]},
		{"repository": b.remote}, {"submodules": true}, {"submodules": "recursive"}, {"lfs": true}, {"persist-credentials": "false", "clean": "false"},
	} {
		out, err := b.run(with)
		if err != nil || out.Values["commit"] != head || out.Values["branch"] != "main" || out.Values["ref"] != "refs/heads/main" || out.Values["clean"] != true {
			t.Errorf("%v: %v, %v", with, out, err)
		}
	}
	b.put("site/new.txt", "new")
	out, err := b.run(map[string]any{})
	if err != nil || out.Values["clean"] != false || !strings.Contains(b.out.String(), "main at "+head[:9]+": 1 path not as committed") {
		t.Errorf("%v, %v, %s", out, err, b.out.String())
	}
	b.git(b.dir, "checkout", "-q", "--detach")
	if out, err := b.run(map[string]any{"ref": "main"}); err != nil || out.Values["ref"] != "" {
		t.Errorf("detached at main: %v, %v", out, err)
	}
}

func TestElsewhere(t *testing.T) {
	b := newBench(t)
	b.git(b.dir, "checkout", "-q", "-b", "other")
	b.commit("b.txt", "two")
	b.put("site/dirty.txt", "x")
	b.refused(map[string]any{"ref": "main"}, "other at ", "main at ", "git checkout main", "path")
	b.refused(map[string]any{"ref": "v1"}, "v1")
	b.refused(map[string]any{"ref": "nowhere"}, "nowhere is not known", "git fetch")
	b.refused(map[string]any{"repository": "acme/else"}, "is not acme/else", "path")
	b.refused(map[string]any{"ref": "--orphan"}, "dash")
	b.refused(map[string]any{"repository": "ext::sh -c date"}, "helper")
	b.refused(map[string]any{"repository": "a\nb"}, "control")
	b.refused(map[string]any{"repository": "https://ann:tok3n@example.com/a/b", "path": "other"}, "under token")
	b.refused(map[string]any{"github-server-url": "https://tok3n@example.com", "path": "other"}, "under token")
	b.git(b.dir, "remote", "set-url", "origin", "https://ann:tok3n@github.com/Acme/Site.git")
	if _, err := b.run(map[string]any{"repository": "acme/site"}); err != nil {
		t.Error(err)
	}
	b.refused(map[string]any{"repository": "acme/else"}, "https://github.com/Acme/Site.git")
	b.git(b.dir, "remote", "set-url", "origin", "git@github.com:acme/site.git")
	if _, err := b.run(map[string]any{"repository": "acme/site"}); err != nil {
		t.Error(err)
	}
}

func TestNoRepository(t *testing.T) {
	b := newBench(t)
	b.dir = filepath.Join(b.home, "plain")
	b.put("plain/a.txt", "a")
	out, err := b.run(map[string]any{})
	if err != nil || out.Values["commit"] != "" || !strings.Contains(b.out.String(), "taken as they are") {
		t.Errorf("%v, %v, %s", out, err, b.out.String())
	}
	for _, with := range []map[string]any{{"ref": "main"}, {"repository": "acme/site"}} {
		if _, err := b.run(with); err == nil || !strings.Contains(err.Error(), "clone it") {
			t.Errorf("%v: %v", with, err)
		}
	}
}

// TestPath holds that a folder of its own gets a work tree, which the kind moves
// on, and that what it did not make is left alone.
func TestPath(t *testing.T) {
	b := newBench(t)
	first := b.git(b.dir, "rev-parse", "HEAD")
	second := b.commit("b.txt", "two")
	b.put("site/dirty.txt", "x")
	out, err := b.run(map[string]any{"ref": "v1", "path": "old"})
	if err != nil || out.Values["commit"] != first || out.Values["path"] != filepath.Join(b.dir, "old") {
		t.Fatalf("%v, %v", out, err)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "old", "b.txt")); err == nil {
		t.Error("the work tree of the tag holds what came later")
	}
	if out, err := b.run(map[string]any{"ref": "main", "path": "old"}); err != nil || out.Values["commit"] != second {
		t.Errorf("moved on: %v, %v", out, err)
	}
	if out, err := b.run(map[string]any{"path": "old"}); err != nil || out.Values["commit"] != second || out.Values["clean"] != true {
		t.Errorf("as here: %v, %v", out, err)
	}
	b.put("site/old/a.txt", "changed")
	b.refused(map[string]any{"ref": "v1", "path": "old"}, "not committed")
	if text, _ := os.ReadFile(filepath.Join(b.dir, "old", "a.txt")); string(text) != "changed" {
		t.Error("a change was lost")
	}
	b.put("site/full/x", "x")
	b.refused(map[string]any{"ref": "v1", "path": "full"}, "not empty")
	b.refused(map[string]any{"ref": "v1", "path": ".redund/tree"}, "redundctl's own")
	b.git(b.dir, "worktree", "add", "-q", "-b", "mine", "theirs", first)
	b.refused(map[string]any{"ref": "main", "path": "theirs"}, "stands on mine")
	if out, err := b.run(map[string]any{"ref": "mine", "path": "theirs"}); err != nil || out.Values["branch"] != "mine" {
		t.Errorf("%v, %v", out, err)
	}
	if err := os.RemoveAll(filepath.Join(b.dir, "old")); err != nil {
		t.Fatal(err)
	}
	if out, err := b.run(map[string]any{"ref": "v1", "path": "old"}); err != nil || out.Values["commit"] != first {
		t.Errorf("made again: %v, %v", out, err)
	}
}

// TestFetched holds that a ref which only the remote has is fetched for a folder
// of its own.
func TestFetched(t *testing.T) {
	b := newBench(t)
	b.git(b.home, "clone", "-q", b.remote, "second")
	b.git(filepath.Join(b.home, "second"), "checkout", "-q", "-b", "feature")
	b.put("second/f.txt", "f")
	b.git(filepath.Join(b.home, "second"), "add", "-A")
	b.git(filepath.Join(b.home, "second"), "commit", "-qm", "f")
	b.git(filepath.Join(b.home, "second"), "push", "-q", "origin", "feature")
	want := b.git(filepath.Join(b.home, "second"), "rev-parse", "HEAD")
	if out, err := b.run(map[string]any{"ref": "feature", "path": "f"}); err != nil || out.Values["commit"] != want {
		t.Errorf("%v, %v", out, err)
	}
	b.refused(map[string]any{"ref": "nowhere", "path": "g"}, "nowhere cannot be fetched")
}

func TestClone(t *testing.T) {
	b := newBench(t)
	other := filepath.Join(b.home, "acme", "lib.git")
	b.git(b.home, "clone", "-q", "--bare", b.remote, other)
	want := b.git(other, "rev-parse", "main")
	out, err := b.run(map[string]any{"repository": other, "path": "lib", "token": "tok3n"})
	if err != nil || out.Values["commit"] != want {
		t.Fatalf("%v, %v", out, err)
	}
	b.commit("c.txt", "three")
	b.git(b.dir, "push", "-q", other, "main")
	if out, err := b.run(map[string]any{"repository": other, "path": "lib", "ref": "main"}); err != nil || out.Values["commit"] != b.git(b.dir, "rev-parse", "HEAD") {
		t.Errorf("moved on: %v, %v", out, err)
	}
	if out, err := b.run(map[string]any{"repository": other, "path": "lib", "ref": "v1"}); err != nil || out.Values["commit"] != want {
		t.Errorf("moved back: %v, %v", out, err)
	}
	b.refused(map[string]any{"repository": filepath.Join(b.home, "none"), "path": "none"}, "cannot be fetched")
	if _, err := os.Stat(filepath.Join(b.dir, "none", ".git")); err == nil {
		t.Error("half a clone was left")
	}
	b.refused(map[string]any{"repository": b.remote + "x", "path": "lib"}, "is not")
	config, err := os.ReadFile(filepath.Join(b.dir, "lib", ".git", "config"))
	if err != nil || bytes.Contains(config, []byte("tok3n")) {
		t.Errorf("the token is kept: %s, %v", config, err)
	}
}

func TestSubmodules(t *testing.T) {
	b := newBench(t)
	lib := filepath.Join(b.home, "lib.git")
	b.git(b.home, "clone", "-q", "--bare", b.remote, lib)
	b.git(b.dir, "submodule", "--quiet", "add", lib, "vendor/lib")
	b.git(b.dir, "commit", "-qm", "module")
	if _, err := b.run(map[string]any{"submodules": true}); err != nil {
		t.Error(err)
	}
	if _, err := b.run(map[string]any{"submodules": "recursive", "path": "tree"}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "tree", "vendor", "lib", "a.txt")); err != nil {
		t.Error(err)
	}
	b.git(b.dir, "submodule", "--quiet", "deinit", "-f", "vendor/lib")
	b.refused(map[string]any{"submodules": true}, "vendor/lib", "git submodule update")
}

func TestShallow(t *testing.T) {
	b := newBench(t)
	b.commit("b.txt", "two")
	b.git(b.dir, "push", "-q", "origin", "main")
	b.git(b.home, "clone", "-q", "--depth", "1", "file://"+b.remote, "thin")
	b.dir = filepath.Join(b.home, "thin")
	if _, err := b.run(map[string]any{"fetch-depth": 0.0}); err != nil || !strings.Contains(b.out.String(), "git fetch --unshallow") {
		t.Errorf("%v, %s", err, b.out.String())
	}
}

// TestToken holds that a token reaches git through its environment, and only for
// the server that it is for.
func TestToken(t *testing.T) {
	t.Parallel()
	got := bearer([]string{"A=b"}, "https://github.com", "tok3n")
	if len(got) != 3 || !strings.HasPrefix(got[2], "GIT_CONFIG_VALUE_0=Authorization: Basic ") || got[1] != "GIT_CONFIG_KEY_0=http.https://github.com/.extraheader" {
		t.Errorf("%v", got)
	}
	if got := bearer([]string{"GIT_CONFIG_COUNT=2"}, "https://github.com", "tok3n"); got[0] != "GIT_CONFIG_COUNT=3" || !strings.HasPrefix(got[1], "GIT_CONFIG_KEY_2=") {
		t.Errorf("settings that are there already: %v", got)
	}
	if bearer(nil, "http://github.com", "tok3n") != nil || bearer(nil, "https://github.com", "") != nil {
		t.Error("a token is sent in the clear, or none as one")
	}
}
