// Package files finds the files of a project below its folders.
package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/redundctl/redundctl/engine/diag"
)

// Found is one file to read.
type Found struct {
	Name   string // relative to the project root, with forward slashes; ../x outside of it
	Folder string // the folder that names its system: of those above it one that is, else the one below its root
	Given  bool   // named on the command line, and below no root
}

// Walk collects files. It is used by one goroutine.
type Walk struct {
	Root     string // of the project, absolute
	Found    []Found
	Problems []diag.Problem
	// Linked is set when a link was followed, so that one file may have two
	// paths.
	Linked bool
	// Named reports whether a system is called so.
	Named func(folder string) bool

	seen map[string]bool // folders that were walked, by their real path
}

// In collects the files at or below names, which are relative to Root: a file
// whatever its name, below a folder those that are YAML by theirs.
func (d *Walk) In(names ...string) {
	for _, name := range names {
		d.walk(name, name, true)
	}
}

// BadRoot is a folder or pattern that cannot be used.
type BadRoot struct {
	Index               int
	Severity            diag.Severity
	Rule, Message, Hint string
}

// Roots collects the files below folders and patterns.
func (d *Walk) Roots(patterns []string) []BadRoot {
	var bad []BadRoot
	for i, pattern := range patterns {
		if !strings.ContainsAny(pattern, "*?[{") {
			if _, err := os.Stat(d.abs(pattern)); err != nil {
				hint := "make it, or take it out of the list"
				if pattern == "pipelines" {
					hint = "redundctl init makes one"
				}
				bad = append(bad, BadRoot{i, diag.Error, "missing-folder", "there is no folder " + pattern, hint})
				continue
			}
			d.In(Relative(d.Root, d.abs(pattern)))
			continue
		}
		glob := pattern
		if !filepath.IsAbs(pattern) {
			glob = filepath.Join(literal(d.Root), pattern)
		}
		hits, err := doublestar.FilepathGlob(glob)
		if err != nil {
			bad = append(bad, BadRoot{i, diag.Error, "glob", fmt.Sprintf("%q is not a pattern of paths", pattern), "use *, ** and ? as in pipelines/**/daily-*.yaml"})
		}
		matched := err != nil
		for _, h := range hits {
			if name := Relative(d.Root, h); d.meant(pattern, name) {
				matched = true
				d.In(name)
			}
		}
		if !matched {
			bad = append(bad, BadRoot{i, diag.Warning, "empty-pattern", fmt.Sprintf("no folder and no file of YAML matches %q", pattern), "it is taken from the project's folder, and ** stands for any folders in between"})
		}
	}
	return bad
}

// meant reports whether a pattern that a path matches means it: a folder or a
// file of YAML, and nothing with a leading dot that is not written out.
func (d *Walk) meant(pattern, name string) bool {
	for _, part := range strings.Split(name, "/") {
		if strings.HasPrefix(part, ".") && part != ".." && !slices.Contains(strings.Split(pattern, "/"), part) {
			return false
		}
	}
	info, err := os.Stat(d.abs(name))
	return err != nil || info.IsDir() || isPipeline(name)
}

// Fixed is the part of a pattern that is no pattern: all that it may mean lies
// there or below.
func Fixed(pattern string) string {
	if !strings.ContainsAny(pattern, "*?[{") {
		return pattern
	}
	folder, _ := doublestar.SplitPattern(pattern)
	return folder
}

// literal is a path as a pattern that means it alone.
func literal(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `{`, `\{`).Replace(path)
}

// Known tells the files that were found before from those that only a name on
// the command line leads to.
func (d *Walk) Known(before []Found) {
	known := map[string]Found{}
	for _, f := range before {
		known[f.Name] = f
	}
	for i, f := range d.Found {
		if k, ok := known[f.Name]; ok {
			d.Found[i] = k
		} else {
			d.Found[i].Given = true
		}
	}
}

// Relative is an absolute path as it is shown: below the project root with
// forward slashes.
func Relative(root, path string) string {
	if rel, err := filepath.Rel(root, path); err == nil {
		path = rel
	}
	return filepath.ToSlash(path)
}

