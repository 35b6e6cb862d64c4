package write

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/schema"
)

// Schema is `redundctl schema`.
func Schema(a *app.App) *cobra.Command {
	docs := []string{"pipeline", "config", "action"}
	c := &cobra.Command{
		Use:   "schema [pipeline|config|action]",
		Short: "Print a JSON Schema of the language, for editors",
		Long: `Print the JSON Schema of a pipeline file, of redund.yaml (config) or of a file of
kind: action. An editor with the YAML language server checks and completes a file
that begins with

  # yaml-language-server: $schema=pipeline.schema.json`,
		Example: `  redundctl schema > pipeline.schema.json
  redundctl schema config > config.schema.json`,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: docs,
		RunE: func(_ *cobra.Command, args []string) error {
			doc := "pipeline"
			if len(args) == 1 {
				doc = args[0]
			}
			b, err := builtin.Kinds().Schemas().Combined(doc)
			if err != nil {
				return err
			}
			_, err = a.Out.Write(b)
			return app.Quiet(err)
		},
	}
	return a.Prints(c)
}

// Explain is `redundctl explain`.
func Explain(a *app.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "explain [KEY.PATH]",
		Short: "Explain a key: what it means, its type, its default, an example",
		Long: `Walk the schema: a path of keys explains the last one and lists those below it.
Without a path it lists the keys of a pipeline. The name of a step kind or of a
primary explains what stands in its with; paths that begin with config explain
redund.yaml, those that begin with action files of kind: action.`,
		Example: `  redundctl explain
  redundctl explain steps.retry
  redundctl explain http.expect
  redundctl explain config.retention`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path := ""
			if len(args) == 1 {
				path = args[0]
			}
			s := builtin.Kinds().Schemas()
			t, err := s.Explain(path)
			if err != nil {
				// A key of redund.yaml alone needs no other name.
				if of, no := s.Explain("config." + path); no == nil {
					t, err = of, nil
				}
			}
			if err != nil {
				return app.Usagef("redundctl explain lists the keys", "%s", err)
			}
			if a.JSON() {
				return a.PrintJSON(topic(t))
			}
			return printTopic(a, t)
		},
	}
	return a.Prints(c)
}

func printTopic(a *app.App, t schema.Topic) error {
	var b strings.Builder
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-9s%s\n", name+":", value)
		}
	}
	field("key", t.Path)
	field("type", t.Type)
	field("default", t.Default)
	field("values", strings.Join(t.Enum, ", "))
	if t.Description != "" {
		fmt.Fprintf(&b, "\n%s\n", t.Description)
	}
	if t.Example != "" {
		fmt.Fprintf(&b, "\nexample:\n  %s\n", strings.ReplaceAll(strings.TrimRight(t.Example, "\n"), "\n", "\n  "))
	}
	if len(t.Keys) > 0 {
		b.WriteString("\nkeys:\n")
	}
	if _, err := fmt.Fprint(a.Out, b.String()); err != nil {
		return app.Quiet(err)
	}
	var rows [][]string
	for _, k := range t.Keys {
		rows = append(rows, []string{k.Path[strings.LastIndex(k.Path, ".")+1:], k.Type, k.Default, k.Description})
	}
	if rows == nil {
		return nil
	}
	return a.Table([]string{"KEY", "TYPE", "DEFAULT", "MEANS"}, rows)
}

// topic is the shape of what explain says.
func topic(t schema.Topic) api.Topic {
	out := api.Topic{
		Path: t.Path, Type: t.Type, Default: api.Present(t.Default), Description: t.Description, Enum: append([]string{}, t.Enum...),
		Example: api.Present(t.Example), Required: t.Required, Secret: t.Secret, Expressions: t.Expressions,
		Rules: append([]string{}, t.Rules...), Keys: []api.Topic{},
	}
	for _, k := range t.Keys {
		out.Keys = append(out.Keys, topic(k))
	}
	return out
}
