package finder

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"sync/atomic"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/redundctl/redundctl/engine/kind"
)

// settings are what netlify.toml says of functions.
type settings struct {
	rel       string // its path, relative to the root; "": there is none
	base, dir string
	schedules []*scheduled
	keys      []setting
	lines     map[string]int
}

// scheduled is one schedule in netlify.toml.
type scheduled struct {
	function string // its name or a pattern; "": not said
	cron     string
	key      string // as the report calls it
	line     int
	fires    bool
	hit      atomic.Bool // a function of that name is there; functions are read side by side
}

// setting is a key of functions besides their schedules.
type setting struct {
	function, key string
	line          int
}

func (s *settings) line(key string) int { return s.lines[key] }

// parse reads a netlify.toml. The line is that of what is wrong with it.
func parse(rel string, text []byte) (settings, int, error) {
	s := settings{rel: rel, lines: map[string]int{}}
	var all map[string]any
	if err := toml.Unmarshal(text, &all); err != nil {
		if line := kind.Conflict(text); line > 0 {
			return s, line, errors.New("a merge conflict was left in it")
		}
		var d *toml.DecodeError
		if errors.As(err, &d) {
			row, _ := d.Position()
			return s, row, errors.New(strings.Join(strings.Fields(strings.TrimPrefix(d.Error(), "toml: ")), " "))
		}
		return s, 0, errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	var p unstable.Parser
	p.Reset(text)
	r := reader{settings: &s, parser: &p}
	for p.NextExpression() {
		r.expression(p.Expression())
	}
	if err := p.Error(); err != nil {
		return s, 0, errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	return s, 0, nil
}

// reader goes through a netlify.toml, line by line.
type reader struct {
	*settings
	parser *unstable.Parser
	table  []string
	array  *scheduled // the present one of [[scheduled]] and [[functions.schedule]]
}

func (r *reader) expression(n *unstable.Node) {
	switch n.Kind {
	case unstable.Table, unstable.ArrayTable:
		r.table, _ = r.names(n)
		r.array = nil
		if n.Kind == unstable.ArrayTable && len(r.table) > 0 && strings.HasPrefix(r.table[len(r.table)-1], "schedule") {
			_, line := r.names(n)
			r.array = &scheduled{key: "[[" + strings.Join(r.table, ".") + "]]", line: line}
			r.schedules = append(r.schedules, r.array)
		}
	case unstable.KeyValue:
		names, line := r.names(n)
		r.value(append(append([]string{}, r.table...), names...), n.Value(), line)
	}
}

// names are the parts of a key, and its line.
func (r *reader) names(n *unstable.Node) ([]string, int) {
	var out []string
	line := 0
	for it := n.Key(); it.Next(); {
		if line == 0 && it.Node().Raw.Length > 0 {
			line = r.parser.Shape(it.Node().Raw).Start.Line
		}
		out = append(out, string(it.Node().Data))
	}
	return out, line
}

// value takes one setting; an inline table is as the keys that it holds.
func (r *reader) value(key []string, v *unstable.Node, line int) {
	if v.Kind == unstable.InlineTable && len(key) < 8 {
		for it := v.Children(); it.Next(); {
			if it.Node().Kind == unstable.KeyValue {
				names, at := r.names(it.Node())
				r.value(append(append([]string{}, key...), names...), it.Node().Value(), at)
			}
		}
		return
	}
	text := ""
	if v.Kind == unstable.String {
		text = string(v.Data)
	}
	last := key[len(key)-1]
	switch {
	case r.array != nil:
		switch last {
		case "name", "function", "functions", "path":
			r.array.function = strings.TrimPrefix(text, "/.netlify/functions/")
		case "cron", "schedule":
			r.array.cron, r.array.line = text, line
		}
	case len(key) == 2 && key[0] == "build" && last == "base":
		r.base = path.Clean("/" + text)[1:]
	case len(key) == 2 && key[0] == "build" && last == "functions" && r.dir == "":
		r.dir, r.lines["directory"] = text, line
	case len(key) == 2 && key[0] == "functions" && last == "directory", len(key) == 3 && key[0] == "functions" && key[1] == "*" && last == "directory":
		r.dir, r.lines["directory"] = text, line
	case key[0] == "functions" && (len(key) == 2 || len(key) == 3):
		name := "*"
		if len(key) == 3 {
			name = key[1]
		}
		if last == "schedule" && len(key) == 3 {
			r.schedules = append(r.schedules, &scheduled{function: name, cron: text, key: fmt.Sprintf("functions.%q.schedule", name), line: line, fires: true})
			return
		}
		r.keys = append(r.keys, setting{name, last, line})
	}
}

// matches reports whether a name in netlify.toml is this function's.
func matches(pattern, name string) bool {
	if pattern == name {
		return true
	}
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}
