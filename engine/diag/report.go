package diag

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/agext/levenshtein"
)

// Report is what checking some files found.
type Report struct {
	Valid    bool      `json:"valid"`
	Files    int       `json:"files"`
	Problems []Problem `json:"problems"`
}

// Sort orders problems as people read them: by file, line, column and rule.
func Sort(ps []Problem) {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message),
		)
	})
}

// MarshalJSON writes what is absent (a line, a column, a hint) as null.
func (p Problem) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		File     string   `json:"file"`
		Line     *int     `json:"line"`
		Column   *int     `json:"column"`
		Severity Severity `json:"severity"`
		Rule     string   `json:"rule"`
		Message  string   `json:"message"`
		Hint     *string  `json:"hint"`
	}{p.File, present(p.Line), present(p.Column), p.Severity, p.Rule, p.Message, present(p.Hint)})
}

func present[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// WriteJSON prints a report as {valid, files, problems}; the list is never
// null.
func WriteJSON(w io.Writer, r Report) error {
	if r.Problems == nil {
		r.Problems = []Problem{}
	}
	return writeJSON(w, r)
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// longest is how long a name may be for Nearest to think about it.
const longest = 100

// Nearest finds the name that was probably meant, or "" when none is near. Of
// two that are equally near the first in order wins.
func Nearest(name string, of []string) string {
	if name == "" || len(name) > longest {
		return ""
	}
	// One edit in three letters: what is further away is another word, and to
	// name it would mislead.
	best, least := "", max(len(name)/3, min(len(name)-1, 1))+1
	for _, o := range of {
		if len(o) > longest || o == "" {
			continue
		}
		if d := distance(name, o); d < least || d == least && best != "" && o < best {
			best, least = o, d
		}
	}
	return best
}

// distance counts edits; the spelling of words (case, dash, underscore) and a
// shortened name count less than another word does.
func distance(name, of string) int {
	a, b := letters(name), letters(of)
	switch {
	case a == b:
		return 0
	case len(a) >= 3 && strings.HasPrefix(b, a), swapped(a, b):
		return 1
	}
	return levenshtein.Distance(a, b, nil)
}

// swapped reports whether two neighbours changed their places: the commonest
// slip of all, which counts as two edits otherwise.
func swapped(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i+1 < len(a); i++ {
		if a[i] != b[i] {
			return a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
		}
	}
	return false
}

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}
