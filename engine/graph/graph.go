// Package graph draws the steps of a pipeline, as text and for the tools that
// draw pictures.
package graph

import (
	"fmt"
	"strings"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner"
)

// Shape is a graph of steps; its lists are never nil.
type Shape struct {
	Pipeline string     `json:"pipeline"`
	Waves    [][]string `json:"waves"` // each may run once those before it have finished
	Edges    [][]string `json:"edges"` // pairs: the second waits for the first
}

// Of gives the shape of a pipeline.
func Of(p *pipeline.Pipeline) Shape {
	s := Shape{Pipeline: p.Name, Waves: runner.Waves(p), Edges: runner.Edges(p)}
	if s.Waves == nil {
		s.Waves = [][]string{}
	}
	if s.Edges == nil {
		s.Edges = [][]string{}
	}
	return s
}

// label is a step as people know it.
func label(p *pipeline.Pipeline, id string) string {
	for _, s := range p.Steps {
		if s.ID != id {
			continue
		}
		out := id
		if s.Name != "" {
			out += " (" + s.Name + ")"
		}
		if s.Kind != "" {
			out += " [" + s.Kind + "]"
		}
		if s.Matrix != nil {
			out += " ×matrix"
		}
		return out
	}
	return id
}

// Text draws a tree of waves.
func Text(p *pipeline.Pipeline, s Shape) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", p.ID())
	if p.Service != nil {
		b.WriteString("└─ a service, kept alive\n")
	}
	after := map[string][]string{}
	for _, e := range s.Edges {
		after[e[1]] = append(after[e[1]], e[0])
	}
	for i, wave := range s.Waves {
		bar, branch := "│", "├─"
		if i == len(s.Waves)-1 {
			bar, branch = " ", "└─"
		}
		fmt.Fprintf(&b, "%s %d\n", branch, i+1)
		for j, id := range wave {
			twig := "├─"
			if j == len(wave)-1 {
				twig = "└─"
			}
			from := ""
			if len(after[id]) > 0 {
				from = "  ← " + strings.Join(after[id], ", ")
			}
			fmt.Fprintf(&b, "%s  %s %s%s\n", bar, twig, label(p, id), from)
		}
	}
	return b.String()
}

// Mermaid draws a flowchart to paste into Markdown.
func Mermaid(p *pipeline.Pipeline, s Shape) string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	for _, wave := range s.Waves {
		for _, id := range wave {
			fmt.Fprintf(&b, "  %s[\"%s\"]\n", node(id), strings.NewReplacer(`"`, "#quot;", "\n", " ").Replace(label(p, id)))
		}
	}
	for _, e := range s.Edges {
		fmt.Fprintf(&b, "  %s --> %s\n", node(e[0]), node(e[1]))
	}
	return b.String()
}

// node is an id that mermaid takes for one word and for no keyword of its own.
func node(id string) string { return "s_" + strings.ReplaceAll(id, "-", "_2d_") }

// Dot draws a graph for Graphviz.
func Dot(p *pipeline.Pipeline, s Shape) string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %q {\n  rankdir=LR;\n  node [shape=box];\n", p.ID())
	for _, wave := range s.Waves {
		for _, id := range wave {
			fmt.Fprintf(&b, "  %q [label=%q];\n", id, label(p, id))
		}
	}
	for _, e := range s.Edges {
		fmt.Fprintf(&b, "  %q -> %q;\n", e[0], e[1])
	}
	b.WriteString("}\n")
	return b.String()
}
