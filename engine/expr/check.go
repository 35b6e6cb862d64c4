package expr

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/expr/value"
)

// Check finds what is wrong with a template where these types hold: names
// that do not exist, uses that are refused, calls with wrong arguments and
// operations that cannot give what was meant. The errors are in the order of
// their places; one mistake gives one.
func Check(t *Template, types *Types) []Error {
	_, errs := Infer(t, types)
	return errs
}

// Infer is Check, and the type of the template's value.
func Infer(t *Template, types *Types) (*Type, []Error) {
	c := checker{types: types, merged: map[*Type]*Type{}}
	out := StringType()
	for _, p := range t.parts {
		if p.node == nil {
			continue
		}
		typ := c.infer(p.node)
		switch {
		case t.whole:
			out = typ
		case typ.Kind >= Array:
			c.report(p.node, RuleType, noun(typ)+" inside a text is written as the word "+strconv.Quote(word(typ)), "write toJSON(…), or join(…) for a list")
		}
	}
	sort.SliceStable(c.errs, func(i, j int) bool { return c.errs[i].Offset < c.errs[j].Offset })
	return out, c.errs
}

func word(t *Type) string {
	if t.Kind == Array {
		return "Array"
	}
	return "Object"
}

// noun is what people call a value of a type.
func noun(t *Type) string {
	switch t.Kind {
	case Null:
		return "null"
	case Bool:
		return "a boolean"
	case Number:
		return "a number"
	case String:
		return "a string"
	case Array:
		return "a list"
	case Object:
		return "an object"
	}
	return "a value"
}

// checker gathers the errors of one template.
type checker struct {
	types  *Types
	errs   []Error
	chain  *node           // the chain of names that is being followed, from its end
	merged map[*Type]*Type // what `.*` gives of a type, which may have many fields
}

func (c *checker) report(n *node, rule, message, hint string) {
	c.errs = append(c.errs, Error{Offset: n.start, Width: n.end - n.start, Rule: rule, Message: message, Hint: hint})
}

func (c *checker) infer(n *node) *Type {
	switch n.op {
	case opRoot, opField, opStar, opIndex:
		outer := c.chain
		c.chain = n
		t := c.link(n)
		c.chain = outer
		return t
	case opNot:
		c.infer(n.a)
		return BoolType()
	case opAnd, opOr:
		return either(c.infer(n.a), c.infer(n.b))
	case opCall:
		return c.call(n)
	case opValue:
		return typeOf(n.val)
	}
	c.comparison(n, c.infer(n.a), c.infer(n.b))
	return BoolType()
}

// link is the type of one link of a chain of names.
func (c *checker) link(n *node) *Type {
	switch n.op {
	case opRoot:
		t, ok := c.types.Roots[n.name]
		if !ok {
			c.errs = append(c.errs, *unknownContext(n, value.Keys(c.types.Roots)))
			return AnyType()
		}
		return c.use(t)
	case opField:
		return c.field(c.link(n.a), n, n.name)
	case opStar:
		return c.star(c.link(n.a), n)
	case opIndex:
		t := c.link(n.a)
		if v, ok := n.b.val.(string); ok && n.b.op == opValue {
			return c.field(t, n, v)
		}
		return c.index(t, n)
	}
	return c.infer(n)
}

// use is t, or anything at all after its refusal has been reported.
func (c *checker) use(t *Type) *Type {
	if t == nil {
		return AnyType()
	}
	if t.Refuse != nil {
		c.report(c.chain, t.Refuse.Rule, t.Refuse.Message, t.Refuse.Hint)
		return AnyType()
	}
	return t
}

// field is the type of t.name or t['name'].
func (c *checker) field(t *Type, n *node, name string) *Type {
	if t.filtered {
		return filterOf(c.fieldOfElement(t.Elem, n, name))
	}
	switch t.Kind {
	case Any:
		return AnyType()
	case Object:
		return c.fieldOfObject(t, n, name)
	case Array:
		if n.op == opIndex && !math.IsNaN(value.ParseNumber(name)) {
			return c.use(t.Elem)
		}
		c.at(n, RuleType, "a list has no field "+strconv.Quote(name), "write [0] for its first element, or .* for all of them")
		return AnyType()
	}
	c.at(n, RuleType, noun(t)+" has no field "+strconv.Quote(name), "")
	return AnyType()
}

