// Package files finds the files of a project below its folders.
package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/diag"
)

// Found is one file to read.
type Found struct {
	Name   string // relative to the project root, with forward slashes; absolute outside of it
	Folder string // the folder below its root; the root's own name where there is none
}

// Walk collects files. It is used by one goroutine.
type Walk struct {
	Root     string // of the project, absolute
	Found    []Found
	Problems []diag.Problem
	// Linked is set when a link was followed, so that one file may have two
	// paths.
	Linked bool

	seen map[string]bool // folders that were walked, by their real path
}

// In collects the files at or below name, which is relative to Root: a file
// whatever its name, below a folder those that are YAML by theirs.
func (d *Walk) In(name string) { d.walk(name, name, true) }

// walk collects the files at or below name. Links are followed; a folder that
// is reached twice, as through a link to its parent, is walked once.
func (d *Walk) walk(root, name string, first bool) {
	path := filepath.Join(d.Root, filepath.FromSlash(name))
	if filepath.IsAbs(name) {
		path = name
	}
	info, err := os.Stat(path)
	if err != nil {
		if first || isPipeline(name) {
			d.Problems = append(d.Problems, diag.Problem{File: name, Severity: diag.Error, Rule: "unreadable", Message: "the file cannot be read: " + Cause(err), Hint: "check where it leads and its mode"})
		}
		return
	}
	if !info.IsDir() {
		if isPipeline(name) || first && name == root {
			d.Found = append(d.Found, Found{Name: name, Folder: folder(root, name)})
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
				d.Found = append(d.Found, Found{Name: below, Folder: folder(root, below)})
			}
		case e.IsDir() || e.Type()&fs.ModeSymlink != 0 || isPipeline(e.Name()):
			d.Linked = d.Linked || e.Type()&fs.ModeSymlink != 0
			d.walk(root, below, false)
		}
	}
}

func isPipeline(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// folder is the first folder below the root; of a file that lies in the root
// itself, as with a pattern for folders, the root's own name.
func folder(root, name string) string {
	rest := strings.TrimPrefix(strings.TrimPrefix(name, root), "/")
	first, _, ok := strings.Cut(rest, "/")
	if !ok {
		return filepath.Base(root)
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

// abs is where a name lies.
func (d *Walk) abs(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(d.Root, filepath.FromSlash(name))
}

// Cause is err without the path, which stands before it.
func Cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
