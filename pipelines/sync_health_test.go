package pipelines

import (
	"path/filepath"
	"testing"
	"time"
)

// TestSyncHealth: a branch that is behind for long or has diverged fails the
// run, one that is ahead is pushed when asked for.
func TestSyncHealth(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"page.txt": "one\n"}, "github-actions/sync-health")
	r.commitAll("First page")
	remote := filepath.Join(t.TempDir(), "remote.git")
	other := filepath.Join(t.TempDir(), "other")
	r.command("git", "clone", "-q", "--bare", ".", remote)
	r.command("git", "remote", "add", "origin", remote)
	r.command("git", "fetch", "-q")
	r.command("git", "clone", "-q", remote, other)
	r.run("sync-health").clean()

	// Somebody pushes a commit that is a year old: it is new here.
	r.command("GIT_COMMITTER_DATE=2025-11-01T00:00:00Z", "git", "-C", other, "commit", "-q", "--allow-empty", "-m", "Old work")
	r.command("git", "-C", other, "push", "-q")
	e := r.run("sync-health")
	e.clean()
	var report struct {
		Branches []struct {
			State         string
			Ahead, Behind int
			Since         time.Time
		}
	}
	e.report("sync-health.json", &report)
	if b := report.Branches[0]; b.State != "behind" || b.Behind != 1 || time.Since(b.Since) > time.Hour {
		t.Errorf("%+v", b)
	}
	// It was seen two hours ago, and is not here yet.
	r.command("git", "update-ref", "-d", "refs/remotes/origin/main")
	r.command("git", "update-ref", "--create-reflog", "refs/remotes/origin/main", "HEAD")
	r.command("GIT_COMMITTER_DATE="+time.Now().Add(-2*time.Hour).Format(time.RFC3339), "git", "fetch", "-q")
	r.run("sync-health").found("main is 1 commits behind origin for 2h, more than 1h")
	r.run("sync-health", "max-behind=3h").clean()

	r.commitAll("Own work")
	r.run("syncHealth", "max-behind=3h").found("main has diverged from origin: 1 commits here and 1 there")

	r.command("git", "rebase", "-q", "origin/main")
	r.run("sync-health").clean()
	if got := r.command("git", "-C", remote, "log", "-1", "--format=%s", "main"); got != "Old work" {
		t.Errorf("it was pushed without being asked for: %s", got)
	}
	r.run("sync-health", "push=true").clean()
	if got := r.command("git", "-C", remote, "log", "-1", "--format=%s", "main"); got != "Own work" {
		t.Errorf("the remote has %q", got)
	}
	r.run("sync-health", "branches=release").found("branch release: there is none in this clone")
	r.command("git", "remote", "set-url", "origin", filepath.Join(remote, "gone"))
	r.run("sync-health").found("git fetch ended with exit code 128")
}
