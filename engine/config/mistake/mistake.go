// Package mistake gives what the schema and the expressions find its place in a
// file, and a hint.
package mistake

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/source"
	"github.com/redundctl/redundctl/schema"
)

// Most is how many problems of one severity a file is given: nobody reads more,
// and each costs a search for its place and for what was meant.
const Most = 50

// Problems gives the schema's issues their places in a file. An object that
// lacks one of some keys beside a key that is probably a misspelt one of them
// has one mistake, not two; so has one of two kinds at once, which may lack
// what only one of them asks for. kinds may be nil where no step stands.
func Problems(s *source.File, issues []schema.Issue, kinds *kind.Set) []diag.Problem {
	var out []diag.Problem
	for _, i := range issues {
		if len(out) == Most {
			break
		}
		if !misspelt(i, issues) && !undecided(i, issues) && !outdented(i, issues, s.Value) {
			out = append(out, problem(s, i, kinds))
		}
	}
	return out
}

// undecided reports whether what is missing is asked for by one of two kinds
// that exclude each other.
func undecided(i schema.Issue, all []schema.Issue) bool {
	return i.Keyword == schema.KeywordRequired && slices.ContainsFunc(all, func(o schema.Issue) bool {
		return o.Keyword == schema.KeywordOneOf && len(o.Names) > 1 && len(o.Path) <= len(i.Path) && slices.Equal(o.Path, i.Path[:len(o.Path)])
	})
}

// misspelt reports whether what is missing stands there under an unknown name,
// or outside of where it belongs.
func misspelt(i schema.Issue, all []schema.Issue) bool {
	var missing []string
	switch i.Keyword {
	case schema.KeywordRequired:
		missing = i.Names
	case schema.KeywordOneOf:
		missing = i.Allowed
	default:
		return false
	}
	return slices.ContainsFunc(all, func(o schema.Issue) bool {
		if o.Keyword != schema.KeywordUnknownKey || len(o.Path) > len(i.Path) || !slices.Equal(o.Path, i.Path[:len(o.Path)]) {
			return false
		}
		if len(o.Path) < len(i.Path) { // it stands too far out
			return slices.Contains(missing, o.Names[0])
		}
		return meant(o.Names[0], missing) != ""
	})
}

// Place is where what is wrong stands: the key itself, where it is the key.
func Place(i schema.Issue) []any {
	if i.Keyword == schema.KeywordUnknownKey || i.Keyword == schema.KeywordName {
		return append(slices.Clone(i.Path), i.Names[0])
	}
	return i.Path
}

// Wrong are the places of what is wrong in a file; what only lacks something,
// or has too much of it, is not.
func Wrong(issues []schema.Issue) [][]any {
	lacks := []string{schema.KeywordRequired, schema.KeywordOneOf, schema.KeywordExcludes, schema.KeywordNeeds}
	var out [][]any
	for _, i := range issues {
		if len(i.Path) > 0 && !slices.Contains(lacks, i.Keyword) || i.Keyword == schema.KeywordUnknownKey {
			out = append(out, Place(i))
		}
	}
	return out
}

func problem(s *source.File, i schema.Issue, kinds *kind.Set) diag.Problem {
	rule, hint := i.Keyword, ""
	at := s.At(i.Path)
	switch i.Keyword {
	case schema.KeywordUnknownKey, schema.KeywordName:
		at = s.KeyAt(Place(i))
		if rule = i.Keyword; rule == schema.KeywordUnknownKey {
			hint = unknown(i, Value(s.Value, i.Path), kinds)
		} else {
			hint = Choice(i.Names[0], i.Allowed)
		}
	case schema.KeywordExcludes:
		at = s.KeyAt(append(slices.Clone(i.Path), latest(written(s, i.Path, i.Names), i.Names)))
		hint = "keep one of them"
	case schema.KeywordNeeds:
		at = s.KeyAt(append(slices.Clone(i.Path), i.Names[0]))
	case schema.KeywordRequired, schema.KeywordOneOf:
		at = Object(s, i.Path)
		if i.Keyword == schema.KeywordOneOf {
			if named := written(s, i.Path, i.Allowed); len(named) > 1 {
				at = s.KeyAt(append(slices.Clone(i.Path), named[1]))
			}
		}
	case schema.KeywordEnum:
		if got, ok := Value(s.Value, i.Path).(string); ok {
			hint = choice(got, i)
		}
	case schema.KeywordType, schema.KeywordConst, schema.KeywordPattern, schema.KeywordFormat:
		got := Value(s.Value, i.Path)
		if hint = slip(got, i); hint == "" && len(i.Path) > 0 {
			hint = form(got, i)
		}
	case schema.KeywordExpression:
		hint = "write the value itself; redundctl explain says where expressions may stand"
	}
	return s.Problem(at, diag.Error, rule, i.Message, hint)
}

// Object is where a mapping that lacks something begins: its first key, or the
// key that it stands below when it is empty or no mapping of its own.
func Object(s *source.File, path []any) source.Pos {
	if keys := s.Keys(path); len(keys) > 0 {
		return s.KeyAt(append(slices.Clone(path), keys[0]))
	}
	return s.At(path)
}

// latest is the last of some keys as they are written, or as they are named.
func latest(written, named []string) string {
	if len(written) == 0 {
		written = named
	}
	return written[len(written)-1]
}

// written lists those of some keys that a mapping has, in the order written.
func written(s *source.File, path []any, of []string) []string {
	return slices.DeleteFunc(slices.Clone(s.Keys(path)), func(k string) bool { return !slices.Contains(of, k) })
}

// Value finds what stands at a path, or nil.
func Value(v any, path []any) any {
	for _, p := range path {
		switch k := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[k]
		case int:
			l, _ := v.([]any)
			if k < 0 || k >= len(l) {
				return nil
			}
			v = l[k]
		}
	}
	return v
}

// Below is where keys lead to below a path of a value: numbers stand for
// entries where what they are below is a list.
func Below(v any, at []any, keys []string) []any {
	for _, key := range keys {
		next := any(key)
		if _, list := Value(v, at).([]any); list {
			if n, err := strconv.Atoi(key); err == nil {
				next = n
			}
		}
		at = append(at, next)
	}
	return at
}

// Expression is the problem of an expression in the string at a path.
func Expression(s *source.File, path []any, err error) diag.Problem {
	var e *expr.Error
	if !errors.As(err, &e) {
		return s.Problem(s.At(path), diag.Error, expr.RuleSyntax, err.Error())
	}
	return s.Problem(s.InString(path, e.Offset, e.Width), Severity(e), e.Rule, e.Message, e.Hint)
}

// Severity is that of a problem of an expression.
func Severity(e *expr.Error) diag.Severity {
	if e.Rule == expr.RuleNever {
		return diag.Warning // no machine fails of it
	}
	return diag.Error
}

// Choice is the hint for a name that is not one of those that there are.
func Choice(name string, of []string) string {
	if len(of) > 1000 {
		of = of[:1000] // to compare more takes longer than it helps
	}
	if n := diag.Nearest(name, of); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	switch {
	case len(of) == 0:
		return ""
	case len(of) > 12:
		return fmt.Sprintf("known are %s and %d more", strings.Join(of[:12], ", "), len(of)-12)
	}
	return "known are " + strings.Join(of, ", ")
}
