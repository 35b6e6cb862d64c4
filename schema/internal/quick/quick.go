// Package quick says of most valid values that they are valid, without a
// schema to compile.
package quick

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/redundctl/redundctl/schema/internal/tree"
)

// Schema says of most valid values, in a tenth of the time and with nothing to
// compile, that they are valid. Only its yes counts: what it refuses, and what
// a keyword stands over that it does not know, goes to jsonschema, which finds
// out what is wrong. So it may be narrow, but never too lenient; the test of
// agreement holds it to jsonschema on every key.
type Schema struct {
	types      []string
	values     []any // enum or const
	min, max   float64
	length     int // least length of a text
	entries    int // least entries of a list, or keys of an object
	unique     bool
	pattern    func() *regexp.Regexp
	format     func(any) bool
	names      *Schema
	props      map[string]*Schema
	extra      *Schema // nil: anything
	closed     bool
	own        bool
	items      *Schema
	required   []string
	all        []*Schema
	any        []*Schema
	not        *Schema
	cond       *Schema
	then, els  *Schema
	unknown    bool
	restricted bool // values is in force
}

type builder struct {
	root    map[string]any
	refs    map[string]*Schema
	formats map[string]tree.Format
}

// New makes a Schema of what a document holds; it makes no error of what it
// does not know.
func New(root map[string]any) *Schema {
	b := builder{root: root, refs: map[string]*Schema{}, formats: tree.Formats()}
	return b.build(root)
}

func (b *builder) build(v any) *Schema {
	raw := tree.Object(v)
	if raw == nil {
		return &Schema{unknown: v != true}
	}
	if ref, ok := raw["$ref"].(string); ok {
		return b.reference(ref)
	}
	q := &Schema{min: math.Inf(-1), max: math.Inf(1)}
	for key, v := range raw {
		if !b.keyword(q, key, v) && !b.value(q, key, v) && !strings.HasPrefix(key, "x-") {
			q.unknown = true
		}
	}
	if raw["x-dispatch"] != nil {
		q.closed = false // the walk knows the keys
	}
	return q
}

func (b *builder) reference(ref string) *Schema {
	if q, ok := b.refs[ref]; ok {
		return q
	}
	q := &Schema{}
	b.refs[ref] = q
	target := tree.Resolve(b.root, ref)
	*q = *b.build(target)
	q.unknown = q.unknown || target == nil
	return q
}

// keyword reads what holds other schemas.
func (b *builder) keyword(q *Schema, key string, v any) bool {
	switch key {
	case "properties":
		q.own, q.props = true, map[string]*Schema{}
		for name, p := range tree.Object(v) {
			q.props[name] = b.build(p)
		}
	case "propertyNames":
		q.own, q.names = true, b.build(v)
	case "additionalProperties":
		if q.closed = v == false; !q.closed {
			q.extra = b.build(v)
		}
	case "items":
		q.items = b.build(v)
		q.unknown = q.unknown || tree.List(v) != nil
	case "allOf":
		q.all = b.branches(v)
	case "anyOf":
		q.any = b.branches(v)
	case "not":
		q.not = b.build(v)
	case "if":
		q.cond = b.build(v)
	case "then":
		q.then = b.build(v)
	case "else":
		q.els = b.build(v)
	default:
		return false
	}
	return true
}

func (b *builder) branches(v any) []*Schema {
	var out []*Schema
	for _, x := range tree.List(v) {
		out = append(out, b.build(x))
	}
	return out
}

func (b *builder) value(q *Schema, key string, v any) bool {
	number, _ := v.(float64)
	switch key {
	case "description", "default", "examples", "title", "$schema", "definitions":
	case "type":
		if q.types = tree.Texts(v); q.types == nil {
			one, _ := v.(string)
			q.types = []string{one}
		}
	case "enum":
		q.values, q.restricted = tree.List(v), true
	case "const":
		q.values, q.restricted = []any{v}, true
	case "minimum":
		q.min = number
	case "maximum":
		q.max = number
	case "minLength":
		q.length = int(number)
	case "minItems", "minProperties":
		q.entries = int(number)
	case "uniqueItems":
		q.unique = v == true
	case "required":
		q.required = tree.Texts(v)
	case "pattern":
		text, _ := v.(string)
		q.pattern = sync.OnceValue(func() *regexp.Regexp {
			re, err := regexp.Compile(text)
			if err != nil {
				return nil
			}
			return re
		})
	case "format":
		name, _ := v.(string)
		f, ok := b.formats[name]
		q.format = f.Is
		return ok
	default:
		return false
	}
	return true
}

