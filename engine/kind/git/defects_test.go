package git

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/kind/git/backups"
	"github.com/redundctl/redundctl/engine/kind/git/worktree"
)

// D9: the original's "backup" stashed the work away and restored nothing.
func TestD9BackupChangesNothingAndHoldsAll(t *testing.T) {
	s := newSandbox(t)
	s.mess()
	before := s.snapshot()
	refs := s.git(s.dir, "for-each-ref")
	b, err := s.repo().Make(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	same(t, before, s.snapshot())
	if !b.Verified || b.Staged != 2 || b.Unstaged != 3 || b.Untracked != 6 || b.Branch != "main" {
		t.Errorf("backup: %+v", b)
	}
	after := s.git(s.dir, "for-each-ref")
	if rest := strings.Replace(after, b.Commit+" commit\t"+backups.BackupRefs+b.ID, "", 1); strings.ReplaceAll(rest, "\n\n", "\n") != refs {
		t.Errorf("refs changed:\n%s\nto\n%s", refs, after)
	}
	// The three can be told apart.
	for _, c := range [][2]string{{b.Commit + ":staged.txt", "staged, then changed"}, {b.Commit + "^2:staged.txt", "staged"}, {b.Commit + "^3:deep/er/x.txt", "deep"},
		{b.Commit + "^3:crlf.txt", "one\r\ntwo"}} {
		if got := s.git(s.dir, "cat-file", "blob", c[0]); got != c[1] {
			t.Errorf("%s is %q", c[0], got)
		}
	}
	names := s.git(s.dir, "ls-tree", "-r", "-z", "--name-only", b.Commit+"^3") + s.git(s.dir, "ls-tree", "-r", "-z", "--name-only", b.Commit)
	for _, no := range []string{"ignored.log", ".redund", "gone.txt"} {
		if strings.Contains(names, no) {
			t.Errorf("the backup holds %s", no)
		}
	}
	if again, err := s.repo().Make(t.Context(), "test"); err != nil || again.ID != b.ID || !again.Reused {
		t.Errorf("the same state was saved twice: %v %v", again, err)
	}
	// Everything goes, and comes back.
	want := s.snapshot()
	s.git(s.dir, "reset", "-q", "--hard")
	s.git(s.dir, "clean", "-qfd", "-e", ".redund")
	s.local("a.txt", "another\n", "another")
	os.Mkdir(filepath.Join(s.dir, "empty"), 0o700)
	res := s.restore(b.ID)
	got := s.snapshot()
	for _, m := range []map[string]string{want, got} {
		delete(m, "/index")
		for k := range m {
			if k == "/git/ORIG_HEAD" || k == "/git/COMMIT_EDITMSG" || k == "/git/FETCH_HEAD" {
				delete(m, k)
			}
		}
	}
	same(t, want, got)
	if st := s.git(s.dir, "status", "--porcelain"); !strings.Contains(st, "AM staged.txt") || !strings.Contains(st, " D gone.txt") || !strings.Contains(st, " M dir/b.txt") {
		t.Errorf("status after the restore:\n%s", st)
	}
	if res.Head == b.Head {
		t.Error("the state before the restore was not saved")
	}
	s.restore(res.ID)
	if s.get("a.txt") != "another\n" {
		t.Error("the state before the restore does not come back")
	}
}

// D10: the original threw local commits away without a backup.
func TestD10HardresetSavesWhatItDrops(t *testing.T) {
	s := newSandbox(t)
	first := s.local("mine.txt", "mine\n", "my work")
	second := s.local("mine.txt", "mine too\n", "more of my work")
	want := s.upstream(map[string]string{"a.txt": "a2\n"}, "gone.txt")
	s.mess()
	s.git(s.dir, "checkout", "-q", "gone.txt")
	out := s.mustSync(map[string]any{"clean": true})
	if out["before"] != second || out["after"] != want || out["changed"] != true || out["ahead"] != 2 || out["behind"] != 1 || out["backup"] == "" {
		t.Errorf("outputs: %v", out)
	}
	if s.git(s.dir, "rev-parse", "main") != want || s.git(s.dir, "status", "--porcelain") != "?? .redund/" {
		t.Errorf("not at the remote:\n%s", s.git(s.dir, "status"))
	}
	for _, l := range []string{"moved from " + worktree.Short(second) + " to " + worktree.Short(want), "dropped " + worktree.Short(first) + " my work; saved in backup " + out["backup"].(string)} {
		if !strings.Contains(s.out.String(), l) {
			t.Errorf("the report lacks %q:\n%s", l, s.out.String())
		}
	}
	if s.get(".redund/redund.db") != "state\n" || s.get("ignored.log") == "" {
		t.Error("the state directory or an ignored file was cleaned")
	}
	list := s.backups(true)
	if len(list) != 1 || list[0].ID != out["backup"] || !list[0].Verified || list[0].Commits != 2 {
		t.Fatalf("backups: %+v", list)
	}
	s.git(s.dir, "merge-base", "--is-ancestor", first, list[0].Commit)
	s.git(s.dir, "reflog", "expire", "--expire=now", "--all")
	s.git(s.dir, "gc", "-q", "--prune=now")
	s.restore(list[0].ID)
	if s.git(s.dir, "rev-parse", "HEAD") != second || s.get("mine.txt") != "mine too\n" || s.get("staged.txt") != "staged, then changed\n" {
		t.Error("the dropped commits did not come back")
	}
}

func TestD10GitsFailureFailsTheStep(t *testing.T) {
	s := newSandbox(t)
	s.mess()
	before := s.snapshot()
	for name, with := range map[string]map[string]any{
		"missing branch":     {"branch": "nowhere"},
		"missing remote":     {"remote": "nobody"},
		"unreachable remote": {"remote": filepath.Join(s.home, "not-here.git")},
	} {
		if _, err := s.sync(with); err == nil {
			t.Errorf("%s: the sync succeeded", name)
		}
	}
	same(t, before, s.snapshot())
}

// D11: the original deleted untracked files to repair an index.
func TestD11RepairTouchesTheIndexAlone(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"flipped":   func(b []byte) []byte { b[len(b)/2] ^= 0xff; return b },
		"cut":       func(b []byte) []byte { return b[:len(b)/2] },
		"zeroed":    func(b []byte) []byte { return make([]byte, len(b)) },
		"empty":     func([]byte) []byte { return nil },
		"other one": func([]byte) []byte { return []byte("not an index") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(t)
			s.mess()
			index := filepath.Join(s.dir, ".git/index")
			b, err := os.ReadFile(index)
			if err != nil {
				t.Fatal(err)
			}
			before := s.files(s.dir)
			if err := os.WriteFile(index, spoil(b), 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := s.action("git/repair", nil).Run(t.Context(), s.scope())
			if err != nil {
				t.Fatal(err)
			}
			same(t, before, s.files(s.dir))
			if st := s.git(s.dir, "status", "--porcelain"); !strings.Contains(st, "M dir/b.txt") || !strings.Contains(st, "?? staged.txt") {
				t.Errorf("status after the repair:\n%s", st)
			}
			list := s.backups(true)
			if len(list) != 1 || list[0].ID != out.Values["backup"] || !list[0].Verified {
				t.Fatalf("backups: %+v", list)
			}
			if s.git(s.dir, "cat-file", "blob", list[0].Commit+"^3:staged.txt") != "staged, then changed" {
				t.Error("the backup lacks an untracked file")
			}
		})
	}
}