// fieldOfElement is the type of a field of the elements that `.*` gave: those
// without it are left out.
func (c *checker) fieldOfElement(elem *Type, n *node, name string) *Type {
	if elem == nil || elem.Kind == Any {
		return AnyType()
	}
	return c.field(elem, n, name)
}

func (c *checker) fieldOfObject(t *Type, n *node, name string) *Type {
	if f, ok := value.Lookup(t.Fields, name); ok {
		return c.use(f)
	}
	if t.Open {
		return c.use(t.Elem)
	}
	what, rule := t.What, t.Rule
	if what == "" {
		what = "field"
	}
	if rule == "" {
		rule = RuleField
	}
	names := value.Keys(t.Fields)
	hint := suggest(name, names, what+"s")
	if t.Hint != "" && !strings.HasPrefix(hint, "did you mean") {
		hint = t.Hint
	}
	c.at(n, rule, "unknown "+what+" "+strconv.Quote(name), hint)
	return AnyType()
}

// at reports an error of a name where the name itself stands.
func (c *checker) at(n *node, rule, message, hint string) {
	c.errs = append(c.errs, Error{Offset: n.at, Width: n.width, Rule: rule, Message: message, Hint: hint})
}

// star is the type of t.*.
func (c *checker) star(t *Type, n *node) *Type {
	if t.filtered {
		if t.Elem == nil || t.Elem.Kind == Any {
			return filterOf(nil)
		}
		t = t.Elem
	}
	switch t.Kind {
	case Any:
		return filterOf(nil)
	case Array:
		return filterOf(c.use(t.Elem))
	case Object:
		return filterOf(c.use(c.merge(t)))
	}
	c.at(n, RuleType, noun(t)+" has no elements", ".* stands for all of a list or an object")
	return AnyType()
}

// index is the type of t[i], where i is not a known name.
func (c *checker) index(t *Type, n *node) *Type {
	i := c.infer(n.b)
	if i.Kind >= Array {
		c.at(n, RuleType, noun(i)+" cannot be an index", "an index is a number or a string")
		return AnyType()
	}
	filter := t.filtered
	if filter {
		if t = t.Elem; t == nil {
			return filterOf(nil)
		}
	}
	out := AnyType()
	switch t.Kind {
	case Any:
	case Array:
		out = c.use(t.Elem)
	case Object:
		out = c.use(c.merge(t))
	default:
		c.at(n, RuleType, noun(t)+" has no elements", "")
	}
	if filter {
		return filterOf(out)
	}
	return out
}

func filterOf(elem *Type) *Type { return &Type{Kind: Array, Elem: elem, filtered: true} }

// merge is the type of any field of an object.
func (c *checker) merge(t *Type) *Type {
	if m, ok := c.merged[t]; ok {
		return m
	}
	var usable []*Type
	var refused *Type
	for _, k := range value.Keys(t.Fields) {
		if f := t.Fields[k]; f != nil && f.Refuse != nil {
			refused = f
		} else {
			usable = append(usable, f)
		}
	}
	if t.Open {
		usable = append(usable, t.Elem)
	}
	out := union(usable)
	if len(usable) == 0 && refused != nil {
		out = refused
	}
	c.merged[t] = out
	return out
}

// union is the type of a value that has one of these types; of objects, one
// with all their fields.
func union(list []*Type) *Type {
	if len(list) == 0 || list[0] == nil {
		return AnyType()
	}
	first, equal := list[0], true
	for _, t := range list[1:] {
		if t == nil || t.Kind != first.Kind || t.filtered != first.filtered {
			return AnyType()
		}
		equal = equal && t == first
	}
	switch {
	case equal:
		return first
	case first.Kind != Object:
		return &Type{Kind: first.Kind}
	}
	out := &Type{Kind: Object, Fields: map[string]*Type{}, What: first.What, Rule: first.Rule, Hint: first.Hint}
	for _, t := range list {
		out.Open = out.Open || t.Open
		for k, f := range t.Fields {
			if g, ok := out.Fields[k]; ok {
				f = either(f, g)
			}
			out.Fields[k] = f
		}
	}
	return out
}

