package worktree

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Change is one tracked path that is not as HEAD has it.
type Change struct {
	Path      string
	staged    byte // '.' unchanged, else A M D T; 'U' unmerged
	unstaged  byte
	Head      string // mode in HEAD; "000000" none
	submodule bool
}

// Status is what lies in a work tree beside HEAD. Protected paths, submodules
// and repositories inside are left out.
type Status struct {
	Head      string // commit; "" when there is none yet
	Branch    string // full name of the branch; "" when HEAD is detached
	Changes   []Change
	Untracked []string
	Nested    []string // other repositories, untracked here
	Covered   bool     // a protected path is staged
}

const NoMode = "000000"

// Status reads the work tree with the given index ("": the repository's) and
// changes nothing.
func (r *Repo) Status(ctx context.Context, index string) (*Status, error) {
	out, err := r.Git(ctx, Call{Plain: true, Index: index, Args: []string{"status", "--porcelain=v2", "-z", "--branch", "--no-ahead-behind",
		"--untracked-files=all", "--no-renames", "--ignore-submodules=all"}})
	if err != nil {
		return nil, err
	}
	st := &Status{}
	for _, line := range strings.Split(string(out), "\x00") {
		if err := r.statusLine(st, line); err != nil {
			return nil, err
		}
	}
	return st, nil
}

func (r *Repo) statusLine(st *Status, line string) error {
	kind, rest, _ := strings.Cut(line, " ")
	switch kind {
	case "":
	case "#":
		if v, ok := strings.CutPrefix(rest, "branch.oid "); ok && v != "(initial)" {
			st.Head = v
		}
		if v, ok := strings.CutPrefix(rest, "branch.head "); ok && v != "(detached)" {
			st.Branch = "refs/heads/" + v
		}
	case "?":
		switch {
		case strings.HasSuffix(rest, "/"):
			st.Nested = append(st.Nested, strings.TrimSuffix(rest, "/"))
		case !r.IsProtected(rest):
			st.Untracked = append(st.Untracked, rest)
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
		c := Change{Path: f[fields-1], staged: f[0][0], unstaged: f[0][1], Head: f[2], submodule: f[1][0] == 'S'}
		if kind == "u" {
			c.staged, c.unstaged = 'U', 'U'
		}
		switch {
		case r.IsProtected(c.Path):
			st.Covered = st.Covered || c.staged != '.'
		case !c.submodule:
			st.Changes = append(st.Changes, c)
		}
	}
	return nil
}

// Clean reports whether there is nothing that HEAD does not hold.
func (s *Status) Clean() bool { return len(s.Changes) == 0 && len(s.Untracked) == 0 }

// Count counts the changes that are so.
func (s *Status) Count(is func(Change) bool) int {
	n := 0
	for _, c := range s.Changes {
		if is(c) {
			n++
		}
	}
	return n
}

// IsStaged reports whether the index differs from HEAD.
func IsStaged(c Change) bool { return c.staged != '.' }

// IsUnstaged reports whether the file differs from the index.
func IsUnstaged(c Change) bool { return c.unstaged != '.' }

// IsUnmerged reports whether a conflict was left in the index.
func IsUnmerged(c Change) bool { return c.staged == 'U' }

// Dirty are the tracked paths whose file is not as the index has it.
func (s *Status) Dirty() []string {
	var out []string
	for _, c := range s.Changes {
		if IsUnstaged(c) {
			out = append(out, c.Path)
		}
	}
	return out
}

// Where is HEAD in words.
func (s *Status) Where() string {
	name := strings.TrimPrefix(s.Branch, "refs/heads/")
	switch {
	case s.Head == "":
		return name + " without a commit"
	case name == "":
		return "detached at " + Short(s.Head)
	}
	return name + " at " + Short(s.Head)
}

// Short is the beginning of a commit's name.
func Short(oid string) string {
	if len(oid) > 10 {
		return oid[:10]
	}
	return oid
}

// Stamp is how a file looked: enough to see that it was written since.
type Stamp struct {
	size, mtime, ctime int64
	Mode               fs.FileMode
	inode              uint64
	There              bool
}

// Look stamps the file at a path below the top. A path that leads through a
// symbolic link is not there.
func (r *Repo) Look(path string) Stamp {
	fi, err := os.Lstat(r.Abs(path))
	if err != nil || !r.direct(path) {
		return Stamp{}
	}
	s := Stamp{size: fi.Size(), mtime: fi.ModTime().UnixNano(), Mode: fi.Mode(), There: true}
	if sys, ok := fi.Sys().(*syscall.Stat_t); ok {
		s.inode, s.ctime = sys.Ino, sys.Ctim.Nano()
	}
	return s
}

// Dir reports whether it is a folder.
func (s Stamp) Dir() bool { return s.There && s.Mode.IsDir() }

// direct reports whether every folder on the way to path is one, not a link.
func (r *Repo) direct(path string) bool {
	for i := range len(path) {
		if path[i] != '/' {
			continue
		}
		if fi, err := os.Lstat(r.Abs(path[:i])); err != nil || !fi.IsDir() {
			return false
		}
	}
	return true
}

// Abs is a path below the top as an absolute one.
func (r *Repo) Abs(path string) string { return filepath.Join(r.Top, filepath.FromSlash(path)) }

// Unfinished are the operations of git that keep their state in files.
func (r *Repo) Unfinished() error {
	for _, o := range []struct{ file, what, verb string }{
		{"rebase-merge", "a rebase", "rebase"}, {"rebase-apply", "a rebase or git am", "rebase"}, {"MERGE_HEAD", "a merge", "merge"},
		{"CHERRY_PICK_HEAD", "a cherry-pick", "cherry-pick"}, {"REVERT_HEAD", "a revert", "revert"},
	} {
		if _, err := os.Lstat(filepath.Join(r.GitDir, o.file)); err == nil {
			return fmt.Errorf("%s is in progress in %s: end it with git %s --continue or give it up with git %s --abort", o.what, r.Top, o.verb, o.verb)
		}
	}
	if _, err := os.Lstat(filepath.Join(r.GitDir, "BISECT_LOG")); err == nil {
		return fmt.Errorf("a bisect is in progress in %s: end it with git bisect reset", r.Top)
	}
	return nil
}

// Paths are paths as git reads them with -z.
func Paths(list []string) []byte {
	return []byte(strings.Join(list, "\x00") + "\x00")
}
