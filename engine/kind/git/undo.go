package git

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

// undo keeps every file that a move takes away or replaces, as a second name
// of the same file in the git directory, so that a move that fails, or whose
// process dies, can be taken back byte for byte. It lies on the disk before
// the first file is touched.
type undo struct {
	dir  string
	made []string // folders that were made
	note undoNote
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

func (u *undo) kept(i int) string { return filepath.Join(u.dir, strconv.Itoa(i)) }

// undoRoot is where they lie.
func (r *Repo) undoRoot() string { return filepath.Join(r.gitDir, "redund") }

// prepare keeps the files of a move and writes the journal.
func (r *Repo) prepare(m *move) (*undo, error) {
	if err := os.MkdirAll(r.undoRoot(), 0o700); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(r.undoRoot(), "undo-")
	if err != nil {
		return nil, err
	}
	u := &undo{dir: dir}
	start, _ := proc.StartTime(os.Getpid())
	u.note = undoNote{Pid: os.Getpid(), Start: start, Head: m.from, Branch: m.fromBranch, To: m.to}
	// All are looked at before the first gets its second name, which changes
	// the look of a file that has other names.
	for _, p := range m.touched() {
		s := r.look(p)
		if was, ok := m.seen[p]; ok && was != s {
			os.RemoveAll(dir)
			return nil, fmt.Errorf("%s was written while the work tree was being read: run it again", show(p))
		}
		u.note.Entries = append(u.note.Entries, undoEntry{Path: []byte(p), Taken: m.removes(p), Kept: s.there && !s.dir()})
	}
	for i, e := range u.note.Entries {
		if !e.Kept {
			continue
		}
		if err := keep(r.abs(string(e.Path)), u.kept(i)); err != nil {
			os.RemoveAll(dir)
			return nil, err
		}
	}
	u.note.Dirs = r.parents(m.touched())
	if err := keep(filepath.Join(r.gitDir, "index"), filepath.Join(dir, "index")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := u.write(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return u, nil
}

func (u *undo) write() error {
	b, err := json.Marshal(u.note)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(u.dir, "journal.tmp"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
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
	return os.Rename(filepath.Join(u.dir, "journal.tmp"), filepath.Join(u.dir, "journal"))
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
		for d := dirOf(p); d != "" && !seen[d]; d = dirOf(d) {
			seen[d] = true
			if s := r.look(d); s.dir() {
				out = append(out, undoDir{Path: []byte(d), Mode: s.mode.Perm()})
			}
		}
	}
	slices.SortFunc(out, func(a, b undoDir) int { return strings.Compare(string(a.Path), string(b.Path)) })
	return out
}

func dirOf(p string) string {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return ""
	}
	return p[:i]
}

// rewritten finds a kept file that somebody wrote after it was kept.
func (u *undo) rewritten(m *move) (string, bool) {
	for i, e := range u.note.Entries {
		was, ok := m.seen[string(e.Path)]
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

// roll puts every file back as it was. It needs no git.
func (r *Repo) roll(u *undo) error {
	var errs []error
	was := map[string]bool{}
	for _, d := range u.note.Dirs {
		was[string(d.Path)] = true
	}
	// What came new goes first, then the folders that it needed.
	for _, e := range u.note.Entries {
		p := string(e.Path)
		if s := r.look(p); !e.Kept && !e.Taken && s.there && !s.dir() {
			errs = append(errs, os.Remove(r.abs(p)))
		}
	}
	for _, e := range u.note.Entries {
		for d := dirOf(string(e.Path)); d != ""; d = dirOf(d) {
			if !was[d] && r.direct(d) {
				os.Remove(r.abs(d)) // only when it is empty
			}
		}
		if p := string(e.Path); e.Kept && r.look(p).dir() {
			os.Remove(r.abs(p))
		}
	}
	for _, d := range u.note.Dirs {
		p := string(d.Path)
		if s := r.look(p); s.there && !s.dir() {
			errs = append(errs, os.Remove(r.abs(p)))
		}
		if err := os.Mkdir(r.abs(p), d.Mode); err != nil && !errors.Is(err, fs.ErrExist) {
			errs = append(errs, err)
		}
	}
	for i, e := range u.note.Entries {
		if !e.Kept {
			continue
		}
		err := os.Rename(u.kept(i), r.abs(string(e.Path)))
		// Two names of one file: rename leaves both, and the file is in place.
		if err != nil && !(errors.Is(err, fs.ErrNotExist) && r.look(string(e.Path)).there) {
			errs = append(errs, err)
		}
	}
	errs = append(errs, u.rollIndex(filepath.Join(r.gitDir, "index")))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("not everything could be put back; what is missing lies in %s: %w", u.dir, err)
	}
	return os.RemoveAll(u.dir)
}

func (u *undo) rollIndex(index string) error {
	old := filepath.Join(u.dir, "index")
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

// leftovers are moves whose process died in the middle.
func (r *Repo) leftovers() []*undo {
	dirs, _ := filepath.Glob(filepath.Join(r.undoRoot(), "undo-*"))
	var out []*undo
	for _, dir := range dirs {
		u := &undo{dir: dir}
		b, err := os.ReadFile(filepath.Join(dir, "journal"))
		if err != nil || json.Unmarshal(b, &u.note) != nil {
			if fi, e := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) && e == nil && time.Since(fi.ModTime()) > time.Hour {
				os.RemoveAll(dir) // it died before it touched anything
			}
			continue
		}
		if !alive(u.note.Pid, u.note.Start) {
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
