package git

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind/git/backups"
	"github.com/redundctl/redundctl/engine/kind/git/worktree"
)

func TestProtectedIsNeverTouched(t *testing.T) {
	s := newSandbox(t)
	s.local("deep/.env", "TRACKED=1\n", "an env file is tracked")
	s.git(s.dir, "push", "-q", "origin", "main")
	s.git(s.other, "pull", "-q")
	s.upstream(map[string]string{"deep/.env": "UPSTREAM=1\n", ".redund/redund.db": "theirs\n", "a.txt": "a2\n", "conf/.env": "UPSTREAM=2\n"})
	s.put(s.dir, "deep/.env", "TRACKED=secret-1\n")
	s.put(s.dir, "conf/.env", "secret-2\n")
	s.put(s.dir, ".redund/redund.db", "ours\n")
	s.put(s.dir, ".redund/logs/engine.log", "log\n")
	s.put(s.dir, "free.txt", "free\n")
	s.shield = []string{filepath.Join(s.dir, "deep/.env"), filepath.Join(s.dir, "conf/.env")}
	s.git(s.dir, "add", "deep/.env") // staged as well
	plan := s.plan(map[string]any{"clean": true})
	out := s.mustSync(map[string]any{"clean": true})
	for name, want := range map[string]string{"deep/.env": "TRACKED=secret-1\n", "conf/.env": "secret-2\n", ".redund/redund.db": "ours\n", ".redund/logs/engine.log": "log\n", "a.txt": "a2\n"} {
		if got := s.get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if _, err := os.Stat(filepath.Join(s.dir, "free.txt")); err == nil {
		t.Error("an untracked file was not cleaned")
	}
	b := s.backups(true)[0]
	if out["backup"] != b.ID {
		t.Errorf("outputs: %v", out)
	}
	for _, rev := range []string{b.Commit, b.Commit + "^2", b.Commit + "^3", b.Commit + "^4"} {
		for _, f := range strings.Split(s.git(s.dir, "ls-tree", "-r", "--name-only", rev), "\n") {
			if f == "" {
				continue
			}
			if text := s.git(s.dir, "cat-file", "blob", rev+":"+f); strings.Contains(text, "secret") || strings.Contains(f, ".redund") || strings.Contains(f, "conf/") {
				t.Errorf("%s:%s is in the backup", rev, f)
			}
		}
	}
	if all := plan + s.out.String(); strings.Contains(all, ".env") || strings.Contains(all, "redund.db") {
		t.Errorf("a protected path is shown:\n%s", all)
	}
}

func TestIgnoredFileInTheWayIsSaved(t *testing.T) {
	s := newSandbox(t)
	s.put(s.dir, ".git/info/exclude", "build\n*.log\n")
	s.put(s.dir, "build/out.txt", "precious\n")
	s.put(s.dir, "x.log", "log\n")
	s.upstream(map[string]string{"build": "now a file\n", "x.log": "theirs\n"})
	out := s.mustSync(nil)
	if s.get("build") != "now a file\n" || s.get("x.log") != "theirs\n" {
		t.Error("not at the remote")
	}
	b := s.backups(true)[0]
	if b.ID != out["backup"] || s.git(s.dir, "cat-file", "blob", b.Commit+"^3:build/out.txt") != "precious" || s.git(s.dir, "cat-file", "blob", b.Commit+"^3:x.log") != "log" {
		t.Errorf("the ignored files are not in the backup: %v", out)
	}
	s.restore(b.ID)
	if s.get("build/out.txt") != "precious\n" || s.get("x.log") != "log\n" {
		t.Error("the ignored files do not come back")
	}
}

func TestMergeAndRebaseKeepLocalWork(t *testing.T) {
	for _, strategy := range []string{merge, rebase} {
		t.Run(strategy, func(t *testing.T) {
			s := newSandbox(t)
			mine := s.local("mine.txt", "mine\n", "mine\n\nwith a body")
			theirs := s.upstream(map[string]string{"a.txt": "a2\n"})
			s.mess()
			out := s.mustSync(map[string]any{"strategy": strategy, "push": true, "clean": true})
			if s.get("a.txt") != "a2\n" || s.get("mine.txt") != "mine\n" || s.get("dir/b.txt") != "b local\n" || s.get("deep/er/x.txt") != "deep\n" {
				t.Error("content is wrong")
			}
			if st := s.git(s.dir, "status", "--porcelain"); !strings.Contains(st, "AM staged.txt") || !strings.Contains(st, " M dir/b.txt") || strings.Contains(st, "a.txt") {
				t.Errorf("status:\n%s", st)
			}
			s.git(s.dir, "merge-base", "--is-ancestor", theirs, "HEAD")
			log := s.git(s.dir, "log", "-1", "--format=%an %B", "--no-merges", "--skip=0", "HEAD", "^"+theirs)
			if log != "Ann mine\n\nwith a body" {
				t.Errorf("the local commit is now %q", log)
			}
			if strategy == rebase && !strings.Contains(s.out.String(), "dropped "+worktree.Short(mine)) {
				t.Errorf("report:\n%s", s.out.String())
			}
			if s.git(s.remote, "rev-parse", "main") != out["after"] {
				t.Error("not pushed")
			}
			if refs := s.git(s.remote, "for-each-ref", "refs/redund"); refs != "" {
				t.Errorf("backups were pushed:\n%s", refs)
			}
			if out["backup"] == "" {
				t.Error("no backup")
			}
		})
	}
}

func TestBackupsAreNeverPushed(t *testing.T) {
	s := newSandbox(t)
	s.put(s.dir, "x.txt", "x\n")
	s.mustSync(map[string]any{"clean": true})
	s.local("mine.txt", "mine\n", "mine")
	for _, kv := range [][2]string{{"remote.origin.mirror", "true"}, {"push.default", "matching"}, {"remote.origin.push", "+refs/*:refs/*"}, {"push.followTags", "true"}} {
		s.git(s.dir, "config", kv[0], kv[1])
	}
	out := s.mustSync(map[string]any{"strategy": merge, "push": true})
	if s.git(s.remote, "rev-parse", "main") != s.git(s.dir, "rev-parse", "HEAD") || out["ahead"] != 1 {
		t.Errorf("not pushed: %v", out)
	}
	if refs := s.git(s.remote, "for-each-ref", "--format=%(refname)"); refs != "refs/heads/main" {
		t.Errorf("the remote has\n%s", refs)
	}
}

func TestPlanChangesNothing(t *testing.T) {
	s := newSandbox(t)
	s.local("mine.txt", "mine\n", "mine")
	s.upstream(map[string]string{"a.txt": "a2\n"}, "gone.txt")
	s.mess()
	whole := func() map[string]string {
		m := s.files(filepath.Join(s.dir, ".git"))
		for k, v := range s.snapshot() {
			m["tree/"+k] = v
		}
		return m
	}
	before := whole()
	unknown := s.plan(map[string]any{"clean": true})
	same(t, before, whole())
	if !strings.Contains(unknown, "not here yet") {
		t.Errorf("plan:\n%s", unknown)
	}
	s.git(s.dir, "fetch", "-q")
	before = whole()
	for _, strategy := range []string{hardreset, merge, rebase} {
		plan := s.plan(map[string]any{"strategy": strategy, "clean": true})
		same(t, before, whole())
		want := []string{"1 ahead of and 1 behind", "change a.txt", "remove gone.txt"}
		if strategy == hardreset {
			want = append(want, "drop commit", "discard the local change of dir/b.txt", "remove the untracked file deep/er/x.txt", "back up first: 1 commit,")
		}
		for _, w := range want {
			if !strings.Contains(plan, w) {
				t.Errorf("%s: the plan lacks %q:\n%s", strategy, w, plan)
			}
		}
	}
}

func TestUnfinishedOperationsAreRefused(t *testing.T) {
	s := newSandbox(t)
	s.local("a.txt", "mine\n", "mine")
	s.upstream(map[string]string{"a.txt": "theirs\n"})
	s.git(s.dir, "fetch", "-q")
	for op, undo := range map[string]string{"merge": "--abort", "rebase": "--abort", "cherry-pick": "--abort"} {
		s.try(s.dir, op, "origin/main")
		before := s.snapshot()
		for _, strategy := range []string{hardreset, merge} {
			if _, err := s.sync(map[string]any{"strategy": strategy}); err == nil || !strings.Contains(err.Error(), "in progress") {
				t.Errorf("%s during a %s: %v", strategy, op, err)
			}
		}
		same(t, before, s.snapshot())
		s.git(s.dir, op, undo)
	}
}

func TestHeadsOfEverySort(t *testing.T) {
	s := newSandbox(t)
	tip := s.upstream(map[string]string{"a.txt": "a2\n"})
	t.Run("another branch", func(t *testing.T) {
		s.git(s.dir, "checkout", "-q", "-b", "feature")
		work := s.local("f.txt", "f\n", "feature")
		if _, err := s.sync(map[string]any{"strategy": merge}); err == nil || !strings.Contains(err.Error(), "on feature") {
			t.Errorf("merge: %v", err)
		}
		s.mustSync(nil)
		if s.git(s.dir, "symbolic-ref", "HEAD") != "refs/heads/main" || s.git(s.dir, "rev-parse", "HEAD") != tip || s.git(s.dir, "rev-parse", "feature") != work || s.git(s.dir, "status", "--porcelain") != "" {
			t.Error(s.git(s.dir, "status"))
		}
	})
	t.Run("detached", func(t *testing.T) {
		s.git(s.dir, "checkout", "-q", "--detach")
		lost := s.local("d.txt", "d\n", "detached")
		out := s.mustSync(nil)
		if s.git(s.dir, "symbolic-ref", "HEAD") != "refs/heads/main" || out["backup"] == "" {
			t.Fatalf("outputs: %v", out)
		}
		s.git(s.dir, "merge-base", "--is-ancestor", lost, s.backups(false)[0].Commit)
	})
	t.Run("unborn", func(t *testing.T) {
		u := *s
		u.dir = filepath.Join(s.home, "unborn")
		s.git(s.home, "init", "-q", u.dir)
		s.git(u.dir, "remote", "add", "origin", s.remote)
		u.put(u.dir, "a.txt", "mine\n")
		out, err := u.sync(nil)
		if err != nil {
			t.Fatal(err)
		}
		if u.get("a.txt") != "a2\n" || out["before"] != "" || u.git(u.dir, "status", "--porcelain") != "" {
			t.Errorf("outputs: %v\n%s", out, u.git(u.dir, "status"))
		}
		u.restore(out["backup"].(string))
		if u.get("a.txt") != "mine\n" {
			t.Errorf("a.txt is %q", u.get("a.txt"))
		}
	})
	t.Run("linked work tree", func(t *testing.T) {
		u := *s
		u.dir = filepath.Join(s.home, "linked")
		s.git(s.dir, "worktree", "add", "-q", "--detach", u.dir)
		s.git(s.dir, "checkout", "-q", "--detach")
		u.put(u.dir, "a.txt", "mine\n")
		u.mustSync(nil)
		if u.get("a.txt") != "a2\n" || u.git(u.dir, "symbolic-ref", "HEAD") != "refs/heads/main" {
			t.Error(u.git(u.dir, "status"))
		}
	})
	t.Run("bare", func(t *testing.T) {
		o := s.options()
		for dir, want := range map[string]string{s.remote: "is a bare repository", s.home: "is not a git repository", filepath.Join(s.dir, "dir"): "is not its top"} {
			o.Dir = dir
			if _, err := Open(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", dir, err)
			}
		}
	})
}

func TestLockOfADeadProcess(t *testing.T) {
	s := newSandbox(t)
	s.upstream(map[string]string{"a.txt": "a2\n"})
	lockFile := filepath.Join(s.dir, ".git/index.lock")
	s.put(s.dir, ".git/index.lock", "")
	if _, err := s.sync(map[string]any{"repair": false}); err == nil {
		t.Error("without repair the lock was taken")
	}
	holder := exec.Command("sleep", "60")
	f, err := os.Open(lockFile)
	if err != nil {
		t.Fatal(err)
	}
	holder.ExtraFiles = []*os.File{f}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := s.sync(nil); err == nil || !strings.Contains(err.Error(), "held by sleep") {
		t.Errorf("held: %v", err)
	}
	holder.Process.Kill()
	holder.Wait()
	s.mustSync(nil)
	if s.get("a.txt") != "a2\n" {
		t.Error("not synced")
	}
}

func TestKilledInTheMiddleIsTakenBack(t *testing.T) {
	s := newSandbox(t)
	s.put(s.dir, "a.txt", "local\n")
	r := s.repo()
	m := &worktree.Move{From: s.git(s.dir, "rev-parse", "HEAD"), FromBranch: "refs/heads/main", To: strings.Repeat("1", 40), ToBranch: "refs/heads/main",
		Write: []string{"a.txt", "brand/new.txt"}, Remove: []string{"gone.txt"}}
	before := s.snapshot()
	u, err := r.Prepare(m)
	if err != nil {
		t.Fatal(err)
	}
	u.Note.Pid, u.Note.Start = 1<<22+1, 1 // nobody
	if err := u.Write(); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(s.dir, "a.txt"))
	s.put(s.dir, "a.txt", "half")
	os.Remove(filepath.Join(s.dir, "gone.txt"))
	s.put(s.dir, "brand/new.txt", "new\n")
	s.put(s.dir, ".git/index.lock", "")
	if _, err := s.action("git/repair", nil).Run(t.Context(), s.scope()); err != nil {
		t.Fatal(err)
	}
	same(t, before, s.snapshot())
}

