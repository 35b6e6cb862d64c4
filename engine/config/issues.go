package config

import (
	"slices"

	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/source"
)

// add keeps problems, of each severity as many as anybody reads: a thousand
// warnings hide no error.
func (f *file) add(ps ...diag.Problem) {
	for _, p := range ps {
		if f.full(p.Severity) {
			continue
		}
		f.count[p.Severity == diag.Error]++
		f.problems = append(f.problems, p)
	}
}

// full reports that no more problems of a severity are wanted.
func (f *file) full(sev diag.Severity) bool {
	if f.count == nil {
		f.count = map[bool]int{}
	}
	return f.count[sev == diag.Error] >= mistake.Most
}

// bad reports whether the file has an error.
func (f *file) bad() bool { return f.count[true] > 0 }

// say adds a problem at a place of the file.
func (f *file) say(at source.Pos, sev diag.Severity, rule string, words ...string) {
	f.add(f.source.Problem(at, sev, rule, words...))
}

// place is a path of keys and indexes, made anew so that appending to it is
// safe.
func place(parts ...any) []any { return parts }

// below is a path that goes on.
func below(at []any, parts ...any) []any { return append(slices.Clone(at), parts...) }
