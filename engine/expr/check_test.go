package expr

import (
	"fmt"
	"strings"
	"testing"
)

// scope is what the tests check against: the shapes that a pipeline has.
func scope() *Types {
	step := func(outputs *Type) *Type {
		return &Type{Kind: Object, Fields: map[string]*Type{"outputs": outputs, "outcome": StringType(), "exit-code": NumberType()}}
	}
	later := step(MapOf(StringType()))
	later.Refuse = &Refusal{Rule: "later-step", Message: "this step cannot have run yet", Hint: "add it to needs"}
	steps := &Type{Kind: Object, What: "step", Rule: "unknown-step",
		Fields: map[string]*Type{"build": step(MapOf(StringType())), "fetch": step(Closed(map[string]*Type{"status": NumberType(), "json": AnyType()})), "later": later}}
	secrets := &Type{Kind: Object, What: "secret", Rule: "undeclared-secret", Hint: "declare it under secrets", Fields: map[string]*Type{"TOKEN": StringType()}}
	return &Types{Roots: map[string]*Type{
		"steps": steps, "secrets": secrets, "env": MapOf(StringType()), "vars": AnyType(),
		"params":  Closed(map[string]*Type{"message": StringType(), "count": NumberType(), "hosts": ArrayOf(StringType()), "on": BoolType()}),
		"primary": {Kind: Object, Open: true, Refuse: &Refusal{Rule: "primary-in-run", Message: "primary cannot be read here", Hint: "use env"}},
		"items":   ArrayOf(Closed(map[string]*Type{"id": NumberType(), "tags": ArrayOf(StringType())})),
	}}
}

// TestCheck holds what is said and where: each mark under the text is an
// error there.
func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, mark, want string }{
		// what is right
		{"plain ${{ params.message }}", "", ""},
		{"${{ PARAMS.Message == 'x' && steps.build.outputs.any || env.x }}", "", ""},
		{"${{ steps['build'].exit-code > 0 && steps.fetch.outputs.json.a.b[0].* }}", "", ""},
		{"${{ join(vars.a.b.c[0].d.*.e) }} ${{ vars[params.message].x }}", "", ""},
		{"${{ contains(steps.*.outcome, 'failed') }}", "", ""},
		{"${{ join(items.*.id) }}${{ join(items.*.tags.*) }}${{ items[0].id }}${{ items['0'].id }}", "", ""},
		{"${{ join(params.hosts, params.count) }}", "", ""},
		{"${{ toJSON(params) }}${{ toJSON(steps) }}", "", ""},
		{"${{ fromJSON('{\"a\":[{\"b\":1},{\"c\":2}]}').a[0].c }}", "", ""},
		{"${{ hashFiles('a', 'b') }}${{ success() }}", "", ""},
		{"${{ params.hosts == params.hosts }}", "", ""},
		// names
		{"x ${{ parms.n }}", "      ^^^^^", `unknown-context: unknown context "parms"`},
		{"${{ params.mesage }}", "           ^^^^^^", `unknown-field: unknown field "mesage"`},
		{"${{ params . mesage }}", "             ^^^^^^", `unknown-field: unknown field "mesage"`},
		{"${{ (params)['mesage'] }}", "             ^^^^^^^^", `unknown-field: unknown field "mesage"`},
		{"${{ steps.biuld.outputs.k }}", "          ^^^^^", `unknown-step: unknown step "biuld"`},
		{"${{ steps.fetch.outputs.stats }}", "                        ^^^^^", `unknown-field: unknown field "stats"`},
		{"${{ secrets.OTHER_KEY }}", "            ^^^^^^^^^", `undeclared-secret: unknown secret "OTHER_KEY": declare it under secrets`},
		{"${{ steps.*.outcom }}", "            ^^^^^^", `unknown-field: unknown field "outcom"`},
		{"${{ env[params.x] }}", "               ^", `unknown-field: unknown field "x"`},
		{"ä ${{ 'ö' == params.x }}", "                      ^", `unknown-field: unknown field "x"`},
		{"${{ fromJSON('{\"a\":1}').b }}", "                        ^", `unknown-field: unknown field "b"`},
		{"${{ succes() }}", "    ^^^^^^", `unknown-function: unknown function "succes"`},
		// refusals, once for a chain
		{"echo ${{ primary.verdict }}", "         ^^^^^^^^^^^^^^^", `primary-in-run: primary cannot be read here: use env`},
		{"${{ steps.later.outputs.k }}", "    ^^^^^^^^^^^^^^^^^^^^^", `later-step: this step cannot have run yet: add it to needs`},
		{"${{ vars[primary.url] }}", "         ^^^^^^^^^^^", `primary-in-run: primary cannot be read here: use env`},
		{"${{ steps[primary] }}", "          ^^^^^^^", `primary-in-run: primary cannot be read here: use env`},
		// types
		{"${{ params.message.x }}", "                   ^", `expression-type: a string has no field "x"`},
		{"${{ params.count.* }}", "                 ^", `expression-type: a number has no elements`},
		{"${{ params.on[0] }}", "              ^", `expression-type: a boolean has no elements`},
		{"${{ items.id }}", "          ^^", `expression-type: a list has no field "id"`},
		{"${{ items['id'] }}", "          ^^^^", `expression-type: a list has no field "id"`},
		{"${{ items.*.id.x }}", "               ^", `expression-type: a number has no field "x"`},
		{"${{ vars[items] }}", "         ^^^^^", `expression-type: a list cannot be an index`},
		{"${{ params.hosts == 'a' }}", "    ^^^^^^^^^^^^^^^^^^^", `expression-type: a list is never equal to a string`},
		{"${{ params > 1 }}", "    ^^^^^^^^^^", `expression-type: an object has no order`},
		{"a ${{ params.hosts }}", "      ^^^^^^^^^^^^", `expression-type: a list inside a text`},
		{"${{ !null.x }}", "          ^", `expression-type: null has no field "x"`},
		// calls
		{"${{ contains('a') }}", "    ^^^^^^^^^^^^^", `expression-type: contains takes 2 arguments, not 1`},
		{"${{ format() }}", "    ^^^^^^^^", `expression-type: format takes at least 1 argument, not 0`},
		{"${{ startsWith(params.hosts, 'a') }}", "               ^^^^^^^^^^^^", `expression-type: startsWith cannot take a list`},
		{"${{ contains(params, 'a') }}", "    ^^^^^^^^^^^^^^^^^^^^^", `expression-type: contains looks into a list or a string, not into an object`},
		{"${{ join(params) }}", "         ^^^^^^", `expression-type: join takes a list, not an object`},
		{"${{ format('{0} {1}', 1) }}", "           ^^^^^^^^^", `expression-value: the format asks for argument {1}, but there is 1`},
		{"${{ format('{x}') }}", "           ^^^^^", `expression-value: the format is not valid`},
		{"${{ fromJSON('[1') }}", "             ^^^^", `expression-value: fromJSON was given a text that is not JSON`},
	} {
		x, err := Parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		errs := Check(x, scope())
		if c.want == "" {
			if len(errs) > 0 {
				t.Errorf("%s: %v", c.text, errs)
			}
			continue
		}
		if len(errs) != 1 {
			t.Errorf("%s: %d errors: %v", c.text, len(errs), errs)
			continue
		}
		e := errs[0]
		mark, got := strings.Repeat(" ", e.Offset)+strings.Repeat("^", e.Width), e.Rule+": "+e.Error()
		if mark != c.mark || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s\n%s %s\nwant\n%s %s", c.text, mark, got, c.mark, c.want)
		}
	}
}

