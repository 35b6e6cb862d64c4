package expr

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// world is what the tests evaluate in.
func world() *Env {
	list := []any{"a", "B", 3.0}
	return &Env{
		Contexts: map[string]any{
			"params": map[string]any{"n": 5, "big": int64(9007199254740993), "f": 1.5, "on": true, "off": false,
				"none": nil, "text": "Hello", "empty": "", "list": list, "again": list, "other": []any{"a", "B", 3.0},
				"object": map[string]any{"b": 2.0, "a": 1.0}, "hello world": "spaced", "Case": "upper", "case": "lower", "words": []string{"x", "y"}},
			"env":   map[string]string{"HOME": "/root", "Path": "/bin"},
			"steps": map[string]any{"one": map[string]any{"outcome": "succeeded", "outputs": map[string]any{"k": "v1"}}, "two": map[string]any{"outcome": "failed", "outputs": map[string]any{"k": "v2", "m": []any{1.0}}}},
			"name":  Named("named"),
		},
		Status: Status{Success: true},
	}
}

// Named is a string of a type that the language does not know.
type Named string

func evalBody(t *testing.T, body string, e *Env) (any, error) {
	t.Helper()
	x, err := Parse("${{" + body + "}}")
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return x.Eval(e)
}

func TestEval(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for body, want := range map[string]any{
		// literals
		`null`: nil, `true`: true, `'it''s'`: "it's", `0xff`: 255.0, `-2.5e2`: -250.0, `'}}'`: "}}", `NaN`: nan, `Infinity`: math.Inf(1),
		// fields keep their type
		`params.n`: 5, `params.big`: int64(9007199254740993), `params.on`: true, `params['hello world']`: "spaced", `PARAMS.TEXT`: "Hello",
		`params.Case`: "upper", `params.case`: "lower", `params.CASE`: "upper", `env.home`: "/root", `env.PATH`: "/bin", `params.nope`: nil, `params.nope.deeper`: nil,
		`params.text.x`: nil, `name`: "named", `params.words[1]`: "y",
		// indexes
		`params.list[0]`: "a", `params.list[2.9]`: 3.0, `params.list['1']`: "B", `params.list[true]`: "B", `params.list[null]`: "a", `params.list[3]`: nil,
		`params.list[-1]`: nil, `params.list['x']`: nil, `params.list[params.list]`: nil, `params.list[NaN]`: nil, `fromJSON('{"1":"one"}')[1]`: "one", `params.list[Infinity]`: nil,
		// filters
		`params.list.*`: []any{"a", "B", 3.0}, `params.object.*`: []any{1.0, 2.0}, `steps.*.outcome`: []any{"succeeded", "failed"}, `steps.*.outputs.m`: []any{[]any{1.0}},
		`steps.*.outputs.*`: []any{"v1", "v2", []any{1.0}}, `steps.*.outputs.m[0]`: []any{1.0}, `params.text.*`: []any{}, `params.text.*.x`: []any{}, `steps.*[0]`: []any{}, `params.words.*`: []any{"x", "y"},
		// logic gives operands
		`params.empty || 'default'`: "default", `params.text && 'yes'`: "yes", `0 && 1`: 0.0, `!params.empty`: true, `!params.object`: false, `!NaN`: true, `'false' && 1`: 1.0, `!fromJSON('[]')`: false,
		`true || nope.field`: true, `false && nope.field`: false,
		// comparison of one kind
		`'ABC' == 'abc'`: true, `'ä' == 'Ä'`: true, `'ı' == 'i'`: false, `'a' < 'B'`: true, `'_' < 'a'`: false, `'a' != 'b'`: true, `null == null`: true, `null != null`: false, `null < null`: false, `null >= null`: true,
		`true > false`: true, `true >= true`: true, `NaN == NaN`: false, `NaN != NaN`: true, `NaN <= NaN`: false,
		// of different kinds
		`1 == '1'`: true, `1 == ' 1.0 '`: true, `255 == '0xff'`: true, `-1 == '0xffffffff'`: true, `8 == '0o10'`: true, `100 == '1e2'`: true, `0 == ''`: true, `0 == null`: true, `1 == true`: true, `'1' == true`: true,
		`'true' == true`: false, `null == ''`: true, `null == 'x'`: false, `'x' < 1`: false, `'x' >= 1`: false, `'x' != 1`: true, `null < 1`: true, `'Infinity' == Infinity`: true, `0 == '0xfffffffff'`: false, `1 == '1_0'`: false,
		`params.n == '5'`: true, `params.n > 4.5`: true,
		// identity
		`params.list == params.list`: true, `params.list == params.again`: true, `params.list == params.other`: false, `params.object == params.object`: true,
		`fromJSON('{}') == fromJSON('{}')`: false, `params.list == null`: false, `params.list == 0`: false, `params.list != ''`: true, `params.list < params.list`: false, `params.list <= params.list`: true,
		// functions
		`contains('Hello world', 'WORLD')`: true, `contains(params.list, 'b')`: true, `contains(params.list, '3')`: true, `contains(params.list, 4)`: false, `contains(params.object, 'a')`: false, `contains('a', params.list)`: false,
		`contains(steps.*.outcome, 'failed')`: true, `contains('x1', 1)`: true, `contains('', '')`: true, `contains(params.words, 'X')`: true,
		`startsWith('Hello', 'hE')`: true, `endsWith('Hello', 'LO')`: true, `startsWith(params.list, '')`: false, `endsWith(12, 2)`: true,
		`format('{0}-{1}-{0}', 'a', 1.50)`: "a-1.5-a", `format('{{0}}{{{0}}}', 'x')`: "{0}{x}", `format('')`: "", `format('{0}', params.list)`: "Array",
		`join(params.list)`: "a,B,3", `join(params.list, ' + ')`: "a + B + 3", `join('one')`: "one", `join(params.object)`: "", `join(fromJSON('[[1],{},null,true]'), '|')`: "Array|Object||true", `join(params.words, '')`: "xy",
		`fromJSON('[1, "a", null]')`: []any{1.0, "a", nil}, `fromJSON('{"a": {"B": 2}}').A.b`: 2.0, `fromJSON(1)`: 1.0, `FROMJSON('true')`: true,
		`toJSON(null)`: "null", `toJSON('<a&"')`: `"<a&\""`, `toJSON(params.object)`: "{\n  \"a\": 1,\n  \"b\": 2\n}", `toJSON(fromJSON('[]'))`: "[]", `toJSON(fromJSON('{}'))`: "{}", `toJSON(fromJSON('[1,[true]]'))`: "[\n  1,\n  [\n    true\n  ]\n]",
		`toJSON(steps.*.outputs.k)`: "[\n  \"v1\",\n  \"v2\"\n]", `toJSON(params.big)`: "9007199254740993", `toJSON(env)`: "{\n  \"HOME\": \"/root\",\n  \"Path\": \"/bin\"\n}", `toJSON(1.5)`: "1.5",
		`success()`: true, `Failure()`: false, `cancelled()`: false, `always()`: true,
	} {
		got, err := evalBody(t, body, world())
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if f, ok := want.(float64); ok && math.IsNaN(f) {
			if g, ok := got.(float64); !ok || !math.IsNaN(g) {
				t.Errorf("%s = %#v, not NaN", body, got)
			}
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %#v, not %#v", body, got, want)
		}
	}
}

