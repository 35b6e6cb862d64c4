package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/diag"
)

// discover lists the files to read, in order: those below the roots, and those
// that were asked for. All are read whatever was asked: whether a name is
// taken, or a pipeline there, shows only beside the others.
func (l *loader) discover() []files.Found {
	d := l.walk()
	for _, bad := range d.Roots(l.Config.Pipelines) {
		if bad.Rule == "glob" || len(l.options.Paths) == 0 && !l.kept.settings.Blind && (l.kept.settings.Rooted || !l.ConfigInvalid) {
			l.badRoot(bad)
		}
	}
	list := d.Found
	if len(l.options.Paths) == 0 {
		l.add(d.Problems...)
	} else {
		given := l.walk()
		given.In(l.paths()...)
		given.Known(d.Found)
		l.add(given.Problems...)
		d.Linked = d.Linked || slices.ContainsFunc(given.Found, func(f files.Found) bool { return f.Given })
		given.Linked = d.Linked
		l.asked = map[string]bool{}
		for _, f := range given.Once(given.Found) {
			l.asked[f.Name] = true
		}
		if l.asked[FileName] {
			l.named = true
			delete(l.asked, FileName)
		}
		list = append(given.Found, list...)
	}
	list = slices.DeleteFunc(d.Once(list), func(f files.Found) bool { return f.Name == FileName })
	slices.SortFunc(list, func(a, b files.Found) int { return strings.Compare(a.Name, b.Name) })
	l.kept.linked = d.Linked
	l.Files = len(list)
	if l.asked != nil {
		l.Files = len(l.asked)
	}
	if (l.kept.settings.Source != nil || l.kept.settings.Blind) && (l.asked == nil || l.named || len(l.Problems) > 0) {
		l.Files++
	}
	l.kept.problems = slices.Clip(l.Problems)
	return list
}

func (l *loader) walk() *files.Walk {
	return &files.Walk{Root: l.Root, Named: func(folder string) bool {
		_, ok := l.Config.Systems[folder]
		return ok
	}}
}

// paths are those that were asked for, from the project root: they are
// relative to the current folder, or else to the root that was named.
func (l *loader) paths() []string {
	var out []string
	for _, path := range l.options.Paths {
		abs, err := filepath.Abs(path)
		if l.options.Dir != "" && err == nil {
			if _, serr := os.Stat(abs); serr != nil {
				abs = l.abs(path)
			}
		}
		if filepath.Base(abs) != FileName {
			out = append(out, files.Relative(l.Root, abs))
		} else {
			l.projectFile(path, abs)
		}
	}
	return out
}

// projectFile takes note that the project file was asked for, which is read in
// any case.
func (l *loader) projectFile(written, path string) {
	name := files.Relative(l.Root, path)
	asked, err := os.Stat(path)
	own, oerr := os.Stat(l.abs(FileName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.add(files.Missing(name, "a project needs none, for every key has a default; redundctl init writes one"))
	case err == nil && (oerr != nil || !os.SameFile(asked, own)):
		l.add(diag.Problem{File: name, Severity: diag.Error, Rule: "unreadable", Message: "this is the file of another project",
			Hint: "redundctl -C " + filepath.ToSlash(filepath.Dir(written)) + " validate checks that one"})
	default:
		l.named = true
	}
}

// badRoot reports an entry of `pipelines` that cannot be used.
func (l *loader) badRoot(bad files.BadRoot) {
	p := diag.Problem{File: FileName, Severity: bad.Severity, Rule: bad.Rule, Message: bad.Message, Hint: bad.Hint}
	if s := l.kept.settings.Source; s != nil && l.kept.settings.Rooted {
		at := l.kept.settings.Place("pipelines", bad.Index)
		if _, one := mistake.Value(s.Value, []any{"pipelines"}).(string); one && len(at) == 2 {
			at = []any{"pipelines"}
		}
		p = s.Problem(s.At(at), p.Severity, p.Rule, p.Message, p.Hint)
	}
	l.add(p)
}
