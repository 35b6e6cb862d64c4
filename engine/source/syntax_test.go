package source

import (
	"fmt"
	"strings"
	"testing"
)

type mistake struct{ text, want string }

// ofSyntax are the mistakes that yaml.v3 finds.
func ofSyntax() []mistake {
	return []mistake{
		// what the scanner of yaml.v3 finds
		{"a: b: c\n", "1:5 yaml-syntax a colon stands inside a value"},
		{"name: x\nrun: echo: hi: there\n", "2:10 yaml-syntax a colon stands inside a value"},
		{"x: é: 1\n", "1:5 yaml-syntax a colon"},
		{"key: [a, b]: c\n", "1:12 yaml-syntax a colon"},
		{"a: 1\n  b: 2\n", "2:3 yaml-syntax this key is indented further"},
		{"\ufeffa: 1\r\n  b: 2\r\n", "2:3 yaml-syntax this key is indented further"},
		{"a: - b\n", "1:4 yaml-syntax a list item cannot begin here"},
		{"a: @x\n", "1:4 yaml-syntax a value cannot begin with '@'"},
		{"a: `x`\n", "1:4 yaml-syntax a value cannot begin with '`'"},
		{"a: %x", "1:4 yaml-syntax a value cannot begin with '%'"},
		{"a:\n\tb: 1\n", "2:1 yaml-syntax a tab stands"},
		{"a:\n  b: 1\n\tc: 2\n", "3:1 yaml-syntax a tab stands"},
		{"a: 1\nb\n", "2:1 yaml-syntax this is neither a key"},
		{"a: 1\nword\nc: 2\n", "2:1 yaml-syntax this is neither a key"},
		{"a: \"open\nb: 2\n", "1:4 yaml-syntax this \" is never closed"},
		{"x: 1\na: 'open\nb: 2\n", "2:4 yaml-syntax this ' is never closed"},
		{"# it's\nx: it's\ny: |\n  it's \"\na: 'open\nb: 2\n", "5:4 yaml-syntax this ' is never closed"},
		{"a: \"x\n---\ny\"\n", "2:1 yaml-syntax a document mark stands inside quotes"},
		{"a: \"\\q\"\n", `1:5 yaml-syntax \q is not an escape`},
		{"a: \"\\xzz\"\n", "1:5 yaml-syntax an escape sequence lacks"},
		{"a: |x\n  y\n", "1:4 yaml-syntax only a number, + or -"},
		{"a: |0\n y\n", "1:4 yaml-syntax the indentation of a text block"},
		{"cron: * * * * *\n", "1:7 yaml-syntax a name must follow *"},
		{"cron: */5 * * * *\n", "1:7 yaml-syntax a name must follow *"},
		{"a: *nope\n", "1:4 yaml-syntax no anchor &nope"},
		{"# *x\na: [b, *x]\nc: &x 1\n", "2:8 yaml-syntax no anchor &x"},
		// what its parser finds, whose line yaml.v3 gives one too low
		{"x: 1\ny: [1,\nz: 3", "2:4 yaml-syntax this [ is never closed"},
		{"x: 1\ny: [1, 2\nz: 3\nw: 4\n", "2:4 yaml-syntax this [ is never closed"},
		{"steps:\n- run: a\n  env: {A: b\n- run: c\n", "3:8 yaml-syntax this { is never closed"},
		{"a: |\n  text \"open\n  [ x\nb: [1, 2\n", "4:4 yaml-syntax this [ is never closed"},
		{"a: {b: c]\nd: 1\n", "1:9 yaml-syntax this ] does not close the { of line 1"},
		{"a: [\"x\" \"y\"]\n", "1:11 yaml-syntax a comma or the closing bracket"},
		{"exec: [echo, ${{ vars.x }}]\n", "1:15 yaml-syntax a { stands inside a value"},
		{"a:\n  b: 1\n c: 2\n", "3:2 yaml-syntax this line fits neither"},
		{"a:\n  - b: 1\n   c: d\n", "3:4 yaml-syntax this line fits neither"},
		{"a:\n  - b\n  c: d\n", "3:3 yaml-syntax this line fits neither"},
		{"- a\nb: c\n", "2:1 yaml-syntax this line fits neither"},
		{"a: 1\n- b\n", "2:1 yaml-syntax this line fits neither"},
		{"run: |\n  x\n y: z\n", "3:2 yaml-syntax this line fits neither"},
		{"a: \"x\" y\n", "1:8 yaml-syntax something stands after a value"},
		{"a: 'it's'\n", "1:8 yaml-syntax something stands after a value"},
		{"a: {b}}\n", "1:7 yaml-syntax this } closes nothing"},
		{"a: 1\n]\n", "2:1 yaml-syntax this ] closes nothing"},
		{"a: ]\n", "1:4 yaml-syntax a value is missing"},
		{"b: 1\na: [, x]\n", "2:5 yaml-syntax a value is missing"},
		{"{a: b} c\n", "1:8 yaml-syntax something stands after the value"},
		{"a: !foo!bar x\n", "1:4 yaml-syntax the tag begins"},
		{"%YAML 1.2\n---\na: 1\n", "1:7 yaml-syntax this version"},
		{"%YAML 3.0\n---\na: 1\n", "1:7 yaml-syntax this version of YAML"},
	}
}