func TestFiltersFlagsAndHooks(t *testing.T) {
	s := newSandbox(t)
	s.upstream(map[string]string{".gitattributes": "*.lfs filter=lfs\n*.txt text eol=crlf\n"})
	s.mustSync(nil)
	s.git(s.dir, "config", "filter.lfs.clean", "no-such-program")
	s.git(s.dir, "config", "filter.lfs.required", "true")
	s.put(s.dir, ".git/hooks/post-checkout", "#!/bin/sh\ntouch ran\n")
	s.put(s.dir, ".git/hooks/reference-transaction", "#!/bin/sh\ntouch ran\n")
	os.Chmod(filepath.Join(s.dir, ".git/hooks/post-checkout"), 0o755)
	os.Chmod(filepath.Join(s.dir, ".git/hooks/reference-transaction"), 0o755)
	s.put(s.dir, "big.lfs", "raw\r\n")
	s.put(s.dir, "mixed.txt", "one\r\ntwo\n")
	s.put(s.dir, "key.pem", "key\n")
	os.Chmod(filepath.Join(s.dir, "key.pem"), 0o600)
	s.git(s.dir, "update-index", "--assume-unchanged", "dir/b.txt")
	s.put(s.dir, "dir/b.txt", "hidden local change\n")
	s.upstream(map[string]string{"dir/b.txt": "b2\n"})
	out := s.mustSync(map[string]any{"clean": true})
	if s.get("dir/b.txt") != "b2\r\n" {
		t.Errorf("dir/b.txt is %q", s.get("dir/b.txt"))
	}
	s.restore(out["backup"].(string))
	for name, want := range map[string]string{"big.lfs": "raw\r\n", "mixed.txt": "one\r\ntwo\n", "dir/b.txt": "hidden local change\n"} {
		if s.get(name) != want {
			t.Errorf("%s is %q", name, s.get(name))
		}
	}
	if fi, err := os.Stat(filepath.Join(s.dir, "key.pem")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("key.pem: %v %v", fi, err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "ran")); err == nil {
		t.Error("a hook of the user's ran")
	}
}

