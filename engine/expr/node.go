package expr

import (
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/rhysd/actionlint"
)

type op uint8

const (
	opValue op = iota // a literal
	opRoot            // a context
	opField           // a.name
	opStar            // a.*
	opIndex           // a[b]
	opNot
	opAnd
	opOr
	opEqual
	opUnequal
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opCall
)

// node is one operation of an expression. Its own places are kept, which the
// parser's tree has lost for fields and indexes. All count bytes of the string
// that the template was parsed from.
type node struct {
	op         op
	start, end int // of the whole operation, brackets included, parentheses around it not
	at, width  int // of the name, index or literal itself
	a, b       *node
	args       []*node
	name       string // a root in lower case; fields and functions as written
	val        any    // of a literal
	fn         *function
}

// compiler turns the parser's tree into nodes. It walks the source beside the
// tree, so that each name is found where it stands.
type compiler struct {
	s         string
	from, end int
	pairs     []span // of parentheses, by where they open; filled when first used
}

// node is nil for a form that is not known.
func (c *compiler) node(n actionlint.ExprNode) *node {
	switch x := n.(type) {
	case *actionlint.NullNode:
		return c.literal(x, nil)
	case *actionlint.BoolNode:
		return c.literal(x, x.Value)
	case *actionlint.IntNode:
		return c.literal(x, float64(x.Value))
	case *actionlint.FloatNode:
		return c.literal(x, x.Value)
	case *actionlint.StringNode:
		return c.literal(x, x.Value)
	case *actionlint.VariableNode:
		switch x.Token().Value { // keywords are known in this spelling alone
		case "NaN":
			return c.literal(x, math.NaN())
		case "Infinity":
			return c.literal(x, math.Inf(1))
		}
		out := c.literal(x, nil)
		out.op, out.name = opRoot, x.Name
		return out
	case *actionlint.ObjectDerefNode:
		return c.field(x)
	case *actionlint.ArrayDerefNode:
		a := c.node(x.Receiver)
		if a == nil {
			return nil
		}
		at := c.skip(c.after(a.end, '.'))
		return &node{op: opStar, a: a, start: a.start, at: at, width: 1, end: at + 1}
	case *actionlint.IndexAccessNode:
		a, b := c.node(x.Operand), c.node(x.Index)
		if a == nil || b == nil {
			return nil
		}
		return &node{op: opIndex, a: a, b: b, start: a.start, at: b.start, width: b.end - b.start, end: c.after(b.end, ']')}
	case *actionlint.NotOpNode:
		a := c.node(x.Operand)
		if a == nil {
			return nil
		}
		at := c.from + x.Token().Offset
		return &node{op: opNot, a: a, start: at, at: at, width: 1, end: a.end}
	case *actionlint.LogicalOpNode:
		kind := opOr
		if x.Kind == actionlint.LogicalOpNodeKindAnd {
			kind = opAnd
		}
		a, b := c.node(x.Left), c.node(x.Right)
		if a == nil || b == nil {
			return nil
		}
		return pair(kind, a, b)
	case *actionlint.CompareOpNode:
		return c.chain(c.node(x.Left), x)
	case *actionlint.FuncCallNode:
		return c.call(x)
	}
	return nil
}

func (c *compiler) literal(n actionlint.ExprNode, v any) *node {
	t := n.Token()
	at := c.from + t.Offset
	return &node{op: opValue, val: v, start: at, at: at, width: len(t.Value), end: at + len(t.Value)}
}

func (c *compiler) field(x *actionlint.ObjectDerefNode) *node {
	a := c.node(x.Receiver)
	if a == nil {
		return nil
	}
	at := c.skip(c.after(a.end, '.'))
	end := min(at+len(x.Property), c.end)
	return &node{op: opField, a: a, name: c.s[at:end], start: a.start, at: at, width: end - at, end: end}
}

// chain reads comparisons that follow each other as GitHub does: from the left,
// those by size before those of equality. The parser gives them from the right
// and all alike. a is the left of x.
func (c *compiler) chain(a *node, x *actionlint.CompareOpNode) *node {
	list, kinds := []*node{a}, []op(nil)
	for a != nil && x != nil {
		kinds = append(kinds, comparison(x.Kind))
		next, more := x.Right.(*actionlint.CompareOpNode)
		if !more {
			a, x = c.node(x.Right), nil
		} else if b := c.node(next.Left); b != nil && c.grouped(a, b) {
			a, x = c.chain(b, next), nil
		} else {
			a, x = b, next
		}
		list = append(list, a)
	}
	if a == nil {
		return nil
	}
	for _, equality := range []bool{false, true} {
		for i := 0; i < len(kinds); {
			if (kinds[i] == opEqual || kinds[i] == opUnequal) != equality {
				i++
				continue
			}
			list[i] = pair(kinds[i], list[i], list[i+1])
			list, kinds = slices.Delete(list, i+1, i+2), slices.Delete(kinds, i, i+1)
		}
	}
	return list[0]
}

