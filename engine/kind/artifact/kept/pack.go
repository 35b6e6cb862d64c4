package kept

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/redundctl/redundctl/engine/kind/artifact/files"
)

// Content is what is saved.
type Content struct {
	Key     string
	Replace bool   // takes the place of one that is there
	Dir     string // names are told from here on
	Picked  *files.Picked
}

// errTooLarge is the error of one that alone is more than all may have.
var errTooLarge = errors.New("too large")

// Save keeps files under a key and then removes what is too old or too much. It
// reports false when there is one already that is not to be replaced.
func (d *Dir) Save(ctx context.Context, c Content) (done bool, err error) {
	if h, err := read(d.file(c.Key)); err == nil && h.Key == c.Key && !c.Replace {
		return false, nil
	}
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return false, err
	}
	out, err := os.CreateTemp(d.path, temp) // 0600
	if err != nil {
		return false, err
	}
	defer os.Remove(out.Name())
	err = d.pack(ctx, &limited{out, d.Limit}, &c)
	if err = errors.Join(err, out.Close()); err != nil {
		if errors.Is(err, errTooLarge) {
			err = fmt.Errorf("it is larger than all caches of a project may be together (%d bytes)", d.Limit)
		}
		return false, err
	}
	now := d.Now()
	_ = os.Chtimes(out.Name(), now, now) // as when it is used
	if done, err = d.publish(out.Name(), &c); done {
		d.thin(ctx)
	}
	return done, err
}

// publish gives a complete file its name.
func (d *Dir) publish(from string, c *Content) (bool, error) {
	to := d.file(c.Key)
	if c.Replace {
		err := os.Rename(from, to)
		return err == nil, err
	}
	err := os.Link(from, to) // of two that come at once, one is first
	if errors.Is(err, fs.ErrExist) {
		if h, err := read(to); err == nil && h.Key == c.Key {
			return false, nil
		}
		err = os.Rename(from, to) // what is there cannot be read
	}
	return err == nil, err
}

// limited is a file that may not grow past a limit.
type limited struct {
	f    *os.File
	left int64
}

// Write writes what is within the limit.
func (l *limited) Write(b []byte) (int, error) {
	if l.left -= int64(len(b)); l.left < 0 {
		return 0, errTooLarge
	}
	return l.f.Write(b)
}

func (d *Dir) pack(ctx context.Context, to io.Writer, c *Content) error {
	told, err := json.Marshal(header{c.Key, d.Group, d.paths(), d.Now()})
	if err != nil {
		return err
	}
	buf := bufio.NewWriterSize(to, 1<<20)
	z, err := gzip.NewWriterLevel(buf, gzip.BestSpeed)
	if err != nil {
		return err
	}
	z.Extra = told // a comment that is longer than 512 bytes cannot be read
	w := tar.NewWriter(z)
	for i := range c.Picked.Files {
		f := &c.Picked.Files[i]
		rel, err := filepath.Rel(c.Dir, filepath.Join(c.Picked.Base, f.Rel))
		if err != nil {
			return err
		}
		if err := add(ctx, w, f, filepath.ToSlash(rel)); err != nil {
			return fmt.Errorf("%s: %w", f.Rel, err)
		}
	}
	return errors.Join(w.Close(), z.Close(), buf.Flush())
}

// add writes one file or link.
func add(ctx context.Context, w *tar.Writer, f *files.File, name string) error {
	h := &tar.Header{Name: name, ModTime: f.Info.ModTime(), Mode: int64(f.Info.Mode().Perm()), Format: tar.FormatPAX, Typeflag: tar.TypeReg}
	if f.Link != "" {
		h.Typeflag, h.Linkname = tar.TypeSymlink, f.Link
		return w.WriteHeader(h)
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	h.Size = info.Size()
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	n, err := io.Copy(w, io.LimitReader(files.Reader(ctx, in), h.Size))
	if err == nil && n < h.Size {
		err = errors.New("it became shorter while it was saved")
	}
	return err
}