// OK reports that v is certainly valid.
func (q *Schema) OK(v any) bool {
	if q.unknown || q.restricted && !slices.ContainsFunc(q.values, func(x any) bool { return same(x, v) }) || q.format != nil && !q.format(v) {
		return false
	}
	var good bool
	switch v := v.(type) {
	case string:
		good = q.is("string") && utf8.RuneCountInString(v) >= q.length && q.matches(v)
	case map[string]any:
		good = q.is("object") && q.object(v)
	case []any:
		good = q.is("array") && q.list(v)
	case bool:
		good = q.is("boolean")
	case nil:
		good = q.is("null")
	default:
		f, known := float(v)
		good = known && (q.is("number") || f == math.Trunc(f) && q.is("integer")) && f >= q.min && f <= q.max
	}
	return good && q.combined(v)
}

func (q *Schema) is(t string) bool { return q.types == nil || slices.Contains(q.types, t) }

func (q *Schema) matches(s string) bool {
	if q.pattern == nil {
		return true
	}
	re := q.pattern()
	return re != nil && re.MatchString(s)
}

func (q *Schema) object(v map[string]any) bool {
	if len(v) < q.entries {
		return false
	}
	for _, key := range q.required {
		if _, ok := v[key]; !ok {
			return false
		}
	}
	for key, x := range v {
		p, ok := q.props[key]
		switch {
		case !ok && q.own && strings.HasPrefix(key, "x-"):
			continue
		case !ok && q.closed:
			return false
		case !ok:
			p = q.extra
		}
		if p != nil && !p.OK(x) || q.names != nil && !q.names.OK(key) {
			return false
		}
	}
	return true
}

func (q *Schema) list(v []any) bool {
	const most = 32 // beyond it, comparing each with each is not quick
	if len(v) < q.entries || q.unique && len(v) > most {
		return false
	}
	for i, x := range v {
		if q.items != nil && !q.items.OK(x) {
			return false
		}
		if q.unique && slices.ContainsFunc(v[:i], func(y any) bool { return same(x, y) }) {
			return false
		}
	}
	return true
}

// combined checks what other schemas say of v. Where a no is as good as a yes
// (not, if), it must be a certain no.
func (q *Schema) combined(v any) bool {
	for _, a := range q.all {
		if !a.OK(v) {
			return false
		}
	}
	if q.any != nil && !slices.ContainsFunc(q.any, func(a *Schema) bool { return a.OK(v) }) {
		return false
	}
	if q.not != nil && (q.not.vague() || q.not.OK(v)) {
		return false
	}
	if q.cond == nil {
		return true
	}
	next := q.els
	if q.cond.OK(v) {
		next = q.then
	} else if q.cond.vague() {
		return false
	}
	return next == nil || next.OK(v)
}

// vague reports that a no of q is not certain.
func (q *Schema) vague() bool {
	vague := q.unknown || q.unique || q.own && q.closed || q.items != nil || q.extra != nil || q.names != nil || q.all != nil || q.any != nil ||
		q.not != nil || q.cond != nil
	for _, p := range q.props {
		vague = vague || p.vague()
	}
	return vague
}

// same compares as JSON does: numbers by their value. What is no scalar is the
// same as anything, so that uniqueness of it is never vouched for; no enum of
// ours holds one.
func same(a, b any) bool {
	if x, ok := float(a); ok {
		y, ok := float(b)
		return ok && x == y
	}
	switch a.(type) {
	case string, bool, nil:
		return a == b
	}
	return true
}

// float is a number as float64; false for what is none, or loses by it.
func float(v any) (float64, bool) {
	const exact = 1 << 53
	switch v := v.(type) {
	case int:
		return float64(v), -exact < v && v < exact
	case int64:
		return float64(v), -exact < v && v < exact
	case uint64:
		return float64(v), v < exact
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	}
	return 0, false
}
