package check

import (
	"slices"

	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/source"
)

// add keeps problems, of each severity as many as anybody reads: a thousand
// warnings hide no error.
func (f *File) add(ps ...diag.Problem) {
	for _, p := range ps {
		if f.full(p.Severity) {
			continue
		}
		f.count[kindOf(p.Severity)]++
		f.Problems = append(f.Problems, p)
	}
}

// full reports that no more problems of a severity are wanted.
func (f *File) full(sev diag.Severity) bool {
	return f.count[kindOf(sev)] >= mistake.Most
}

// kindOf is where the problems of a severity are counted.
func kindOf(sev diag.Severity) int {
	if sev == diag.Error {
		return 1
	}
	return 0
}

// Bad reports whether the file has an error.
func (f *File) Bad() bool { return f.count[1] > 0 }

// say adds a problem at a place of the file.
func (f *File) say(at source.Pos, sev diag.Severity, rule string, words ...string) {
	f.add(f.source.Problem(at, sev, rule, words...))
}

// place is a path of keys and indexes, made anew so that appending to it is
// safe.
func place(parts ...any) []any { return parts }

// Below is a path that goes on.
func Below(at []any, parts ...any) []any { return append(slices.Clone(at), parts...) }
