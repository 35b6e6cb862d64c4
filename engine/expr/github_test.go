package expr

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestDeepComparison holds that what stands in parentheses is read once.
func TestDeepComparison(t *testing.T) {
	t.Parallel()
	body := "1"
	for range 100 {
		body = "1 == ((" + body + ") == 1)"
	}
	if got, err := evalBody(t, body, &Env{}); err != nil || got != true {
		t.Errorf("%v, %v", got, err)
	}
}

// TestGitHub holds expressions with the results that the documentation of
// GitHub Actions gives for them, or that follow from its tables of operators and
// coercions.
func TestGitHub(t *testing.T) {
	t.Parallel()
	var event map[string]any
	err := json.Unmarshal([]byte(`{
		"ref": "refs/heads/main", "event_name": "push", "zero": 0, "none": null, "no": false,
		"labels": [{"name": "bug"}, {"name": "help wanted"}, {"id": 7}],
		"fruits": [{"name": "apple", "quantity": 1}, {"name": "orange", "quantity": 2}, {"name": "pear", "quantity": 1}],
		"vegetables": {
			"scallions": {"colors": ["green", "white", "red"], "ediblePortions": ["roots", "stalks"]},
			"beets": {"colors": ["purple", "red", "gold"], "ediblePortions": ["roots", "stems", "leaves"]},
			"artichokes": {"colors": ["green", "purple"], "ediblePortions": ["hearts", "stems", "leaves"]}}}`), &event)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "package-lock.json"), []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := &Env{Contexts: map[string]any{"e": event}, Root: root, Status: Status{Failure: true}}
	for _, c := range []struct {
		body string
		want any
	}{
		// literals
		{`null`, nil}, {`false`, false}, {`711`, 711.0}, {`-9.2`, -9.2}, {`0xff`, 255.0}, {`-2.99e-2`, -0.0299}, {`'Mona the Octocat'`, "Mona the Octocat"}, {`'It''s open source!'`, "It's open source!"},
		// precedence: ( ) [ ] . ! before < <= > >= before == != before && before ||, from left to right
		{`!true == false`, true}, {`!(true == false)`, true}, {`!e.no && true`, true}, {`!false || true && false`, true}, {`(true || true) && false`, false}, {`true || true && false`, true},
		{`1 < 2 == true`, true}, {`true == 1 < 2`, true}, {`3 > 2 > 1`, false}, {`3 > 2 == 1`, true}, {`2 == 2 == 1`, true}, {`0 == 1 == 0`, true}, {`1 != 1 == 0`, true}, {`1 == 1 != 0`, true},
		{`3 > (2 > 1)`, true}, {`(3 > 2) > 1`, false}, {`3 > (2) > 1`, false}, {`2 == (2 == 1)`, false}, {`2 == ((2) == 1)`, false}, {`2 == (2) == 1`, true}, {`(1) < ( 2 ) == ( true )`, true}, {`5 > 4 == 3 > 2`, true}, {`5 > 4 != 3 > 4 == true`, true}, {`2 == (!true) == false`, true}, {`'(' < ')' == ('(' < ')')`, true},
		{`1 <= 1 && 2 >= 2 || false`, true}, {`'a' == 'b' || 'c' == 'C'`, true}, {`false && true || 'x'`, "x"},
		// loose equality: both are made numbers when their types differ
		{`null == 0`, true}, {`true == 1`, true}, {`false == ''`, true}, {`'' == 0`, true}, {`'0' == 0`, true}, {`'1e3' == 1000`, true}, {`'+1' == 1`, true}, {`'.5' == 0.5`, true}, {`'5.' == 5`, true},
		{`'abc' == 0`, false}, {`'abc' < 1`, false}, {`'abc' > 1`, false}, {`'true' == true`, false}, {`'abc' == 'ABC'`, true}, {`'a' < 'B'`, true}, {`'10' < '9'`, true}, {`10 < '9'`, false},
		{`e.fruits == e.fruits`, true}, {`e.fruits[0] == e.fruits[1]`, false}, {`fromJSON('[1]') == fromJSON('[1]')`, false}, {`e.fruits == 'Array'`, false},
		// && and || give one of their operands; false, 0, -0, '' and null are falsy
		{`e.ref == 'refs/heads/main' && 'value for main' || 'value for others'`, "value for main"}, {`e.ref == 'x' && '' || 'other'`, "other"}, {`-0 || 'x'`, "x"}, {`e.none || e.zero`, 0.0}, {`'0' && 'y'`, "y"}, {`!'false'`, false}, {`e.fruits && 1`, 1.0},
		// functions
		{`contains('Hello world', 'llo')`, true}, {`contains('Hello world', 'LLO')`, true}, {`contains(fromJSON('["push", "pull_request"]'), e.event_name)`, true}, {`contains(e.labels.*.name, 'bug')`, true}, {`contains(e.labels.*.name, 'BUG')`, true}, {`contains(e.labels.*.name, 'help')`, false},
		{`contains(fromJSON('[1, 2]'), '2')`, true}, {`contains(e.vegetables, 'beets')`, false}, {`contains(1234, 23)`, true}, {`contains('', '')`, true}, {`contains(e.none, 'a')`, false},
		{`startsWith('Hello world', 'He')`, true}, {`startsWith('Hello world', 'hE')`, true}, {`endsWith('Hello world', 'LD')`, true}, {`startsWith('true', true)`, true},
		{`format('Hello {0} {1} {2}', 'Mona', 'the', 'Octocat')`, "Hello Mona the Octocat"}, {`format('{{Hello {0} {1} {2}!}}', 'Mona', 'the', 'Octocat')`, "{Hello Mona the Octocat!}"}, {`format('{1}{0}{1}', 1, true)`, "true1true"}, {`format('{0}', null)`, ""}, {`format('{0}', 1.0)`, "1"}, {`format('{{{{{0}}}}}', 'x')`, "{{x}}"},
		{`join(e.labels.*.name, ', ')`, "bug, help wanted"}, {`join(e.labels.*.name)`, "bug,help wanted"}, {`join('alone', '-')`, "alone"}, {`join(fromJSON('[1, true, null]'), '-')`, "1-true-"},
		{`toJSON(e.fruits[0])`, "{\n  \"name\": \"apple\",\n  \"quantity\": 1\n}"}, {`toJSON('a"b')`, `"a\"b"`}, {`toJSON(e.labels.*.name)`, "[\n  \"bug\",\n  \"help wanted\"\n]"},
		{`fromJSON('{"continue": true, "minutes": 30}').minutes`, 30.0}, {`fromJSON('true')`, true}, {`fromJSON('3') == '3'`, true}, {`fromJSON('"x"')`, "x"}, {`fromJSON('null')`, nil},
		{`hashFiles('nothing-here')`, ""}, {`hashFiles('package-lock.json') == hashFiles('**/package-lock.json')`, true}, {`hashFiles('**/package-lock.json') != ''`, true}, {`hashFiles('**/*.json', '!**/package-lock.json')`, ""},
		{`success()`, false}, {`failure()`, true}, {`always()`, true}, {`cancelled()`, false}, {`CONTAINS('a', 'A')`, true},
		// object filters
		{`e.fruits.*.name`, []any{"apple", "orange", "pear"}}, {`join(e.fruits.*.quantity, '')`, "121"}, {`e.labels.*.id`, []any{7.0}},
		{`contains(e.vegetables.*.ediblePortions.*, 'hearts')`, true}, {`contains(e.vegetables.*.colors.*, 'white')`, true}, {`join(e.fruits.*.nothing)`, ""}, {`e.fruits.*.name[0]`, []any{}}, {`e.zero.*`, []any{}},
		// what is not there is null
		{`e.nothing`, nil}, {`e.nothing.more`, nil}, {`e.nothing == ''`, true}, {`e.fruits[9]`, nil}, {`e['fruits'][1]['name']`, "orange"}, {`e.FRUITS[1].Name`, "orange"},
	} {
		got, err := evalBody(t, c.body, e)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s = %#v, %v, and at GitHub %#v", c.body, got, err, c.want)
		}
	}
}
