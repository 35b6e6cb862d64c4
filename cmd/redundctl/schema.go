package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/schema"
)

func (a *app) schemaCommand() *cobra.Command {
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
			_, err = a.out.Write(b)
			return quiet(err)
		},
	}
	return a.prints(c)
}

func (a *app) explainCommand() *cobra.Command {
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
			t, err := builtin.Kinds().Schemas().Explain(path)
			if err != nil {
				return usagef("redundctl explain lists the keys", "%s", err)
			}
			if a.json() {
				return a.printJSON(t)
			}
			return a.printTopic(t)
		},
	}
	return a.prints(c)
}

func (a *app) printTopic(t schema.Topic) error {
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
	if _, err := fmt.Fprint(a.out, b.String()); err != nil {
		return quiet(err)
	}
	var rows [][]string
	for _, k := range t.Keys {
		rows = append(rows, []string{k.Path[strings.LastIndex(k.Path, ".")+1:], k.Type, k.Default, k.Description})
	}
	if rows == nil {
		return nil
	}
	return a.table([]string{"KEY", "TYPE", "DEFAULT", "MEANS"}, rows)
}

func (a *app) versionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: `  redundctl version -o json`,
		RunE: func(*cobra.Command, []string) error {
			if a.json() {
				return a.printJSON(map[string]string{"version": version})
			}
			_, err := fmt.Fprintf(a.out, "redundctl %s\n", version)
			return quiet(err)
		},
	}
	return a.prints(c)
}
