package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"

	"github.com/redundctl/redundctl/schema/internal/tree"
)

// rule is what keys of one object ask of each other: exactly one of keys is
// there, at most one of them, or key (when it is one of is, or whatever it is)
// needs another.
type rule struct {
	one, most  []string
	key, needs string
	is         []any
}

func (b *builder) rules(v any) []rule {
	var out []rule
	for _, x := range tree.List(v) {
		raw := tree.Object(x)
		r := rule{one: tree.Texts(raw["exactly-one"]), most: tree.Texts(raw["at-most-one"]), is: tree.List(raw["is"])}
		r.key, _ = raw["key"].(string)
		r.needs, _ = raw["needs"].(string)
		if len(r.one) < 2 && len(r.most) < 2 && (r.key == "" || r.needs == "") {
			b.fail("x-rules: %v is no rule", x)
		}
		out = append(out, r)
	}
	return out
}

// check gives the issue of one rule; unknown are the keys of v that are not
// known, one of which may be a misspelling of what is missing.
func (r rule) check(v map[string]any, unknown []string) (Issue, bool) {
	switch {
	case len(r.one) > 0:
		return oneOf(r.one, present(r.one, v), unknown)
	case len(r.most) > 0:
		have := present(r.most, v)
		return Issue{Keyword: KeywordExcludes, Names: have, Allowed: r.most, Message: strings.Join(have, " and ") + " exclude each other"}, len(have) > 1
	}
	value, ok := v[r.key]
	if !ok || r.is != nil && !slices.ContainsFunc(r.is, func(x any) bool { return x == value }) {
		return Issue{}, false
	}
	if _, ok := v[r.needs]; ok || misspelt(r.needs, unknown) {
		return Issue{}, false
	}
	what := r.key
	if r.is != nil {
		what = fmt.Sprintf("%s: %v", r.key, value)
	}
	return Issue{Keyword: KeywordNeeds, Names: []string{r.key, r.needs}, Message: fmt.Sprintf("%s needs %s", what, r.needs)}, true
}

func present(keys []string, v map[string]any) []string {
	var have []string
	for _, key := range keys {
		if _, ok := v[key]; ok {
			have = append(have, key)
		}
	}
	return have
}

func oneOf(of, have, unknown []string) (Issue, bool) {
	i := Issue{Keyword: KeywordOneOf, Allowed: of, Names: have}
	switch len(have) {
	case 1:
		return i, false
	case 0:
		if slices.ContainsFunc(of, func(name string) bool { return misspelt(name, unknown) }) {
			return i, false
		}
		i.Message = "needs exactly one of " + tree.Words(of)
	default:
		i.Message = fmt.Sprintf("has %s, and takes only one of them", strings.Join(have, " and "))
	}
	return i, true
}

// misspelt reports whether one of the unknown keys is meant to be name.
func misspelt(name string, unknown []string) bool {
	return slices.ContainsFunc(unknown, func(key string) bool {
		d := levenshtein.Distance(name, key, nil)
		return d <= 2 && d < len(name)-1
	})
}

// words says a rule in Markdown.
func (r rule) words() string {
	code := func(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }
	switch {
	case len(r.one) > 0:
		return "Exactly one of " + code(r.one) + "."
	case len(r.most) > 0:
		return "At most one of " + code(r.most) + "."
	case r.is != nil:
		return code([]string{r.key + ": " + tree.Or(tree.Values(r.is))}) + " needs " + code([]string{r.needs}) + "."
	}
	return code([]string{r.key}) + " needs " + code([]string{r.needs}) + "."
}
