package files

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/source"
)

// Open reads the file at path, which problems call name. The File is nil when
// it cannot be read, and when it is not there, which is no problem of a file
// that is optional.
func Open(path, name string, lim source.Limits, optional bool) (*source.File, []diag.Problem) {
	if _, err := os.Lstat(path); optional && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
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
// large.
func read(path string, lim source.Limits) ([]byte, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errors.New("it is not a regular file") // to read it might wait for ever
	}
	if _, bad := source.TooLarge("", info.Size(), lim); bad {
		return nil, info.Size(), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	// It may have grown meanwhile: one byte more than was there shows it.
	text := make([]byte, info.Size()+1)
	n, err := io.ReadFull(f, text)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return text[:n], info.Size(), err
}
