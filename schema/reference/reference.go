// Package reference prints the schemas as Markdown pages for people.
package reference

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/schema"
)

// Page is the reference page of a document: "pipeline", "config" or "action".
// That of the pipeline describes the kinds too.
func Page(s *schema.Set, doc string) ([]byte, error) {
	p := page{set: s, where: map[string]string{}}
	if doc != "pipeline" {
		p.where = map[string]string{"step": "pipeline.md#steps", "schedule": "pipeline.md#schedule"}
	}
	t := p.explain(doc)
	p.line("<!-- Generated from the JSON Schema by `go generate ./...`: do not edit. -->")
	p.line("# Reference: %s\n", map[string]string{"pipeline": "a pipeline", "config": "the project file, `redund.yaml`", "action": "an action"}[doc])
	p.line("%s\n", t.Description)
	p.line("Every key has a type and a default; **required** ones have none. Keys that begin with `x-` are your own, anywhere. " +
		"Durations are written `90s`, `5m`, `1h30m` or `7d`, sizes `512`, `10KiB` or `300MiB`. ✎ marks keys whose text may hold `${{ }}`.\n")
	p.keys(t, doc)
	if steps, primaries := s.Kinds(); doc == "pipeline" {
		p.kinds("# Step kinds\n\nWhat `uses` may name, and the keys of `with`.\n", "uses", steps)
		p.kinds("# Primary kinds\n\nWhat `primary` may hold, beside the keys that all kinds share.\n", "primary", primaries)
	}
	return append(bytes.TrimRight(p.Bytes(), "\n"), '\n'), p.err
}

type page struct {
	bytes.Buffer
	set   *schema.Set
	where map[string]string // where a shape that stands in several places is described
	err   error
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.Buffer, format+"\n", args...) }

func (p *page) explain(path string) schema.Topic {
	t, err := p.set.Explain(path)
	if err != nil && p.err == nil {
		p.err = err
	}
	return t
}

// keys writes the table of an object's keys, then a section for each key that
// has keys of its own. from is the document, which Explain wants before a path.
func (p *page) keys(t schema.Topic, from string) {
	_, kinds := p.set.Kinds()
	p.line("| key | type | default | what |\n|---|---|---|---|")
	var deeper []schema.Topic
	for _, k := range t.Keys {
		if t.Path == "primary" && slices.Contains(kinds, name(k)) {
			continue
		}
		path := k.Path
		if from == "pipeline" {
			path = "pipeline." + path
		}
		deep := p.explain(path)
		p.row(k, deep)
		if len(deep.Keys) > 0 && p.target(deep) == "#"+anchor(k.Path) {
			deep.Path = k.Path
			deeper = append(deeper, deep)
		}
	}
	p.line("")
	if t.Path == "primary" {
		var links []string
		for _, kind := range kinds {
			links = append(links, fmt.Sprintf("[`%s`](#%s)", kind, anchor("primary."+kind)))
		}
		p.line("And exactly one of %s.\n", strings.Join(links, ", "))
	}
	for _, r := range t.Rules {
		p.line("%s\n", r)
	}
	for _, deep := range deeper {
		p.line("%s <a id=\"%s\"></a>`%s`\n", strings.Repeat("#", min(2+strings.Count(short(deep.Path), "."), 4)), anchor(deep.Path), short(deep.Path))
		p.about(deep, name(deep))
		p.keys(deep, from)
	}
}

func (p *page) about(t schema.Topic, word string) {
	p.line("%s\n", t.Description)
	if t.Example != "" {
		p.line("Example: `%s: %s`\n", word, t.Example)
	}
}

// target is where a shape is described: for one that stands in several places,
// the first of them.
func (p *page) target(t schema.Topic) string {
	here := "#" + anchor(t.Path)
	if t.Shape == "" {
		return here
	}
	if _, ok := p.where[t.Shape]; !ok {
		p.where[t.Shape] = here
	}
	return p.where[t.Shape]
}

func (p *page) row(k, deep schema.Topic) {
	what := k.Description
	switch {
	case k.Type == "constant":
		what += " Always `" + k.Enum[0] + "`."
	case len(k.Enum) > 0:
		what += " One of `" + strings.Join(k.Enum, "`, `") + "`."
	}
	if k.Secret {
		what += " A secret."
	}
	if k.Example != "" && len(deep.Keys) == 0 && k.Type != "constant" {
		what += " Example: `" + k.Example + "`."
	}
	if k.Expressions {
		what += " ✎"
	}
	key := "`" + name(k) + "`"
	if len(deep.Keys) > 0 {
		key = "[" + key + "](" + p.target(deep) + ")"
	}
	p.line("| %s | %s | %s | %s |", key, cell(k.Type), cell(standard(k)), cell(what))
}

// standard is the default as the table shows it.
func standard(k schema.Topic) string {
	switch {
	case k.Required:
		return "**required**"
	case k.Default == "":
		return "–"
	case k.Constant:
		return "`" + k.Default + "`"
	}
	return k.Default
}

func (p *page) kinds(title, path string, names []string) {
	p.line("%s", title)
	for _, kind := range names {
		t := p.explain(path + "." + kind)
		p.line("## <a id=\"%s\"></a>`%s`\n", anchor(t.Path), kind)
		word := "with"
		if path == "primary" {
			word = kind
		}
		p.about(t, word)
		p.where = map[string]string{}
		p.keys(t, "kind")
		if outputs, _ := p.set.Outputs(kind); len(outputs) > 0 && path == "uses" {
			p.line("| output | what |\n|---|---|")
			for _, o := range slices.Sorted(maps.Keys(outputs)) {
				p.line("| `%s` | %s |", o, cell(outputs[o]))
			}
			p.line("")
		}
	}
}

func name(t schema.Topic) string { return t.Path[strings.LastIndexByte(t.Path, '.')+1:] }

// short is a path without the document, which the page is about.
func short(path string) string {
	for _, doc := range []string{"config.", "action."} {
		path = strings.TrimPrefix(path, doc)
	}
	return path
}

// anchor is a path as the id of a section.
func anchor(path string) string { return strings.NewReplacer(".", "-", "/", "-").Replace(short(path)) }

// cell keeps a text inside its cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
}
