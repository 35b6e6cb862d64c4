package git

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/git/backups"
	"github.com/redundctl/redundctl/engine/kind/kindtest"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

// sandbox is a bare remote with a clone of it and a second clone in which
// others work, with a HOME of its own.
type sandbox struct {
	t      *testing.T
	home   string
	remote string
	dir    string // the clone that is synced
	other  string
	env    []string
	proc   *proc.Spawner
	out    bytes.Buffer
	shield []string // more protected paths
}

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	t.Parallel()
	home := t.TempDir()
	s := &sandbox{t: t, home: home, remote: filepath.Join(home, "remote.git"), dir: filepath.Join(home, "work"), other: filepath.Join(home, "other")}
	s.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_GLOBAL=" + filepath.Join(home, "gitconfig"), "GIT_CONFIG_NOSYSTEM=1"}
	s.put(home, "gitconfig", "[user]\n\tname = Ann\n\temail = ann@example.com\n[init]\n\tdefaultBranch = main\n")
	p := kindtest.Spawner(t)
	s.proc = p
	s.git(home, "init", "-q", "--bare", s.remote)
	s.git(home, "init", "-q", s.other)
	s.put(s.other, "a.txt", "a1\n")
	s.put(s.other, "dir/b.txt", "b1\n")
	s.put(s.other, "gone.txt", "g1\n")
	s.git(s.other, "add", "-A")
	s.git(s.other, "commit", "-qm", "first")
	s.git(s.other, "remote", "add", "origin", s.remote)
	s.git(s.other, "push", "-q", "-u", "origin", "main")
	s.git(home, "clone", "-q", s.remote, s.dir)
	return s
}

