package literal

import (
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/syntax"
)

// YAML reads one document, with aliases and merge keys. The error is an *Error.
func YAML(src string) (v *Value, err error) {
	defer caught(&err)
	if strings.Contains(src, "\x00") {
		return nil, &Error{Message: "it holds a NUL byte, and is no text"}
	}
	d := yaml.NewDecoder(strings.NewReader(src))
	var doc, second yaml.Node
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, &Error{Message: "it is empty"}
		}
		return nil, yamlError(err)
	}
	if err := d.Decode(&second); err == nil {
		return nil, &Error{Line: second.Line, Message: "it holds more than one document"}
	} else if !errors.Is(err, io.EOF) {
		return nil, yamlError(err)
	}
	c := &converter{}
	return c.value(&doc, 0), nil
}

// yamlError takes the line out of the text of an error.
func yamlError(err error) error {
	text := strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " ")
	e := &Error{Message: text}
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(text); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Message = text[len(m[0]):]
	}
	return e
}

type converter struct{ nodes int }

func (c *converter) value(n *yaml.Node, depth int) *Value {
	if c.nodes++; c.nodes > maxNodes || depth > maxDepth {
		panic(failure{&Error{Line: n.Line, Column: n.Column, Message: "what it describes is too large or too deep"}})
	}
	v := &Value{Line: n.Line, Column: n.Column}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) == 0 {
			return &Value{Kind: Null}
		}
		return c.value(n.Content[0], depth)
	case yaml.AliasNode:
		return c.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		v.Kind = Array
		for _, x := range n.Content {
			v.Items = append(v.Items, c.value(x, depth+1))
		}
	case yaml.MappingNode:
		v.Kind = Object
		c.mapping(v, n, depth)
	case yaml.ScalarNode:
		scalarOf(v, n)
	}
	return v
}

func (c *converter) mapping(v *Value, n *yaml.Node, depth int) {
	var merged []*Value
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		x := c.value(n.Content[i+1], depth+1)
		if k.Tag == "!!merge" {
			merged = append(merged, x)
			continue
		}
		if v.Field(k.Value) != nil {
			panic(failure{&Error{Line: k.Line, Column: k.Column, Message: "the key " + firstOf(k.Value) + " stands there twice"}})
		}
		set(v, &syntax.Node{Line: k.Line, Column: k.Column}, k.Value, x)
	}
	for _, x := range merged {
		list := x.Items
		if x.Kind == Object {
			list = []*Value{x}
		}
		for _, from := range list {
			for _, f := range from.Fields {
				if v.Field(f.Key) == nil {
					set(v, &syntax.Node{Line: f.Line, Column: f.Column}, f.Key, f.Value)
				}
			}
		}
	}
}

func scalarOf(v *Value, n *yaml.Node) {
	v.Kind, v.Text = String, n.Value
	switch n.ShortTag() {
	case "!!null":
		v.Kind, v.Text = Null, ""
	case "!!bool":
		v.Kind, v.Bool, v.Text = Bool, strings.EqualFold(n.Value, "true"), ""
	case "!!int", "!!float":
		var f float64
		if n.Decode(&f) == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			v.Kind, v.Number, v.Text = Number, f, ""
		}
	}
}
