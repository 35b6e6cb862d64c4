package write

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/graph"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Graph is `redundctl graph`.
func Graph(a *app.App) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "graph NAME",
		Short: "Draw the steps of a pipeline",
		Long: `Draw the steps of a pipeline: what runs side by side, and what waits for what.
A wave is what may run once the waves before it have finished.`,
		Example: `  redundctl graph release
  redundctl graph release --format mermaid     to paste into Markdown
  redundctl graph release --format dot | dot -Tsvg > release.svg`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.CompleteNames(),
		RunE: func(c *cobra.Command, args []string) error {
			_, x, err := a.Named(c.Context(), args[0])
			if err != nil {
				return err
			}
			s := graph.Of(x)
			if a.JSON() {
				return a.PrintJSON(s)
			}
			draw, ok := map[string]func(*pipeline.Pipeline, graph.Shape) string{"text": graph.Text, "mermaid": graph.Mermaid, "dot": graph.Dot}[format]
			if !ok {
				return app.Usagef("", "--format is text, mermaid or dot, not %q", format)
			}
			_, err = fmt.Fprint(a.Out, draw(x, s))
			return app.Quiet(err)
		},
	}
	c.Flags().StringVar(&format, "format", "text", "how to draw: text, mermaid or dot")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "mermaid", "dot"}, cobra.ShellCompDirectiveNoFileComp))
	return a.Prints(c)
}
