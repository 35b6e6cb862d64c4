package config

import (
	"slices"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/source"
)

// say adds a problem at a place of the file.
func (f *file) say(at source.Pos, sev diag.Severity, rule string, words ...string) {
	f.problems = append(f.problems, f.source.Problem(at, sev, rule, words...))
}

// place is a path of keys and indexes, made anew so that appending to it is
// safe.
func place(parts ...any) []any { return parts }

// below is a path that goes on.
func below(at []any, parts ...any) []any { return append(slices.Clone(at), parts...) }
