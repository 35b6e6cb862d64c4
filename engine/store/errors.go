package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"
	"golang.org/x/sys/unix"
)

// What an error of this package is about, for errors.Is.
var (
	ErrFull    = errors.New("no space left")
	ErrCorrupt = errors.New("damaged database")
	ErrBusy    = errors.New("database in use")
	ErrDenied  = errors.New("not writable")

	errReadOnly = errors.New("the history was opened for reading only")
	errClosed   = errors.New("the history is closed")
)

// fault is an error in plain words that keeps its cause.
type fault struct {
	text  string
	kind  error
	cause error
}

func (f *fault) Error() string   { return f.text }
func (f *fault) Unwrap() []error { return []error{f.kind, f.cause} }

// explain puts an error of the database into one line that says what to do.
func explain(path string, err error) error {
	var known *fault
	var code sqlite3.ErrorCode
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	ours := errors.As(err, &code)
	switch {
	case isDir(path):
		return &fault{fmt.Sprintf("%s is a directory and should be a file: move it away", path), ErrCorrupt, err}
	case full(path, err):
		return &fault{fmt.Sprintf("the disk that holds %s is full: free some space there; nothing that was recorded is lost", path), ErrFull, err}
	case code == sqlite3.CORRUPT, code == sqlite3.NOTADB:
		return &fault{fmt.Sprintf("%s is damaged and was left as it is: bring back a copy of it, or move it away to begin a new history (%v)", path, err), ErrCorrupt, err}
	case code == sqlite3.BUSY, code == sqlite3.LOCKED:
		return &fault{fmt.Sprintf("%s was held by another process for more than %s: try again, or end what holds it", path, patience), ErrBusy, err}
	case code == sqlite3.READONLY, code == sqlite3.CANTOPEN, code == sqlite3.PERM,
		errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		return &fault{fmt.Sprintf("%s cannot be written: make it and its directory writable for this user (%v)", path, err), ErrDenied, err}
	case errors.Is(err, sqlite3.IOERR):
		return fmt.Errorf("%s cannot be read or written: the disk has a fault, which the system's log tells of, or files may not grow as large (ulimit -f): %w", path, err)
	case ours:
		return fmt.Errorf("%s: %w", path, err)
	}
	return err
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// little is so much room that a write which failed may have failed for want of more.
const little = 256 << 10

// full reports whether an error came of a full disk. The database says only
// "disk I/O error" of most of them, so the disk is asked too.
func full(path string, err error) bool {
	var s unix.Statfs_t
	switch {
	case errors.Is(err, sqlite3.FULL), errors.Is(err, sqlite3.IOERR_SHMSIZE), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return true
	case !errors.Is(err, sqlite3.IOERR) || unix.Statfs(filepath.Dir(path), &s) != nil:
		return false
	}
	return s.Bavail*uint64(s.Bsize) < little
}
