package source

import (
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/redundctl/redundctl/engine/diag"
)

// converter makes plain values of nodes.
type converter struct {
	file     *File
	lim      Limits
	problems []diag.Problem

	nodes   int                 // values made so far
	aliases int                 // alias nodes seen outside other aliases
	inside  int                 // how many aliases are being written out
	open    map[*yaml.Node]bool // anchored collections being converted
	stopped bool                // a bound is exceeded: no more is converted
}

// bad records a problem of a node. Inside an alias it has been said already,
// where the anchor stands.
func (c *converter) bad(at Pos, rule, message, hint string) {
	if c.inside > 0 || len(c.problems) >= most {
		return
	}
	c.problems = append(c.problems, c.file.Problem(at, diag.Error, rule, message, hint))
}

// stop records the problem of a bound, and ends the conversion.
func (c *converter) stop(at Pos, rule, message, hint string) {
	if !c.stopped {
		c.stopped, c.inside = true, 0
		c.bad(at, rule, message, hint)
	}
}

func (c *converter) value(n *yaml.Node, depth int) any {
	if c.nodes++; c.nodes > c.lim.Nodes {
		c.stop(c.file.start(n), "too-large", fmt.Sprintf("the file has more than %d values", c.lim.Nodes), "split it")
	}
	if c.stopped {
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return c.alias(n, depth)
	case yaml.MappingNode, yaml.SequenceNode:
		return c.collection(n, depth)
	}
	return c.scalar(n)
}

func (c *converter) alias(n *yaml.Node, depth int) any {
	at := func() Pos {
		p := c.file.start(n)
		p.Width = len([]rune(n.Value)) + 1
		return p
	}
	if c.open[n.Alias] {
		c.bad(at(), "alias-cycle", fmt.Sprintf("*%s stands inside what it stands for", n.Value), "write out what is meant")
		return nil
	}
	if c.inside == 0 {
		if c.aliases++; c.aliases > c.lim.Aliases {
			c.stop(at(), "too-many-aliases", fmt.Sprintf("more than %d aliases", c.lim.Aliases), "write some of them out, or raise limits.aliases")
			return nil
		}
	}
	// The outermost alias answers for what it stands for.
	if c.inside > 0 {
		c.inside++
		v := c.value(n.Alias, depth)
		c.inside--
		return v
	}
	inner := converter{file: c.file, lim: c.lim, nodes: c.nodes, inside: 1, open: c.open}
	v := inner.value(n.Alias, depth)
	c.nodes = inner.nodes
	if !inner.stopped {
		return v
	}
	if inner.problems[0].Rule == "too-deep" {
		c.stop(at(), "too-deep", fmt.Sprintf("*%s nests values deeper than %d", n.Value, c.lim.Depth), "write it flatter, or raise limits.depth")
	} else {
		c.stop(at(), "too-many-aliases", fmt.Sprintf("with *%s written out the file has more than %d values", n.Value, c.lim.Nodes), "write out what is meant")
	}
	return nil
}

func (c *converter) collection(n *yaml.Node, depth int) any {
	if depth >= c.lim.Depth {
		c.stop(c.file.start(n), "too-deep", fmt.Sprintf("values are nested deeper than %d", c.lim.Depth), "write it flatter, or raise limits.depth")
		return nil
	}
	if n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!map" && n.Tag != "!!seq" {
		c.tagged(n)
	}
	if n.Anchor != "" {
		if c.open == nil {
			c.open = map[*yaml.Node]bool{}
		}
		c.open[n] = true
		defer delete(c.open, n)
	}
	if n.Kind == yaml.SequenceNode {
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = c.value(item, depth+1)
		}
		return list
	}
	return c.mapping(n, depth)
}

func (c *converter) mapping(n *yaml.Node, depth int) any {
	m := make(map[string]any, len(n.Content)/2)
	var first map[string]*yaml.Node // of the keys seen, made when one repeats
	var told map[string]bool        // those that were told of: a key is one mistake, however often it is there
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if !c.key(k) {
			continue
		}
		if _, twice := m[k.Value]; twice {
			if first == nil {
				first = make(map[string]*yaml.Node, i/2)
				for j := i - 2; j >= 0; j -= 2 {
					first[n.Content[j].Value] = n.Content[j]
				}
			}
			if len(c.problems) < most && c.inside == 0 && !told[k.Value] {
				if told == nil {
					told = map[string]bool{}
				}
				told[k.Value] = true
				c.bad(c.file.token(k), "duplicate-key",
					fmt.Sprintf("the key %s is written twice; first on line %d", quote(k.Value), c.file.start(first[k.Value]).Line),
					"keep one of them")
			}
			continue
		}
		m[k.Value] = c.value(n.Content[i+1], depth+1)
	}
	return m
}

