package function

import (
	"encoding/json"
	"sort"
	"strconv"
	"strings"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/js"
)

// token is one word of what esbuild wrote.
type token struct {
	kind js.TokenType
	text string
	line int // of what esbuild wrote, from 0
	col  int
}

// words are a source's, with where they came from.
type words struct {
	list   []token
	places []place
	decls  map[string]int // what a name is first set to: the index of the value
	crons  []int          // the indexes of texts that are schedules
}

// tokens splits what esbuild wrote into words; spaces and comments are none.
func tokens(text []byte) []token {
	var out []token
	l := js.NewLexer(parse.NewInputBytes(text))
	line, col := 0, 0
	for {
		kind, b := l.Next()
		if (kind == js.DivToken || kind == js.DivEqToken) && !ends(out) {
			if kind, b = l.RegExp(); kind == js.ErrorToken {
				return out
			}
		}
		if kind == js.ErrorToken && len(b) == 0 {
			return out
		}
		switch kind {
		case js.WhitespaceToken, js.LineTerminatorToken, js.CommentToken, js.CommentLineTerminatorToken, js.ErrorToken:
		default:
			out = append(out, token{kind, string(b), line, col})
		}
		if n := strings.Count(string(b), "\n"); n > 0 {
			line += n
			col = len(b) - strings.LastIndexByte(string(b), '\n') - 1
		} else {
			col += len(b)
		}
	}
}

// ends reports whether a value has ended, so that a slash divides it.
func ends(list []token) bool {
	if len(list) == 0 {
		return false
	}
	t := list[len(list)-1]
	switch t.kind {
	case js.CloseParenToken, js.CloseBracketToken, js.CloseBraceToken, js.StringToken, js.TemplateToken, js.TemplateEndToken, js.RegExpToken,
		js.PrivateIdentifierToken, js.IncrToken, js.DecrToken, js.ThisToken, js.SuperToken, js.NullToken, js.TrueToken, js.FalseToken:
		return true
	}
	return js.IsNumeric(t.kind) || js.IsIdentifier(t.kind) && !js.IsReservedWord(t.kind)
}

// is reports whether the words from i on are these; "*" is any.
func (w *words) is(i int, texts ...string) bool {
	if i < 0 || i+len(texts) > len(w.list) {
		return false
	}
	for k, t := range texts {
		if t != "*" && w.list[i+k].text != t {
			return false
		}
	}
	return true
}

// named reports whether the word at i is a name, and gives it.
func (w *words) named(i int) (string, bool) {
	if i < 0 || i >= len(w.list) || !js.IsIdentifierName(w.list[i].kind) {
		return "", false
	}
	return w.list[i].text, true
}

// text is the value of the text at i, which must not be put together.
func (w *words) text(i int) (string, bool) {
	if i < 0 || i >= len(w.list) || (w.list[i].kind != js.StringToken && w.list[i].kind != js.TemplateToken) {
		return "", false
	}
	if n := i + 1; n < len(w.list) && (w.list[n].text == "+" || w.list[n].text == "." || w.list[n].text == "?" || w.list[n].text == "[") {
		return "", false
	}
	return unquote(w.list[i].text), true
}

func unquote(s string) string {
	if len(s) < 2 {
		return s
	}
	in := s[1 : len(s)-1]
	if !strings.Contains(in, `\`) {
		return in
	}
	in = strings.ReplaceAll(strings.ReplaceAll(in, `\'`, `'`), "\\`", "`")
	in = strings.ReplaceAll(strings.ReplaceAll(in, `\"`, `"`), `"`, `\"`)
	if out, err := strconv.Unquote(`"` + in + `"`); err == nil {
		return out
	}
	return in
}

// resolve follows names to the value that they stand for.
func (w *words) resolve(i int) int {
	for range 8 {
		name, ok := w.named(i)
		if !ok || !w.alone(i) {
			return i
		}
		to, ok := w.decls[name]
		if !ok || to == i {
			return i
		}
		i = to
	}
	return i
}

// alone reports whether the word at i is a whole value.
func (w *words) alone(i int) bool {
	if i+1 >= len(w.list) {
		return true
	}
	switch w.list[i+1].text {
	case ";", ",", "}", ")", "]":
		return true
	}
	return w.list[i+1].line > w.list[i].line
}

// object is where the values of the keys of an object's own level stand; nil:
// at i, or where the name at i is set, there is no object.
func (w *words) object(i int) map[string]int {
	i = w.resolve(i)
	if !w.is(i, "{") {
		return nil
	}
	out := map[string]int{}
	depth := 0
	for ; i < len(w.list); i++ {
		depth += nest(w.list[i].kind)
		if depth == 0 {
			break
		}
		key := i + 1
		if depth != 1 || w.list[i].text != "{" && w.list[i].text != "," || key+1 >= len(w.list) {
			continue
		}
		name, ok := w.named(key)
		if w.list[key].kind == js.StringToken {
			name, ok = unquote(w.list[key].text), true
		}
		if !ok {
			continue
		}
		switch w.list[key+1].text {
		case ":":
			out[name] = key + 2
		case ",", "}", "(": // shorthand, or a method
			out[name] = key
		}
	}
	return out
}

func nest(k js.TokenType) int {
	switch k {
	case js.OpenBraceToken, js.OpenParenToken, js.OpenBracketToken, js.TemplateStartToken:
		return 1
	case js.CloseBraceToken, js.CloseParenToken, js.CloseBracketToken, js.TemplateEndToken:
		return -1
	}
	return 0
}

// place says where a word of what esbuild wrote came from.
type place struct{ line, col, fromLine, fromCol int }

// mark names what stands at i.
func (w *words) mark(name string, i int) Mark {
	m := Mark{Name: name}
	if i < 0 || i >= len(w.list) {
		return m
	}
	t := w.list[i]
	n := sort.Search(len(w.places), func(k int) bool {
		p := w.places[k]
		return p.line > t.line || p.line == t.line && p.col > t.col
	})
	if n > 0 {
		m.Line, m.Column = w.places[n-1].fromLine+1, w.places[n-1].fromCol+1
	}
	return m
}

// mappings reads a source map (ECMA-426): groups of one line each, of numbers
// in base 64 that say how far each is from the one before.
func mappings(text []byte) []place {
	var m struct{ Mappings string }
	if json.Unmarshal(text, &m) != nil {
		return nil
	}
	var out []place
	var at place
	for line, group := range strings.Split(m.Mappings, ";") {
		at.line, at.col = line, 0
		for segment := range strings.SplitSeq(group, ",") {
			n := numbers(segment)
			if len(n) > 0 {
				at.col += n[0]
			}
			if len(n) < 4 {
				continue
			}
			at.fromLine += n[2]
			at.fromCol += n[3]
			out = append(out, at)
		}
	}
	return out
}

func numbers(segment string) []int {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	var out []int
	value, shift := 0, 0
	for i := range len(segment) {
		d := strings.IndexByte(digits, segment[i])
		if d < 0 || shift > 30 {
			return nil
		}
		value |= (d & 31) << shift
		if shift += 5; d&32 != 0 {
			continue
		}
		n := value >> 1
		if value&1 != 0 {
			n = -n
		}
		out = append(out, n)
		value, shift = 0, 0
	}
	return out
}
