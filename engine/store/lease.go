package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"golang.org/x/sys/unix"
)

// Lease marks the process that holds it as alive: a lock on a file of its own,
// which the kernel takes back when the process ends, however it ends.
type Lease struct {
	ID   string
	file *os.File
}

var leaseID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`) })

func (d *DB) leasePath(id string) (string, error) {
	if !leaseID().MatchString(id) {
		return "", fmt.Errorf("%q cannot name a lease", id)
	}
	return filepath.Join(d.dir, leases, id), nil
}

// Lease takes the lease of that id, which must be new.
func (d *DB) Lease(id string) (*Lease, error) {
	path, err := d.leasePath(id)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, explain(path, err)
	}
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, explain(path, err)
		}
		// Who only looks whether we are alive holds a shared lock for an instant.
		if err := flock(f, unix.LOCK_EX); err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if same(f, path) {
			return &Lease{ID: id, file: f}, nil
		}
		f.Close() // swept away between the two
	}
}

// same reports whether path still names the open file.
func same(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(open, named)
}

// Release gives the lease back.
func (l *Lease) Release() error {
	os.Remove(l.file.Name())
	return l.file.Close()
}

// Alive reports whether the process that took the lease of that id still
// lives. What cannot be told counts as alive: nothing is then taken from it.
func (d *DB) Alive(id string) bool {
	path, err := d.leasePath(id)
	if err != nil {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	defer f.Close()
	return flock(f, unix.LOCK_SH|unix.LOCK_NB) != nil
}

// Sweep removes the lease files of processes that ended.
func (d *DB) Sweep() error {
	dir := filepath.Join(d.dir, leases)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return explain(dir, err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		f, err := os.Open(path)
		if err != nil {
			continue // gone, or not ours
		}
		if flock(f, unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.Remove(path)
		}
		f.Close()
	}
	return nil
}