// either is the type of a value that has the one type or the other, without a
// look at what it holds. One of them that is refused may be left out.
func either(a, b *Type) *Type {
	switch {
	case a == b && a != nil:
		return a
	case a == nil || b == nil:
		return AnyType()
	case a.Refuse != nil:
		return b
	case b.Refuse != nil:
		return a
	case a.Kind == b.Kind && a.Kind < Array:
		return &Type{Kind: a.Kind}
	}
	return AnyType()
}

func (c *checker) comparison(n *node, a, b *Type) {
	c.literal(n, a, n.b)
	c.literal(n, b, n.a)
	list := a
	if list.Kind < Array {
		list = b
	}
	switch {
	case list.Kind < Array:
	case n.op != opEqual && n.op != opUnequal:
		c.report(n, RuleType, noun(list)+" has no order", "")
	case a.Kind != Any && b.Kind != Any && a.Kind != b.Kind:
		c.report(n, RuleType, noun(a)+" is never equal to "+noun(b), "")
	}
}

func (c *checker) call(n *node) *Type {
	args := make([]*Type, len(n.args))
	for i, x := range n.args {
		args[i] = c.infer(x)
	}
	f := n.fn
	if f == nil {
		c.errs = append(c.errs, *unknownFunction(n))
		return AnyType()
	}
	if err := f.count(n); err != nil {
		c.report(n, RuleType, err.Error(), "")
		return &Type{Kind: f.result}
	}
	if f.status && c.types.NoStatus {
		c.report(n, RuleFunction, f.name+"() has a meaning in conditions alone", "move it to an if")
	}
	for i, t := range args {
		if (f.takes < 0 || i < f.takes) && t.Kind >= Array {
			c.report(n.args[i], RuleType, fmt.Sprintf("%s cannot take %s", f.name, noun(t)), "join(…) and toJSON(…) make a text of it")
		}
	}
	return c.result(n, args)
}

// result is what a call gives, and what is wrong with its arguments beyond
// their types.
func (c *checker) result(n *node, args []*Type) *Type {
	var literal *string
	if len(n.args) > 0 && n.args[0].op == opValue {
		if s, ok := n.args[0].val.(string); ok {
			literal = &s
		}
	}
	switch n.fn.name {
	case "contains":
		if args[0].Kind == Object || args[0].Kind == String && args[1].Kind >= Array {
			c.report(n, RuleType, "contains looks into a list or a string, not into "+noun(args[0]), "for an object write contains(object.*, value)")
		}
	case "join":
		if args[0].Kind == Object {
			c.report(n.args[0], RuleType, "join takes a list, not an object", "write join(object.*, ', ')")
		}
	case "format":
		if literal != nil {
			c.format(n, *literal)
		}
	case "fromJSON":
		if literal == nil {
			break
		}
		v, err := decodeJSON(*literal)
		if err != nil {
			c.report(n.args[0], RuleValue, notJSON(*literal), "")
			break
		}
		return typeOf(v)
	}
	return &Type{Kind: n.fn.result}
}

func (c *checker) format(n *node, s string) {
	list, _, ok := pieces(s)
	if !ok {
		c.report(n.args[0], RuleValue, badFormat, formatHint)
	}
	for _, p := range list {
		if p.arg >= len(n.args)-1 {
			c.errs = append(c.errs, *tooFew(n, p.arg))
			return
		}
	}
}

// typeOf is the type of a value that is known.
func typeOf(v any) *Type {
	switch x := v.(type) {
	case []any:
		elems := make([]*Type, len(x))
		for i, e := range x {
			elems[i] = typeOf(e)
		}
		return ArrayOf(union(elems))
	case map[string]any:
		fields := make(map[string]*Type, len(x))
		for k, e := range x {
			fields[k] = typeOf(e)
		}
		return Closed(fields)
	}
	return &Type{Kind: value.KindOf(v)}
}
