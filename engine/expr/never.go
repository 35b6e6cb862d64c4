package expr

import (
	"slices"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/diag"
)

// literal reports a comparison of a value that is one of a few with a literal
// that is none of them. The empty text asks whether there is a value at all.
func (c *checker) literal(n *node, t *Type, other *node) {
	if len(t.Values) == 0 || n.op != opEqual && n.op != opUnequal || other.op != opValue {
		return
	}
	text, ok := other.val.(string)
	if !ok || text == "" || slices.ContainsFunc(t.Values, func(v string) bool { return strings.EqualFold(v, text) }) {
		return
	}
	name := n.a.last()
	if n.a == other {
		name = n.b.last()
	}
	hint := "it is one of " + strings.Join(t.Values, ", ")
	if near := meant(text, t.Values); near != "" {
		hint = "did you mean " + strconv.Quote(near) + "?"
	}
	c.report(other, RuleNever, name+" is never "+strconv.Quote(text), hint)
}

// last is the name that a chain ends with.
func (n *node) last() string {
	if name, ok := n.key(); ok {
		return name
	}
	return "the value"
}

// meant is the value that a word of another tool stands for, or that is nearest.
func meant(word string, of []string) string {
	word = strings.ToLower(word)
	near := diag.Nearest(word, of)
	for prefix, value := range map[string]string{"succe": "succeeded", "suces": "succeeded", "fail": "failed", "cancel": "cancelled", "time": "timed-out", "skip": "skipped"} {
		if strings.HasPrefix(word, prefix) && slices.Contains(of, value) {
			return value
		}
	}
	return near
}
