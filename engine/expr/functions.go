package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/expr/hashfiles"
	"github.com/redundctl/redundctl/engine/expr/value"
)

// function is one function of the language.
type function struct {
	name     string
	min, max int  // how many arguments
	takes    int  // how many of the first arguments must be plain values; -1: all
	status   bool // tells how the run stands
	result   Kind
	call     func(*evaluation, *node, []any) (any, error)
}

// functions are all that there are, in the order in which people learn them.
var functions = []function{
	{name: "contains", min: 2, max: 2, result: Bool, call: contains},
	{name: "startsWith", min: 2, max: 2, takes: -1, result: Bool, call: startsWith},
	{name: "endsWith", min: 2, max: 2, takes: -1, result: Bool, call: endsWith},
	{name: "format", min: 1, max: math.MaxInt, takes: -1, result: String, call: format},
	{name: "join", min: 1, max: 2, result: String, call: join},
	{name: "toJSON", min: 1, max: 1, result: String, call: toJSON},
	{name: "fromJSON", min: 1, max: 1, takes: -1, result: Any, call: fromJSON},
	{name: "hashFiles", min: 1, max: math.MaxInt, takes: -1, result: String, call: hashFiles},
	{name: "success", status: true, result: Bool, call: status(func(s Status) bool { return s.Success })},
	{name: "failure", status: true, result: Bool, call: status(func(s Status) bool { return s.Failure })},
	{name: "cancelled", status: true, result: Bool, call: status(func(s Status) bool { return s.Cancelled })},
	{name: "always", status: true, result: Bool, call: status(func(Status) bool { return true })},
}

func lookupFunction(name string) *function {
	for i := range functions {
		if f := &functions[i]; len(f.name) == len(name) && strings.EqualFold(f.name, name) {
			return f
		}
	}
	return nil
}

// count is the error of a call with too few or too many arguments; nil when
// their number is right.
func (f *function) count(n *node) error {
	got := len(n.args)
	if f.min <= got && got <= f.max {
		return nil
	}
	var want string
	switch {
	case f.max == 0:
		want = "no arguments"
	case f.min == f.max:
		want = diag.Count(f.min, "argument")
	case f.max == math.MaxInt:
		want = "at least " + diag.Count(f.min, "argument")
	default:
		want = fmt.Sprintf("%d or %s", f.min, diag.Count(f.max, "argument"))
	}
	return &Error{Offset: n.start, Width: n.end - n.start, Rule: RuleType, Message: fmt.Sprintf("%s takes %s, not %d", f.name, want, got)}
}

func status(pick func(Status) bool) func(*evaluation, *node, []any) (any, error) {
	return func(ev *evaluation, _ *node, _ []any) (any, error) { return pick(ev.env.Status), nil }
}

// contains looks for an element of an array, or for a part of a text.
func contains(_ *evaluation, _ *node, a []any) (any, error) {
	switch value.KindOf(a[0]) {
	case Object:
		return false, nil
	case Array:
		for _, e := range value.List(a[0]) {
			if value.Equal(e, a[1]) {
				return true, nil
			}
		}
		return false, nil
	}
	return value.KindOf(a[1]) < Array && strings.Contains(value.Upper(value.Text(a[0])), value.Upper(value.Text(a[1]))), nil
}

func startsWith(_ *evaluation, _ *node, a []any) (any, error) {
	return value.KindOf(a[0]) < Array && value.KindOf(a[1]) < Array && strings.HasPrefix(value.Upper(value.Text(a[0])), value.Upper(value.Text(a[1]))), nil
}

func endsWith(_ *evaluation, _ *node, a []any) (any, error) {
	return value.KindOf(a[0]) < Array && value.KindOf(a[1]) < Array && strings.HasSuffix(value.Upper(value.Text(a[0])), value.Upper(value.Text(a[1]))), nil
}

