package oracle

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/nektos/act/pkg/exprparser"
	"github.com/nektos/act/pkg/model"

	"github.com/redundctl/redundctl/engine/expr"
)

// data is what both evaluate expressions in.
func data() map[string]any {
	var out map[string]any
	err := json.Unmarshal([]byte(`{"text": "Hello", "other": "world", "empty": "", "n": 5, "zero": 0, "minus": -1.5, "yes": true, "no": false, "none": null,
		"number": "12", "spaced": " 7 ", "list": ["a", "b", 3], "numbers": [1, 2, 3], "nothing": [],
		"object": {"a": 1, "b": "x", "list": [1, [2]]}, "people": [{"name": "Ann", "tags": ["x"]}, {"name": "Bob", "tags": ["y", "z"]}, {"age": 3}]}`), &out)
	if err != nil {
		panic(err) // a constant of this file
	}
	return out
}

// writer writes random expressions.
type writer struct{ *rand.Rand }

func (w writer) pick(of ...string) string { return of[w.IntN(len(of))] }

func (w writer) value(depth int) string {
	if depth <= 0 || w.IntN(4) == 0 {
		return w.pick("null", "true", "false", "0", "1", "2.5", "-1", "0x10", "1e3", "''", "'a'", "'Hello'", "'hello'", "'0x10'", "' 1 '", "'it''s'", "'true'", "'12.50'", "'a b'",
			w.chain(), w.chain(), w.chain())
	}
	sub := func() string { return w.value(depth - 1) }
	switch w.IntN(9) {
	case 0:
		return "!" + w.pick("", "!") + "(" + sub() + ")"
	case 1, 2:
		return "(" + sub() + ")" + w.pick(" == ", " != ", " < ", " <= ", " > ", " >= ") + "(" + sub() + ")"
	case 3, 4:
		return "(" + sub() + w.pick(" && ", " || ") + sub() + ")"
	case 5:
		if w.IntN(2) == 0 {
			return "contains(" + sub() + ", " + sub() + ")"
		}
		return w.pick("startsWith", "endsWith") + "(" + w.text() + ", " + w.text() + ")"
	case 6:
		if w.IntN(3) == 0 {
			return "fromJSON(toJSON(" + sub() + "))"
		}
		return w.pick("toJSON", "join") + "(" + sub() + ")"
	case 7:
		return w.pick("join("+w.pick("matrix.list", "matrix.numbers", "matrix.people[1].tags", "matrix.nothing")+", "+w.pick("'-'", "', '", "''")+")",
			"format('{0} and {1}', "+sub()+", "+sub()+")", "format('{{{0}}}', "+sub()+")", "format('{1}{0}{1}', "+sub()+", "+sub()+")")
	}
	return w.chain()
}

// text is an expression that gives no list and no object.
func (w writer) text() string {
	return w.pick("matrix.text", "matrix.empty", "matrix.n", "matrix.none", "matrix.yes", "'H'", "'hello'", "'o'", "5", "true", "null", "''", "toJSON(matrix.list)", "format('{0}', matrix.text)")
}

func (w writer) chain() string {
	return "matrix." + w.pick("text", "other", "empty", "n", "zero", "minus", "yes", "no", "none", "number", "spaced", "list", "numbers", "nothing", "object", "people", "nope",
		"object.a", "object.b", "object.list", "object.nope.deep", "list[0]", "list[2]", "list[9]", "numbers[1]", "object['a']", "OBJECT.B", "people[0].name", "people[1].tags[0]",
		"people[1].tags.*", "list.*", "object.list[1][0]", "text.deep", "n[0]")
}

// act is what act makes of an expression.
func act(text string) (any, error) {
	env := &exprparser.EvaluationEnvironment{Github: &model.GithubContext{}, Matrix: data(), Job: &model.JobContext{Status: "success"}}
	return exprparser.NewInterpeter(env, exprparser.Config{Context: "step"}).Evaluate(text, exprparser.DefaultStatusCheckNone)
}

