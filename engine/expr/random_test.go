package expr

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/redundctl/redundctl/engine/expr/value"
)

// writer writes random expressions.
type writer struct{ *rand.Rand }

func (w writer) pick(of ...string) string { return of[w.IntN(len(of))] }

func (w writer) expression(depth int) string {
	if depth <= 0 {
		return w.pick("null", "true", "false", "0", "1", "2.5", "-1", "0x10", "1e3", "NaN", "Infinity", "''", "'a'", "'Hello'", "'0x10'", "' 1 '", "'it''s'", "'[1,{\"a\":2}]'", "'{0}{1}'", w.chain(0))
	}
	sub := func() string { return w.expression(depth - 1 - w.IntN(2)) }
	switch w.IntN(10) {
	case 0, 1:
		return w.chain(depth)
	case 2:
		return "!" + w.pick("", "!") + "(" + sub() + ")"
	case 3, 4:
		return sub() + w.pick(" == ", "!=", " < ", "<=", " > ", ">=") + "(" + sub() + ")"
	case 5, 6:
		return "(" + sub() + w.pick(" && ", "||") + sub() + ")"
	case 7:
		return w.pick("contains", "startsWith", "endsWith", "join", "format") + "(" + sub() + ", " + sub() + ")"
	case 8:
		return w.pick("toJSON", "fromJSON", "join", "format") + "(" + sub() + ")"
	}
	return w.pick("success()", "failure()", "cancelled()", "always()", "nope()", "format()")
}

func (w writer) chain(depth int) string {
	out := w.pick("params", "steps", "PARAMS", "x", "fromJSON('[{\"a\":1},{\"b\":[true]}]')")
	for range w.IntN(5) {
		switch w.IntN(6) {
		case 0:
			out += ".*"
		case 1:
			out += "[" + w.expression(depth-1) + "]"
		case 2:
			out += "[" + w.pick("0", "1", "-1", "'text'", "'list'") + "]"
		default:
			out += "." + w.pick("text", "list", "object", "n", "one", "outputs", "k", "a", "b", "Nope", "outcome")
		}
	}
	return out
}

// TestRandom evaluates random expressions. None panics; what Check finds
// right, Eval can give, and with the kind that Infer said.
func TestRandom(t *testing.T) {
	t.Parallel()
	e := &Env{Contexts: map[string]any{
		"params": map[string]any{"text": "Hello", "n": 5.0, "list": []any{"a", "b"}, "object": map[string]any{"a": 1.0, "b": "x", "list": []any{1.0, []any{}}}, "none": nil},
		"steps":  map[string]any{"one": map[string]any{"outcome": "succeeded", "outputs": map[string]any{"k": "v"}}, "two": map[string]any{"outcome": "failed", "outputs": map[string]any{}}},
	}}
	types := &Types{Roots: map[string]*Type{"params": typeOf(e.Contexts["params"]), "steps": typeOf(e.Contexts["steps"])}}
	w := writer{rand.New(rand.NewPCG(1, 2))}
	right, known := 0, 0
	for range 30000 {
		text := "${{ " + w.expression(4) + " }}"
		x, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		typ, errs := Infer(x, types)
		got, err := x.Eval(e)
		again, err2 := x.Eval(e)
		if text, text2 := fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", again); (err == nil) != (err2 == nil) || !strings.Contains(text, "NaN") && text != text2 {
			t.Fatalf("%s gave %s, then %s", text, text, text2)
		}
		if len(errs) > 0 {
			continue
		}
		right++
		var wrong *Error
		if errors.As(err, &wrong) {
			if wrong.Rule != RuleValue {
				t.Fatalf("%s was found right, but: %v", text, err)
			}
			continue
		}
		if typ.Kind != Any && got != nil {
			known++
			if k := value.KindOf(got); k != typ.Kind {
				t.Fatalf("%s gave %#v, which is not of kind %d", text, got, typ.Kind)
			}
		}
	}
	if right < 3000 || known < 1000 {
		t.Errorf("the test shows little: %d right, %d of a known kind", right, known)
	}
}

