package value

import (
	"bytes"
	"encoding/json"
	"strings"
)

// JSON prints a value with an indent of two and its keys in order. It is not
// ok for more than limit bytes, or a depth that no JSON has.
func JSON(v any, limit int) (text string, ok bool) {
	p := printer{limit: limit}
	p.enc = json.NewEncoder(&p.word)
	p.enc.SetEscapeHTML(false)
	ok = p.value(v, 0)
	return p.out.String(), ok
}

// printer prints values as JSON.
type printer struct {
	out   strings.Builder
	word  bytes.Buffer
	enc   *json.Encoder
	limit int
}

// maxDepth is how deep a value may be to be printed; fromJSON reads no deeper
// ones.
const maxDepth = 10_000

// value prints v and reports whether all of it could be.
func (p *printer) value(v any, depth int) bool {
	v = Basic(v)
	if depth > maxDepth || p.out.Len() > p.limit {
		return false
	}
	switch x := v.(type) {
	case nil:
		p.out.WriteString("null")
	case string:
		p.string(x)
	case map[string]any:
		return printObject(p, x, depth)
	case map[string]string:
		return printObject(p, x, depth)
	default:
		switch KindOf(v) {
		case Array:
			return p.array(List(v), depth)
		case Object:
			p.out.WriteString("{}")
		default:
			p.out.WriteString(Text(v))
		}
	}
	return true
}

func (p *printer) string(s string) {
	p.word.Reset()
	if p.enc.Encode(s) == nil { // no string fails
		p.out.Write(bytes.TrimRight(p.word.Bytes(), "\n"))
	}
}

func (p *printer) array(list []any, depth int) bool {
	if len(list) == 0 {
		p.out.WriteString("[]")
		return true
	}
	for i, e := range list {
		p.line("[,"[min(i, 1)], depth+1)
		if !p.value(e, depth+1) {
			return false
		}
	}
	p.line(0, depth)
	p.out.WriteByte(']')
	return true
}

func printObject[V any](p *printer, m map[string]V, depth int) bool {
	if len(m) == 0 {
		p.out.WriteString("{}")
		return true
	}
	for i, k := range Keys(m) {
		p.line("{,"[min(i, 1)], depth+1)
		p.string(k)
		p.out.WriteString(": ")
		if !p.value(m[k], depth+1) {
			return false
		}
	}
	p.line(0, depth)
	p.out.WriteByte('}')
	return true
}

// line begins a line after a mark, if there is one.
func (p *printer) line(mark byte, depth int) {
	if mark != 0 {
		p.out.WriteByte(mark)
	}
	p.out.WriteByte('\n')
	for range depth {
		p.out.WriteString("  ")
	}
}
