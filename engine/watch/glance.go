package watch

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// glance looks at what something happened to, and at nothing else, so that a
// save costs the same among ten files and among ten thousand. It is not ok when
// only a whole look can tell what differs: where folders come and go or links
// lead.
func (w *Watcher) glance(paths map[string]bool) (differ []string, ok bool) {
	if w.last.linked || w.system.short {
		return nil, false
	}
	now := map[string]*state{} // nil: nothing is there
	for path := range paths {
		switch seen, matters := w.plain(path); {
		case !matters:
			return nil, false
		case seen:
			st, ok := w.one(path)
			if !ok {
				return nil, false
			}
			now[path] = st
		}
	}
	for _, path := range slices.Sorted(maps.Keys(now)) {
		st := now[path]
		before, known := w.last.files[path]
		if st == nil {
			if known {
				delete(w.last.files, path)
				differ = append(differ, path)
			}
			continue
		}
		w.last.files[path] = *st
		again, a, b := before.fresh && paths[path], before, *st
		if a.fresh, b.fresh = false, false; !known || a != b || again {
			differ = append(differ, path)
		}
	}
	return differ, true
}

// plain reports whether a path is that of one file alone, if it is one at all,
// and whether it is watched.
func (w *Watcher) plain(path string) (seen, ok bool) {
	dir, name := filepath.Split(path)
	dir = filepath.Clean(dir)
	folder, watched := w.system.watched[dir]
	want := w.last.wanted[folder]
	_, gone := w.last.folders[path]
	switch {
	case !watched || want == nil || gone:
		return false, false
	case want.names[name]: // on the way to something, or watched for itself
		return true, slices.Contains(w.o.Paths, path)
	case strings.HasPrefix(name, ".") || w.o.Ignore(path):
		return false, true
	}
	return true, want.all && w.last.folders[dir] == folder
}

// one looks at one file; nil: nothing is there. It is not ok when what is there
// is no file of its own.
func (w *Watcher) one(path string) (*state, bool) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, true
	}
	if !info.Mode().IsRegular() && info.Mode()&(fs.ModeDir|fs.ModeSymlink) != 0 {
		return nil, false
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok && sys.Nlink > 1 {
		return nil, false
	}
	st := &state{}
	st.read(info, time.Now())
	return st, true
}