func TestNumbersAsText(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`1.0`: "1", `-0.0`: "0", `0.1`: "0.1", `1e15`: "1E+15", `123456789012345.0`: "123456789012345", `0.0001`: "0.0001", `0.00001`: "1E-05", `1e100`: "1E+100",
		`NaN`: "NaN", `Infinity`: "Infinity", `0.30000000000000004`: "0.3", `params.big`: "9007199254740993", `true`: "true", `null`: "", `params.list`: "Array", `env`: "Object",
	} {
		x, err := Parse("<${{ " + body + " }}>")
		if err != nil {
			t.Fatal(err)
		}
		got, err := x.Text(world())
		if err != nil || got != "<"+want+">" {
			t.Errorf("%s: %q, %v, not %q", body, got, err, want)
		}
	}
}

// TestEvalError holds what is said of a fault, and where: the mark ^ stands
// under its first byte.
func TestEvalError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, mark, rule, says string }{
		{"x ${{ parms.n }}", "      ^^^^^", RuleContext, `unknown context "parms"`},
		{"x ${{ !foo() }}", "       ^^^", RuleFunction, `unknown function "foo"`},
		{"${{ fromJSON(params.text) }}", "    ^^^^^^^^^^^^^^^^^^^^^", RuleValue, "is not JSON"},
		{"${{ fromJSON('') }}", "    ^^^^^^^^^^^^", RuleValue, "empty text"},
		{"${{ format('{0}{1}', 1) }}", "           ^^^^^^^^", RuleValue, "argument {1}, but there is 1"},
		{"${{ format('{0', 1) }}", "           ^^^^", RuleValue, "not valid"},
		{"${{ format('}', 1) }}", "           ^^^", RuleValue, "not valid"},
		{"${{ format('{0:yyyy}', 1) }}", "           ^^^^^^^^^^", RuleValue, "not valid"},
		{"${{ format('{99999999999999999999}', 1) }}", "           ^^^^^^^^^^^^^^^^^^^^^^^^", RuleValue, "not valid"},
		{"${{ join() }}", "    ^^^^^^", RuleType, "join takes 1 or 2 arguments, not 0"},
		{"${{ always(1) }}", "    ^^^^^^^^^", RuleType, "always takes no arguments, not 1"},
		{"${{ hashFiles('x') }}", "    ^^^^^^^^^^^^^^", RuleValue, "cannot read files here"},
	} {
		x, err := Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = x.Eval(world())
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: no error", c.text)
			continue
		}
		if mark := strings.Repeat(" ", e.Offset) + strings.Repeat("^", e.Width); mark != c.mark || e.Rule != c.rule || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s\n%s %s %s\nwant\n%s %s %s", c.text, mark, e.Rule, e.Message, c.mark, c.rule, c.says)
		}
		if strings.Contains(err.Error(), "Hello") {
			t.Errorf("%s: the error holds a value: %v", c.text, err)
		}
	}
}

