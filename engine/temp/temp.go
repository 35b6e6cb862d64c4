// Package temp keeps the directories for scripts and outputs: one a process,
// removed with it, or by whoever comes later.
package temp

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/redundctl/redundctl/engine/proc"
)

// prefix begins the names of temporary directories; the pid and the start
// time of their process follow.
const prefix = "redundctl-"

// New makes the directory of this process: 0700, outside the state
// directory, in the user's runtime directory where there is one, for that is
// memory and goes with the session. What dead processes left is removed.
func New(env func(string) (string, bool), state string) (string, error) {
	base, ok := env("XDG_RUNTIME_DIR")
	if !ok || !filepath.IsAbs(base) || within(state, base) || !writable(base) {
		if base, ok = env("TMPDIR"); !ok || !filepath.IsAbs(base) {
			base = "/tmp"
		}
	}
	if within(state, base) {
		return "", fmt.Errorf("the directory for temporary files, %s, lies in the state directory, which must never hold a secret: set TMPDIR to another one", base)
	}
	sweep(base)
	start, err := proc.StartTime(os.Getpid())
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(base, fmt.Sprintf("%s%d-%d-%s-", prefix, os.Getpid(), start, space()))
	if err != nil {
		return "", fmt.Errorf("a directory for scripts and outputs cannot be made: %w: set TMPDIR to a directory that can be written", err)
	}
	return dir, nil
}

// writable reports whether base is a directory of ours in which files can be
// made.
func writable(base string) bool {
	dir, err := os.MkdirTemp(base, prefix+"probe-")
	if err == nil {
		os.Remove(dir)
	}
	return err == nil
}

// within reports whether path is dir or lies below it, links followed.
func within(dir, path string) bool {
	for _, p := range []*string{&dir, &path} {
		if real, err := filepath.EvalSymlinks(*p); err == nil {
			*p = real
		}
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// space names the PID namespace of this process: a pid of another one says
// nothing here, as of an engine beside a container that shares its /tmp.
func space() string {
	name, err := os.Readlink("/proc/self/ns/pid") // pid:[4026531836]
	if err != nil {
		return "0"
	}
	return strings.Trim(name, "pid:[]")
}

// sweep removes the directories of processes of this PID namespace that are
// dead. It is a courtesy: what cannot be removed stays.
func sweep(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, d := range entries {
		name, ok := strings.CutPrefix(d.Name(), prefix)
		if !ok || !d.IsDir() {
			continue
		}
		part := strings.Split(name, "-")
		if len(part) != 4 || part[2] != space() {
			continue
		}
		pid, perr := strconv.Atoi(part[0])
		start, serr := strconv.ParseUint(part[1], 10, 64)
		info, ierr := d.Info()
		if perr != nil || serr != nil || ierr != nil {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Getuid() {
			continue
		}
		if now, err := proc.StartTime(pid); err == nil && now == start {
			continue
		}
		_ = Remove(filepath.Join(base, d.Name()))
	}
}

// Remove removes a directory, also one in which a step took away its own
// rights.
func Remove(dir string) error {
	if dir == "" {
		return nil
	}
	if os.RemoveAll(dir) == nil {
		return nil
	}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			return os.Chmod(p, 0o700)
		}
		return err
	})
	return errors.Join(os.RemoveAll(dir), ignoreMissing(err))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
