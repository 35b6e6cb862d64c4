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
// that is optional.
func (i *Instead) Open(path, name string, lim source.Limits, optional bool) (*source.File, []diag.Problem) {
	if i.of(path) {
		if p, bad := source.TooLarge(name, int64(len(i.Text)), lim); bad {
			return nil, []diag.Problem{p}
		}
		return source.Parse(name, i.Text, lim)
	}
	if optional {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	text, size, err := read(path, lim)
	if err != nil {
		return nil, []diag.Problem{{File: name, Severity: diag.Error, Rule: "unreadable", Message: "the file cannot be read: " + Cause(err),
			Hint: "check that it is there and that its mode lets you read it"}}
	}
	if p, bad := source.TooLarge(name, size, lim); bad {
		return nil, []diag.Problem{p}
	}
	return source.Parse(name, text, lim)
}

// read gives the text of a regular file and its size; none of one that is too
// large. It does without os.File, whose seven system calls more a file are a
// tenth of what a large project takes to be read.
func read(path string, lim source.Limits) ([]byte, int64, error) {
	fd, err := retry(func() (int, error) {
		// To open a pipe that nobody writes to would wait for ever.
		return unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, 0, err
	}
	defer unix.Close(fd)
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return nil, 0, err
	}
	if info.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, 0, errors.New("it is not a regular file")
	}
	if _, bad := source.TooLarge("", info.Size, lim); bad {
		return nil, info.Size, nil
	}
	text := make([]byte, info.Size+1) // one byte more shows that it has grown meanwhile
	for n := 0; ; {
		got, err := retry(func() (int, error) { return unix.Read(fd, text[n:]) })
		if err != nil {
			return nil, 0, err
		}
		if n += got; got == 0 || int64(n) == info.Size {
			return text[:n], int64(n), nil
		}
		if _, bad := source.TooLarge("", int64(n), lim); bad {
			return nil, int64(n), nil
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