func TestCheckNamesTheNearest(t *testing.T) {
	t.Parallel()
	for text, hint := range map[string]string{
		"${{ step.x }}":           "did you mean steps?",
		"${{ steps.biuld }}":      "did you mean build?",
		"${{ secrets.TOKNE }}":    "did you mean TOKEN?",
		"${{ hashfile('x') }}":    "did you mean hashFiles?",
		"${{ params.zzzzzzzzz }}": "the fields are count, hosts, message, on",
	} {
		x, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if errs := Check(x, scope()); len(errs) != 1 || errs[0].Hint != hint {
			t.Errorf("%s: %+v, not %q", text, errs, hint)
		}
	}
}

func TestCheckStatus(t *testing.T) {
	t.Parallel()
	x, err := Parse("a ${{ failure() && always() }}")
	if err != nil {
		t.Fatal(err)
	}
	types := scope()
	if errs := Check(x, types); len(errs) != 0 {
		t.Error(errs)
	}
	types.NoStatus = true
	if errs := Check(x, types); len(errs) != 2 || errs[0].Offset != 6 || errs[1].Offset != 19 {
		t.Error(errs)
	}
}

// TestCheckAllRefused holds that `.*` and an unknown index use what they stand
// for when there is nothing else.
func TestCheckAllRefused(t *testing.T) {
	t.Parallel()
	no := &Type{Kind: String, Refuse: &Refusal{Rule: "shell-injection", Message: "no"}}
	types := &Types{Roots: map[string]*Type{"params": Closed(map[string]*Type{"a": no, "b": no}), "some": Closed(map[string]*Type{"a": no, "b": StringType()}), "env": MapOf(nil)}}
	for text, want := range map[string]int{"${{ join(params.*) }}": 1, "${{ params[env.x] }}": 1, "${{ params.a }} ${{ params.b }}": 2, "${{ join(some.*) }}": 0, "${{ some[env.x] }}": 0} {
		x, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if errs := Check(x, types); len(errs) != want {
			t.Errorf("%s: %v", text, errs)
		}
	}
}

func TestInfer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Kind{
		"x": String, "": String, "a ${{ params.count }}": String, "${{ params.count }}": Number, "${{ params.hosts }}": Array, "${{ params.hosts[0] }}": String, "${{ params }}": Object,
		"${{ vars.x }}": Any, "${{ 1 < 2 }}": Bool, "${{ !1 }}": Bool, "${{ null }}": Null, "${{ params.message || 'x' }}": String, "${{ params.count || 'x' }}": Any, "${{ steps.*.exit-code }}": Array,
		"${{ toJSON(1) }}": String, "${{ fromJSON('[1]') }}": Array, "${{ fromJSON('[1]')[0] }}": Number, "${{ fromJSON(params.message) }}": Any, "${{ contains('a', 'b') }}": Bool, "${{ nope }}": Any,
	} {
		x, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := Infer(x, scope()); got.Kind != want {
			t.Errorf("%s is %v, not %v", text, got.Kind, want)
		}
	}
}

// TestCheckLarge holds that a filter over many steps costs what they are, not
// their square.
func TestCheckLarge(t *testing.T) {
	t.Parallel()
	fields := map[string]*Type{}
	for i := range 20000 {
		fields[fmt.Sprintf("s%d", i)] = Closed(map[string]*Type{"outcome": StringType(), "outputs": Closed(map[string]*Type{fmt.Sprintf("k%d", i): StringType()})})
	}
	x, err := Parse("${{ " + strings.Repeat("join(steps.*.outputs.*) && ", 300) + "1 }}")
	if err != nil {
		t.Fatal(err)
	}
	if errs := Check(x, &Types{Roots: map[string]*Type{"steps": Closed(fields)}}); len(errs) != 0 {
		t.Error(errs[0])
	}
}
