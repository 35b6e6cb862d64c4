package literal_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/literal"
)

// seeds are texts that readers have to get through.
func seeds() []string {
	return []string{
		"module.exports = { apps: [{ name: 'a', script: `b-${1 + 2}`, args: [...['x'], /re[/]x/g.source] }] }",
		"export default async () => ({ apps: [] })", "const { a: b = 1, ...c } = require('x'), d = b => ({ b }); exports.apps = ['x'].map(d)",
		"if (a) { b } else for (;;) c; do {} while (0); try {} catch { } switch (x) { case 1: }", "class A { #b = 1; static c() {} }\nmodule.exports = new A().d?.[0]?.(1)",
		"/* x */ // y\n#!/z", "{a: 1, 'b': \"\\u{1f600}\\x41\\\n\", [`c`]: -0x1_0, get d() { return 1 }, async *e() {}}", "var a = a => a => a; a.a = a; a['a'] = [a]; a.push(a); exports = a",
		"apps:\n- &a {name: x}\n- *a\n- <<: *a\n", "a: &a [*a]", "(((((((((", "`${`${`${`", "{\"a\": [1, 2, {\"b\": null}]}", "a\u2028b\ufeff", "x = 1e400 / -0 ** 2 || ?? !",
	}
}

// sound holds what every reader promises: it ends soon, with an *Error of one line
// or with a tree of bounded size.
func sound(t *testing.T, src string, read func() (*literal.Value, error)) {
	t.Helper()
	began := time.Now()
	v, err := read()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("%d bytes took %s", len(src), took)
	}
	if e := new(literal.Error); err != nil && (!errors.As(err, &e) || strings.Contains(e.Message, "cannot be read: ")) {
		t.Errorf("%q: %v", src, err)
	}
	if err == nil && v == nil {
		t.Errorf("%q: no value", src)
	}
	if err == nil {
		_ = v.Canonical() + v.Show()
	}
}

func FuzzScript(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		sound(t, src, func() (*literal.Value, error) {
			r, err := literal.Script(src, literal.Options{Dir: "/a", File: "/a/b.js"})
			return r.Value, err
		})
	})
}

func FuzzJSON(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		sound(t, src, func() (*literal.Value, error) { return literal.JSON(src, literal.Options{}) })
	})
}

func FuzzYAML(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		sound(t, src, func() (*literal.Value, error) { return literal.YAML(src) })
	})
}

// TestBounds: texts that would fill the memory, the stack or the day are refused,
// or read for what they are.
func TestBounds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ src, want string }{
		"parentheses": {strings.Repeat("(", 1e5), "too deep"},
		"lists":       {"x = " + strings.Repeat("[", 1e5), "too deep"},
		"unary":       {"x = " + strings.Repeat("!", 1e5), "too deep"},
		"templates":   {"x = " + strings.Repeat("`${", 1e5), "too deep"},
		"ifs":         {strings.Repeat("if (1) ", 1e4) + ";", "too deep"},
		"news":        {"x = " + strings.Repeat("new ", 1e5) + "x", "too deep"},
		"blocks":      {strings.Repeat("{", 1e5), "too deep"},
		"laughs":      {"let a = ['x']; " + strings.Repeat("a = [a, a];", 60) + "module.exports = a", "too large or too deep"},
		"circle":      {"const a = []; a.push(a); module.exports = a", "too large or too deep"},
		"recursion":   {"const f = () => f(); module.exports = f()", "call each other too deep"},
		"steps":       {"const f = (a) => a.map((x) => a); let a = [" + strings.Repeat("1,", 1000) + "]; " + strings.Repeat("f(a);", 1000) + "module.exports = f(f(f(a)))", "takes too much"},
		"keys": {"module.exports = {" + func() string {
			var b strings.Builder
			for i := range 3000 {
				b.WriteString(strings.Repeat("k", i%7+1) + string(rune('a'+i%26)) + strings.Repeat("z", i/26) + ": 1,")
			}
			return b.String()
		}() + "}", "too many keys"},
		"tokens": {strings.Repeat("1;", 300_000), "too long"},
	} {
		_, err := literal.Script(c.src, literal.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	doubled := "let a = 'xxxxxxxxxxxxxxxx';" + strings.Repeat("a = a + a;", 60) + "module.exports = { a }"
	r, err := literal.Script(doubled, literal.Options{})
	if err != nil || r.Value.Get("a").Kind != literal.Opaque {
		t.Errorf("a text that doubles: %v", err)
	}
	if _, err := literal.YAML("a: &a [x,x,x,x,x,x,x,x,x]\n" + func() string {
		var b strings.Builder
		for i := 'b'; i < 'k'; i++ {
			b.WriteString(string(i) + ": &" + string(i) + " [" + strings.Repeat("*"+string(i-1)+",", 9) + "]\n")
		}
		return b.String()
	}()); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("laughs of YAML: %v", err)
	}
}
