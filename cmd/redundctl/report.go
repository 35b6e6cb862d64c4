package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/report"
)

func (a *app) reportCommand() *cobra.Command {
	var since, format string
	c := &cobra.Command{
		Use:   "report [SYSTEM]",
		Short: "Sum up what ran: success, failovers, lateness of primaries, recovery times",
		Example: `  redundctl report --since 24h
  redundctl report pm2 --since 30d --format md > report.md
  redundctl report --format html > report.html`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			now := time.Now()
			from, err := parseTime(since, now)
			if err != nil {
				return usagef("", "--since: %s", err)
			}
			if format == "" {
				format = a.output
			}
			write, ok := map[string]func(history.Summary) error{
				"text": a.reportText, "json": func(s history.Summary) error { return a.printJSON(report.Of(s)) },
				"md":   func(s history.Summary) error { return report.Markdown(a.out, s) },
				"html": func(s history.Summary) error { return report.HTML(a.out, s) },
			}[format]
			if !ok {
				return usagef("", "--format is text, json, md or html, not %q", format)
			}
			p, _, err := a.usable(c.Context())
			if err != nil {
				return err
			}
			if len(args) == 1 {
				if _, ok := p.Config.Systems[args[0]]; !ok {
					return usagef("redundctl list shows them", "there is no system %q", args[0])
				}
			}
			h, err := a.history(c.Context(), p)
			if err != nil {
				return err
			}
			defer h.Close()
			s, err := h.Summary(c.Context(), from, now)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				s = report.Only(s, args[0])
			}
			return quiet(write(s))
		},
	}
	c.Flags().StringVar(&since, "since", "7d", "since when: a length of time as 24h or 7d, a date, or RFC 3339")
	c.Flags().StringVar(&format, "format", "", "what to print: text, json, md or html (default: as -o)")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "json", "md", "html"}, cobra.ShellCompDirectiveNoFileComp))
	return a.prints(c)
}

func (a *app) reportText(s history.Summary) error {
	if len(s.Systems) == 0 {
		_, err := fmt.Fprintf(a.out, "nothing ran since %s\n", report.Clock(s.Since))
		return err
	}
	return a.table(report.Head(), report.Rows(s))
}
