package discover

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/source"
)

const schemaLine = "# yaml-language-server: $schema=https://raw.githubusercontent.com/redundctl/redundctl/main/schema/pipeline.schema.json\n"

// Imported is the key under which a file keeps what its primary was like when it
// was imported, which `drift` compares with what it is like.
const Imported = "x-imported"

// file makes the text of the pipeline of a primary, by that name. folder is the
// one that the file lies in.
func file(root string, p *Primary, name, folder string) ([]byte, error) {
	m := kind.Map{{Key: "version", Value: 1}, {Key: "name", Value: name}}
	if p.Finder.System != folder {
		m = append(m, kind.Field{Key: "system", Value: p.Finder.System})
	}
	if p.Disabled != "" {
		m = append(m, kind.Field{Key: "enabled", Value: false, Comment: p.Disabled})
	}
	m = append(m, p.Draft...)
	m = append(m, kind.Field{Key: Imported, Value: record(root, p)})
	body, blocks, err := encode(m, yaml.LiteralStyle)
	if err != nil {
		return nil, err
	}
	// A block of text keeps what it holds but for a few odd ones, as when it
	// begins with a blank line that has spaces; these are quoted.
	if blocks && !same(body, m) {
		if body, _, err = encode(m, yaml.DoubleQuotedStyle); err != nil {
			return nil, err
		}
		if !same(body, m) {
			return nil, fmt.Errorf("the pipeline of %s cannot be written as YAML: it holds what no file of text can", p.Primary)
		}
	}
	return append([]byte(schemaLine+top(p)), body...), nil
}

// top says what the file was made of, and what differs from it.
func top(p *Primary) string {
	var b strings.Builder
	say := func(format string, args ...any) { b.WriteString("# " + line(fmt.Sprintf(format, args...)) + "\n") }
	say("Made from %s by redundctl. It is yours now: change what you like.", place(p.Source, p.Line, 0))
	if p.Note != "" {
		say("Note: %s", p.Note)
	}
	for _, c := range p.Constructs {
		if c.Support == kind.Exact {
			continue
		}
		text := fmt.Sprintf("%s: %s (%s)", c.Support, c.Key, place(c.File, c.Line, c.Column))
		if c.Note != "" {
			text += ": " + c.Note
		}
		say("%s", text)
	}
	return b.String()
}

func place(file string, line, column int) string {
	switch {
	case line < 1:
		return file
	case column < 1:
		return fmt.Sprintf("%s:%d", file, line)
	}
	return fmt.Sprintf("%s:%d:%d", file, line, column)
}

// record is what `drift` compares with. Of a source that was run, nobody else can
// tell what it holds, but that it is still the same.
func record(root string, p *Primary) kind.Map {
	m := kind.Map{{Key: "source", Value: p.Source}}
	if p.Line > 0 {
		m = append(m, kind.Field{Key: "line", Value: p.Line})
	}
	if p.Evaluated {
		m = append(m, kind.Field{Key: "file", Value: Sum(filepath.Join(root, filepath.FromSlash(p.Source)))})
	}
	if p.Script != "" {
		m = append(m, kind.Field{Key: "script", Value: p.Script})
	}
	schedules := []any{}
	for _, d := range p.Schedules {
		s := kind.Map{{Key: "cron", Value: d.Cron}}
		if d.Timezone != "" {
			s = append(s, kind.Field{Key: "timezone", Value: d.Timezone})
		}
		schedules = append(schedules, s)
	}
	secrets := []any{}
	for _, s := range p.Secrets {
		secrets = append(secrets, s)
	}
	return append(m, kind.Field{Key: "schedules", Value: schedules}, kind.Field{Key: "secrets", Value: secrets})
}

// line is a text in one line, without what a terminal or YAML would take for
// something else.
func line(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?")))
}

// encode writes a mapping as YAML; text of several lines, of which blocks reports
// whether there is some, in that style.
func encode(m kind.Map, lines yaml.Style) (text []byte, blocks bool, err error) {
	e := &encoder{lines: lines}
	n, err := e.node(m, 0)
	if err != nil {
		return nil, false, err
	}
	var b bytes.Buffer
	y := yaml.NewEncoder(&b)
	y.SetIndent(2)
	if err := errors.Join(y.Encode(n), y.Close()); err != nil {
		return nil, false, fmt.Errorf("writing YAML: %w", err)
	}
	return b.Bytes(), e.blocks, nil
}

