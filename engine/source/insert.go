package source

import (
	"bytes"
	"fmt"
	"reflect"
	"unicode/utf8"
)

// Insert gives the text of the file with a new key right after the one whose
// value, a scalar, stands at a path, and not one other byte. value is written as
// it is. The result is parsed again and must differ in this one key; if it
// cannot, nothing is changed.
func (f *File) Insert(after []any, key, value string) ([]byte, error) {
	fail := fmt.Errorf("%s cannot be written into %s in place: add %s: %s by hand", key, f.Name, key, value)
	steps, whole := f.walk(after)
	if !whole || len(after) == 0 {
		return nil, fail
	}
	t, ok := f.locate(steps[len(steps)-1].value)
	if !ok {
		return nil, fail
	}
	if t.end > 0 && f.Text[t.end-1] == '\n' { // a text block ends with its break
		t.end--
	}
	var want any
	if doc, problems := Parse(f.Name, []byte("v: "+value), Limits{}); len(problems) == 0 {
		want = doc.Value.(map[string]any)["v"]
	}
	for _, text := range [][]byte{f.withLine(after, t.end, key+": "+value), splice(f.Text, t.end, ", "+key+": "+value)} {
		if g, problems := Parse(f.Name, text, Limits{}); text != nil && len(problems) == 0 && f.added(g, after[:len(after)-1], key, want) {
			return text, nil
		}
	}
	return nil, fail
}

// withLine gives the text with a line more after the one that holds an offset; nil
// where the key at after does not begin its line.
func (f *File) withLine(after []any, offset int, content string) []byte {
	at := bytes.LastIndexByte(f.Text[:offset], '\n') + 1
	indent := 0
	if col := f.KeyAt(after).Column; col > 0 {
		indent = col - 1
	}
	head := f.Text[at:min(at+indent, len(f.Text))]
	if len(head) < indent || len(bytes.TrimLeft(head, " ")) > 0 || !utf8.Valid(head) {
		return nil
	}
	eol := "\n"
	end := len(f.Text)
	if i := bytes.IndexByte(f.Text[offset:], '\n'); i >= 0 {
		end = offset + i + 1
		if end > 1 && f.Text[end-2] == '\r' {
			eol = "\r\n"
		}
		return splice(f.Text, end, string(head)+content+eol)
	}
	return splice(f.Text, end, eol+string(head)+content)
}

func splice(text []byte, at int, s string) []byte {
	return bytes.Join([][]byte{text[:at], []byte(s), text[at:]}, nil)
}

// added says whether g holds what f does and one key more below a path.
func (f *File) added(g *File, path []any, key string, want any) bool {
	at := g.Value
	for _, p := range path {
		switch m := at.(type) {
		case map[string]any:
			at = m[fmt.Sprint(p)]
		case []any:
			i, ok := p.(int)
			if !ok || i >= len(m) {
				return false
			}
			at = m[i]
		default:
			return false
		}
	}
	m, ok := at.(map[string]any)
	if !ok || !reflect.DeepEqual(m[key], want) {
		return false
	}
	if _, there := m[key]; !there {
		return false
	}
	delete(m, key) // g is of nobody else
	return reflect.DeepEqual(f.Value, g.Value)
}