// parsed checks an error or a template that parsing gave.
func parsed(t *testing.T, s string, x *Template, err error) {
	t.Helper()
	if err == nil {
		for _, r := range x.Refs() {
			if !strings.HasPrefix(strings.ToLower(s[r.Offset:]), r.Root) || r.Offset+r.Width > len(s) {
				t.Fatalf("%q: %+v is not there", s, r)
			}
		}
		return
	}
	inside(t, s, err)
}

// inside checks that an error is one for people, at a place in s.
func inside(t *testing.T, s string, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%q: %T is not an *Error", s, err)
	}
	if e.Offset < 0 || e.Width < 1 || e.Offset+e.Width > max(len(s), 1) {
		t.Fatalf("%q: %+v lies outside", s, e)
	}
	if e.Rule == "" || e.Message == "" || strings.Contains(e.Message, "\n") || utf8.ValidString(s) && !utf8.ValidString(e.Message) {
		t.Fatalf("%q: %+v", s, e)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "a", "${{ a }}", "x ${{ a.b['c'].*[0] == 'it''s' && !f(1, 0x2) || NaN }} ${{ }}", "${{ 'a }}", "}}", "${{ \"", "${{ é", "${{(a).b}}", "1e5", "a[b", "\xff", "${{ a }} }}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x, err := Parse(s)
		parsed(t, s, x, err)
		if err == nil && !HasExpr(s) {
			if got, err := x.Text(&Env{}); err != nil || got != s {
				t.Fatalf("%q became %q, %v", s, got, err)
			}
		}
		x, err = ParseIf(s)
		parsed(t, s, x, err)
		if err == nil && !x.Whole() {
			t.Fatalf("the condition %q is not whole", s)
		}
	})
}

func FuzzEval(f *testing.F) {
	w := writer{rand.New(rand.NewPCG(3, 4))}
	for range 20 {
		f.Add(w.expression(3))
	}
	e := world()
	types := &Types{Roots: map[string]*Type{"params": typeOf(e.Contexts["params"]), "steps": typeOf(e.Contexts["steps"]), "env": MapOf(StringType()), "name": StringType()}}
	f.Fuzz(func(t *testing.T, body string) {
		x, err := ParseIf(body)
		if err != nil {
			return
		}
		errs := Check(x, types)
		for i := range errs {
			inside(t, body, &errs[i])
		}
		got, err := x.Eval(e)
		if err != nil {
			inside(t, body, err)
			var wrong *Error
			if errors.As(err, &wrong) && wrong.Rule != RuleValue && len(errs) == 0 {
				t.Fatalf("%q was found right, but: %v", body, err)
			}
			return
		}
		if value.KindOf(got) == String && !reflect.DeepEqual(got, mustText(t, x, e)) {
			t.Fatalf("%q is %#v, but not as text", body, got)
		}
	})
}

func mustText(t *testing.T, x *Template, e *Env) any {
	t.Helper()
	s, err := x.Text(e)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"plain", "https://example.com/a/path"},
		{"whole", "${{ steps.compose.outputs.text }}"},
		{"mixed", "Bearer ${{ secrets.TOKEN }} for ${{ params.name }}"},
		{"condition", "${{ steps.one.outcome == 'failed' && contains(params.list, 'a') }}"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(c.text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEval(b *testing.B) {
	e := world()
	for _, c := range []struct{ name, text string }{
		{"field", "${{ steps.one.outputs.k }}"}, {"condition", "${{ steps.one.outcome == 'failed' && success() }}"}, {"text", "x ${{ steps.one.outputs.k }} y"}, {"call", "${{ contains(params.list, 'b') }}"},
	} {
		x, err := Parse(c.text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := x.Eval(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