// TestBound holds that a short expression cannot ask for all of the memory.
func TestBound(t *testing.T) {
	t.Parallel()
	body := "'0123456789'"
	for range 9 {
		body = "format('" + strings.Repeat("{0}", 100) + "', " + body + ")"
	}
	for _, s := range []string{body, "toJSON(" + body + ")", "join(fromJSON(" + body + "))"} {
		if _, err := evalBody(t, s, world()); err == nil || !strings.Contains(err.Error(), "more than 16 MiB") {
			t.Errorf("%.40s…: %v", s, err)
		}
	}
	big := &Env{Contexts: map[string]any{"big": strings.Repeat("x", maxMade+1)}}
	if v, err := evalBody(t, "toJSON(big)", big); err == nil || v != nil {
		t.Errorf("a text over the bound: %v, and a value: %v", err, v != nil)
	}
	deep := any("x")
	for range 20000 {
		deep = []any{deep}
	}
	if _, err := evalBody(t, "toJSON(deep)", &Env{Contexts: map[string]any{"deep": deep}}); err == nil {
		t.Error("a value of any depth is printed")
	}
}

func TestTruth(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"success()": true, " failure() ": false, "${{ params.empty }}": false, "params.text == 'hello'": true, "''": false, "0": false, "params.list": true, "params.none": false, "'0'": true,
	} {
		x, err := ParseIf(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := x.Truth(world()); err != nil || got != want {
			t.Errorf("%q is %v, %v", s, got, err)
		}
	}
}

func TestEvalTree(t *testing.T) {
	t.Parallel()
	tree := map[string]any{
		"a": "${{ params.n }}", "b": []any{"n=${{ params.n }}", 7, nil}, "c": map[string]string{"${{ x }}": "${{ params.list }}"},
		"d": []string{"${{ '$' }}{{ params.n }}"}, "e": "plain",
	}
	got, err := EvalTree(tree, world())
	want := map[string]any{
		"a": 5, "b": []any{"n=5", 7, nil}, "c": map[string]any{"${{ x }}": []any{"a", "B", 3.0}},
		"d": []any{"${{ params.n }}"}, "e": "plain",
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%#v, %v", got, err)
	}
	if tree["a"] != "${{ params.n }}" {
		t.Error("the tree was changed")
	}
	_, err = EvalTree(map[string]any{"z": "${{ nope }}", "a": []any{"", "${{ none }}"}}, world())
	var e *Error
	if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), `a: 1: unknown context "none"`) || e.Offset != 4 {
		t.Errorf("%v", err)
	}
}

// TestConcurrent evaluates one template in one Env from many goroutines; the
// race detector watches.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	x, err := Parse("${{ format('{0} {1}', join(steps.*.outputs.k), toJSON(params.object)) }}!")
	if err != nil {
		t.Fatal(err)
	}
	e := world()
	types := &Types{Roots: map[string]*Type{"steps": MapOf(nil), "params": MapOf(nil)}}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				got, err := x.Text(e)
				if err != nil || got != "v1,v2 {\n  \"a\": 1,\n  \"b\": 2\n}!" {
					t.Errorf("%q, %v", got, err)
				}
				if errs := Check(x, types); len(errs) > 0 {
					t.Error(errs)
				}
				_ = x.Refs()
			}
		})
	}
	group.Wait()
}