// Root is the absolute project root: dir, or the folder of the nearest file of
// that name upwards, else the current one.
func Root(dir, name string) string {
	if dir != "" {
		if abs, err := filepath.Abs(dir); err == nil {
			return abs
		}
		return dir
	}
	here, err := os.Getwd()
	if err != nil {
		return "."
	}
	for d := here; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(filepath.Join(d, name)); err == nil {
			return d
		}
		if d == filepath.Dir(d) {
			return here
		}
	}
}

// walk collects the files at or below name. Links are followed; a folder that
// is reached twice, as through a link to its parent, is walked once.
func (d *Walk) walk(root, name string, first bool) {
	path := d.abs(name)
	info, err := os.Stat(path)
	if err != nil {
		switch _, there := os.Lstat(path); {
		case first && errors.Is(there, fs.ErrNotExist):
			d.Problems = append(d.Problems, Missing(name, "check the path: it is taken from the current folder, and then from the project's"))
		case first || isPipeline(name):
			d.Problems = append(d.Problems, diag.Problem{File: name, Severity: diag.Error, Rule: "unreadable", Message: "the file cannot be read: " + Cause(err), Hint: "check where it leads and its mode"})
		}
		return
	}
	if !info.IsDir() {
		if isPipeline(name) || first && name == root {
			d.Found = append(d.Found, Found{Name: name, Folder: d.folder(root, name)})
		}
		return
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil || d.seen[real] {
		return
	}
	if d.seen == nil {
		d.seen = map[string]bool{}
	}
	d.seen[real] = true
	entries, err := os.ReadDir(path)
	if err != nil {
		d.Problems = append(d.Problems, diag.Problem{File: name, Severity: diag.Error, Rule: "unreadable", Message: "the folder cannot be read: " + Cause(err), Hint: "check its mode"})
	}
	for _, e := range entries {
		below := strings.TrimPrefix(name+"/"+e.Name(), "./")
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.Type().IsRegular():
			if isPipeline(e.Name()) {
				d.Found = append(d.Found, Found{Name: below, Folder: d.folder(root, below)})
			}
		case e.IsDir() || e.Type()&fs.ModeSymlink != 0 || isPipeline(e.Name()):
			d.Linked = d.Linked || e.Type()&fs.ModeSymlink != 0
			d.walk(root, below, false)
		}
	}
}

// Missing is the problem of a file or folder that was asked for and is not
// there.
func Missing(name, hint string) diag.Problem {
	return diag.Problem{File: name, Severity: diag.Error, Rule: "unreadable", Message: "there is no such file or folder", Hint: hint}
}

func isPipeline(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// folder is the first folder below the root. Where no system is called so, as
// of a root that is itself a system's folder, or a file that a pattern found,
// it may be the root's own name, or that of the folder that the file lies in.
func (d *Walk) folder(root, name string) string {
	rest := strings.TrimPrefix(strings.TrimPrefix(name, root), "/")
	first, _, below := strings.Cut(rest, "/")
	if !below {
		first = filepath.Base(filepath.Dir(d.abs(name)))
	}
	if d.Named == nil || d.Named(first) {
		return first
	}
	for _, folder := range []string{filepath.Base(d.abs(root)), filepath.Base(filepath.Dir(d.abs(name)))} {
		if d.Named(folder) {
			return folder
		}
	}
	return first
}

// Once leaves out files that were reached before by another path; the first
// in order stays.
func (d *Walk) Once(files []Found) []Found {
	reached := map[string]bool{}
	return slices.DeleteFunc(files, func(f Found) bool {
		real := f.Name
		if d.Linked {
			if r, err := filepath.EvalSymlinks(d.abs(f.Name)); err == nil {
				real = r
			}
		}
		twice := reached[real]
		reached[real] = true
		return twice
	})
}

func (d *Walk) abs(name string) string { return Under(d.Root, name) }

// Under is where a path lies that is relative to dir, or absolute.
func Under(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, filepath.FromSlash(path))
}

// Folder reports whether there is a folder at a path.
func Folder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Cause is err without the path, which stands before it.
func Cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
