package watch

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// links is how many links are followed from one to the next.
const links = 40

// id names a file or folder as the system does, whatever its path.
type id struct{ device, inode uint64 }

// state is what is compared of a file. The change time finds what the others do
// not: text of the same length with its modification time set back.
type state struct {
	file              id
	mode              fs.FileMode
	size              int64
	modified, changed int64  // in nanoseconds
	link              string // where the path leads, if it is a link itself
	// fresh is set when the file had just been changed when it was looked at: a
	// system whose clock of files ticks slowly may show the next change by nothing.
	fresh bool
}

// want is what matters in a watched folder: all, or a few names.
type want struct {
	all   bool
	names map[string]bool
}

// snapshot is one look at all that is watched.
type snapshot struct {
	files   map[string]state // that are no folders, by path
	folders map[string]id
	wanted  map[id]*want
	linked  bool  // some file may be reached by two paths
	newest  int64 // the latest change time of it all, in nanoseconds
}

// differ gives the paths that differ between two looks, sorted. written are names
// of files for which the system has told of writing.
func (s *snapshot) differ(now *snapshot, written map[string]bool) []string {
	var out []string
	for p, a := range s.files {
		b, ok := now.files[p]
		again := a.fresh && written[filepath.Base(p)]
		a.fresh, b.fresh = false, false
		if !ok || a != b || again {
			out = append(out, p)
		}
	}
	for p := range now.files {
		if _, ok := s.files[p]; !ok {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// moved reports whether a folder is gone, or another one lies at its path.
func (s *snapshot) moved(now *snapshot) bool {
	for p, a := range s.folders {
		if b, ok := now.folders[p]; !ok || a != b {
			return true
		}
	}
	return false
}

// look reads what is there, and has the system tell of changes to all of it.
// Every folder is watched before it is read, so nothing happens unseen between.
func (w *Watcher) look() *snapshot {
	w.system.begin()
	l := &looking{w: w, ways: map[string]bool{}, seen: map[id]bool{}, at: time.Now(),
		snapshot: &snapshot{files: map[string]state{}, folders: map[string]id{}, wanted: map[id]*want{}}}
	for _, p := range w.o.Paths {
		l.way(p, 0)
		l.path(p)
		l.age(p)
	}
	w.system.keep(l.wanted)
	if w.system.short && !w.system.told {
		w.o.Log.Warn("the system cannot tell of all changes to files; they are looked for every two seconds: raise fs.inotify.max_user_watches and max_user_instances", "err", w.system.cause)
	}
	w.system.told = w.system.short
	return l.snapshot
}

// looking is a look at work.
type looking struct {
	*snapshot
	w    *Watcher
	at   time.Time
	ways map[string]bool // paths whose way is watched
	seen map[id]bool     // folders that were read
}

// path takes a path in, and all below it.
func (l *looking) path(path string) {
	st, ok := l.state(path)
	switch {
	case !ok:
	case !st.mode.IsDir():
		l.files[path] = st
	case !l.seen[st.file]:
		// A folder that is reached twice, as through a link to its parent, is read once.
		l.seen[st.file] = true
		l.folders[path] = st.file
		l.want(path, st.file).all = true
		entries, err := os.ReadDir(path)
		if err != nil {
			l.files[path] = st // it cannot be read: that it can, later, is a difference
		}
		for _, e := range entries {
			below := filepath.Join(path, e.Name())
			if !strings.HasPrefix(e.Name(), ".") && !l.w.o.Ignore(below) {
				l.path(below)
			}
		}
	}
}

// state reads one path; links are followed. It is false when nothing is there.
func (l *looking) state(path string) (state, bool) {
	info, err := os.Lstat(path)
	if err != nil {
		return state{}, false
	}
	st := state{}
	if info.Mode()&fs.ModeSymlink != 0 {
		l.linked = true
		st.link, _ = os.Readlink(path)
		l.way(path, 0)
		if to, err := os.Stat(path); err == nil {
			info = to
		}
	}
	st.read(info, l.at)
	l.newest = max(l.newest, st.changed)
	if sys, ok := info.Sys().(*syscall.Stat_t); ok && sys.Nlink > 1 && !st.mode.IsDir() {
		l.linked = true
	}
	return st, true
}

// read takes in what the system says of a file.
func (st *state) read(info fs.FileInfo, at time.Time) {
	st.mode, st.size, st.modified = info.Mode(), info.Size(), info.ModTime().UnixNano()
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		st.file = id{sys.Dev, sys.Ino}
		st.changed = sys.Ctim.Nano()
	}
	st.fresh = at.UnixNano()-max(st.modified, st.changed) < int64(margin)
}

// age counts what no change time of files below a path would tell: that it is
// not there, or that a link leads there, which may just have been swapped.
func (l *looking) age(path string) {
	to, err := filepath.EvalSymlinks(path)
	if err == nil && to == path {
		return
	}
	if info, err := os.Stat(filepath.Dir(path)); err == nil && to == "" {
		if sys, ok := info.Sys().(*syscall.Stat_t); ok {
			l.newest = max(l.newest, sys.Ctim.Nano())
			return
		}
	}
	l.newest = l.at.UnixNano()
}

// way watches the folders that lead to a path, each for the next name alone, and
// the way of each link on it: a folder above may be moved, a link in the middle
// may be swapped, and what is missing may come.
func (l *looking) way(path string, depth int) {
	if l.ways[path] || depth > links {
		return
	}
	l.ways[path] = true
	dir := filepath.Dir(path)
	if dir == path {
		return
	}
	l.way(dir, depth)
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		l.want(dir, id{sys.Dev, sys.Ino}).names[filepath.Base(path)] = true
	}
	if to, err := os.Readlink(path); err == nil {
		if !filepath.IsAbs(to) {
			to = filepath.Join(dir, to)
		}
		l.way(to, depth+1)
	}
}

// want notes that a folder matters, and has it watched.
func (l *looking) want(path string, dir id) *want {
	w := l.wanted[dir]
	if w == nil {
		w = &want{names: map[string]bool{}}
		l.wanted[dir] = w
		l.w.system.watch(path, dir)
	}
	return w
}
