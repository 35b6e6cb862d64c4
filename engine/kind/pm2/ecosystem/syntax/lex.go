package syntax

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type sign uint8

const (
	end sign = iota
	word
	punctuation
	text     // a string; cooked holds it
	digits   // a number
	regex    // a regular expression
	template // cooked pieces and the tokens between them
)

// token is one sign of JavaScript.
type token struct {
	is     sign
	text   string // as written
	cooked string
	number float64
	// Of a template: its texts, and the tokens of what stands between them.
	pieces []string
	inner  [][]token

	from, to     int // bytes of the source
	line, column int
	newline      bool // a line ends before it
}

// most bounds the tokens of one text.
const most = 400_000

type lexer struct {
	src     string
	at      int
	line    int
	start   int // of the line
	tokens  int
	deepest int
}

// place of the next sign.
func (l *lexer) place() (line, column int) { return l.line, l.at - l.start + 1 }

func (l *lexer) fail(message string) error {
	line, column := l.place()
	return &Error{Line: line, Column: column, Message: message}
}

// all reads tokens until the end, or to the brace that ends a template's piece.
func (l *lexer) all(inTemplate bool) ([]token, error) {
	var out []token
	depth := 0
	for {
		before := l.line
		if err := l.space(); err != nil {
			return nil, err
		}
		t := token{newline: l.line != before || len(out) == 0, from: l.at}
		t.line, t.column = l.place()
		if l.at >= len(l.src) {
			if inTemplate {
				return nil, l.fail("a template is not closed")
			}
			t.to = l.at
			return append(out, t), nil
		}
		if inTemplate && l.src[l.at] == '}' && depth == 0 {
			t.to = l.at
			return append(out, t), nil
		}
		if l.tokens++; l.tokens > most {
			return nil, l.fail("the file is too long to be read")
		}
		if err := l.next(&t, out); err != nil {
			return nil, err
		}
		t.to, t.text = l.at, l.src[t.from:l.at]
		switch {
		case t.is == punctuation && t.text == "{":
			depth++
		case t.is == punctuation && t.text == "}":
			depth--
		}
		out = append(out, t)
	}
}

// space passes over what is no token.
func (l *lexer) space() error {
	for l.at < len(l.src) {
		r, n := utf8.DecodeRuneInString(l.src[l.at:])
		switch {
		case r == '\n', r == '\u2028', r == '\u2029':
			l.at += n
			l.line, l.start = l.line+1, l.at
		case unicode.IsSpace(r), r == '\ufeff':
			l.at += n
		case strings.HasPrefix(l.src[l.at:], "//"), l.at == 0 && strings.HasPrefix(l.src, "#!"):
			for l.at < len(l.src) && l.src[l.at] != '\n' {
				l.at++
			}
		case strings.HasPrefix(l.src[l.at:], "/*"):
			length := strings.Index(l.src[l.at+2:], "*/")
			if length < 0 {
				return l.fail("a comment is not closed")
			}
			for stop := l.at + length + 4; l.at < stop; l.at++ {
				if l.src[l.at] == '\n' {
					l.line, l.start = l.line+1, l.at+1
				}
			}
		default:
			return nil
		}
	}
	return nil
}

func (l *lexer) next(t *token, before []token) error {
	c := l.src[l.at]
	r, n := utf8.DecodeRuneInString(l.src[l.at:])
	switch {
	case c == '"' || c == '\'':
		return l.text(t, c)
	case c == '`':
		return l.template(t)
	case c >= '0' && c <= '9', c == '.' && l.at+1 < len(l.src) && l.src[l.at+1] >= '0' && l.src[l.at+1] <= '9':
		return l.numeral(t)
	case starts(r) || c == '#' && l.at+1 < len(l.src) && starts(rune(l.src[l.at+1])):
		t.is = word
		for l.at += n; l.at < len(l.src); l.at += n {
			if r, n = utf8.DecodeRuneInString(l.src[l.at:]); !starts(r) && !unicode.IsDigit(r) && r != '\u200c' && r != '\u200d' {
				break
			}
		}
		return nil
	case c == '/' && mayBegin(before):
		return l.regex(t)
	}
	t.is = punctuation
	for _, p := range []string{">>>=", "...", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=", "??=",
		"=>", "==", "!=", "<=", ">=", "&&", "||", "??", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<", ">>", "**"} {
		if strings.HasPrefix(l.src[l.at:], p) {
			l.at += len(p)
			return nil
		}
	}
	if strings.HasPrefix(l.src[l.at:], "?.") && (l.at+2 >= len(l.src) || l.src[l.at+2] < '0' || l.src[l.at+2] > '9') {
		l.at += 2
		return nil
	}
	if !strings.ContainsRune("{}()[];,<>+-*/%&|^!~?:=.@", r) {
		return l.fail("unexpected " + strconv.QuoteRune(r))
	}
	l.at += n
	return nil
}

func starts(r rune) bool {
	return r == '_' || r == '$' || r == '\\' || r != utf8.RuneError && unicode.IsLetter(r)
}

// mayBegin reports whether an expression may begin after these tokens: a slash
// is that of a regular expression then.
func mayBegin(before []token) bool {
	if len(before) == 0 {
		return true
	}
	switch t := before[len(before)-1]; t.is {
	case word:
		switch t.text {
		case "return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "do", "else", "await", "yield", "instanceof", "default":
			return true
		}
		return false
	case punctuation:
		return t.text != ")" && t.text != "]" && t.text != "}"
	default:
		return false
	}
}

