package expr

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rhysd/actionlint"
)

const open, shut = "${{", "}}"

// Parse reads a string with `${{ }}` anywhere in it. The error is an *Error.
func Parse(s string) (*Template, error) {
	if !HasExpr(s) {
		return &Template{parts: []part{{text: s}}}, nil
	}
	t := &Template{}
	for rest := 0; ; {
		i := strings.Index(s[rest:], open)
		if i < 0 {
			if rest < len(s) {
				t.parts = append(t.parts, part{text: s[rest:]})
			}
			t.whole = len(t.parts) == 1
			return t, nil
		}
		if i > 0 {
			t.parts = append(t.parts, part{text: s[rest : rest+i]})
		}
		from := rest + i + len(open)
		end, quote := closing(s, from)
		if end < 0 {
			return nil, unclosed(s, from, quote)
		}
		n, err := parseBody(s, from, end)
		if err != nil {
			return nil, err
		}
		t.parts = append(t.parts, part{node: n})
		rest = end + len(shut)
	}
}

// ParseIf reads a condition: one expression, with or without braces and with
// white space around it. Text around an expression in braces, which would
// always be true, is an error. The error is an *Error.
func ParseIf(s string) (*Template, error) {
	trimmed := strings.TrimSpace(s)
	at := strings.Index(s, trimmed)
	if trimmed == "" {
		return nil, &Error{Width: 1, Rule: RuleSyntax, Message: "the condition is empty", Hint: "write an expression, or leave the key out"}
	}
	if HasExpr(trimmed) {
		t, err := Parse(s[:at+len(trimmed)])
		if err != nil {
			return nil, err
		}
		first := 0
		if at > 0 {
			first = 1 // the white space
		}
		if len(t.parts) != first+1 {
			return nil, &Error{Offset: at, Width: len(trimmed), Rule: RuleSyntax,
				Message: "a condition with text around an expression is always true",
				Hint:    "write the whole condition inside one pair of braces, or without any"}
		}
		return &Template{parts: t.parts[first:], whole: true}, nil
	}
	n, err := parseBody(s[:at+len(trimmed)], at, at+len(trimmed))
	if err != nil {
		return nil, err
	}
	return &Template{parts: []part{{node: n}}, whole: true}, nil
}

// closing finds the braces that end the expression which begins at from: the
// first ones outside of a string. Without them it returns -1 and where a
// string begins that is never closed, or -1.
func closing(s string, from int) (end, quote int) {
	quote = -1
	for i := from; i < len(s); i++ {
		switch {
		case s[i] == '\'' && quote < 0:
			quote = i
		case s[i] == '\'':
			quote = -1 // a doubled quote closes the string and opens it again
		case quote < 0 && s[i] == '}' && strings.HasPrefix(s[i:], shut):
			return i, -1
		}
	}
	return -1, quote
}

// unclosed says why an expression has no end. A quote that is never closed
// may have swallowed the braces, and what stands before it may be the real
// mistake, as in "it's".
func unclosed(s string, from, quote int) error {
	if quote < 0 {
		return &Error{Offset: from - len(open), Width: len(open), Rule: RuleSyntax, Message: "${{ is never closed", Hint: "end the expression with }}"}
	}
	if i := strings.Index(s[from:], shut); i >= 0 {
		if _, err := parseBody(s, from, from+i); err != nil {
			return err
		}
	}
	return unclosedString(quote)
}

func unclosedString(at int) *Error {
	return &Error{Offset: at, Width: 1, Rule: RuleSyntax, Message: "a string is never closed", Hint: "strings end with a single quote; a quote inside one is written twice"}
}

// parseBody parses s[from:end], the inside of one expression.
func parseBody(s string, from, end int) (*node, error) {
	body := s[from:end]
	if len(body) > MaxLength {
		// The parser recurses without a limit of its own, and an overflow of
		// the stack could not be recovered from.
		return nil, &Error{Offset: from, Width: 1, Rule: RuleSyntax, Message: "the expression is longer than 8 KiB", Hint: "build the value in a step"}
	}
	if strings.TrimSpace(body) == "" {
		return nil, &Error{Offset: max(from-len(open), 0), Width: len(open) + len(body) + len(shut), Rule: RuleSyntax, Message: "the expression is empty"}
	}
	if i := unreadable(body); i >= 0 {
		return nil, &Error{Offset: from + i, Width: 1, Rule: RuleSyntax, Message: "the expression holds a character that is not text"}
	}
	var src string
	if strings.HasPrefix(s[end:], shut) {
		src = s[from : end+len(shut)]
	} else {
		src = body + shut
	}
	lexer := actionlint.NewExprLexer(src)
	tree, perr := actionlint.NewExprParser().Parse(lexer)
	if perr != nil {
		return nil, syntaxError(s, span{from, end}, perr)
	}
	if stop := lexer.Offset(); stop < len(src) {
		at := from + stop - len(shut)
		return nil, &Error{Offset: at, Width: min(len(shut), end-at), Rule: RuleSyntax, Message: "unexpected " + strconv.Quote(s[at:min(at+len(shut), end)])}
	}
	c := compiler{s: s, from: from, end: end}
	n := c.node(tree)
	if n == nil {
		return nil, &Error{Offset: from, Width: len(body), Rule: RuleSyntax, Message: "this form of expression is not known"}
	}
	return n, nil
}

