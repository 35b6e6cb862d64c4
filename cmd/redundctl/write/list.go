package write

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// List is `redundctl list`.
func List(a *app.App) *cobra.Command {
	var system, category string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the pipelines: what there is, and when it is due next",
		Example: `  redundctl list
  redundctl list --system pm2
  redundctl list -o json | jq -r '.[].name'`,
		RunE: func(c *cobra.Command, _ []string) error {
			p, _, err := a.Usable(c.Context())
			if err != nil {
				return err
			}
			system = pipeline.Kebab(system)
			if _, ok := p.Config.Systems[system]; system != "" && !ok {
				return app.Usagef("the systems are "+strings.Join(slices.Sorted(maps.Keys(p.Config.Systems)), ", "), "there is no system %q", system)
			}
			list, due := []api.Listed{}, []string(nil)
			for _, x := range p.Pipelines {
				if system != "" && x.System != system || category != "" && x.Category != category {
					continue
				}
				next, _ := api.Next(x, time.Now())
				e := api.List(x, next)
				e.Observe = e.Observe || p.Config.Observe || p.Config.Systems[x.System].Observe
				list, due = append(list, e), append(due, clock(next))
			}
			a.Mention(p)
			if a.JSON() {
				return a.PrintJSON(list)
			}
			return a.Table([]string{"PIPELINE", "ENABLED", "MODE", "PRIMARY", "SCHEDULE", "NEXT", "FILE"}, listRows(list, due))
		},
	}
	c.Flags().StringVar(&system, "system", "", "only those of one system")
	c.Flags().StringVar(&category, "category", "", "only those of one category")
	return a.Prints(c)
}

// clock is an instant where one is, with its zone: the schedule beside it may
// have another.
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05 MST")
}

// listRows are the rows for people, who read the clock of where they are.
func listRows(list []api.Listed, due []string) [][]string {
	var rows [][]string
	for i, e := range list {
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
		primary, enabled := "-", "yes"
		if e.Primary != nil {
			primary, _ = e.Primary["kind"].(string)
		}
		switch {
		case !e.Enabled:
			enabled = "no"
		case e.Observe:
			enabled = "observing"
		}
		rows = append(rows, []string{e.System + "/" + e.Name, enabled, e.Mode, primary, cmp.Or(strings.Join(when, ", "), "-"), due[i], e.File})
	}
	return rows
}

// Next is `redundctl next`.
func Next(a *app.App) *cobra.Command {
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
		ValidArgsFunction: a.CompleteNames(),
		RunE: func(c *cobra.Command, args []string) error {
			after := time.Now()
			if from != "" {
				var err error
				if after, err = app.ParseTime(from, after); err != nil {
					return app.Usagef("", "--from: %s", err)
				}
			}
			if n < 1 || n > 100_000 {
				return app.Usagef("", "-n is a number from 1 to 100000")
			}
			p, _, err := a.Usable(c.Context())
			if err != nil {
				return err
			}
			from := p.Pipelines
			if len(args) == 1 {
				one, err := a.Pipeline(p, args[0])
				if err != nil {
					return err
				}
				from = []*pipeline.Pipeline{one}
			}
			list := api.Upcoming(from, after, n)
			if a.JSON() {
				return a.PrintJSON(list)
			}
			var rows [][]string
			for _, d := range list {
				rows = append(rows, []string{d.At, d.System + "/" + d.Pipeline})
			}
			return a.Table([]string{"AT", "PIPELINE"}, rows)
		},
	}
	c.Flags().IntVarP(&n, "number", "n", 5, "how many slots")
	c.Flags().StringVar(&from, "from", "", "from this time on: RFC 3339, or a date (default: now)")
	return a.Prints(c)
}