func join(ev *evaluation, n *node, a []any) (any, error) {
	if value.KindOf(a[0]) == Object {
		return "", nil
	}
	if value.KindOf(a[0]) != Array {
		return value.Text(a[0]), nil
	}
	between := ","
	if len(a) == 2 && value.KindOf(a[1]) < Array {
		between = value.Text(a[1])
	}
	var b strings.Builder
	for i, e := range value.List(a[0]) {
		s := value.Text(value.Basic(e))
		if i > 0 {
			s = between + s
		}
		if err := ev.make(n, len(s)); err != nil {
			return nil, err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// piece is a part of what format is given: text, or an argument by number.
type piece struct {
	text string
	arg  int // -1: text
}

// pieces reads a format. The place of a mistake is where in it the mistake
// is.
func pieces(s string) (out []piece, bad int, ok bool) {
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			out = append(out, piece{text: literal.String(), arg: -1})
			literal.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c != '{' && c != '}':
			literal.WriteByte(c)
		case i+1 < len(s) && s[i+1] == c:
			literal.WriteByte(c)
			i++
		case c == '}':
			return nil, i, false
		default:
			end := i + 1
			for end < len(s) && '0' <= s[end] && s[end] <= '9' {
				end++
			}
			arg, err := strconv.Atoi(s[i+1 : end])
			if err != nil || end == len(s) || s[end] != '}' {
				return nil, i, false
			}
			flush()
			out = append(out, piece{arg: arg})
			i = end
		}
	}
	flush()
	return out, 0, true
}

const (
	badFormat  = "the format is not valid"
	formatHint = "arguments are written {0}, {1}…; a brace of its own is written twice"
)

func format(ev *evaluation, n *node, a []any) (any, error) {
	list, _, ok := pieces(value.Text(a[0]))
	if !ok {
		return nil, failed(n.args[0], badFormat, formatHint)
	}
	values := make([]string, len(a)-1)
	for i := range values {
		values[i] = value.Text(a[i+1])
	}
	var b strings.Builder
	for _, p := range list {
		s := p.text
		if p.arg >= len(values) {
			return nil, tooFew(n, p.arg)
		}
		if p.arg >= 0 {
			s = values[p.arg]
		}
		if err := ev.make(n, len(s)); err != nil {
			return nil, err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func tooFew(n *node, arg int) *Error {
	return failed(n.args[0], fmt.Sprintf("the format asks for argument {%d}, but %s after it", arg, given(len(n.args)-1)), "arguments count from {0}")
}

func given(n int) string {
	switch n {
	case 0:
		return "there is none"
	case 1:
		return "there is 1"
	}
	return fmt.Sprintf("there are %d", n)
}

func toJSON(ev *evaluation, n *node, a []any) (any, error) {
	s, ok := value.JSON(a[0], maxMade)
	if !ok {
		return nil, failed(n, "toJSON was given more than it can print", "")
	}
	if err := ev.make(n, len(s)); err != nil {
		return nil, err
	}
	return s, nil
}

func hashFiles(ev *evaluation, n *node, a []any) (any, error) {
	if ev.env.Root == "" {
		return nil, failed(n, "hashFiles cannot read files here", "")
	}
	patterns := make([]string, len(a))
	for i, x := range a {
		patterns[i] = value.Text(x)
	}
	sum, err := hashfiles.Below(ev.env.Root, patterns)
	if err != nil {
		at := n
		var bad *hashfiles.PatternError
		if errors.As(err, &bad) {
			at = n.args[bad.Index]
		}
		return nil, failed(at, err.Error(), "")
	}
	return sum, nil
}

func fromJSON(ev *evaluation, n *node, a []any) (any, error) {
	s := value.Text(a[0])
	if err := ev.make(n, len(s)); err != nil {
		return nil, err
	}
	v, err := decodeJSON(s)
	if err != nil {
		return nil, failed(n, notJSON(s), "")
	}
	return v, nil
}

func decodeJSON(s string) (v any, err error) {
	err = json.Unmarshal([]byte(s), &v)
	return v, err
}

// notJSON says what is wrong without a word of the text, which may be secret.
func notJSON(s string) string {
	if strings.TrimSpace(s) == "" {
		return "fromJSON was given an empty text"
	}
	return "fromJSON was given a text that is not JSON"
}