func TestForcePushAndShallow(t *testing.T) {
	s := newSandbox(t)
	s.upstream(map[string]string{"a.txt": "a2\n"})
	u := *s
	u.dir = filepath.Join(s.home, "shallow")
	s.git(s.home, "clone", "-q", "--depth=1", "file://"+s.remote, u.dir)
	s.git(s.other, "commit", "-q", "--amend", "-m", "rewritten")
	s.git(s.other, "push", "-q", "-f", "origin", "main")
	want := s.git(s.other, "rev-parse", "HEAD")
	u.put(u.dir, "x.txt", "x\n")
	for _, c := range []*sandbox{s, &u} {
		if out := c.mustSync(map[string]any{"clean": true}); out["after"] != want {
			t.Errorf("%s: %v", c.dir, out)
		}
	}
}

func TestEnvironmentAndCredentials(t *testing.T) {
	s := newSandbox(t)
	s.env = append(s.env, "GIT_DIR="+s.remote, "GIT_INDEX_FILE=/nowhere", "GIT_TRACE=1", "LC_ALL=xx")
	if r := s.repo(); r.GitDir == s.remote {
		t.Error("GIT_DIR of the environment counts")
	}
	_, err := s.sync(map[string]any{"remote": "http://ann:hunter2@127.0.0.1:1/x.git?access_token=abc123"})
	if err == nil || strings.Contains(err.Error()+s.out.String(), "hunter2") || strings.Contains(err.Error(), "abc123") {
		t.Errorf("error: %v", err)
	}
}