// unreadable finds a NUL, a byte order mark or invalid UTF-8, which the lexer
// would report late or drop.
func unreadable(s string) int {
	for i, r := range s {
		if r == 0 || r == '\uFEFF' {
			return i
		}
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
	}
	return -1
}

type span struct{ from, end int }

// syntaxError turns the parser's message into one for people, at the place
// where the mistake is.
func syntaxError(s string, body span, e *actionlint.ExprError) *Error {
	at := min(body.from+e.Offset, body.end)
	out := &Error{Offset: at, Rule: RuleSyntax}
	word := lexeme(s[at:body.end])
	out.Width = max(len(word), 1)
	say := func(message, hint string) *Error {
		out.Message, out.Hint = message, hint
		return out
	}
	has := func(part string) bool { return strings.Contains(e.Message, part) }
	before := byte(0)
	if at > body.from {
		before = s[at-1]
	}
	switch {
	case has("end of string literal"):
		_, quote := closing(s[:body.end], body.from)
		return unclosedString(max(quote, body.from))
	case has("invalid integer literal"):
		return say("the number "+word+" has more than 32 bits", "write it with a fraction, as "+word+".0")
	case has("following number"), has("following hex"):
		return say("a number cannot be followed by "+quoted(word), "names begin with a letter or _; a name that does not is read with ['name']")
	case has("== operator"), has("&& operator"), has("|| operator"):
		out.Offset, out.Width = at-1, 1
		return say("unexpected "+quoted(string(before)), "write "+strings.Repeat(string(before), 2))
	case at == body.end:
		// The caret stands under the last character that there is.
		out.Offset, out.Width = max(lastText(s[:at]), body.from), 1
		return say("the expression ends too early", missing(e.Message))
	case has("did not reach end"):
		return say("unexpected "+quoted(word)+" after the end of the expression", hintFor(word))
	}
	if hint := hintFor(word); hint != "" {
		return say("unexpected "+quoted(word), hint)
	}
	return say("unexpected "+quoted(word), missing(e.Message))
}

func missing(message string) string {
	switch {
	case strings.Contains(message, "closing ')'"), strings.Contains(message, "arguments of function"):
		return "a ) is missing"
	case strings.Contains(message, "closing bracket"):
		return "a ] is missing"
	case strings.Contains(message, "property dereference"):
		return "the name of a field is missing"
	}
	return "a value is missing: a name, a number or a 'string'"
}

// hintFor knows what people write who come from another language.
func hintFor(word string) string {
	switch strings.ToLower(word) {
	case `"`:
		return "strings stand in single quotes"
	case "+", "-", "/", "%", "*", "^":
		return "expressions do not calculate; join texts with format('{0}{1}', a, b)"
	case "?", ":":
		return "write a choice as condition && value || other"
	case "$", "{", "}":
		return "inside an expression names stand without braces of their own"
	case "and":
		return "write &&"
	case "or":
		return "write ||"
	case "not":
		return "write !"
	}
	return ""
}

// lexeme is what people see as one word at the start of s.
func lexeme(s string) string {
	i := 0
	for i < len(s) && nameByte(s[i]) {
		i++
	}
	if i == 0 && s != "" {
		if s[0] == '\'' {
			if end := strings.IndexByte(s[1:], '\''); end >= 0 {
				return s[:end+2]
			}
		}
		_, i = utf8.DecodeRuneInString(s)
	}
	return s[:i]
}

func nameByte(c byte) bool {
	return c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func quoted(word string) string {
	if word == `"` {
		return `'"'`
	}
	return strconv.Quote(word)
}

// lastText is where the last character stands that is not white space.
func lastText(s string) int {
	s = strings.TrimRight(s, " \t\r\n")
	_, n := utf8.DecodeLastRuneInString(s)
	return len(s) - n
}