// grouped reports whether the comparison that follows a, and that begins with
// b, stands in parentheses of its own.
func (c *compiler) grouped(a, b *node) bool {
	operator := func(n *node) int {
		i := n.end
		for i < c.end && strings.IndexByte(" \t\r\n)", c.s[i]) >= 0 {
			i++
		}
		return i
	}
	open := operator(a)
	for open < c.end && strings.IndexByte("<>=! \t\r\n", c.s[open]) >= 0 && open < b.start {
		open++
	}
	return open < b.start && c.s[open] == '(' && c.matching(open) > operator(b)
}

func pair(kind op, a, b *node) *node {
	return &node{op: kind, a: a, b: b, start: a.start, end: b.end, at: a.start, width: b.end - a.start}
}

func (c *compiler) call(x *actionlint.FuncCallNode) *node {
	out := c.literal(x, nil)
	out.op, out.name, out.fn = opCall, x.Callee, lookupFunction(x.Callee)
	out.end = c.matching(c.skip(out.end))
	if len(x.Args) > 0 {
		out.args = make([]*node, len(x.Args))
		for i, y := range x.Args {
			if out.args[i] = c.node(y); out.args[i] == nil {
				return nil
			}
		}
	}
	return out
}

func comparison(k actionlint.CompareOpNodeKind) op {
	switch k {
	case actionlint.CompareOpNodeKindEq:
		return opEqual
	case actionlint.CompareOpNodeKindNotEq:
		return opUnequal
	case actionlint.CompareOpNodeKindLess:
		return opLess
	case actionlint.CompareOpNodeKindLessEq:
		return opLessEqual
	case actionlint.CompareOpNodeKindGreater:
		return opGreater
	}
	return opGreaterEqual
}

// after is the place behind the next mark; between i and it there is nothing
// but white space and parentheses that close.
func (c *compiler) after(i int, mark byte) int {
	if n := strings.IndexByte(c.s[min(i, c.end):c.end], mark); n >= 0 {
		return i + n + 1
	}
	return c.end
}

func (c *compiler) skip(i int) int {
	for i < c.end && strings.IndexByte(" \t\r\n", c.s[i]) >= 0 {
		i++
	}
	return i
}

// matching is the place behind the parenthesis that closes the one at i.
func (c *compiler) matching(i int) int {
	if c.pairs == nil {
		c.match()
	}
	if n := sort.Search(len(c.pairs), func(k int) bool { return c.pairs[k].from >= i }); n < len(c.pairs) && c.pairs[n].from == i {
		return c.pairs[n].end
	}
	return c.end
}

func (c *compiler) match() {
	var stack []int
	quote := false
	for i := c.from; i < c.end; i++ {
		switch ch := c.s[i]; {
		case ch == '\'':
			quote = !quote
		case quote:
		case ch == '(':
			stack = append(stack, len(c.pairs))
			c.pairs = append(c.pairs, span{i, c.end})
		case ch == ')' && len(stack) > 0:
			c.pairs[stack[len(stack)-1]].end = i + 1
			stack = stack[:len(stack)-1]
		}
	}
}

// walk calls f on n and everything below it until f returns false.
func (n *node) walk(f func(*node) bool) {
	if n == nil || !f(n) {
		return
	}
	n.a.walk(f)
	n.b.walk(f)
	for _, x := range n.args {
		x.walk(f)
	}
}

// Calls reports whether the template calls the function of this name, in any
// letter case.
func (t *Template) Calls(name string) bool {
	found := false
	for _, p := range t.parts {
		p.node.walk(func(n *node) bool {
			found = found || n.op == opCall && strings.EqualFold(n.name, name)
			return !found
		})
	}
	return found
}

// Refs lists the contexts that the template reads, in the order of their
// places.
func (t *Template) Refs() []Ref {
	var out []Ref
	for _, p := range t.parts {
		out = p.node.refs(out)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Offset < out[j].Offset })
	return out
}

// refs appends what n reads.
func (n *node) refs(out []Ref) []Ref {
	n.walk(func(n *node) bool {
		root := n
		for root.op == opField || root.op == opStar || root.op == opIndex {
			root = root.a
		}
		if root.op != opRoot {
			return true
		}
		out = append(out, chain(n, root))
		// What stands in its indexes reads contexts of its own.
		for x := n; x != root; x = x.a {
			out = x.b.refs(out)
		}
		return false
	})
	return out
}

// chain is the Ref from root up to n, as far as the names are known.
func chain(n, root *node) Ref {
	r := Ref{Root: root.name, Offset: root.start, Width: root.end - root.start}
	var links []*node
	for x := n; x != root; x = x.a {
		links = append(links, x)
	}
	for i := len(links) - 1; i >= 0; i-- {
		name, ok := links[i].key()
		if !ok {
			break
		}
		r.Path, r.Width = append(r.Path, name), links[i].end-r.Offset
	}
	return r
}

// key is the field that n reads of its operand, when it is known.
func (n *node) key() (string, bool) {
	switch n.op {
	case opField:
		return n.name, true
	case opStar:
		return "*", true
	case opIndex:
		if s, ok := n.b.val.(string); ok && n.b.op == opValue {
			return s, true
		}
	}
	return "", false
}
