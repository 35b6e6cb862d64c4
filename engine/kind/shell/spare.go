package shell

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// file is one of the files that a step is given.
type file struct {
	dir       string // of the run
	prefix    string // of its name
	extension string
	text      string
	program   bool // it is started itself
	path      string
	unused    bool // the step has ended and left it as it was given it
}

// files makes the files of steps. A step has two or three, and to make and
// remove an inode for each is a tenth of what a step costs; so the empty ones that
// a step left as they were are given to the next, under a new name: the old one
// goes with the step, as all that holds text does. They stay in the directory of
// their run; what a directory holds of them when it comes to a next run is used
// there. It may be used from several goroutines.
type files struct {
	mu     sync.Mutex
	spares map[string][]string // by directory
}

// handed begins the names of REDUND_OUTPUT and REDUND_ENV: a file is now the one,
// now the other.
const handed = "handed-on-"

// mostSpares is for a few steps side by side, and for as many directories.
const mostSpares = 64

// take makes the file, which only we may read.
func (f *files) take(x *file) error {
	if x.dir == "" {
		return errors.New("the step has no directory for its files")
	}
	if x.path = f.spare(x); x.path != "" {
		return nil
	}
	x.path = name(x)
	return write(x)
}

// name is a path that nobody can have laid something at.
func name(x *file) string {
	return x.dir + "/" + x.prefix + strconv.FormatUint(rand.Uint64(), 36) + x.extension
}

// spare gives a file that no step has any more, or "".
func (f *files) spare(x *file) string {
	if x.text != "" {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	list, known := f.spares[x.dir]
	if !known {
		list = found(x.dir)
	}
	var out string
	if last := len(list) - 1; last >= 0 {
		out, list = list[last], list[:last]
	}
	f.know(x.dir, list)
	return out
}

// know needs mu.
func (f *files) know(dir string, list []string) {
	if _, known := f.spares[dir]; f.spares == nil || !known && len(f.spares) == mostSpares {
		f.spares = map[string][]string{} // what others have goes with them
	}
	f.spares[dir] = list
}

// found are the files in a directory that comes from another run.
func found(dir string) (list []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, d := range entries {
		if path := filepath.Join(dir, d.Name()); strings.HasPrefix(d.Name(), handed) && untouched(path) {
			list = append(list, path)
		}
	}
	return list
}

// give takes back a file of a step that has ended.
func (f *files) give(x *file) {
	if x.unused || x.text == "" && untouched(x.path) {
		next := name(x)
		if unix.Rename(x.path, next) == nil && f.keep(x.dir, next) {
			return
		}
	}
	os.Remove(x.path)
}

// untouched reports whether the step left the file as it was given it; what it
// may have put in its place, linked or opened to others is not used again.
func untouched(path string) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil && st.Mode == unix.S_IFREG|0o600 && st.Nlink == 1 && st.Size == 0 && int(st.Uid) == os.Geteuid()
}

func (f *files) keep(dir, path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.spares[dir]) == mostSpares {
		os.Remove(path)
		return false
	}
	f.know(dir, append(f.spares[dir], path))
	return true
}

// write makes and fills a file. It does without os.File, which would ask the poller about each. No process is forked
// meanwhile: it would hold the file open for writing until it starts its
// program, and a script that is open for writing cannot be started ("text file
// busy").
func write(x *file) error {
	mode := uint32(0o600)
	if x.program {
		mode = 0o700
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Open(x.path, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, mode)
	if err != nil {
		return &os.PathError{Op: "open", Path: x.path, Err: err}
	}
	for rest := []byte(x.text); len(rest) > 0 && err == nil; {
		var n int
		if n, err = unix.Write(fd, rest); errors.Is(err, unix.EINTR) {
			err = nil
		}
		rest = rest[max(n, 0):]
	}
	if e := unix.Close(fd); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(x.path)
		return &os.PathError{Op: "write", Path: x.path, Err: err}
	}
	return nil
}
