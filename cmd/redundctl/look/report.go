package look

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/console"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/report"
)

// Report is `redundctl report`.
func Report(a *app.App) *cobra.Command {
	var since, format string
	c := &cobra.Command{
		Use:   "report [SYSTEM]",
		Short: "Sum up what ran: success, durations, failovers, lateness of primaries, recovery times",
		Example: `  redundctl report --since 24h
  redundctl report pm2 --since 30d --format md > report.md
  redundctl report --format html > report.html`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.CompleteSystems(),
		RunE: func(c *cobra.Command, args []string) error {
			now := time.Now()
			from, err := app.ParseTime(since, now)
			if err != nil {
				return app.Usagef("", "--since: %s", err)
			}
			if format == "" {
				format = a.Format
			}
			write, ok := map[string]func(report.Content) error{
				"text": func(s report.Content) error { return reportText(a, s) }, "json": func(s report.Content) error { return a.PrintJSON(report.Of(s)) },
				"md":   func(s report.Content) error { return report.Markdown(a.Out, s) },
				"html": func(s report.Content) error { return report.HTML(a.Out, s) },
			}[format]
			if !ok {
				return app.Usagef("", "--format is text, json, md or html, not %q", format)
			}
			p, _, err := a.Usable(c.Context())
			if err != nil {
				return err
			}
			system := ""
			if len(args) == 1 {
				system = pipeline.Kebab(args[0])
				if _, ok := p.Config.Systems[system]; !ok {
					return app.Usagef("the systems are "+strings.Join(slices.Sorted(maps.Keys(p.Config.Systems)), ", "), "there is no system %q", args[0])
				}
			}
			h, err := a.History(c.Context(), p)
			if err != nil {
				return err
			}
			defer h.Close()
			var s report.Content
			if s.Summary, err = h.Summary(c.Context(), from, now); err != nil {
				return err
			}
			if s.Notes, err = report.Notes(c.Context(), h.Ledger, p.Pipelines); err != nil {
				return err
			}
			if system != "" {
				s = s.Only(system)
			}
			return app.Quiet(write(s))
		},
	}
	c.Flags().StringVar(&since, "since", "7d", "since when: a length of time as 24h or 7d, a date, or RFC 3339")
	c.Flags().StringVar(&format, "format", "", "what to print: text, json, md or html (default: as -o)")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "json", "md", "html"}, cobra.ShellCompDirectiveNoFileComp))
	return a.Prints(c)
}

func reportText(a *app.App, s report.Content) error {
	if len(s.Systems) == 0 {
		if _, err := fmt.Fprintf(a.Out, "nothing ran since %s\n", report.Clock(s.Since)); err != nil {
			return err
		}
	} else if err := a.Table(report.Head(), report.Rows(s.Summary)); err != nil {
		return err
	}
	for i, n := range s.Notes {
		if i == 0 {
			fmt.Fprintln(a.Out)
		}
		fmt.Fprintf(a.Out, "%s/%s: %s\n", n.System, n.Pipeline, console.Clean(n.Message))
	}
	return nil
}