func TestD11SyncRepairsFirst(t *testing.T) {
	s := newSandbox(t)
	s.mess()
	s.upstream(map[string]string{"a.txt": "a2\n"})
	os.WriteFile(filepath.Join(s.dir, ".git/index"), []byte("DIRCxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), 0o644)
	if _, err := s.sync(map[string]any{"repair": false}); err == nil || !strings.Contains(err.Error(), "git/repair") {
		t.Errorf("without repair: %v", err)
	}
	s.mustSync(map[string]any{"clean": true})
	if s.get("a.txt") != "a2\n" || len(s.backups(true)) != 1 {
		t.Errorf("a.txt is %q; backups: %+v", s.get("a.txt"), s.backups(false))
	}
}

// D12: the original reset the tree after a failed merge or rebase, and the
// stashed work was gone.
func TestD12FailureRollsBack(t *testing.T) {
	for _, strategy := range []string{merge, rebase} {
		t.Run(strategy+" conflict", func(t *testing.T) {
			s := newSandbox(t)
			s.local("a.txt", "mine\n", "my a")
			s.upstream(map[string]string{"a.txt": "theirs\n", "c.txt": "new\n"})
			s.mess()
			before := s.snapshot()
			out, err := s.sync(map[string]any{"strategy": strategy})
			if err == nil || !strings.Contains(err.Error(), "conflict in a.txt") {
				t.Errorf("error: %v", err)
			}
			same(t, before, s.snapshot())
			if out["changed"] != false {
				t.Errorf("outputs: %v", out)
			}
		})
		t.Run(strategy+" over local changes", func(t *testing.T) {
			s := newSandbox(t)
			s.local("mine.txt", "mine\n", "mine")
			s.upstream(map[string]string{"dir/b.txt": "theirs\n", "deep": "a file where a folder is\n"})
			s.mess()
			before := s.snapshot()
			if _, err := s.sync(map[string]any{"strategy": strategy}); err == nil || !strings.Contains(err.Error(), "local changes of deep/er/x.txt") && !strings.Contains(err.Error(), "local changes of dir/b.txt") {
				t.Errorf("error: %v", err)
			}
			same(t, before, s.snapshot())
		})
	}
}

// A filter that fails while files are being written is a failure in the
// middle of the work tree.
func TestD12FailureInTheMiddleRollsBack(t *testing.T) {
	for _, strategy := range []string{hardreset, merge, rebase} {
		t.Run(strategy, func(t *testing.T) {
			s := newSandbox(t)
			s.local("mine.txt", "mine\n", "mine")
			s.upstream(map[string]string{"a.txt": "a2\n", ".gitattributes": "*.bad filter=bad\n", "z.bad": "z\n", "new/x.txt": "x\n"}, "dir/b.txt")
			s.put(s.dir, "note.txt", "note\n")
			s.git(s.dir, "config", "filter.bad.smudge", "false")
			s.git(s.dir, "config", "filter.bad.required", "true")
			before := s.snapshot()
			_, err := s.sync(map[string]any{"strategy": strategy, "clean": true})
			if err == nil || !strings.Contains(err.Error(), "everything was put back as it was") {
				t.Errorf("error: %v", err)
			}
			same(t, before, s.snapshot())
			if left, _ := filepath.Glob(filepath.Join(s.dir, ".git/redund/*")); len(left) > 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
}
