package backups_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redundctl/redundctl/engine/cleanup/backups"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/kind/git"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPrune has three backups of which two are older than is kept.
func TestPrune(t *testing.T) {
	t.Parallel()
	s, err := proc.New(proc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	p, o := &config.Project{Root: t.TempDir()}, backups.Options{Proc: s, Env: os.Environ()}
	p.Config.Retention.Backups.Keep, p.Config.Retention.Backups.MaxAge = 1, pipeline.Duration(time.Millisecond)
	if gone, err := backups.Prune(t.Context(), p, o, false); len(gone) != 0 || err != nil {
		t.Errorf("no repository: %v, %v", gone, err)
	}
	if out, err := exec.Command("git", "-C", p.Root, "init", "-q").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r, err := git.Open(t.Context(), git.Options{Dir: p.Root, Proc: s, Env: os.Environ(), Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two", "three"} {
		if err := os.WriteFile(filepath.Join(p.Root, "file"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Make(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		dry  bool
		want int
	}{{true, 2}, {false, 2}, {false, 0}} {
		if gone, err := backups.Prune(t.Context(), p, o, c.dry); len(gone) != c.want || err != nil {
			t.Errorf("dry %v: %v, %v", c.dry, gone, err)
		}
	}
	if err := os.RemoveAll(filepath.Join(p.Root, ".git", "HEAD")); err != nil {
		t.Fatal(err)
	}
	if _, err := backups.Prune(t.Context(), p, o, false); err == nil {
		t.Error("a repository that cannot be read has backups that nobody removes, and nobody is told")
	}
}
