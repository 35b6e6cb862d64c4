package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/diag"
)

// discover lists the pipeline files in order: those below the roots, or those
// that were asked for.
func (l *loader) discover() []files.Found {
	d := &files.Walk{Root: l.Root}
	for _, root := range l.roots() {
		d.In(root)
	}
	if len(l.options.Paths) > 0 {
		d = l.asked(d.Found)
	}
	l.add(d.Problems...)
	slices.SortFunc(d.Found, func(a, b files.Found) int { return strings.Compare(a.Name, b.Name) })
	return d.Once(d.Found)
}

// roots are the configured folders, relative to the project root.
func (l *loader) roots() []string {
	var out []string
	for i, pattern := range l.Config.Pipelines {
		if !strings.ContainsAny(pattern, "*?[{") {
			if info, err := os.Stat(l.abs(pattern)); err != nil || !info.IsDir() {
				if len(l.options.Paths) == 0 {
					l.badRoot(i, "missing-folder", "there is no folder "+pattern, "redundctl init makes one")
				}
				continue
			}
			out = append(out, l.relative(pattern))
			continue
		}
		hits, err := doublestar.FilepathGlob(l.abs(pattern))
		if err != nil {
			l.badRoot(i, "glob", fmt.Sprintf("%q is not a pattern of paths", pattern), "use *, ** and ? as in pipelines/**/daily-*.yaml")
		}
		for _, h := range hits {
			out = append(out, l.relative(h))
		}
	}
	return out
}

// badRoot reports an entry of `pipelines` that cannot be used.
func (l *loader) badRoot(i int, rule, message, hint string) {
	p := diag.Problem{File: FileName, Severity: diag.Error, Rule: rule, Message: message, Hint: hint}
	if s, _ := l.open(FileName, true); s != nil {
		at := s.At([]any{"pipelines", i})
		if v, ok := s.Value.(map[string]any); ok && v["pipelines"] != nil {
			if _, one := v["pipelines"].(string); one {
				at = s.At([]any{"pipelines"})
			}
			p = s.Problem(at, p.Severity, p.Rule, p.Message, p.Hint)
		}
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

// asked are the files of the paths that were given: relative to the current
// folder, with the folder below a configured root where they lie in one.
func (l *loader) asked(all []files.Found) *files.Walk {
	known := map[string]string{}
	for _, f := range all {
		known[f.Name] = f.Folder
	}
	d := &files.Walk{Root: l.Root, Linked: true}
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
		d.In(name)
	}
	for i, f := range d.Found {
		if folder, ok := known[f.Name]; ok {
			d.Found[i].Folder = folder
		}
	}
	return d
}
