package local

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	c := exec.Command("git", args...)
	c.Dir = dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestOpen compares with git itself: a branch, packed references, a detached
// commit, another work tree and a folder below.
func TestOpen(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	if r := Open(top); r.SHA != "" || r.Origin.Slug() != "" {
		t.Skip("the folder for tests lies in a repository")
	}
	git(t, top, "init", "-q", "-b", "main")
	if r := Open(top); r.Ref != "refs/heads/main" || r.SHA != "" || r.Top != top {
		t.Errorf("without a commit: %+v", r)
	}
	git(t, top, "commit", "-q", "--allow-empty", "-m", "one")
	git(t, top, "remote", "add", "origin", "git@github.com:acme/site.git")
	sha := git(t, top, "rev-parse", "HEAD")
	below := filepath.Join(top, "a", "b")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	check := func(what, dir, ref string) {
		t.Helper()
		if r := Open(dir); r.SHA != sha || r.Ref != ref || r.Origin != (Origin{"github.com", "acme", "site"}) {
			t.Errorf("%s: %+v", what, r)
		}
	}
	check("a branch", below, "refs/heads/main")
	other := filepath.Join(t.TempDir(), "other")
	git(t, top, "worktree", "add", "-q", "-b", "feature/x", other)
	check("another work tree", other, "refs/heads/feature/x")
	git(t, top, "pack-refs", "--all")
	check("packed", top, "refs/heads/main")
	check("packed, another work tree", other, "refs/heads/feature/x")
	git(t, top, "checkout", "-q", "--detach")
	check("detached", top, "")
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Origin{
		"git@github.com:acme/site.git": {"github.com", "acme", "site"}, "https://github.com/acme/site": {"github.com", "acme", "site"}, "https://user:pass@github.com/acme/site.git/": {"github.com", "acme", "site"},
		"ssh://git@ghe.example.com:22/a/b.git": {"ghe.example.com", "a", "b"}, "GitHub.com:a/b": {"github.com", "a", "b"},
		"/srv/git/site.git": {}, "../site": {}, "file:///srv/a/b": {}, "": {}, "https://github.com/acme": {}, "https://gitlab.com/a/b/c": {}, "C:\\a/b": {},
	} {
		if got := Address(in); got != want {
			t.Errorf("%s: %+v", in, got)
		}
	}
}