func TestPrune(t *testing.T) {
	s := newSandbox(t)
	r := s.repo()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 4 {
		s.put(s.dir, "x.txt", strings.Repeat("x", i+1))
		at := now.Add(time.Duration(i) * 24 * time.Hour)
		r.Now = func() time.Time { return at }
		if _, err := r.Make(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		rt         backups.Retention
		gone, left int
	}{{backups.Retention{}, 0, 4}, {backups.Retention{Keep: 2, MaxAge: 90 * time.Hour}, 0, 4}, {backups.Retention{Keep: 4, MaxAge: time.Hour}, 0, 4}, {backups.Retention{Keep: 3}, 1, 3}, {backups.Retention{MaxAge: 36 * time.Hour}, 1, 2}, {backups.Retention{MaxAge: time.Minute}, 1, 1}} {
		dry, err := r.Prune(t.Context(), c.rt, true)
		if err != nil || len(dry) != c.gone {
			t.Errorf("%+v: dry %d %v", c.rt, len(dry), err)
		}
		gone, err := r.Prune(t.Context(), c.rt, false)
		if left := s.backups(false); err != nil || len(gone) != c.gone || len(left) != c.left {
			t.Errorf("%+v: removed %d, %d left, %v", c.rt, len(gone), len(left), err)
		}
	}
}

func TestDamagedBackupIsFound(t *testing.T) {
	s := newSandbox(t)
	s.put(s.dir, "x.txt", "content of its own\n")
	b, err := s.repo().Make(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	oid := s.git(s.dir, "rev-parse", b.Commit+"^3:x.txt")
	file := filepath.Join(s.dir, ".git/objects", oid[:2], oid[2:])
	os.Chmod(file, 0o644)
	other := s.git(s.dir, "rev-parse", "HEAD:a.txt")
	wrong, _ := os.ReadFile(filepath.Join(s.dir, ".git/objects", other[:2], other[2:]))
	os.WriteFile(file, wrong, 0o644) // readable, but not what its name says
	if list := s.backups(true); list[0].Verified || list[0].Problem == "" {
		t.Errorf("a damaged backup counts as readable: %+v", list[0])
	}
	if _, err := s.repo().Restore(t.Context(), b.ID); err == nil {
		t.Error("a damaged backup was restored")
	}
}
