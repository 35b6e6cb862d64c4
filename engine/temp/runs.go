package temp

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// mostSpares is for as many runs side by side, and for what one of them has of
// empty files.
const mostSpares = 64

// Runs gives each run of this process a directory. To make and remove an inode
// costs much where many runs follow each other (ext4 looks through all that was
// removed within five seconds), so the directory of a run that left nothing in it
// but empty files goes to a next one, under a new name: what still knows the old
// one finds nothing there. It may be used from several goroutines; the zero value
// needs Dir.
type Runs struct {
	Dir string // of this process

	mu     sync.Mutex
	spares []string
}

// Artifacts is the name of the directory in a run's own for what it leaves to be
// kept. It goes with its run: who still works in it must not leave anything to
// another.
const Artifacts = "artifacts"

// Take gives a directory for a run, 0700, with an empty one in it for artifacts.
func (r *Runs) Take() (string, error) {
	dir := r.spare()
	if dir == "" {
		dir = r.name()
		if err := os.Mkdir(dir, 0o700); err != nil {
			return "", fmt.Errorf("the directory of the run cannot be made: %w", err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, Artifacts), 0o700); err != nil {
		return "", errors.Join(fmt.Errorf("the directory of the run cannot be made: %w", err), Remove(dir))
	}
	return dir, nil
}

// name is a path that nobody can have laid something at.
func (r *Runs) name() string {
	return filepath.Join(r.Dir, "run-"+strconv.FormatUint(rand.Uint64(), 36))
}

func (r *Runs) spare() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.spares) - 1
	if last < 0 {
		return ""
	}
	out := r.spares[last]
	r.spares = r.spares[:last]
	return out
}

// Left reports whether a run left anything in its directory for artifacts, and
// removes that when it did not.
func (r *Runs) Left(dir string) bool { return unix.Rmdir(filepath.Join(dir, Artifacts)) != nil }

// Give takes back the directory of a run that has ended: it is used again or
// removed with all that is in it.
func (r *Runs) Give(dir string) error {
	if passable(dir) {
		next := r.name()
		if unix.Rename(dir, next) == nil && r.keep(next) {
			return nil
		}
	}
	return Remove(dir)
}

func (r *Runs) keep(dir string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.spares) == mostSpares {
		return Remove(dir) == nil
	}
	r.spares = append(r.spares, dir)
	return true
}

// passable reports whether a directory is as we made it and holds nothing but
// empty files, which nobody writes to any more.
func passable(dir string) bool {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode != unix.S_IFDIR|0o700 || int(st.Uid) != os.Geteuid() {
		return false
	}
	var room [4096]byte
	var names []string
	for len(names) <= mostSpares {
		n, err := unix.Getdents(fd, room[:])
		if err != nil {
			return false
		}
		if n == 0 {
			break
		}
		_, _, names = unix.ParseDirent(room[:n], -1, names)
	}
	if len(names) > mostSpares {
		return false
	}
	for _, name := range names {
		if !unheld(fd, name) {
			return false
		}
	}
	return true
}

// unheld reports whether a file is empty, ours alone, and open for writing
// nowhere: only then a lease on it is given.
func unheld(dir int, name string) bool {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd) // gives back the lease
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode != unix.S_IFREG|0o600 || st.Nlink != 1 || st.Size != 0 || int(st.Uid) != os.Geteuid() {
		return false
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK)
	return err == nil
}