// key says whether a node can be a key, and what is wrong with it if not.
func (c *converter) key(k *yaml.Node) bool {
	if k.Kind == yaml.ScalarNode && k.Tag == "!!str" {
		return true
	}
	switch {
	case k.Kind == yaml.MappingNode && k.Style&yaml.FlowStyle != 0:
		c.bad(c.file.start(k), "key-type", "a key must be a string, and this is a mapping", `text that begins with "{" needs quotes around it`)
	case k.Kind == yaml.AliasNode:
		c.bad(c.file.start(k), "key-type", fmt.Sprintf("a key must be a string, and *%s is an alias", k.Value), "write the key out")
	case k.Kind != yaml.ScalarNode:
		c.bad(c.file.start(k), "key-type", "a key must be a string, and this is a mapping or a list", "")
	case k.Tag == "!!merge":
		c.bad(c.file.token(k), "merge-key", "merge keys (<<) are not part of the language", "write the keys out, or use an alias for the whole mapping")
	case k.Tag == "!!timestamp" && k.Style&yaml.TaggedStyle == 0:
		return true // a date is the text that was written
	case k.Style&yaml.TaggedStyle != 0 && !plainTags[k.Tag]:
		c.tagged(k)
	case k.Value == "":
		c.bad(c.file.start(k), "key-type", "a key is missing before this colon", "")
	default:
		c.bad(c.file.token(k), "key-type", fmt.Sprintf("the key %s is %s, and a key must be a string", k.Value, kinds[k.Tag]),
			fmt.Sprintf("write it in quotes: %q", k.Value))
	}
	return false
}

// kinds are the words for YAML's types.
var kinds = map[string]string{
	"!!int": "a number", "!!float": "a number", "!!bool": "true or false", "!!null": "null", "!!str": "a string",
}

// plainTags are the tags that a scalar may carry.
var plainTags = map[string]bool{"!!str": true, "!!int": true, "!!float": true, "!!bool": true, "!!null": true}

func (c *converter) tagged(n *yaml.Node) {
	at := c.file.start(n)
	at.Width = len(n.Tag)
	c.bad(at, "custom-tag", fmt.Sprintf("the tag %s is not part of the language", n.Tag), "leave it out; text that begins with ! needs quotes")
}

func (c *converter) scalar(n *yaml.Node) any {
	if n.Style&yaml.TaggedStyle != 0 && !plainTags[n.Tag] {
		c.tagged(n)
		return nil
	}
	var v any
	var ok bool
	switch n.Tag {
	case "!!null":
		ok = n.Style&yaml.TaggedStyle == 0 || n.Value == "" || n.Value == "~" || strings.EqualFold(n.Value, "null")
	case "!!bool":
		v, ok = boolean(n.Value)
	case "!!int":
		v, ok = integer(n.Value)
		if ok && padded(n.Value) {
			c.padded(n)
		}
	case "!!float":
		v, ok = c.float(n)
	default: // a string, a date, or the text "<<": what was written
		return n.Value
	}
	if !ok {
		at := c.file.start(n)
		c.bad(at, "custom-tag", fmt.Sprintf("%s is not %s, as the tag %s says", quote(n.Value), kinds[n.Tag], n.Tag), "leave the tag out")
	}
	return v
}

func boolean(s string) (v, ok bool) {
	switch s {
	case "true", "True", "TRUE":
		return true, true
	case "false", "False", "FALSE":
		return false, true
	}
	return false, false
}

func integer(s string) (any, bool) {
	s = strings.ReplaceAll(s, "_", "")
	if i, err := strconv.ParseInt(s, 0, 64); err == nil {
		return i, true
	}
	if u, err := strconv.ParseUint(s, 0, 64); err == nil {
		return u, true
	}
	return nil, false
}

// padded says whether digits begin with a zero: 017 is 15 to some readers and
// 17 to others.
func padded(s string) bool {
	s = strings.TrimLeft(s, "+-")
	if len(s) < 2 || s[0] != '0' {
		return false
	}
	return strings.Trim(s, "0123456789_") == ""
}

func (c *converter) padded(n *yaml.Node) {
	c.bad(c.file.token(n), "number-form", fmt.Sprintf("%s begins with a zero, and programs differ in what that means", n.Value),
		fmt.Sprintf("drop the zero, or write text in quotes: %q", n.Value))
}

func (c *converter) float(n *yaml.Node) (any, bool) {
	s := strings.ReplaceAll(n.Value, "_", "")
	switch strings.ToLower(strings.TrimLeft(s, "+-")) {
	case ".nan", ".inf":
		c.bad(c.file.token(n), "number-form", n.Value+" is not a number that can be used", fmt.Sprintf("write text in quotes: %q", n.Value))
		return nil, true
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, false
	}
	if padded(n.Value) {
		c.padded(n)
	}
	return v, true
}

// quote shows a short text in double quotes.
func quote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:57]) + "..."
	}
	return strconv.Quote(s)
}
