package source

import (
	"bytes"
	"encoding/json"

	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/redundctl/redundctl/engine/source/parser"
)

// Set gives the text of the file with the scalar at a path changed to value,
// and not one other byte. What stands there keeps its style where value can be
// written in it, and its type: where true stands, "false" becomes false, and
// in place of a string any value stays a string. The result is parsed again
// and must differ in this one value; if it cannot, nothing is changed.
func (f *File) Set(path []any, value string) ([]byte, error) {
	steps, whole := f.walk(path)
	if !whole {
		return nil, fmt.Errorf("%s is not in %s", join(path), f.Name)
	}
	n := steps[len(steps)-1].value
	switch {
	case n.Kind == yaml.AliasNode || steps[len(steps)-1].aliased:
		return nil, fmt.Errorf("%s in %s is written as an alias: edit what it stands for by hand", join(path), f.Name)
	case n.Kind != yaml.ScalarNode:
		return nil, fmt.Errorf("%s in %s is not a single value", join(path), f.Name)
	}
	used := aliases(f.root, map[*yaml.Node]bool{})
	for _, s := range steps {
		if used[s.value] {
			return nil, fmt.Errorf("%s in %s is also used by an alias: edit it by hand", join(path), f.Name)
		}
	}
	t, ok := f.locate(n)
	if !ok {
		return nil, fmt.Errorf("%s in %s cannot be edited in place", join(path), f.Name)
	}
	before := flatten(f.doc, nil)
	for _, e := range f.spellings(n, t, value) {
		text := bytes.Join([][]byte{f.Text[:t.start], []byte(e.text), f.Text[t.end:]}, nil)
		if f.sameBut(text, before, change{n, value, e.tag}) {
			return text, nil
		}
	}
	return nil, fmt.Errorf("%s in %s cannot be edited in place", join(path), f.Name)
}

// join writes a path as people do: steps[0].run.
func join(path []any) string {
	var b strings.Builder
	for _, p := range path {
		switch p := p.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", p)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, p)
		}
	}
	return b.String()
}

// aliases collects the nodes that aliases stand for.
func aliases(n *yaml.Node, used map[*yaml.Node]bool) map[*yaml.Node]bool {
	if n.Kind == yaml.AliasNode {
		used[n.Alias] = true
	}
	for _, c := range n.Content {
		aliases(c, used)
	}
	return used
}

func flatten(n *yaml.Node, list []*yaml.Node) []*yaml.Node {
	list = append(list, n)
	for _, c := range n.Content {
		list = flatten(c, list)
	}
	return list
}

// spelling is one way to write a value, and the tag that it must read as.
type spelling struct{ text, tag string }

// spellings are the ways to write a value in place of a scalar, best first.
func (f *File) spellings(n *yaml.Node, t token, value string) []spelling {
	var list []spelling
	eol := "\n"
	if bytes.Contains(f.Text, []byte("\r\n")) {
		eol = "\r\n"
	}
	style := n.Style &^ (yaml.TaggedStyle | yaml.FlowStyle)
	block := style == yaml.LiteralStyle || style == yaml.FoldedStyle
	comment, after := "", "" // a text block may have a comment in its header, and ends with its break
	if block {
		header, _, _ := bytes.Cut(f.Text[t.start:], []byte("\n"))
		if i := bytes.IndexAny(header, " \t"); i >= 0 {
			comment = string(bytes.TrimRight(header[i:], "\r"))
		}
		if t.end > 0 && bytes.HasSuffix(f.Text[:t.end], []byte("\n")) {
			after = eol
		}
	}
	before := "" // nothing may stand right after its colon or dash
	if n.Value == "" && style == 0 && t.start > 0 && !blank(f.Text[t.start-1]) {
		before = " "
	}
	switch style {
	case 0:
		if n.Tag != "!!str" {
			list = append(list, spelling{before + value, n.Tag})
		}
		list = append(list, spelling{before + value, "!!str"})
	case yaml.SingleQuotedStyle:
		list = append(list, spelling{"'" + strings.ReplaceAll(value, "'", "''") + "'", "!!str"})
	case yaml.LiteralStyle:
		if s, ok := f.literal(n, t, value, eol); ok {
			list = append(list, spelling{s + after, "!!str"})
		}
	}
	return append(list, spelling{before + doubleQuoted(value) + comment + after, "!!str"})
}

// literal writes the lines of a text block with the header and the indentation
// of the one that stands there.
func (f *File) literal(n *yaml.Node, t token, value, eol string) (string, bool) {
	first := len(n.Value) - len(strings.TrimLeft(n.Value, "\n"))
	if first == len(n.Value) {
		return "", false
	}
	off := t.from[first]
	start := off
	for start > 0 && f.Text[start-1] == ' ' {
		start--
	}
	header := t.start
	for header < len(f.Text) && parser.LineBreak(f.Text, header) == 0 {
		header++
	}
	pad := string(f.Text[start:off])
	lines := strings.Split(strings.TrimSuffix(value, "\n"), "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = pad + l
		}
	}
	return string(f.Text[t.start:header]) + eol + strings.Join(lines, eol), true
}

// doubleQuoted writes any text: JSON's escapes are YAML's, but for what YAML
// takes for breaks or does not allow.
func doubleQuoted(value string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(value) // a string has no error
	var out strings.Builder
	for _, r := range strings.TrimSuffix(b.String(), "\n") {
		if r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffe || r == 0xffff {
			fmt.Fprintf(&out, `\u%04X`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// change is a node and what it is to become.
type change struct {
	node       *yaml.Node
	value, tag string
}

// sameBut says whether a text has the same nodes but for one change.
func (f *File) sameBut(text []byte, before []*yaml.Node, c change) bool {
	if off, _, _ := badRune(text); off >= 0 {
		return false
	}
	doc, err := parser.Next(yaml.NewDecoder(bytes.NewReader(text)))
	if err != nil {
		return false
	}
	after := flatten(doc, nil)
	if len(after) != len(before) {
		return false
	}
	for i, b := range before {
		a := after[i]
		if b == c.node {
			if a.Kind != yaml.ScalarNode || a.Value != c.value || a.Tag != c.tag || a.Anchor != b.Anchor {
				return false
			}
		} else if a.Kind != b.Kind || a.Value != b.Value || a.Tag != b.Tag || a.Style != b.Style || a.Anchor != b.Anchor {
			return false
		}
	}
	return slices.Equal(comments(before), comments(after))
}

// comments lists the lines of all comments. To which node yaml.v3 gives one
// depends on the blank lines and values around it, so that is not compared.
func comments(nodes []*yaml.Node) []string {
	var lines []string
	for _, n := range nodes {
		for _, c := range []string{n.HeadComment, n.LineComment, n.FootComment} {
			for l := range strings.Lines(c) {
				if l = strings.TrimSpace(l); l != "" {
					lines = append(lines, l)
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}
