package expr

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text           string
		literal, whole bool
	}{
		{"", true, false}, {"plain", true, false}, {"$ {{ }}", true, false}, {"}}", true, false},
		{"${{ a }}", false, true}, {" ${{ a }}", false, false}, {"${{ a }}${{ b }}", false, false}, {"${{ '}}' }}", false, true}, {"${{a}} }}", false, false}, {"${{ '${{' }}", false, true},
		{"${{\n  a ||\n\t'b'\r\n}}", false, true},
	} {
		x, err := Parse(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if x.Literal() != c.literal || x.Whole() != c.whole {
			t.Errorf("%q: literal %v, whole %v", c.text, x.Literal(), x.Whole())
		}
	}
	var zero Template
	if s, err := zero.Text(&Env{}); s != "" || err != nil || !zero.Literal() {
		t.Error("the zero template is not the empty text")
	}
}

// TestParseError holds what is said of a mistake and where: the marks stand
// under it.
func TestParseError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, mark, says string }{
		{"a ${{ b", "  ^^^", "never closed"},
		{"a ${{ 'b }} c", "      ^", "a string is never closed"},
		{"${{ it's }}", "      ^", "a string is never closed"},
		{"${{ }}", "^^^^^^", "the expression is empty"},
		{"${{ a b }}", "      ^", `unexpected "b" after the end`},
		{"${{ a and b }}", "      ^^^", "write &&"},
		{"${{ \"a\" }}", "    ^", "single quotes"},
		{"${{ a + 1 }}", "      ^", "do not calculate"},
		{"${{ a ? b : c }}", "      ^", "condition && value || other"},
		{"${{ a = b }}", "      ^", "write =="},
		{"${{ a & b }}", "      ^", "write &&"},
		{"${{ (a }}", "     ^", "a ) is missing"},
		{"${{ a[0 }}", "      ^", "a ] is missing"},
		{"${{ f(a, }}", "       ^", "ends too early"},
		{"${{ a. }}", "     ^", "the name of a field is missing"},
		{"${{ a == }}", "       ^", "a value is missing"},
		{"${{ 99999999999 }}", "    ^^^^^^^^^^^", "more than 32 bits"},
		{"${{ a.1 }}", "      ^", `unexpected "1"`},
		{"ä ${{ a b }}", "         ^", `unexpected "b"`},
		{"${{ $a }}", "    ^", "without braces of their own"},
		{"${{ a\x00 }}", "     ^", "not text"},
		{"${{ a\xff }}", "     ^", "not text"},
	} {
		_, err := Parse(c.text)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: no error", c.text)
			continue
		}
		if mark := strings.Repeat(" ", e.Offset) + strings.Repeat("^", e.Width); mark != c.mark || !strings.Contains(e.Error(), c.says) || e.Rule != RuleSyntax {
			t.Errorf("%q\n%s %s\nwant\n%s %s", c.text, mark, e.Error(), c.mark, c.says)
		}
	}
}

func TestParseIf(t *testing.T) {
	t.Parallel()
	for s, bad := range map[string]string{
		"a == 1": "", "  a\n": "", "${{ a }}": "", " ${{ a }} ": "", "'${{' == a": "never closed", "a }} b": `unexpected "}}"`, "0}": `unexpected "}"`,
		"": "is empty", " \n": "is empty", "${{ a }} && b": "always true", "!${{ a }}": "always true", "${{ a }}${{ b }}": "always true", "a b": "after the end",
	} {
		x, err := ParseIf(s)
		switch {
		case bad == "" && (err != nil || !x.Whole()):
			t.Errorf("%q: %v", s, err)
		case bad != "" && (err == nil || !strings.Contains(err.Error(), bad)):
			t.Errorf("%q: %v, not %q", s, err, bad)
		}
	}
}

func TestRefs(t *testing.T) {
	t.Parallel()
	x, err := Parse("a ${{ steps.One['two'].*.three == PARAMS [ env.x ].y }} ${{ f(secrets.T) && fromJSON(vars.v).w }}")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range x.Refs() {
		got = append(got, r.Root+"/"+strings.Join(r.Path, "/"))
	}
	if s := strings.Join(got, " "); s != "steps/One/two/*/three params/ env/x secrets/T vars/v" {
		t.Error(s)
	}
	if r := x.Refs()[0]; r.Offset != 6 || r.Width != len("steps.One['two'].*.three") {
		t.Errorf("%+v", r)
	}
	if !x.Calls("FROMjson") || x.Calls("always") {
		t.Error("calls")
	}
}

// TestDeep holds that depth is bounded before anything recurses, and that
// what is let through does not take long.
func TestDeep(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		strings.Repeat("(", 1e6), strings.Repeat("(", 1e6) + "a" + strings.Repeat(")", 1e6), strings.Repeat("!", 1e6) + "a", strings.Repeat("a[", 1e6), "a" + strings.Repeat(".a", 1e6), strings.Repeat("f(", 1e6),
	} {
		for _, text := range []string{"${{" + s + "}}", "${{" + s} {
			if _, err := Parse(text); err == nil {
				t.Errorf("%.10s… was read", s)
			}
		}
		if _, err := ParseIf(s); err == nil || !strings.Contains(err.Error(), "longer than 8 KiB") {
			t.Errorf("%.10s…: %v", s, err)
		}
	}
	types := &Types{Roots: map[string]*Type{"a": AnyType()}}
	env := &Env{Contexts: map[string]any{"a": map[string]any{}}}
	for _, body := range []string{
		strings.Repeat("(", 4000) + "a" + strings.Repeat(")", 4000), strings.Repeat("!", 8000) + "a", strings.Repeat("a[", 2700) + "a" + strings.Repeat("]", 2700), "a" + strings.Repeat(".a", 4000),
		"a" + strings.Repeat(".*", 4000), strings.Repeat("a||", 2700) + "a", strings.Repeat("a==", 2700) + "a", strings.Repeat("toJSON(", 1000) + "a" + strings.Repeat(")", 1000),
		"fromJSON('" + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + "')", "fromJSON(a)" + strings.Repeat(".a", 4000), strings.Repeat("!(a[", 1300) + "a" + strings.Repeat("])", 1300),
	} {
		x, err := ParseIf(body)
		if err != nil {
			t.Errorf("%.10s…: %v", body, err)
			continue
		}
		_ = Check(x, types)
		_ = x.Refs()
		_, _ = x.Eval(env)
	}
}
