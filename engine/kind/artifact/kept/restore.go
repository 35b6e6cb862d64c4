package kept

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/redundctl/redundctl/engine/kind/artifact/files"
)

// Target is where a cache is restored to.
type Target struct {
	Dir    string                 // names are told from here on
	Root   string                 // nothing is written outside of it
	Closed func(path string) bool // reports what is never written
}

// Restore brings the files of a cache back, over what is there, and gives their
// number. It reads the whole of it before it writes: a *Corrupt one changes
// nothing, and is removed.
func (d *Dir) Restore(ctx context.Context, e *Entry, to Target) (int, error) {
	f, err := os.Open(e.file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	below, err := filepath.Rel(to.Root, to.Dir)
	if err != nil {
		return 0, err
	}
	root, err := os.OpenRoot(to.Root)
	if err != nil {
		return 0, err
	}
	defer func() { _ = root.Close() }()
	u := unpacking{ctx: ctx, root: root, to: to, below: filepath.ToSlash(below)}
	if _, err := u.each(f, u.check); err != nil {
		if ctx.Err() == nil {
			d.remove(e, f)
			err = &Corrupt{err}
		}
		return 0, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := u.each(f, u.write)
	if err != nil {
		return n, fmt.Errorf("after %d files of it: %w", n, err)
	}
	now := d.Now()
	_ = os.Chtimes(e.file, now, now) // it was used; one that cannot be told so goes sooner
	return n, nil
}

// remove removes a damaged file, if it is still the one that was read.
func (d *Dir) remove(e *Entry, f *os.File) {
	read, err := f.Stat()
	if err != nil {
		return
	}
	if there, err := os.Lstat(e.file); err == nil && os.SameFile(read, there) {
		_ = os.Remove(e.file)
	}
}

// unpacking reads one cache.
type unpacking struct {
	ctx   context.Context
	root  *os.Root
	to    Target
	below string // of root: where names begin
}

// each reads the whole of a cache, to the sum at its end.
func (u *unpacking) each(f *os.File, do func(*tar.Header, string, io.Reader) error) (n int, err error) {
	z, err := gzip.NewReader(bufio.NewReaderSize(files.Reader(u.ctx, f), 1<<20))
	if err != nil {
		return 0, err
	}
	z.Multistream(false)
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, z) // the sum stands after the end of the tar
			return n, err
		}
		if err != nil {
			return n, err
		}
		name := path.Join(u.below, h.Name)
		if path.IsAbs(h.Name) || !filepath.IsLocal(name) || name == "." {
			return n, fmt.Errorf("%q does not lie in the project", h.Name)
		}
		if err := do(h, name, r); err != nil {
			return n, fmt.Errorf("%s: %w", h.Name, err)
		}
		n++
	}
}

// check reads one file and writes nothing.
func (u *unpacking) check(h *tar.Header, _ string, r io.Reader) error {
	switch h.Typeflag {
	case tar.TypeReg:
		_, err := io.Copy(io.Discard, r)
		return err
	case tar.TypeSymlink:
		return nil
	}
	return fmt.Errorf("it is neither a file nor a link (type %q)", h.Typeflag)
}

// write writes one file or link.
func (u *unpacking) write(h *tar.Header, name string, r io.Reader) error {
	if u.to.Closed(filepath.Join(u.to.Root, name)) {
		return nil // never saved by us, and never written
	}
	if h.Typeflag == tar.TypeSymlink {
		return u.link(h, name)
	}
	if _, err := files.Put(u.ctx, u.root, name, files.Content{From: r, Mode: fs.FileMode(h.Mode).Perm() | 0o600, Folders: 0o777}); err != nil {
		return err
	}
	return u.root.Chtimes(name, h.ModTime, h.ModTime)
}

// link makes a link by a temporary name. Where it leads to is not followed: what
// is written later through it cannot leave the project.
func (u *unpacking) link(h *tar.Header, name string) error {
	if err := u.root.MkdirAll(path.Dir(name), 0o777); err != nil {
		return err
	}
	if info, err := u.root.Lstat(name); err == nil && info.IsDir() {
		return errors.New("a folder is in the place of a link")
	}
	at := path.Join(path.Dir(name), ".redund-"+rand.Text())
	if err := u.root.Symlink(h.Linkname, at); err != nil {
		return err
	}
	if err := u.root.Rename(at, name); err != nil {
		return errors.Join(err, u.root.Remove(at))
	}
	return nil
}
