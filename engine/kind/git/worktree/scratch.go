package worktree

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Scratch is a folder outside the repository with a git directory that shares
// nothing but the objects of the repository and whose attributes turn every
// conversion off: content is read and written as it lies on disk, whatever
// filters, line endings and encodings the work tree asks for.
type Scratch struct {
	dir    string
	gitDir string
	n      int
}

// Scratch makes a scratch, which the caller closes.
func (r *Repo) Scratch() (*Scratch, error) {
	dir, err := os.MkdirTemp("", "redundctl-git-")
	if err != nil {
		return nil, fmt.Errorf("no folder for temporary files: %w", err)
	}
	s := &Scratch{dir: dir, gitDir: filepath.Join(dir, "git")}
	format := "\trepositoryformatversion = 0\n"
	if r.Objects != "sha1" {
		format = "\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = " + r.Objects + "\n[core]\n"
	}
	text := "[core]\n" + format + "\tbare = false\n"
	for _, key := range []string{"filemode", "symlinks", "ignorecase", "precomposeunicode", "bigfilethreshold", "compression", "loosecompression"} {
		if v, ok := r.Config.Values["core."+key]; ok {
			text += fmt.Sprintf("\t%s = %s\n", key, v)
		}
	}
	files := map[string]string{
		"HEAD": "ref: refs/heads/none\n", "config": text,
		"info/attributes": "* -text -filter -ident -eol -crlf -working-tree-encoding\n",
	}
	for _, d := range []string{"refs", "objects", "info"} {
		if err = os.MkdirAll(filepath.Join(s.gitDir, d), 0o700); err != nil {
			break
		}
	}
	for name, text := range files {
		if err == nil {
			err = os.WriteFile(filepath.Join(s.gitDir, name), []byte(text), 0o600)
		}
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("no folder for temporary files: %w", err)
	}
	return s, nil
}

// Close removes it.
func (s *Scratch) Close() { os.RemoveAll(s.dir) }

// Index is a name for a new index.
func (s *Scratch) Index() string {
	s.n++
	return filepath.Join(s.dir, fmt.Sprintf("index-%d", s.n))
}

// IndexOf is a copy of the repository's index; a name without a file when
// there is none.
func (s *Scratch) IndexOf(r *Repo) (string, error) {
	name := s.Index()
	err := copyFile(filepath.Join(r.GitDir, "index"), name, 0o600)
	if err != nil && !os.IsNotExist(err) {
		return "", err
	}
	// A split index names its other half by a file beside it.
	shared, _ := filepath.Glob(filepath.Join(r.GitDir, "sharedindex.*"))
	for _, f := range shared {
		if err := copyFile(f, filepath.Join(s.gitDir, filepath.Base(f)), 0o600); err != nil {
			return "", err
		}
	}
	return name, nil
}

func copyFile(from, to string, mode fs.FileMode) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Sync()
	}
	if e := out.Close(); err == nil {
		err = e
	}
	return err
}