func (s *sandbox) git(dir string, args ...string) string {
	s.t.Helper()
	out, err := s.try(dir, args...)
	if err != nil {
		s.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

func (s *sandbox) try(dir string, args ...string) (string, error) {
	c := exec.Command("git", args...)
	c.Dir, c.Env = dir, s.env
	out, err := c.CombinedOutput()
	return string(out), err
}

func (s *sandbox) put(dir, name, text string) {
	s.t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sandbox) get(name string) string {
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return "error: " + err.Error()
	}
	return string(b)
}

// upstream is a commit of somebody else's on the remote.
func (s *sandbox) upstream(files map[string]string, gone ...string) string {
	s.t.Helper()
	for n, text := range files {
		s.put(s.other, n, text)
	}
	for _, g := range gone {
		s.git(s.other, "rm", "-q", "-r", g)
	}
	s.git(s.other, "add", "-A")
	s.git(s.other, "commit", "-qm", "upstream")
	s.git(s.other, "push", "-q", "origin", "main")
	return s.git(s.other, "rev-parse", "HEAD")
}

// local is a commit in the clone.
func (s *sandbox) local(name, text, message string) string {
	s.t.Helper()
	s.put(s.dir, name, text)
	s.git(s.dir, "add", name)
	s.git(s.dir, "commit", "-qm", message)
	return s.git(s.dir, "rev-parse", "HEAD")
}

func (s *sandbox) repo() *Repo {
	s.t.Helper()
	r, err := Open(s.t.Context(), s.options())
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *sandbox) options() Options {
	return Options{Dir: s.dir, Proc: s.proc, Env: s.env, Out: &s.out, Protected: append([]string{filepath.Join(s.dir, ".redund")}, s.shield...)}
}

func (s *sandbox) scope() *pipeline.Scope {
	return &pipeline.Scope{Root: s.dir, Dir: s.dir, State: filepath.Join(s.dir, ".redund"), Env: s.env, Out: &s.out, Protected: s.shield,
		Mask: func(s string) string { return s }, Inside: func(p string) (string, error) { return p, nil }}
}

// action builds a kind with its defaults.
func (s *sandbox) action(uses string, with map[string]any) pipeline.Action {
	s.t.Helper()
	all := map[string]any{"directory": "."}
	if uses == "git/sync" {
		maps.Copy(all, map[string]any{"remote": "origin", "branch": "main", "strategy": "hardreset", "clean": false, "gc": false, "push": false, "backup": true, "repair": true})
	}
	maps.Copy(all, with)
	for _, k := range Kinds() {
		if k.Name == uses {
			a, err := k.Build(all, kind.Deps{Proc: s.proc})
			if err != nil {
				s.t.Fatal(err)
			}
			return a
		}
	}
	s.t.Fatalf("no kind %s", uses)
	return nil
}

func (s *sandbox) sync(with map[string]any) (map[string]any, error) {
	s.t.Helper()
	out, err := s.action("git/sync", with).Run(s.t.Context(), s.scope())
	return out.Values, err
}

func (s *sandbox) mustSync(with map[string]any) map[string]any {
	s.t.Helper()
	out, err := s.sync(with)
	if err != nil {
		s.t.Fatalf("sync: %v\n%s", err, s.out.String())
	}
	return out
}

func (s *sandbox) plan(with map[string]any) string {
	s.t.Helper()
	effects, err := s.action("git/sync", with).Plan(s.t.Context(), s.scope())
	if err != nil {
		s.t.Fatalf("plan: %v", err)
	}
	var b strings.Builder
	for _, e := range effects {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}

// files is every file below dir, byte for byte, with its mode.
func (s *sandbox) files(dir string) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		if rel == ".git" {
			return fs.SkipDir
		}
		fi, err := os.Lstat(p)
		if err != nil {
			return err
		}
		text := ""
		switch {
		case fi.Mode().IsRegular():
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			text = string(b)
		case fi.Mode()&fs.ModeSymlink != 0:
			text, _ = os.Readlink(p)
		}
		out[rel] = fi.Mode().String() + " " + text
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// snapshot is the state that a failed sync must leave: files, index, HEAD,
// refs (but for where remotes were seen, and backups), and what git says.
func (s *sandbox) snapshot() map[string]string {
	s.t.Helper()
	out := s.files(s.dir)
	index, err := os.ReadFile(filepath.Join(s.dir, ".git/index"))
	if err != nil {
		s.t.Fatal(err)
	}
	fi, _ := os.Stat(filepath.Join(s.dir, ".git/index"))
	out["/index"] = string(index) + fi.ModTime().String()
	head, _ := os.ReadFile(filepath.Join(s.dir, ".git/HEAD"))
	out["/HEAD"] = string(head)
	out["/refs"] = s.git(s.dir, "for-each-ref", "refs/heads", "refs/tags", "refs/stash")
	list, _ := filepath.Glob(filepath.Join(s.dir, ".git/*"))
	for _, p := range list {
		if !slices.Contains([]string{"redund", "objects", "refs", "logs", "packed-refs"}, filepath.Base(p)) {
			out["/git/"+filepath.Base(p)] = ""
		}
	}
	return out
}

func same(t *testing.T, before, after map[string]string) {
	t.Helper()
	for p, v := range before {
		if after[p] != v {
			t.Errorf("%s changed:\n was %.200q\n  is %.200q", p, v, after[p])
		}
	}
	for p := range after {
		if _, ok := before[p]; !ok {
			t.Errorf("%s is new", p)
		}
	}
}

// mess leaves staged, unstaged and untracked work of every sort in the clone.
func (s *sandbox) mess() {
	s.t.Helper()
	s.put(s.dir, ".git/info/exclude", "*.log\n")
	s.put(s.dir, ".gitignore", "*.tmp\n")
	s.put(s.dir, "staged.txt", "staged\n")
	s.git(s.dir, "add", "staged.txt", ".gitignore")
	s.put(s.dir, "staged.txt", "staged, then changed\n")
	s.put(s.dir, "dir/b.txt", "b local\n")
	s.put(s.dir, "new\n\"name\".txt", "newline and quotes\n")
	s.put(s.dir, "latin-\xe9.txt", "not UTF-8\n")
	s.put(s.dir, "crlf.txt", "one\r\ntwo\r\n")
	s.put(s.dir, "deep/er/x.txt", "deep\n")
	s.put(s.dir, "ignored.log", "ignored\n")
	s.put(s.dir, "run.sh", "#!/bin/sh\n")
	if err := errorsJoin(os.Chmod(filepath.Join(s.dir, "run.sh"), 0o755), os.Symlink("nowhere", filepath.Join(s.dir, "link")),
		os.Mkdir(filepath.Join(s.dir, "empty"), 0o700), os.Remove(filepath.Join(s.dir, "gone.txt"))); err != nil {
		s.t.Fatal(err)
	}
	s.put(s.dir, ".redund/redund.db", "state\n")
}

func errorsJoin(errs ...error) error {
	for _, e := range errs {
		if e != nil {
			return e
		}
	}
	return nil
}

func (s *sandbox) backups(verify bool) []backups.Backup {
	s.t.Helper()
	b, err := s.repo().Backups(s.t.Context(), verify)
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

func (s *sandbox) restore(id string) *Restored {
	s.t.Helper()
	res, err := s.repo().Restore(context.WithoutCancel(s.t.Context()), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return res
}