// encoder makes nodes of values.
type encoder struct {
	lines  yaml.Style
	blocks bool // there was text of several lines
}

// short is how long a list or mapping of plain values may be to stand in one
// line; deepest how deep values may lie in each other.
const short, deepest = 90, 60

func (e *encoder) node(v any, depth int) (*yaml.Node, error) {
	if depth > deepest {
		return nil, fmt.Errorf("values lie in each other more than %d deep", deepest)
	}
	switch v := v.(type) {
	case kind.Map:
		return e.mapping(v, depth)
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, x := range v {
			c, err := e.node(x, depth+1)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, c)
		}
		flow(n)
		return n, nil
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Slice {
		list := make([]any, r.Len())
		for i := range list {
			list[i] = r.Index(i).Interface()
		}
		return e.node(list, depth)
	}
	n := &yaml.Node{}
	if s, ok := v.(string); ok && plain(s) {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}, nil
	}
	if err := n.Encode(v); err != nil {
		return nil, fmt.Errorf("writing %T as YAML: %w", v, err)
	}
	if s, ok := v.(string); ok && n.Kind == yaml.ScalarNode && strings.Contains(s, "\n") {
		n.Style, e.blocks = e.lines, true
	}
	return n, nil
}

// plain reports whether a text is surely one without quotes too: the library
// takes fifty times as long to find out.
func plain(s string) bool {
	if s == "" || !letter(s[0]) || s[len(s)-1] == ' ' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !letter(c) && (c < '0' || c > '9') && !strings.ContainsRune("_./-@ ", rune(c)) {
			return false
		}
	}
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf":
		return false
	}
	return true
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func (e *encoder) mapping(m kind.Map, depth int) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, f := range m {
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: f.Key}
		if !plain(f.Key) {
			if err := key.Encode(f.Key); err != nil {
				return nil, fmt.Errorf("writing the key %q as YAML: %w", f.Key, err)
			}
		}
		value, err := e.node(f.Value, depth+1)
		if err != nil {
			return nil, err
		}
		if _, text := f.Value.(string); text && f.Key == "cron" {
			value.Style = yaml.DoubleQuotedStyle // as people write it
		}
		if c := line(f.Comment); c != "" {
			if value.Kind == yaml.ScalarNode && value.Style&yaml.LiteralStyle == 0 {
				value.LineComment = "# " + c
			} else {
				key.HeadComment = "# " + c
			}
		}
		n.Content = append(n.Content, key, value)
	}
	if depth > 0 {
		flow(n)
	}
	return n, nil
}

// flow writes a list or mapping of few plain values in one line.
func flow(n *yaml.Node) {
	length := 0
	for _, c := range n.Content {
		if len(c.Content) > 0 || c.HeadComment != "" || c.LineComment != "" || strings.Contains(c.Value, "\n") || strings.Contains(c.Value, "${{") && n.Kind == yaml.MappingNode {
			return
		}
		length += len(c.Value) + 2
	}
	if length <= short {
		n.Style = yaml.FlowStyle
	}
}

// same reports whether a text says what a mapping holds.
func same(text []byte, m kind.Map) bool {
	f, problems := source.Parse("", text, source.Limits{FileSize: int64(len(text)) + 1, Nodes: 1 << 24})
	return len(problems) == 0 && equal(f.Value, m)
}

func equal(got, want any) bool {
	switch want := want.(type) {
	case kind.Map:
		m, ok := got.(map[string]any)
		if !ok || len(m) != len(want) {
			return false
		}
		for _, f := range want {
			x, ok := m[f.Key]
			if !ok || !equal(x, f.Value) {
				return false
			}
		}
		return true
	case string:
		s, ok := got.(string)
		return ok && s == want
	}
	r := reflect.ValueOf(want)
	if r.Kind() != reflect.Slice {
		return fmt.Sprint(got) == fmt.Sprint(want)
	}
	list, ok := got.([]any)
	if !ok || len(list) != r.Len() {
		return false
	}
	for i := range list {
		if !equal(list[i], r.Index(i).Interface()) {
			return false
		}
	}
	return true
}
