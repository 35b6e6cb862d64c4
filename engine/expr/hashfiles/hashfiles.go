// Package hashfiles is the function hashFiles of GitHub Actions, kept below one
// directory.
package hashfiles

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/bmatcuk/doublestar/v4"
)

// pattern is one line of what hashFiles is given.
type pattern struct {
	glob   string // relative to the root, with slashes
	base   string // its part before the first wildcard
	negate bool
}

// PatternError is a pattern that is not valid. It tells which one, but not
// the pattern, which may have been made of a secret.
type PatternError struct{ Index int }

// Error says what is wrong without the pattern.
func (e *PatternError) Error() string { return "the pattern of hashFiles is not valid" }

// Below is the SHA-256 of the SHA-256 of each file that matches, in the order
// of a walk; "" when nothing matches. Each pattern may have several lines.
// Files that are not below the root, also by a link, never match. The error is
// a *PatternError, or says which file below the root cannot be read.
func Below(root string, patterns []string) (string, error) {
	var list []pattern
	for i, x := range patterns {
		for line := range strings.Lines(x) {
			p, ok := parsePattern(line, root)
			if !ok {
				continue
			}
			if !doublestar.ValidatePattern(p.glob) {
				return "", &PatternError{Index: i}
			}
			list = append(list, p)
		}
	}
	sum, err := hashBelow(root, list)
	if err != nil {
		return "", errors.New("hashFiles cannot read a file: " + reason(err))
	}
	return sum, nil
}

// parsePattern reads one line. It is not ok for an empty one, a comment, and
// what leads out of the root.
func parsePattern(line, root string) (p pattern, ok bool) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return p, false
	}
	for strings.HasPrefix(line, "!") {
		p.negate, line = !p.negate, strings.TrimSpace(line[1:])
	}
	if strings.HasPrefix(line, "/") {
		root = strings.TrimSuffix(filepath.ToSlash(root), "/")
		if line != root && !strings.HasPrefix(line, root+"/") {
			return p, false
		}
		line = strings.TrimPrefix(line[len(root):], "/")
	}
	line = path.Clean(line)
	if line == ".." || strings.HasPrefix(line, "../") {
		return p, false
	}
	if line == "." {
		line = "**"
	}
	p.base, _ = doublestar.SplitPattern(line)
	if !strings.ContainsAny(line, `*?[\`) {
		p.base = line
	}
	p.glob = escapeBraces(line)
	return p, true
}

// escapeBraces takes the meaning from braces, which have none on GitHub.
func escapeBraces(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\':
			b.WriteByte(c)
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
			continue
		case '{', '}':
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// matches reports whether a file is one of those asked for; the last line
// that speaks of it decides. A line stands also for all below what it names.
func matches(list []pattern, name string) bool {
	out := false
	for _, p := range list {
		if p.negate != out {
			continue // it could only say what holds already
		}
		if doublestar.MatchUnvalidated(p.glob, name) || doublestar.MatchUnvalidated(p.glob+"/**", name) {
			out = !p.negate
		}
	}
	return out
}

// bases are where to walk: those of the patterns, in order, without what lies
// below another.
func bases(list []pattern) []string {
	var out []string
	within := func(a, b string) bool { return b == "." || a == b || strings.HasPrefix(a, b+"/") }
	for i, p := range list {
		keep := !p.negate
		for k, q := range list {
			if !q.negate && k != i && within(p.base, q.base) && (p.base != q.base || k < i) {
				keep = false
			}
		}
		if keep {
			out = append(out, p.base)
		}
	}
	return out
}

func hashBelow(dir string, list []pattern) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }()
	all, found := sha256.New(), false
	for _, base := range bases(list) {
		err := fs.WalkDir(root.FS(), base, func(name string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist), err != nil && name == base && !errors.Is(err, fs.ErrPermission):
				return nil // there is no such file, it went meanwhile, or it lies behind a link that leads out
			case err != nil:
				return err
			case d.IsDir() || !matches(list, name):
				return nil
			}
			ok, err := hashFile(all, root, name)
			found = found || ok
			return err
		})
		if err != nil {
			return "", err
		}
	}
	if !found {
		return "", nil
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

// hashFile adds a file's sum to all. It is not ok for what is no file: a
// directory behind a link, a pipe, a link that leads nowhere or out.
func hashFile(all hash.Hash, root *os.Root, name string) (ok bool, err error) {
	info, err := root.Lstat(name)
	if err != nil {
		return false, ignoreMissing(err)
	}
	// Not to wait for the writer of a pipe.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		if info.Mode()&(fs.ModeSymlink|fs.ModeSocket) != 0 {
			return false, nil
		}
		return false, ignoreMissing(err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return false, err
	}
	_, err = all.Write(sum.Sum(nil))
	return true, err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// reason is what an error of the file system says, with the path inside the
// root alone.
func reason(err error) string {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Path + ": " + e.Err.Error()
	}
	return err.Error()
}