// ours is what the product makes of it.
func ours(text string) (any, error) {
	t, err := expr.Parse("${{ " + text + " }}")
	if err != nil {
		return nil, err
	}
	return t.Eval(&expr.Env{Contexts: map[string]any{"matrix": data()}, Status: expr.Status{Success: true}})
}

// plain is a value in one form whoever made it.
func plain(v any, err error) string {
	if err != nil {
		return "an error"
	}
	if v == nil {
		return "null"
	}
	switch x := reflect.ValueOf(v); {
	case x.CanInt():
		return fmt.Sprint(x.Int())
	case x.CanFloat():
		if f := x.Float(); f == math.Trunc(f) && math.Abs(f) < 1e15 {
			return fmt.Sprint(int64(f))
		}
		return fmt.Sprint(x.Float())
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// faults are what act gets wrong, by name: an expression that shows it, what act
// makes of it and what GitHub does, by its documentation or by the source of its
// runner (github.com/actions/runner, src/Sdk/Expressions), which is what ours
// must make of it.
func faults() map[string]struct{ text, act, github string } {
	return map[string]struct{ text, act, github string }{
		"a filter keeps what is not there":     {"matrix.people.*.name", `["Ann","Bob",null]`, `["Ann","Bob"]`},
		"a filter of an object is the object":  {"matrix.object.*", `{"a":1,"b":"x","list":[1,[2]]}`, `[1,"x",[1,[2]]]`},
		"filters are not joined":               {"matrix.people.*.tags.*", `[["x"],["y","z"],null]`, `["x","y","z"]`},
		"a list begins with the empty text":    {"startsWith(matrix.nothing, '')", "true", "false"},
		"fromJSON takes no boolean":            {"fromJSON(true)", "an error", "true"},
		"letters are compared as small ones":   {"'[' < 'A'", "true", "false"},
		"null comes before null":               {"null < null", "true", "false"},
		"lists cannot be compared":             {"matrix.list == matrix.numbers", "an error", "false"},
		"an object is joined as its kind":      {"join(matrix.object)", `"Object"`, `""`},
		"a number with a leading zero is none": {"'010' == 10", "false", "true"},
		"a format of lists shows another kind": {"format('{0}', matrix.object.*)", `"Object"`, `"Array"`},
	}
}

// differing are the random expressions that fall under a fault of act's.
func differing(text string) string {
	switch text {
	case "((null) != (contains(true, null)) && (matrix.people) != (matrix.object.list))",
		"(((null && matrix.spaced) || (matrix.list.*) > (matrix.object.list)) && 'it''s')":
		return "lists cannot be compared"
	}
	return ""
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, f := range faults() {
		if got := safe(act, f.text); got != f.act {
			t.Errorf("%s: act makes %s of %s, no longer %s: the fault may be gone", name, got, f.text, f.act)
		}
		if got := safe(ours, f.text); got != f.github {
			t.Errorf("%s: %s gave %s, not %s", name, f.text, got, f.github)
		}
	}
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	w := writer{rand.New(rand.NewPCG(1, 2))}
	errs := 0
	for range 5000 {
		text := w.value(3)
		a, o, name := safe(act, text), safe(ours, text), differing(text)
		if a == "an error" {
			errs++
		}
		switch {
		case a == o && name != "":
			t.Errorf("%s no longer differs: both make %s of it", text, a)
		case a == o:
		case name == "":
			t.Errorf("%s\n   act %s\n  ours %s", text, a, o)
		default:
			if _, ok := faults()[name]; !ok {
				t.Errorf("%s differs for a reason that is not told: %s", text, name)
			}
		}
	}
	if errs > 100 {
		t.Errorf("%d expressions are none", errs)
	}
}

func safe(f func(string) (any, error), text string) (out string) {
	defer func() {
		if x := recover(); x != nil {
			out = "a panic"
		}
	}()
	return plain(f(text))
}
