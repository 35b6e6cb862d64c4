package schema

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/schema/internal/tree"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Reference is the reference page of a document ("pipeline", "config" or
// "action") in Markdown; nil for any other word. The page of the pipeline
// describes the kinds too.
func (s *Set) Reference(doc string) []byte {
	open, ok := s.docs[doc]
	if !ok {
		return nil
	}
	d := open()
	p := page{set: s, order: s.written(), where: map[string]string{}}
	if doc != docPipeline {
		p.where = map[string]string{"step": "pipeline.md#steps", "schedule": "pipeline.md#schedule"}
	}
	title, _ := d.raw["title"].(string)
	p.line("<!-- Generated from the JSON Schema by `go generate ./...`: do not edit. -->")
	p.line("# Reference: %s\n", title)
	p.line("%s\n", d.raw["description"])
	p.line("Every key has a type and a default; **required** ones have none. Keys that begin with `x-` are your own, anywhere. " +
		"Durations are written `90s`, `5m`, `1h30m` or `7d`, sizes `512`, `10KiB` or `300MiB`. ✎ marks keys whose text may hold `${{ }}`.\n")
	p.keys(d.root, "", forbidden)
	if doc == docPipeline {
		p.kinds("Step kinds", "uses", "What `uses` may name, and the keys of `with`.", s.uses, s.steps)
		p.kinds("Primary kinds", "primary", "What `primary` may hold, beside the keys that all kinds share.", s.kinds, s.primaries)
	}
	return append(bytes.TrimRight(p.Bytes(), "\n"), '\n')
}

type page struct {
	bytes.Buffer
	set   *Set
	order order
	where map[string]string // the shapes that have their table
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.Buffer, format+"\n", args...) }

// keys writes the table of an object's keys, then a section for each key that
// has keys of its own.
func (p *page) keys(n *node, path string, in expression) {
	if in = n.mode(in); in == inside {
		in = allowed
	}
	p.line("| key | type | default | what |\n|---|---|---|---|")
	keys := p.order.of(n.keys)
	for _, key := range keys {
		p.row(n, key, path, in)
	}
	p.line("")
	if n.dispatch == "primary" {
		var links []string
		for _, kind := range p.set.kinds {
			links = append(links, fmt.Sprintf("[`%s`](#%s)", kind, anchor("primary."+kind)))
		}
		p.line("And exactly one of %s.\n", strings.Join(links, ", "))
	}
	for _, r := range n.rules {
		if text := r.words(); text != "" {
			p.line("%s\n", text)
		}
	}
	for _, key := range keys {
		child := n.props[key]
		full := join2(path, key)
		if deep := child.keyed(); len(deep.keys) > 0 && p.target(deep, full) == "#"+anchor(full) {
			p.section(child, full)
			p.keys(deep, full, child.mode(in))
		}
	}
}

// target is where a shape is described: for one that stands in several places,
// the first of them.
func (p *page) target(n *node, path string) string {
	if n.shape == "" {
		return "#" + anchor(path)
	}
	if _, ok := p.where[n.shape]; !ok {
		p.where[n.shape] = "#" + anchor(path)
	}
	return p.where[n.shape]
}

// mode is whether strings below n may hold an expression.
func (n *node) mode(in expression) expression {
	if n.expr != inherited {
		return n.expr
	}
	return in
}

func (p *page) section(n *node, path string) {
	p.line("%s <a id=\"%s\"></a>`%s`\n", strings.Repeat("#", min(2+strings.Count(path, "."), 4)), anchor(path), path)
	t := n.topic(path)
	p.line("%s\n", t.Description)
	if t.Example != "" {
		last := path[strings.LastIndexByte(path, '.')+1:]
		p.line("Example: `%s: %s`\n", last, t.Example)
	}
}

func (p *page) row(n *node, key, path string, in expression) {
	child := n.props[key]
	t := child.topic(join2(path, key))
	what := t.Description
	if c, ok := child.raw["const"]; ok {
		what += " Always `" + printed(c) + "`."
	} else if len(t.Enum) > 0 {
		what += " One of `" + strings.Join(t.Enum, "`, `") + "`."
	}
	if _, ok := child.raw["x-secret"]; ok {
		what += " A secret."
	}
	_, has := n.raw["properties"]
	if t.Example != "" && has && len(child.keyed().keys) == 0 {
		what += " Example: `" + t.Example + "`."
	}
	if m := child.mode(in); m != forbidden && m != inherited {
		what += " ✎"
	}
	name := "`" + key + "`"
	if deep := child.keyed(); len(deep.keys) > 0 {
		name = "[" + name + "](" + p.target(deep, join2(path, key)) + ")"
	}
	p.line("| %s | %s | %s | %s |", name, cell(t.Type), cell(standard(n, child, key, t)), cell(what))
}

// standard is the default as the table shows it.
func standard(n, child *node, key string, t Topic) string {
	switch {
	case slices.Contains(n.required, key):
		return "**required**"
	case child.filled:
		return "`" + t.Default + "`"
	case t.Default != "":
		return t.Default
	}
	return "–"
}

func (r rule) words() string {
	code := func(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }
	switch {
	case len(r.one) > 0:
		return "Exactly one of " + code(r.one) + "."
	case len(r.most) > 0:
		return "At most one of " + code(r.most) + "."
	case r.is != nil:
		return code([]string{r.key + ": " + join(values(r.is))}) + " needs " + code([]string{r.needs}) + "."
	}
	return code([]string{r.key}) + " needs " + code([]string{r.needs}) + "."
}

func (p *page) kinds(title, path, intro string, names []string, open map[string]func() *document) {
	p.line("# %s\n\n%s\n", title, intro)
	for _, name := range names {
		d := open[name]()
		if d.err != nil {
			continue
		}
		n := d.root
		full := path + "." + name
		p.line("## <a id=\"%s\"></a>`%s`\n", anchor(full), name)
		t := n.topic(full)
		p.line("%s\n", t.Description)
		if t.Example != "" {
			word := "with"
			if path == "primary" {
				word = name
			}
			p.line("Example: `%s: %s`\n", word, t.Example)
		}
		p.where = map[string]string{}
		p.keys(n, full, allowed)
		if outputs := tree.Object(d.raw["x-outputs"]); len(outputs) > 0 {
			p.line("| output | what |\n|---|---|")
			for _, o := range sortedKeys(outputs) {
				p.line("| `%s` | %s |", o, cell(fmt.Sprint(outputs[o])))
			}
			p.line("")
		}
	}
}

// anchor is a path as the id of a section.
func anchor(path string) string { return strings.NewReplacer(".", "-", "/", "-").Replace(path) }

// cell keeps a text inside its cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
}
