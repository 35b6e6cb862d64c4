package git

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// change is one tracked path that is not as HEAD has it.
type change struct {
	path      string
	staged    byte // '.' unchanged, else A M D T; 'U' unmerged
	unstaged  byte
	head      string // mode in HEAD; "000000" none
	submodule bool
}

// status is what lies in a work tree beside HEAD. Protected paths, submodules
// and repositories inside are left out.
type status struct {
	head      string // commit; "" when there is none yet
	branch    string // full name of the branch; "" when HEAD is detached
	changes   []change
	untracked []string
	nested    []string // other repositories, untracked here
	covered   bool     // a protected path is staged
}

const noMode = "000000"

// status reads the work tree with the given index ("": the repository's) and
// changes nothing.
func (r *Repo) status(ctx context.Context, index string) (*status, error) {
	out, err := r.git(ctx, call{plain: true, index: index, args: []string{"status", "--porcelain=v2", "-z", "--branch", "--no-ahead-behind",
		"--untracked-files=all", "--no-renames", "--ignore-submodules=all"}})
	if err != nil {
		return nil, err
	}
	st := &status{}
	for _, line := range strings.Split(string(out), "\x00") {
		if err := r.statusLine(st, line); err != nil {
			return nil, err
		}
	}
	return st, nil
}

func (r *Repo) statusLine(st *status, line string) error {
	kind, rest, _ := strings.Cut(line, " ")
	switch kind {
	case "":
	case "#":
		if v, ok := strings.CutPrefix(rest, "branch.oid "); ok && v != "(initial)" {
			st.head = v
		}
		if v, ok := strings.CutPrefix(rest, "branch.head "); ok && v != "(detached)" {
			st.branch = "refs/heads/" + v
		}
	case "?":
		switch {
		case strings.HasSuffix(rest, "/"):
			st.nested = append(st.nested, strings.TrimSuffix(rest, "/"))
		case !r.isProtected(rest):
			st.untracked = append(st.untracked, rest)
		}
	case "1", "u":
		fields := 8 // XY sub mH mI mW hH hI path
		if kind == "u" {
			fields = 10 // XY sub m1 m2 m3 mW h1 h2 h3 path
		}
		f := strings.SplitN(rest, " ", fields)
		if len(f) != fields || len(f[0]) != 2 {
			return fmt.Errorf("git status gave a line that is not understood: %q", line)
		}
		c := change{path: f[fields-1], staged: f[0][0], unstaged: f[0][1], head: f[2], submodule: f[1][0] == 'S'}
		if kind == "u" {
			c.staged, c.unstaged = 'U', 'U'
		}
		switch {
		case r.isProtected(c.path):
			st.covered = st.covered || c.staged != '.'
		case !c.submodule:
			st.changes = append(st.changes, c)
		}
	}
	return nil
}

// clean reports whether there is nothing that HEAD does not hold.
func (s *status) clean() bool { return len(s.changes) == 0 && len(s.untracked) == 0 }

func (s *status) count(is func(change) bool) int {
	n := 0
	for _, c := range s.changes {
		if is(c) {
			n++
		}
	}
	return n
}

func isStaged(c change) bool   { return c.staged != '.' }
func isUnstaged(c change) bool { return c.unstaged != '.' }
func isUnmerged(c change) bool { return c.staged == 'U' }

// dirty are the tracked paths whose file is not as the index has it.
func (s *status) dirty() []string {
	var out []string
	for _, c := range s.changes {
		if isUnstaged(c) {
			out = append(out, c.path)
		}
	}
	return out
}

// where is HEAD in words.
func (s *status) where() string {
	name := strings.TrimPrefix(s.branch, "refs/heads/")
	switch {
	case s.head == "":
		return name + " without a commit"
	case name == "":
		return "detached at " + short(s.head)
	}
	return name + " at " + short(s.head)
}

func short(oid string) string {
	if len(oid) > 10 {
		return oid[:10]
	}
	return oid
}

// stamp is how a file looked: enough to see that it was written since.
type stamp struct {
	size, mtime, ctime int64
	mode               fs.FileMode
	inode              uint64
	there              bool
}

// look stamps the file at a path below the top. A path that leads through a
// symbolic link is not there.
func (r *Repo) look(path string) stamp {
	fi, err := os.Lstat(r.abs(path))
	if err != nil || !r.direct(path) {
		return stamp{}
	}
	s := stamp{size: fi.Size(), mtime: fi.ModTime().UnixNano(), mode: fi.Mode(), there: true}
	if sys, ok := fi.Sys().(*syscall.Stat_t); ok {
		s.inode, s.ctime = sys.Ino, sys.Ctim.Nano()
	}
	return s
}

func (s stamp) dir() bool { return s.there && s.mode.IsDir() }

// direct reports whether every folder on the way to path is one, not a link.
func (r *Repo) direct(path string) bool {
	for i := range len(path) {
		if path[i] != '/' {
			continue
		}
		if fi, err := os.Lstat(r.abs(path[:i])); err != nil || !fi.IsDir() {
			return false
		}
	}
	return true
}

func (r *Repo) abs(path string) string { return filepath.Join(r.top, filepath.FromSlash(path)) }

// unfinished are the operations of git that keep their state in files.
func (r *Repo) unfinished() error {
	for _, o := range []struct{ file, what, verb string }{
		{"rebase-merge", "a rebase", "rebase"}, {"rebase-apply", "a rebase or git am", "rebase"}, {"MERGE_HEAD", "a merge", "merge"},
		{"CHERRY_PICK_HEAD", "a cherry-pick", "cherry-pick"}, {"REVERT_HEAD", "a revert", "revert"},
	} {
		if _, err := os.Lstat(filepath.Join(r.gitDir, o.file)); err == nil {
			return fmt.Errorf("%s is in progress in %s: end it with git %s --continue or give it up with git %s --abort", o.what, r.top, o.verb, o.verb)
		}
	}
	if _, err := os.Lstat(filepath.Join(r.gitDir, "BISECT_LOG")); err == nil {
		return fmt.Errorf("a bisect is in progress in %s: end it with git bisect reset", r.top)
	}
	return nil
}

func paths(list []string) []byte {
	return []byte(strings.Join(list, "\x00") + "\x00")
}
