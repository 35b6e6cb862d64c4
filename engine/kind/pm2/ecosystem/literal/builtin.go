package literal

import (
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/syntax"
)

func parseNumber(s string) (float64, bool) {
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// member is v.name.
func (m *machine) member(v *Value, name string, n *syntax.Node) *Value {
	switch {
	case v.known == "process" && name == "env":
		return marker("process.env")
	case v.known == "process.env":
		return &Value{Kind: String, Parts: []Part{{Variable: name}}, Line: n.Line, Column: n.Column}
	case v.known == "process" && name == "platform":
		return stringOf("linux")
	case v.known == "import" && name == "meta":
		return marker("import.meta")
	case v.known == "import.meta" && name == "dirname":
		return stringOf(m.o.Dir)
	case v.known == "import.meta" && name == "filename":
		return stringOf(m.o.File)
	case v.known == "path" && name == "sep":
		return stringOf("/")
	case v.known != "" && callable(v.known+"."+name):
		return marker(v.known + "." + name)
	case v.Kind == Object:
		if x := v.Get(name); x != nil {
			return x
		}
		if !v.open {
			return undefined()
		}
	case v.Kind == Array && name == "length":
		return &Value{Kind: Number, Number: float64(len(v.Items))}
	case v.Kind == String && v.Parts == nil && name == "length":
		return &Value{Kind: Number, Number: float64(len(v.Text))}
	}
	return opaque(n, "it takes running the file")
}

func (m *machine) index(v, key *Value, n *syntax.Node) *Value {
	if !scalar(key) || key.Parts != nil {
		return opaque(n, "it takes running the file")
	}
	if v.Kind == Array && key.Kind == Number {
		if i := int(key.Number); i >= 0 && i < len(v.Items) && float64(i) == key.Number {
			return v.Items[i]
		}
		return undefined()
	}
	return m.member(v, key.Show(), n)
}

// callable reports whether the reader knows what a function of the platform
// gives.
func callable(name string) bool {
	switch name {
	case "path.join", "path.resolve", "path.basename", "path.dirname", "path.extname", "path.normalize", "path.posix",
		"Object.assign", "Object.keys", "Object.values", "Object.entries", "Object.freeze", "Object.fromEntries",
		"JSON.stringify", "Array.isArray", "Array.from", "process.cwd", "url.fileURLToPath",
		"console.log", "console.error", "console.warn", "console.info", "console.debug":
		return true
	}
	return false
}

// called is a call.
func (m *machine) called(n *syntax.Node, s *scope) *Value {
	args, known := m.values(n.Kids[1:], s)
	to := n.Kids[0]
	var f *Value
	if to.Op == "member" {
		self := m.eval(to.Kids[0], s)
		if self.Kind == Array || self.Kind == String {
			if v := m.method(n, self, to.Name, args); v != nil && known {
				return v
			}
			return opaque(n, "it takes running the file")
		}
		f = m.member(self, to.Name, to)
	} else {
		f = m.eval(to, s)
	}
	switch {
	case f.fn != nil && known:
		return m.call(f.fn, args)
	case f.known != "" && known:
		if v := m.builtin(n, f.known, args); v != nil {
			return v
		}
	case f.known == "" && slices.ContainsFunc(args, func(v *Value) bool { return v.Kind == Object && v == m.module.Get("exports") }):
		m.unread = append(m.unread, n.Line) // it may change what is exported
	}
	return opaque(n, "it takes running the file")
}

// builtin calls a function of the platform; nil: nobody knows.
func (m *machine) builtin(n *syntax.Node, name string, args []*Value) *Value {
	if strings.HasPrefix(name, "console.") {
		return undefined()
	}
	if name == "process.cwd" {
		return stringOf(m.o.Dir)
	}
	if len(args) == 0 {
		return nil
	}
	first := args[0]
	switch name {
	case "require":
		if first.Kind == String && first.Parts == nil {
			return m.require(first.Text, n)
		}
	case "path.join", "path.resolve", "path.basename", "path.dirname", "path.extname", "path.normalize":
		return m.paths(n, strings.TrimPrefix(name, "path."), args)
	case "Object.assign":
		if first.Kind == Object {
			for _, x := range args[1:] {
				m.merge(first, x)
			}
			return first
		}
	case "Object.freeze":
		return first
	case "Object.keys", "Object.values", "Object.entries":
		return m.entries(name, first)
	case "JSON.stringify":
		if scalar(first) && first.Parts == nil && first.Kind == String {
			return stringOf(strconv.Quote(first.Text))
		}
	case "String":
		if first.Kind == String {
			return first
		}
		if scalar(first) {
			return stringOf(first.Show())
		}
	case "Number", "parseInt", "parseFloat":
		if _, ok := unset(first); ok || len(first.Parts) == 1 && first.Parts[0].Variable != "" {
			return first
		}
		if f, ok := numeric(first); ok {
			if name == "parseInt" {
				f = math.Trunc(f)
			}
			return &Value{Kind: Number, Number: f, Line: n.Line, Column: n.Column}
		}
	case "Boolean":
		if yes, known := m.truth(first); known {
			return &Value{Kind: Bool, Bool: yes, Line: n.Line, Column: n.Column}
		}
	}
	return nil
}

func (m *machine) entries(name string, v *Value) *Value {
	if v.Kind != Object || v.open {
		return nil
	}
	out := &Value{Kind: Array}
	for _, f := range v.Fields {
		m.step()
		switch key := stringOf(f.Key); name {
		case "Object.keys":
			out.Items = append(out.Items, key)
		case "Object.values":
			out.Items = append(out.Items, f.Value)
		default:
			out.Items = append(out.Items, &Value{Kind: Array, Items: []*Value{key, f.Value}})
		}
	}
	return out
}

// require is a module: what the reader knows of it, or the JSON in a file.
func (m *machine) require(name string, n *syntax.Node) *Value {
	switch strings.TrimPrefix(name, "node:") {
	case "path":
		return marker("path")
	case "url":
		return marker("url")
	}
	if (strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../")) && strings.HasSuffix(name, ".json") && m.o.Data != nil {
		if m.steps += 1000; m.steps < maxSteps {
			src, err := m.o.Data(name)
			if err == nil {
				if v, err := JSON(string(src), Options{}); err == nil {
					return v
				}
			}
		}
	}
	return opaque(n, "it is another module's")
}

func (m *machine) paths(n *syntax.Node, name string, args []*Value) *Value {
	var parts []string
	for _, v := range args {
		if v.Kind != String || v.Parts != nil {
			return nil
		}
		parts = append(parts, v.Text)
	}
	var text string
	switch name {
	case "join":
		text = path.Join(parts...)
	case "resolve":
		text = m.o.Dir
		for _, p := range parts {
			if path.IsAbs(p) {
				text = path.Clean(p)
			} else {
				text = path.Join(text, p)
			}
		}
	case "basename":
		text = path.Base(parts[0])
		if len(parts) > 1 && text != parts[1] {
			text = strings.TrimSuffix(text, parts[1])
		}
	case "dirname":
		text = path.Dir(parts[0])
	case "extname":
		text = path.Ext(parts[0])
	default:
		text = path.Clean(parts[0])
	}
	if len(text) > maxText {
		return nil
	}
	return &Value{Kind: String, Text: text, Line: n.Line, Column: n.Column}
}

// method calls one of an array or a string; nil: nobody knows.
func (m *machine) method(n *syntax.Node, self *Value, name string, args []*Value) *Value {
	if self.Kind == String {
		return m.textMethod(n, self, name, args)
	}
	at := &Value{Kind: Array, Line: n.Line, Column: n.Column}
	m.steps += len(self.Items)
	m.step()
	var f *function
	keeps := len(args) == 1 && args[0].known == "Boolean" // filter(Boolean)
	if len(args) > 0 {
		f = args[0].fn
	}
	switch {
	case name == "push":
		self.Items = append(self.Items, args...)
		return &Value{Kind: Number, Number: float64(len(self.Items))}
	case name == "concat":
		at.Items = slices.Clone(self.Items)
		for _, a := range args {
			if a.Kind == Array {
				at.Items = append(at.Items, a.Items...)
			} else {
				at.Items = append(at.Items, a)
			}
		}
		m.steps += len(at.Items)
		return at
	case name == "flat":
		for _, x := range self.Items {
			if x.Kind == Array {
				at.Items = append(at.Items, x.Items...)
			} else {
				at.Items = append(at.Items, x)
			}
		}
		m.steps += len(at.Items)
		return at
	case name == "join" && len(args) == 1 && args[0].Kind == String:
		return m.between(n, self.Items, args[0])
	case name == "includes" && len(args) == 1 && plainly(args[0]):
		return &Value{Kind: Bool, Bool: slices.ContainsFunc(self.Items, func(v *Value) bool { return plainly(v) && v.Canonical() == args[0].Canonical() })}
	case name == "filter" && keeps, f != nil && (name == "map" || name == "filter" || name == "forEach" || name == "flatMap"):
		return m.each(self, at, name, f)
	}
	return nil
}

// each calls a function for each item.
func (m *machine) each(self, out *Value, name string, f *function) *Value {
	for i, x := range slices.Clone(self.Items) {
		v := x
		if f != nil {
			v = m.call(f, []*Value{x, {Kind: Number, Number: float64(i)}})
		}
		switch name {
		case "map":
			out.Items = append(out.Items, v)
		case "flatMap":
			if v.Kind == Array {
				out.Items = append(out.Items, v.Items...)
				m.steps += len(v.Items)
			} else {
				out.Items = append(out.Items, v)
			}
		case "filter":
			yes, known := m.truth(v)
			if !known {
				return nil
			}
			if yes {
				out.Items = append(out.Items, x)
			}
		}
	}
	if name == "forEach" {
		return undefined()
	}
	return out
}

func (m *machine) between(n *syntax.Node, list []*Value, sep *Value) *Value {
	var all []*Value
	for i, v := range list {
		if i > 0 {
			all = append(all, sep)
		}
		all = append(all, v)
	}
	return m.join(n, all)
}

func (m *machine) textMethod(n *syntax.Node, self *Value, name string, args []*Value) *Value {
	if name == "toString" || name == "trim" && self.Parts != nil {
		return self
	}
	if self.Parts != nil {
		return nil
	}
	m.steps += len(self.Text) / 64
	m.step()
	out := &Value{Kind: String, Line: n.Line, Column: n.Column}
	plain := func(i int) bool { return i < len(args) && args[i].Kind == String && args[i].Parts == nil }
	switch {
	case name == "trim":
		out.Text = strings.TrimSpace(self.Text)
	case name == "toLowerCase":
		out.Text = strings.ToLower(self.Text)
	case name == "toUpperCase":
		out.Text = strings.ToUpper(self.Text)
	case name == "split" && plain(0) && args[0].Text != "":
		out.Kind = Array
		for _, p := range strings.Split(self.Text, args[0].Text) {
			out.Items = append(out.Items, stringOf(p))
		}
		m.steps += len(out.Items)
	case name == "replace" && plain(0) && plain(1) && !strings.Contains(args[1].Text, "$"):
		out.Text = strings.Replace(self.Text, args[0].Text, args[1].Text, 1)
	case (name == "startsWith" || name == "endsWith" || name == "includes") && plain(0):
		out.Kind = Bool
		switch name {
		case "startsWith":
			out.Bool = strings.HasPrefix(self.Text, args[0].Text)
		case "endsWith":
			out.Bool = strings.HasSuffix(self.Text, args[0].Text)
		default:
			out.Bool = strings.Contains(self.Text, args[0].Text)
		}
	default:
		return nil
	}
	return out
}
