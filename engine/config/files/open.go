package files

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/source"
)

// Instead is the text that one file is read with in place of its own: what
// somebody is about to save. Nil: each file is read with its own.
type Instead struct {
	Path string // absolute
	Text []byte
}

// of reports whether a path leads to the file.
func (i *Instead) of(path string) bool {
	if i == nil || path == i.Path {
		return i != nil
	}
	a, err := os.Stat(i.Path)
	b, berr := os.Stat(path)
	return err == nil && berr == nil && os.SameFile(a, b)
}

// Open reads the file at path, which problems call name. The File is nil when
// it cannot be read, and when it is not there, which is no problem of a file
// that is optional. The Stamp tells it from the same file after a change.
func (i *Instead) Open(path, name string, lim source.Limits, optional bool) (*source.File, []diag.Problem, Stamp) {
	if i.of(path) {
		if p, bad := source.TooLarge(name, int64(len(i.Text)), lim); bad {
			return nil, []diag.Problem{p}, Stamp{}
		}
		f, ps := source.Parse(name, i.Text, lim)
		return f, ps, Stamp{}
	}
	if optional {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, Stamp{}
		}
	}
	text, size, stamp, err := read(path, lim)
	if err != nil {
		return nil, []diag.Problem{{File: name, Severity: diag.Error, Rule: "unreadable", Message: "the file cannot be read: " + Cause(err),
			Hint: "check that it is there and that its mode lets you read it"}}, Stamp{}
	}
	if p, bad := source.TooLarge(name, size, lim); bad {
		return nil, []diag.Problem{p}, stamp
	}
	f, ps := source.Parse(name, text, lim)
	return f, ps, stamp
}

// read gives the text of a regular file and its size; none of one that is too
// large. It does without os.File, whose seven system calls more a file are a
// tenth of what a large project takes to be read.
func read(path string, lim source.Limits) (text []byte, size int64, stamp Stamp, err error) {
	fd, err := retry(func() (int, error) {
		// To open a pipe that nobody writes to would wait for ever.
		return unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, 0, stamp, err
	}
	defer unix.Close(fd)
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return nil, 0, stamp, err
	}
	if info.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, 0, stamp, errors.New("it is not a regular file")
	}
	stamp = stampOf(&info)
	if _, bad := source.TooLarge("", info.Size, lim); bad {
		return nil, info.Size, stamp, nil
	}
	text = make([]byte, info.Size+1) // one byte more shows that it has grown meanwhile
	for n := 0; ; {
		got, err := retry(func() (int, error) { return unix.Read(fd, text[n:]) })
		if err != nil {
			return nil, 0, stamp, err
		}
		if n += got; got == 0 || int64(n) == info.Size {
			return text[:n], int64(n), stamp, nil
		}
		if _, bad := source.TooLarge("", int64(n), lim); bad {
			return nil, int64(n), stamp, nil
		}
		if n == len(text) {
			text = append(text, make([]byte, len(text))...)
		}
	}
}

// retry calls f again when a signal has interrupted it.
func retry(f func() (int, error)) (int, error) {
	for {
		if n, err := f(); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
