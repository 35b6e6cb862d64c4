package schema

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/schema/internal/tree"
)

// issues says what a keyword of raw has against v, without its place.
func (l *leafReader) issues(keyword string, raw map[string]any, v any) []Issue {
	form := wanted(raw)
	one := func(keyword, want string) []Issue {
		return []Issue{{Keyword: keyword, Want: want, Message: "must be " + want}}
	}
	say := func(keyword, message string) []Issue { return []Issue{{Keyword: keyword, Message: message}} }
	if f, ok := tree.Formats()[fmt.Sprint(raw["format"])]; ok && keyword != "type" {
		return one(KeywordFormat, f.Want)
	}
	switch keyword {
	case "type":
		instead := tree.Instead(v)
		if raw["format"] == "text" {
			// Of a fraction the form says what to do; of all else that would
			// be too much.
			if _, fraction := v.(float64); fraction {
				instead = ""
			} else {
				form, _, _ = strings.Cut(form, ";")
			}
		}
		return []Issue{{Keyword: KeywordType, Want: form, Message: "must be " + form + instead}}
	case "enum":
		all := tree.Values(raw["enum"])
		return []Issue{{Keyword: KeywordEnum, Allowed: all, Message: "must be one of " + tree.Words(all)}}
	case "const":
		all := tree.Values([]any{raw["const"]})
		return []Issue{{Keyword: KeywordConst, Allowed: all, Message: "must be " + tree.Words(all)}}
	case "pattern":
		return one(KeywordPattern, form)
	case "format":
		return one(KeywordFormat, fmt.Sprintf("of the form %v", raw["format"]))
	case "minimum":
		return one(KeywordMin, "at least "+number(raw[keyword]))
	case "exclusiveMinimum":
		return one(KeywordMin, "more than "+number(raw[keyword]))
	case "maximum":
		return one(KeywordMax, "at most "+number(raw[keyword]))
	case "exclusiveMaximum":
		return one(KeywordMax, "less than "+number(raw[keyword]))
	case "minLength", "minItems", "minProperties":
		if raw[keyword] == 1.0 {
			return say(KeywordMin, "must not be empty")
		}
		return say(KeywordMin, fmt.Sprintf("must have at least %s %s", number(raw[keyword]), parts(keyword)))
	case "maxLength", "maxItems", "maxProperties":
		return say(KeywordMax, fmt.Sprintf("must have at most %s %s", number(raw[keyword]), parts(keyword)))
	case "uniqueItems":
		return say(KeywordUnique, "must not hold an entry twice")
	case "required":
		return missing(raw, tree.Object(v))
	case "additionalProperties":
		return surplus(raw, tree.Object(v))
	case "anyOf", "oneOf":
		return one(KeywordForm, tree.Or(l.document.forms(raw)))
	case "not":
		if text, ok := raw["x-not"].(string); ok {
			return say(KeywordForm, "must not be "+text)
		}
		return say(KeywordForm, "is of a form that is not allowed")
	}
	return say(KeywordForm, "is not as the schema wants it ("+keyword+")")
}

func missing(raw, v map[string]any) []Issue {
	var out []Issue
	for _, key := range tree.Texts(raw["required"]) {
		if _, ok := v[key]; !ok {
			out = append(out, Issue{Keyword: KeywordRequired, Names: []string{key}, Message: key + " is missing"})
		}
	}
	return out
}

func surplus(raw, v map[string]any) []Issue {
	known := slices.Sorted(maps.Keys(tree.Object(raw["properties"])))
	var out []Issue
	for key := range v {
		if !slices.Contains(known, key) && !strings.HasPrefix(key, "x-") {
			out = append(out, Issue{Keyword: KeywordUnknownKey, Names: []string{key}, Allowed: known,
				Message: fmt.Sprintf("unknown key %q", key)})
		}
	}
	return out
}

// wanted says in words what a schema asks for.
func wanted(raw map[string]any) string {
	if form, ok := raw["x-form"].(string); ok {
		return form
	}
	if f, ok := tree.Formats()[fmt.Sprint(raw["format"])]; ok {
		return f.Want
	}
	if p, ok := raw["pattern"].(string); ok {
		return "a text that matches " + p
	}
	if all := tree.Values(raw["enum"]); len(all) > 0 {
		return "one of " + tree.Words(all)
	}
	return tree.TypeWords(raw["type"])
}

// forms are what the branches of a union ask for, those of unions within it
// too.
func (d *document) forms(raw map[string]any) []string {
	var out []string
	for _, b := range append(tree.List(raw["anyOf"]), tree.List(raw["oneOf"])...) {
		branch := tree.Object(b)
		if ref, ok := branch["$ref"].(string); ok {
			branch = tree.Object(tree.Resolve(d.raw, ref))
		}
		these := d.forms(branch)
		if len(these) == 0 {
			these = []string{wanted(branch)}
		}
		for _, w := range these {
			if !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	return out
}

func number(v any) string {
	if f, ok := v.(float64); ok && f == math.Trunc(f) {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprint(v)
}

func parts(keyword string) string {
	switch {
	case strings.HasSuffix(keyword, "Length"):
		return "characters"
	case strings.HasSuffix(keyword, "Items"):
		return "entries"
	}
	return "keys"
}
