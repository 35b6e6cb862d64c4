package files

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// Open opens a file that was picked, if it still lies where it may.
func (f *File) Open() (*os.File, error) {
	rel, err := filepath.Rel(f.home, f.Path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(f.home)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	in, err := root.Open(rel)
	if err != nil {
		return nil, err
	}
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is no file any more", f.Path), err, in.Close())
	}
	return in, nil
}

// Content is what a file is made of.
type Content struct {
	From    io.Reader
	Mode    fs.FileMode
	Folders fs.FileMode // of folders that are made on the way
}

// Put writes a file below root, by a temporary one beside it that takes its
// place when it is whole: no link is followed out of root, and nobody sees a
// half. It gives the number of bytes.
func Put(ctx context.Context, root *os.Root, name string, c Content) (int64, error) {
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, c.Folders); err != nil {
			return 0, err
		}
	}
	temp := path.Join(path.Dir(name), ".redund-"+rand.Text())
	out, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, c.Mode)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, &reader{ctx, c.From})
	if err = errors.Join(err, out.Close()); err == nil {
		err = root.Rename(temp, name)
	}
	if err != nil {
		_ = root.Remove(temp)
		return 0, err
	}
	return n, nil
}

// reader ends when its context does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

// Reader reads from r until ctx is done.
func Reader(ctx context.Context, r io.Reader) io.Reader { return &reader{ctx, r} }

// Read reads while it may.
func (r *reader) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(b)
}
