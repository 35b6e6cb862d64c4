package main

import (
	"cmp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/pipeline"
)

func (a *app) listCommand() *cobra.Command {
	var system, category string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the pipelines: what there is, and when it is due next",
		Example: `  redundctl list
  redundctl list --system pm2
  redundctl list -o json | jq -r '.[].name'`,
		RunE: func(c *cobra.Command, _ []string) error {
			p, _, err := a.usable(c.Context())
			if err != nil {
				return err
			}
			list := []api.Listed{}
			for _, x := range p.Pipelines {
				if system != "" && x.System != system || category != "" && x.Category != category {
					continue
				}
				next, _ := api.Next(x, time.Now())
				e := api.List(x, next)
				e.Observe = e.Observe || p.Config.Observe || p.Config.Systems[x.System].Observe
				list = append(list, e)
			}
			a.mention(p)
			if a.json() {
				return a.printJSON(list)
			}
			return a.table([]string{"PIPELINE", "ENABLED", "MODE", "PRIMARY", "SCHEDULE", "NEXT", "FILE"}, listRows(list))
		},
	}
	c.Flags().StringVar(&system, "system", "", "only those of one system")
	c.Flags().StringVar(&category, "category", "", "only those of one category")
	return a.prints(c)
}

func listRows(list []api.Listed) [][]string {
	var rows [][]string
	for _, e := range list {
		var when []string
		for _, s := range e.Schedules {
			if s.Cron == "" {
				when = append(when, "every "+s.Every)
				continue
			}
			zone := ""
			if s.Timezone != "UTC" {
				zone = " " + s.Timezone
			}
			when = append(when, s.Cron+zone)
		}
		primary, next, enabled := "-", "-", "yes"
		if e.Primary != nil {
			primary, _ = e.Primary["kind"].(string)
		}
		if e.Next != nil {
			next = *e.Next
		}
		switch {
		case !e.Enabled:
			enabled = "no"
		case e.Observe:
			enabled = "observing"
		}
		rows = append(rows, []string{e.System + "/" + e.Name, enabled, e.Mode, primary, cmp.Or(strings.Join(when, ", "), "-"), next, e.File})
	}
	return rows
}

func (a *app) nextCommand() *cobra.Command {
	var n int
	var from string
	c := &cobra.Command{
		Use:   "next [NAME]",
		Short: "Show when pipelines are due",
		Long: `Show the next slots of one pipeline, or of all together, each with the offset of
its own time zone. Pipelines that are not enabled are never due.`,
		Example: `  redundctl next
  redundctl next marketing-sync -n 10
  redundctl next backup --from 2027-03-28T00:00:00Z     over a change of the clock`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			after := time.Now()
			if from != "" {
				var err error
				if after, err = parseTime(from, after); err != nil {
					return usagef("", "--from: %s", err)
				}
			}
			if n < 1 || n > 100_000 {
				return usagef("", "-n is a number from 1 to 100000")
			}
			p, _, err := a.usable(c.Context())
			if err != nil {
				return err
			}
			from := p.Pipelines
			if len(args) == 1 {
				one, err := a.pipeline(p, args[0])
				if err != nil {
					return err
				}
				from = []*pipeline.Pipeline{one}
			}
			list := api.Upcoming(from, after, n)
			if a.json() {
				return a.printJSON(list)
			}
			var rows [][]string
			for _, d := range list {
				rows = append(rows, []string{d.At, d.System + "/" + d.Pipeline})
			}
			return a.table([]string{"AT", "PIPELINE"}, rows)
		},
	}
	c.Flags().IntVarP(&n, "number", "n", 5, "how many slots")
	c.Flags().StringVar(&from, "from", "", "from this time on: RFC 3339, or a date (default: now)")
	return a.prints(c)
}

// parseTime reads RFC 3339, a date, or a length of time before now.
func parseTime(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	d, err := pipeline.ParseDuration(s)
	if err != nil {
		return time.Time{}, usagef("", "%q is neither a time as 2027-03-28T00:00:00Z, nor a date, nor a length of time as 24h or 7d", s)
	}
	return now.Add(-d.Std()), nil
}
