// Package paths holds that a path which an expression built lies inside the
// project.
package paths

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Inside gives an absolute path back when it lies below root after every link
// that exists on the way; what does not exist yet counts as a plain name.
func Inside(root, path string) (string, error) {
	path = filepath.Clean(path)
	real, err := resolve(path)
	if err != nil {
		return "", fmt.Errorf("the path %s cannot be followed: %w", path, err)
	}
	home, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", fmt.Errorf("the project root cannot be read: %w", err)
	}
	if rel, err := filepath.Rel(home, real); err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("the path %s lies outside the project: a path that an expression built must lie inside it", path)
	}
	return path, nil
}

// resolve follows the links of the longest part of a path that exists.
func resolve(path string) (string, error) {
	rest := ""
	for at := path; ; {
		real, err := filepath.EvalSymlinks(at)
		if err == nil {
			return filepath.Join(real, rest), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if _, lerr := os.Lstat(at); lerr == nil {
			return "", errors.New("a link on it leads nowhere")
		}
		parent := filepath.Dir(at)
		if parent == at {
			return "", err
		}
		rest, at = filepath.Join(filepath.Base(at), rest), parent
	}
}
