package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/redundctl/redundctl/engine/diag"
)

// found is one file to read.
type found struct {
	name   string // relative to the project root, with forward slashes
	folder string // the folder below its root, or ""
}

// discover lists the pipeline files in order: those below the roots, or those
// that were asked for.
func (l *loader) discover() []found {
	d := &discovery{loader: l, seen: map[string]bool{}}
	for _, root := range l.roots() {
		d.walk(root, root, true)
	}
	out := d.files
	slices.SortFunc(out, func(a, b found) int { return strings.Compare(a.name, b.name) })
	if len(l.options.Paths) > 0 {
		out = l.asked(d)
	}
	return d.once(out)
}

// roots are the configured folders, relative to the project root.
func (l *loader) roots() []string {
	var out []string
	for i, pattern := range l.Config.Pipelines {
		if !strings.ContainsAny(pattern, "*?[{") {
			if info, err := os.Stat(l.abs(pattern)); err != nil || !info.IsDir() {
				if len(l.options.Paths) == 0 {
					l.missingRoot(i, pattern)
				}
				continue
			}
			out = append(out, l.relative(pattern))
			continue
		}
		hits, err := doublestar.FilepathGlob(l.abs(pattern))
		if err != nil {
			l.add(diag.Problem{File: FileName, Severity: diag.Error, Rule: "pattern", Message: fmt.Sprintf("%q is not a pattern of paths", pattern), Hint: "use *, ** and ? as in pipelines/**/daily-*.yaml"})
		}
		for _, h := range hits {
			out = append(out, l.relative(h))
		}
	}
	return out
}

// missingRoot reports a folder that is written in redund.yaml, or the default
// one when there is nothing else to read.
func (l *loader) missingRoot(i int, pattern string) {
	p := diag.Problem{File: FileName, Severity: diag.Error, Rule: "missing-folder",
		Message: fmt.Sprintf("there is no folder %s", pattern), Hint: "redundctl init makes one"}
	if s := l.open(FileName, true); s != nil {
		at := s.At([]any{"pipelines", i})
		if _, ok := s.Value.(map[string]any)["pipelines"].(string); ok {
			at = s.At([]any{"pipelines"})
		}
		p = s.Problem(at, p.Severity, p.Rule, p.Message, p.Hint)
	}
	l.add(p)
}

// relative is a path as it is shown: below the project root with forward
// slashes, else absolute.
func (l *loader) relative(path string) string {
	if rel, err := filepath.Rel(l.Root, l.abs(path)); err == nil {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(path)
}

type discovery struct {
	*loader
	files  []found
	seen   map[string]bool // folders that were walked, by their real path
	linked bool            // a link was followed, so that one file may have two paths
}

// walk collects the files at or below name. Links are followed; a folder that
// is reached twice, as through a link to its parent, is walked once.
func (d *discovery) walk(root, name string, first bool) {
	path := filepath.Join(d.Root, filepath.FromSlash(name))
	if filepath.IsAbs(name) {
		path = name
	}
	info, err := os.Stat(path)
	if err != nil {
		if first || isPipeline(name) {
			d.add(diag.Problem{File: name, Severity: diag.Error, Rule: "unreadable", Message: "the file cannot be read: " + cause(err), Hint: "check where it leads and its mode"})
		}
		return
	}
	if !info.IsDir() {
		if isPipeline(name) || first && name == root {
			d.files = append(d.files, found{name: name, folder: folder(root, name)})
		}
		return
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil || d.seen[real] {
		return
	}
	d.seen[real] = true
	entries, err := os.ReadDir(path)
	if err != nil {
		d.add(diag.Problem{File: name, Severity: diag.Error, Rule: "unreadable", Message: "the folder cannot be read: " + cause(err), Hint: "check its mode"})
	}
	for _, e := range entries {
		below := strings.TrimPrefix(name+"/"+e.Name(), "./")
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.Type().IsRegular():
			if isPipeline(e.Name()) {
				d.files = append(d.files, found{name: below, folder: folder(root, below)})
			}
		case e.IsDir() || e.Type()&fs.ModeSymlink != 0 || isPipeline(e.Name()):
			d.linked = d.linked || e.Type()&fs.ModeSymlink != 0
			d.walk(root, below, false)
		}
	}
}

func isPipeline(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// folder is the first folder below the root.
func folder(root, name string) string {
	rest := strings.TrimPrefix(strings.TrimPrefix(name, root), "/")
	first, _, ok := strings.Cut(rest, "/")
	if !ok {
		return ""
	}
	return first
}

// once leaves out files that were reached before by another path.
func (d *discovery) once(files []found) []found {
	reached := map[string]bool{}
	return slices.DeleteFunc(files, func(f found) bool {
		real := f.name
		if d.linked {
			if r, err := filepath.EvalSymlinks(d.abs(filepath.FromSlash(f.name))); err == nil {
				real = r
			}
		}
		twice := reached[real]
		reached[real] = true
		return twice
	})
}

// asked are the files of the paths that were given: relative to the current
// folder, with the folder below a configured root where they lie in one.
func (l *loader) asked(all *discovery) []found {
	known := map[string]string{}
	for _, f := range all.files {
		known[f.name] = f.folder
	}
	d := &discovery{loader: l, seen: map[string]bool{}}
	all.linked = true
	for _, path := range l.options.Paths {
		abs, err := filepath.Abs(path)
		if l.options.Dir != "" && err == nil {
			if _, serr := os.Stat(abs); serr != nil {
				abs = l.abs(path)
			}
		}
		name := l.relative(abs)
		if filepath.Base(name) == FileName {
			continue
		}
		d.walk(name, name, true)
	}
	for i, f := range d.files {
		if folder, ok := known[f.name]; ok {
			d.files[i].folder = folder
		}
	}
	slices.SortFunc(d.files, func(a, b found) int { return strings.Compare(a.name, b.name) })
	return d.files
}