// TestOneMistakeOneProblem holds the place and the rule of every mistake, and
// that nothing else is said.
func TestOneMistakeOneProblem(t *testing.T) {
	t.Parallel()
	for _, tt := range append(ofSyntax(), []mistake{
		// documents
		{"", "1:1 empty-document"},
		{"# only a comment\n", "1:1 empty-document"},
		{"---\n", "1:1 empty-document"},
		{"~\n", "1:1 empty-document"},
		{"a: 1\n---\nb: 2\n", "2:1 several-documents a second"},
		{"---\na: 1\n--- # x\n- b\n", "3:1 several-documents a second"},
		{"a: 1\n...\nfoo\n", "3:1 several-documents text stands after the end"},
		{"a: 1\n---\nb: [\n", "3:4 yaml-syntax this [ is never closed"},
		{"a: 1\n---\n", "2:1 several-documents"},
		// the text itself
		{"\xff\xfea\x00:\x00", "0:0 not-utf8 the file is UTF-16"},
		{"a\x00:\x00 \x001\x00", "0:0 not-utf8 the file is UTF-16"},
		{"a: é\xe9\n", "1:5 not-utf8 the byte 0xe9"},
		{"a: 1\nb: \x01\n", "2:4 control-character the character U+0001"},
		{"a: b\x00", "1:5 control-character a zero byte"},
		{"a: \u009b1m\n", "1:4 control-character"},
		{"a: x\ufeff\n", "1:5 control-character a byte order mark"},
		{"x: 1\n<<<<<<< HEAD\na: 1\n=======\nb\n>>>>>>> x\n", "2:1 merge-conflict"},
		{"x: 1\r\n=======\r\nb\r\n", "2:1 merge-conflict"},
		// values
		{"a: 1\nb: 2\n\"a\": 3\n", "3:1 duplicate-key the key \"a\" is written twice; first on line 1"},
		{"b: {x: 1, x: 2}\n", "1:11 duplicate-key"},
		{"x: &x {a: 1, a: 2}\ny: *x\n", "1:14 duplicate-key"},
		{"<<: {a: 1}\n", "1:1 merge-key"},
		{"x: &x {a: 1}\ny:\n  <<: [*x, *x]\n", "3:3 merge-key"},
		{"a: !foo x\n", "1:4 custom-tag the tag !foo"},
		{"a: !!binary aGk=\n", "1:4 custom-tag"},
		{"a: !!set {b}\n", "1:4 custom-tag"},
		{"a: !!int x\n", "1:4 custom-tag"},
		{"a: .nan\n", "1:4 number-form"},
		{"a: -.INF\n", "1:4 number-form"},
		{"a: 017\n", "1:4 number-form"},
		{"a: 08\n", "1:4 number-form"},
		{"1: a\n", "1:1 key-type the key 1 is a number"},
		{"true: a\n", "1:1 key-type the key true"},
		{"? [x]\n: y\n", "1:3 key-type"},
		{"a: {{ b }}\n", "1:5 key-type a key must be a string, and this is a mapping"},
		{"a: &x b\n*x : c\n", "2:1 key-type"},
		{"?\n: b\n", "1:2 key-type a key is missing"},
		{"a: &x [*x]\n", "1:8 alias-cycle"},
		{"a: &x {b: {c: *x}}\n", "1:15 alias-cycle"},
	}...) {
		_, problems := Parse("f.yaml", []byte(tt.text), Limits{})
		if len(problems) != 1 {
			t.Errorf("%q: %d problems, want one: %v", tt.text, len(problems), problems)
			continue
		}
		p := problems[0]
		got := fmt.Sprintf("%d:%d %s %s", p.Line, p.Column, p.Rule, p.Message)
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%q:\n got %s\nwant %s", tt.text, got, tt.want)
		}
		if p.File != "f.yaml" || p.Severity != "error" || strings.ContainsAny(p.Message, "\n") {
			t.Errorf("%q: %+v", tt.text, p)
		}
	}
}

// TestNoMistake are texts that look as if they had one.
func TestNoMistake(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"a: 1\n...\n", "a: 1\n...\n# x\n", "---\na: 1\n", "\ufeffa: 1\n", "a: 1", "on: yes\n", "2027-01-02: x\n", "a: 2027-01-02\n", "a: <<\n",
		"a: 0\nb: 0.5\nc: -0\nd: 0x1F\n", "'<<': 1\n", "a: |\n  <<<<<<< HEAD\n  =======\n", "a: &x b\nc: &x d\ne: *x\n", "a: '\n=======\n'\n", "<<<<<<<a: 1\n",
		"! a: ! b\n", "a: \"x\u0085\u2028y\"\n", "a: !!str 017\n",
	} {
		if f, problems := Parse("f.yaml", []byte(text), Limits{}); len(problems) > 0 || f.Value == nil {
			t.Errorf("%q: %v", text, problems)
		}
	}
}
