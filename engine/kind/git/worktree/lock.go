package worktree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Lock is our own hold on the index: the file that git itself makes while it
// writes the index, so that nobody commits or adds while we work.
type Lock struct {
	path string
	file *os.File
}

var errLocked = errors.New("locked")

// LockIndex takes the lock. With repair, one that a dead process left is
// removed first.
func (r *Repo) LockIndex(ctx context.Context, repair bool) (*Lock, error) {
	path := filepath.Join(r.GitDir, "index.lock")
	for try := 0; ; try++ {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
		if err == nil {
			return &Lock{path: path, file: f}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("the index cannot be locked: %w", err)
		}
		if !repair || try > 0 {
			return nil, fmt.Errorf("%w: %s exists: another git works in %s, or one that died left it (git/repair removes it then)", errLocked, path, r.Top)
		}
		who, err := r.abandoned(ctx, path)
		if err != nil {
			return nil, err
		}
		if who != "" {
			return nil, fmt.Errorf("%w: %s is held by %s: try again when it has ended", errLocked, path, who)
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		r.Say("removed %s, which a dead process had left", path)
	}
}

// Release ends the lock, unless it was published.
func (l *Lock) Release() {
	if l.file != nil {
		l.file.Close()
		os.Remove(l.path)
		l.file = nil
	}
}

// Publish makes the file at from the index, in one step, and ends the lock.
func (l *Lock) Publish(from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if _, err = l.file.Write(b); err == nil {
		err = l.file.Sync()
	}
	if e := l.file.Close(); err == nil {
		err = e
	}
	l.file = nil
	if err == nil {
		err = os.Rename(l.path, strings.TrimSuffix(l.path, ".lock"))
	}
	if err != nil {
		os.Remove(l.path)
	}
	return err
}

// settle is how long a lock must stay the same and without a holder.
const settle = 200 * time.Millisecond

// abandoned looks twice for who may hold a lock file; "" when nobody does.
func (r *Repo) abandoned(ctx context.Context, path string) (string, error) {
	before, err := os.Lstat(path)
	if err != nil {
		return "", nil // gone by itself
	}
	if who := r.Holder(path); who != "" {
		return who, nil
	}
	t := time.NewTimer(settle)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case <-t.C:
	}
	after, err := os.Lstat(path)
	if err != nil {
		return "", nil // gone by itself
	}
	if !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) || before.Size() != after.Size() {
		return "a process that is writing it", nil
	}
	return r.Holder(path), nil
}

// Holder finds a process that has the file open, or a git that works in this
// repository, or one of which that cannot be known.
func (r *Repo) Holder(path string) string {
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return "a process, as far as can be known without /proc"
	}
	top, _ := filepath.EvalSymlinks(r.Top)
	dir, _ := filepath.EvalSymlinks(r.GitDir)
	path = filepath.Join(dir, filepath.Base(path))
	for _, p := range procs {
		pid, err := strconv.Atoi(p.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		base := filepath.Join("/proc", p.Name())
		comm, err := os.ReadFile(filepath.Join(base, "comm"))
		if err != nil {
			continue
		}
		name := string(bytes.TrimSpace(comm))
		if name == "git" || strings.HasPrefix(name, "git-") {
			cwd, err := os.Readlink(filepath.Join(base, "cwd"))
			cmdline, _ := os.ReadFile(filepath.Join(base, "cmdline"))
			if len(cmdline) > 0 && (err != nil || within(cwd, top) || within(cwd, dir) || bytes.Contains(cmdline, []byte(dir))) {
				return fmt.Sprintf("%s (process %d)", name, pid)
			}
		}
		if opens(base, path) {
			return fmt.Sprintf("%s (process %d)", name, pid)
		}
	}
	return ""
}

func within(path, dir string) bool {
	return dir != "" && (path == dir || strings.HasPrefix(path, dir+"/"))
}

func opens(base, path string) bool {
	fds, err := os.ReadDir(filepath.Join(base, "fd"))
	if err != nil {
		return false
	}
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join(base, "fd", fd.Name())); err == nil && to == path {
			return true
		}
	}
	return false
}
