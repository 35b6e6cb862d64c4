package expr

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/expr/value"
)

// maxMade bounds what one evaluation may build, in bytes: a short expression
// can ask for a text of any length.
const maxMade = 16 << 20

// evaluation is one evaluation of a template.
type evaluation struct {
	env  *Env
	made int
}

// Eval gives the value: of one whole expression with its type, else text.
// Arrays and objects are shared with the Env and must not be changed. The
// error is an *Error.
func (t *Template) Eval(e *Env) (any, error) {
	if !t.whole || len(t.parts) != 1 {
		return t.Text(e)
	}
	v, err := (&evaluation{env: e}).node(t.parts[0].node)
	if list, ok := v.(value.Filtered); ok {
		return []any(list), err
	}
	return v, err
}

// Text gives the value as text. The error is an *Error.
func (t *Template) Text(e *Env) (string, error) {
	if len(t.parts) == 1 && t.parts[0].node == nil {
		return t.parts[0].text, nil
	}
	ev := evaluation{env: e}
	var b strings.Builder
	for _, p := range t.parts {
		if p.node == nil {
			b.WriteString(p.text)
			continue
		}
		v, err := ev.node(p.node)
		if err != nil {
			return "", err
		}
		s := value.Text(v)
		if err := ev.make(p.node, len(s)); err != nil {
			return "", err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// Truth gives the value as a condition: null, false, 0, NaN and the empty text
// are false, everything else is true. The error is an *Error.
func (t *Template) Truth(e *Env) (bool, error) {
	v, err := t.Eval(e)
	return err == nil && value.Truthy(v), err
}

// EvalTree evaluates every string below v, which is made of map[string]any,
// map[string]string, []any, []string and scalars. It gives a new tree and
// leaves v as it is; keys are not evaluated, and neither is what an expression
// gave. The error names the key and wraps an *Error.
func EvalTree(v any, e *Env) (any, error) {
	switch x := v.(type) {
	case string:
		return evalString(x, e)
	case map[string]any:
		return evalMap(x, e)
	case map[string]string:
		return evalMap(x, e)
	case []any:
		return evalList(x, e)
	case []string:
		return evalList(x, e)
	}
	return v, nil
}

func evalString(s string, e *Env) (any, error) {
	if !HasExpr(s) {
		return s, nil
	}
	t, err := Parse(s)
	if err != nil {
		return nil, err
	}
	return t.Eval(e)
}

func evalMap[V any](m map[string]V, e *Env) (any, error) {
	out := make(map[string]any, len(m))
	for _, k := range value.Keys(m) { // in order, so that one mistake of several is always the same
		v, err := EvalTree(m[k], e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		out[k] = v
	}
	return out, nil
}

func evalList[V any](list []V, e *Env) (any, error) {
	out := make([]any, len(list))
	for i, x := range list {
		v, err := EvalTree(x, e)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", i, err)
		}
		out[i] = v
	}
	return out, nil
}

// node is the value of n. The parser bounds how deep it recurses.
func (ev *evaluation) node(n *node) (any, error) {
	switch n.op {
	case opValue:
		return n.val, nil
	case opRoot:
		if v, ok := ev.env.Contexts[n.name]; ok {
			return value.Basic(v), nil
		}
		return nil, unknownContext(n, value.Keys(ev.env.Contexts))
	case opCall:
		return ev.call(n)
	}
	a, err := ev.node(n.a)
	if err != nil {
		return nil, err
	}
	switch n.op {
	case opField:
		if m, ok := a.(map[string]any); ok {
			v, _ := value.Lookup(m, n.name)
			return value.Basic(v), nil
		}
		return value.Member(a, n.name), nil
	case opStar:
		return value.Elements(a), nil
	case opNot:
		return !value.Truthy(a), nil
	case opAnd, opOr:
		if value.Truthy(a) == (n.op == opOr) {
			return a, nil
		}
		return ev.node(n.b)
	}
	b, err := ev.node(n.b)
	if err != nil {
		return nil, err
	}
	if n.op == opIndex {
		return value.Member(a, b), nil
	}
	return compare(n.op, a, b), nil
}

func compare(kind op, a, b any) bool {
	switch kind {
	case opEqual:
		return value.Equal(a, b)
	case opUnequal:
		return !value.Equal(a, b)
	case opLessEqual, opGreaterEqual:
		if value.Equal(a, b) {
			return true
		}
	}
	c, ok := value.Order(a, b)
	if kind == opLess || kind == opLessEqual {
		return ok && c < 0
	}
	return ok && c > 0
}

func (ev *evaluation) call(n *node) (any, error) {
	if n.fn == nil {
		return nil, unknownFunction(n)
	}
	if err := n.fn.count(n); err != nil {
		return nil, err
	}
	var args []any
	if len(n.args) > 0 {
		args = make([]any, len(n.args))
		for i, x := range n.args {
			v, err := ev.node(x)
			if err != nil {
				return nil, err
			}
			args[i] = v
		}
	}
	return n.fn.call(ev, n, args)
}

// make counts bytes that n builds, and refuses too many.
func (ev *evaluation) make(n *node, bytes int) error {
	if ev.made += bytes; ev.made > maxMade {
		return failed(n, "the expression gives more than "+strconv.Itoa(maxMade>>20)+" MiB", "")
	}
	return nil
}

// failed is the error of a value that n cannot take.
func failed(n *node, message, hint string) *Error {
	return &Error{Offset: n.start, Width: n.end - n.start, Rule: RuleValue, Message: message, Hint: hint}
}

func unknownContext(n *node, have []string) *Error {
	hint := suggest(n.name, have, "contexts")
	for i := range functions {
		if f := &functions[i]; f.status && f.name == n.name {
			hint = "write " + f.name + "()"
		}
	}
	return &Error{Offset: n.at, Width: n.width, Rule: RuleContext, Message: "unknown context " + strconv.Quote(n.name), Hint: hint}
}

func unknownFunction(n *node) *Error {
	names := make([]string, len(functions))
	for i := range functions {
		names[i] = functions[i].name
	}
	return &Error{Offset: n.at, Width: n.width, Rule: RuleFunction, Message: "unknown function " + strconv.Quote(n.name),
		Hint: suggest(n.name, names, "functions")}
}

// suggest is a hint for a name that does not exist: the nearest one, else all
// that there are.
func suggest(name string, have []string, what string) string {
	const most = 15
	if near := diag.Nearest(name, have); near != "" {
		return "did you mean " + near + "?"
	}
	switch {
	case len(have) == 0:
		return "there are no " + what + " here"
	case len(have) > most:
		return "the " + what + " are " + strings.Join(have[:most], ", ") + " and " + strconv.Itoa(len(have)-most) + " more"
	}
	return "the " + what + " are " + strings.Join(have, ", ")
}