func (l *lexer) text(t *token, quote byte) error {
	t.is = text
	var b strings.Builder
	for l.at++; ; {
		if l.at >= len(l.src) || l.src[l.at] == '\n' {
			return l.fail("a string is not closed")
		}
		switch c := l.src[l.at]; c {
		case quote:
			l.at++
			t.cooked = b.String()
			return nil
		case '\\':
			if err := l.escape(&b); err != nil {
				return err
			}
		default:
			b.WriteByte(c)
			l.at++
		}
	}
}

// escape reads what stands after a backslash.
func (l *lexer) escape(b *strings.Builder) error {
	if l.at++; l.at >= len(l.src) {
		return l.fail("a string is not closed")
	}
	r, n := utf8.DecodeRuneInString(l.src[l.at:])
	l.at += n
	switch r {
	case 'n':
		b.WriteByte('\n')
	case 't':
		b.WriteByte('\t')
	case 'r':
		b.WriteByte('\r')
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'v':
		b.WriteByte('\v')
	case '0':
		b.WriteByte(0)
	case '\r':
		if l.at < len(l.src) && l.src[l.at] == '\n' {
			l.at++
		}
		l.line, l.start = l.line+1, l.at
	case '\n', '\u2028', '\u2029':
		l.line, l.start = l.line+1, l.at
	case 'x':
		return l.code(b, 2)
	case 'u':
		if l.at < len(l.src) && l.src[l.at] == '{' {
			stop := strings.IndexByte(l.src[l.at:], '}')
			if stop < 0 || stop > 10 {
				return l.fail("a wrong escape in a string")
			}
			l.at++
			if err := l.code(b, stop-1); err != nil {
				return err
			}
			l.at++
			return nil
		}
		return l.code(b, 4)
	default:
		b.WriteRune(r)
	}
	return nil
}

func (l *lexer) code(b *strings.Builder, length int) error {
	if l.at+length > len(l.src) {
		return l.fail("a wrong escape in a string")
	}
	n, err := strconv.ParseUint(l.src[l.at:l.at+length], 16, 32)
	if err != nil {
		return l.fail("a wrong escape in a string")
	}
	l.at += length
	if n >= 0xd800 && n < 0xdc00 && strings.HasPrefix(l.src[l.at:], `\u`) && l.at+6 <= len(l.src) {
		if low, err := strconv.ParseUint(l.src[l.at+2:l.at+6], 16, 32); err == nil && low >= 0xdc00 && low < 0xe000 {
			l.at += 6
			n = 0x10000 + (n-0xd800)<<10 + (low - 0xdc00)
		}
	}
	b.WriteRune(rune(n))
	return nil
}

func (l *lexer) numeral(t *token) error {
	t.is = digits
	from := l.at
	for l.at < len(l.src) {
		c := l.src[l.at]
		if c == '.' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			l.at++
			continue
		}
		if hex := strings.HasPrefix(strings.ToLower(l.src[from:l.at]), "0x"); (c == '+' || c == '-') && !hex && (l.src[l.at-1]|0x20) == 'e' {
			l.at++
			continue
		}
		break
	}
	written := strings.ReplaceAll(strings.TrimSuffix(l.src[from:l.at], "n"), "_", "")
	if whole, err := strconv.ParseInt(written, 0, 64); err == nil && len(written) > 1 && written[0] == '0' {
		t.number = float64(whole)
		return nil
	}
	f, err := strconv.ParseFloat(written, 64)
	if err != nil && f == 0 {
		l.at = from
		return l.fail("a number that cannot be read")
	}
	t.number = f
	return nil
}

func (l *lexer) regex(t *token) error {
	t.is = regex
	set := false
	for l.at++; ; l.at++ {
		if l.at >= len(l.src) || l.src[l.at] == '\n' {
			return l.fail("a regular expression is not closed")
		}
		switch c := l.src[l.at]; {
		case c == '\\' && l.at+1 < len(l.src) && l.src[l.at+1] != '\n':
			l.at++
		case c == '[':
			set = true
		case c == ']':
			set = false
		case c == '/' && !set:
			for l.at++; l.at < len(l.src) && l.src[l.at] >= 'a' && l.src[l.at] <= 'z'; {
				l.at++
			}
			return nil
		}
	}
}

func (l *lexer) template(t *token) error {
	t.is = template
	if l.deepest++; l.deepest > deepest {
		return l.fail("templates lie too deep in each other")
	}
	defer func() { l.deepest-- }()
	var b strings.Builder
	for l.at++; ; {
		if l.at >= len(l.src) {
			return l.fail("a template is not closed")
		}
		switch c := l.src[l.at]; {
		case c == '`':
			l.at++
			t.pieces = append(t.pieces, b.String())
			return nil
		case c == '\\':
			if err := l.escape(&b); err != nil {
				return err
			}
		case strings.HasPrefix(l.src[l.at:], "${"):
			l.at += 2
			inner, err := l.all(true)
			if err != nil {
				return err
			}
			l.at++ // the brace
			t.pieces, t.inner = append(t.pieces, b.String()), append(t.inner, inner)
			b.Reset()
		default:
			if c == '\n' {
				l.line, l.start = l.line+1, l.at+1
			}
			b.WriteByte(c)
			l.at++
		}
	}
}
