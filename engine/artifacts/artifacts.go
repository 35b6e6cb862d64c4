// Package artifacts keeps the files that a run left to be kept, but for those
// that hold a secret.
package artifacts

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/redundctl/redundctl/engine/secret"
)

// Move brings what a run left in REDUND_ARTIFACTS, below from, to where it is
// kept, below to, and says in one line each what was not kept. It lies in the
// run's temporary directory until it is known to hold no secret that m masks.
func Move(from, to string, m *secret.Masker) (lines []string) {
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		switch {
		case !d.Type().IsRegular():
			lines = append(lines, fmt.Sprintf("artifact %s is not kept: it is no regular file", rel))
			return nil
		case m.Holds(rel):
			lines = append(lines, "an artifact is not kept: its name holds a secret")
			return nil
		}
		pure, err := clean(p, m)
		if err == nil && pure {
			err = keep(p, filepath.Join(to, rel))
		}
		switch {
		case err != nil:
			lines = append(lines, fmt.Sprintf("artifact %s is not kept: %v", rel, err))
		case !pure:
			lines = append(lines, fmt.Sprintf("artifact %s is not kept: it holds a secret", rel))
		}
		return nil
	})
	if err != nil {
		lines = append(lines, fmt.Sprintf("artifacts could not be read: %v", err))
	}
	return lines
}

// clean reports whether masking a file changes nothing.
func clean(path string, m *secret.Masker) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	raw, masked := sha256.New(), sha256.New()
	w := m.Writer(masked)
	if _, err := io.Copy(io.MultiWriter(raw, w), f); err != nil {
		return false, err
	}
	if err := w.Flush(); err != nil {
		return false, err
	}
	return string(raw.Sum(nil)) == string(masked.Sum(nil)), nil
}

// keep copies a file to a place that may be on another disk.
func keep(from, to string) (err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err != nil {
		os.Remove(to)
	}
	return errors.Join(err, out.Close())
}
