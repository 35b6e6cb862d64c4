package worktree

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redundctl/redundctl/engine/proc"
)

// Undo keeps every file that a move takes away or replaces, as a second name
// of the same file in the git directory, so that a move that fails, or whose
// process dies, can be taken back byte for byte. It lies on the disk before
// the first file is touched.
type Undo struct {
	Dir  string
	Note undoNote
}

// undoNote is the journal.
type undoNote struct {
	Pid     int         `json:"pid"`
	Start   uint64      `json:"start"`
	Head    string      `json:"head"`   // before
	Branch  string      `json:"branch"` // before; "" detached
	To      string      `json:"to"`     // commit that HEAD is to be at
	Entries []undoEntry `json:"entries"`
	Dirs    []undoDir   `json:"dirs"` // folders that may go
}

type undoEntry struct {
	Path  []byte `json:"path"` // any bytes
	Kept  bool   `json:"kept"` // it was there
	Taken bool   `json:"taken"`
}

type undoDir struct {
	Path []byte      `json:"path"`
	Mode fs.FileMode `json:"mode"`
}

func (u *Undo) kept(i int) string { return filepath.Join(u.Dir, strconv.Itoa(i)) }

// undoRoot is where they lie.
func (r *Repo) undoRoot() string { return filepath.Join(r.GitDir, "redund") }

// Prepare keeps the files of a move and writes the journal.
func (r *Repo) Prepare(m *Move) (*Undo, error) {
	if err := os.MkdirAll(r.undoRoot(), 0o700); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(r.undoRoot(), "undo-")
	if err != nil {
		return nil, err
	}
	u := &Undo{Dir: dir}
	start, _ := proc.StartTime(os.Getpid())
	u.Note = undoNote{Pid: os.Getpid(), Start: start, Head: m.From, Branch: m.FromBranch, To: m.To}
	// All are looked at before the first gets its second name, which changes
	// the look of a file that has other names.
	for _, p := range m.Touched() {
		s := r.Look(p)
		if was, ok := m.Seen[p]; ok && was != s {
			os.RemoveAll(dir)
			return nil, fmt.Errorf("%s was written while the work tree was being read: run it again", Show(p))
		}
		u.Note.Entries = append(u.Note.Entries, undoEntry{Path: []byte(p), Taken: m.removes(p), Kept: s.There && !s.Dir()})
	}
	for i, e := range u.Note.Entries {
		if !e.Kept {
			continue
		}
		if err := keep(r.Abs(string(e.Path)), u.kept(i)); err != nil {
			os.RemoveAll(dir)
			return nil, err
		}
	}
	u.Note.Dirs = r.parents(m.Touched())
	if err := keep(filepath.Join(r.GitDir, "index"), filepath.Join(dir, "index")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := u.Write(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return u, nil
}

// Write puts the journal on the disk.
func (u *Undo) Write() error {
	b, err := json.Marshal(u.Note)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(u.Dir, "journal.tmp"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(filepath.Join(u.Dir, "journal.tmp"), filepath.Join(u.Dir, "journal"))
}

// keep gives a file a second name, or copies it where that is not possible.
func keep(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fi, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if fi.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	if err := copyFile(from, to, fi.Mode().Perm()); err != nil {
		return err
	}
	return os.Chtimes(to, fi.ModTime(), fi.ModTime())
}

// parents are the folders above paths that exist, with their modes.
func (r *Repo) parents(list []string) []undoDir {
	seen, out := map[string]bool{}, []undoDir{}
	for _, p := range list {
		for d := DirOf(p); d != "" && !seen[d]; d = DirOf(d) {
			seen[d] = true
			if s := r.Look(d); s.Dir() {
				out = append(out, undoDir{Path: []byte(d), Mode: s.Mode.Perm()})
			}
		}
	}
	slices.SortFunc(out, func(a, b undoDir) int { return strings.Compare(string(a.Path), string(b.Path)) })
	return out
}

// DirOf is the folder of a path, "" at the top.
func DirOf(p string) string {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return ""
	}
	return p[:i]
}

// rewritten finds a kept file that somebody wrote after it was kept.
func (u *Undo) rewritten(m *Move) (string, bool) {
	for i, e := range u.Note.Entries {
		was, ok := m.Seen[string(e.Path)]
		if !e.Kept || !ok {
			continue
		}
		fi, err := os.Lstat(u.kept(i))
		if err != nil || fi.Size() != was.size || fi.ModTime().UnixNano() != was.mtime {
			return string(e.Path), true
		}
	}
	return "", false
}

// Roll puts every file back as it was. It needs no git.
func (r *Repo) Roll(u *Undo) error {
	var errs []error
	was := map[string]bool{}
	for _, d := range u.Note.Dirs {
		was[string(d.Path)] = true
	}
	// What came new goes first, then the folders that it needed.
	for _, e := range u.Note.Entries {
		p := string(e.Path)
		if s := r.Look(p); !e.Kept && !e.Taken && s.There && !s.Dir() {
			errs = append(errs, os.Remove(r.Abs(p)))
		}
	}
	for _, e := range u.Note.Entries {
		for d := DirOf(string(e.Path)); d != ""; d = DirOf(d) {
			if !was[d] && r.direct(d) {
				os.Remove(r.Abs(d)) // only when it is empty
			}
		}
		if p := string(e.Path); e.Kept && r.Look(p).Dir() {
			os.Remove(r.Abs(p))
		}
	}
	for _, d := range u.Note.Dirs {
		p := string(d.Path)
		if s := r.Look(p); s.There && !s.Dir() {
			errs = append(errs, os.Remove(r.Abs(p)))
		}
		if err := os.Mkdir(r.Abs(p), d.Mode); err != nil && !errors.Is(err, fs.ErrExist) {
			errs = append(errs, err)
		}
	}
	for i, e := range u.Note.Entries {
		if !e.Kept {
			continue
		}
		err := os.Rename(u.kept(i), r.Abs(string(e.Path)))
		// Two names of one file: rename leaves both, and the file is in place.
		if err != nil && !(errors.Is(err, fs.ErrNotExist) && r.Look(string(e.Path)).There) {
			errs = append(errs, err)
		}
	}
	errs = append(errs, u.rollIndex(filepath.Join(r.GitDir, "index")))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("not everything could be put back; what is missing lies in %s: %w", u.Dir, err)
	}
	return os.RemoveAll(u.Dir)
}

func (u *Undo) rollIndex(index string) error {
	old := filepath.Join(u.Dir, "index")
	if _, err := os.Lstat(old); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = os.Remove(index)
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		}
		return err
	}
	return os.Rename(old, index)
}

// Leftovers are moves whose process died in the middle.
func (r *Repo) Leftovers() []*Undo {
	dirs, _ := filepath.Glob(filepath.Join(r.undoRoot(), "undo-*"))
	var out []*Undo
	for _, dir := range dirs {
		u := &Undo{Dir: dir}
		b, err := os.ReadFile(filepath.Join(dir, "journal"))
		if err != nil || json.Unmarshal(b, &u.Note) != nil {
			if fi, e := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) && e == nil && time.Since(fi.ModTime()) > time.Hour {
				os.RemoveAll(dir) // it died before it touched anything
			}
			continue
		}
		if !alive(u.Note.Pid, u.Note.Start) {
			out = append(out, u)
		}
	}
	return out
}

func alive(pid int, start uint64) bool {
	s, err := proc.StartTime(pid)
	if err != nil {
		return errors.Is(syscall.Kill(pid, 0), syscall.EPERM)
	}
	return s == start
}
