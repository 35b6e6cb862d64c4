// Package look holds the commands that show what ran, and how it went.
package look

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/console"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/report"
	"github.com/redundctl/redundctl/engine/story"
)

func states() []string {
	return []string{"queued", "running", "succeeded", "failed", "timed-out", "cancelled", "skipped"}
}

// Runs is `redundctl runs`.
func Runs(a *app.App) *cobra.Command {
	var n int
	var since, state string
	c := &cobra.Command{
		Use:   "runs [NAME]",
		Short: "List what ran, newest first",
		Example: `  redundctl runs
  redundctl runs git-sync -n 5
  redundctl runs --since 24h --state failed -o json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.CompleteParts(),
		RunE: func(c *cobra.Command, args []string) error {
			f := history.Filter{Limit: n}
			switch {
			case n < 0:
				return app.Usagef("", "-n is a number from 0, where 0 means all")
			case n == 0:
				f.Limit = math.MaxInt32
			}
			if state != "" {
				if !slices.Contains(states(), state) {
					return app.Usagef("", "--state is one of %s, not %q", strings.Join(states(), ", "), state)
				}
				f.States = []pipeline.State{pipeline.State(state)}
			}
			if since != "" {
				var err error
				if f.Since, err = app.ParseTime(since, time.Now()); err != nil {
					return app.Usagef("", "--since: %s", err)
				}
			}
			p, _, err := a.Usable(c.Context())
			if err != nil {
				return err
			}
			if len(args) == 1 {
				if f.System, f.Name, err = recorded(a, p, args[0]); err != nil {
					return err
				}
			}
			h, err := a.History(c.Context(), p)
			if err != nil {
				return err
			}
			defer h.Close()
			runs, err := h.Runs(c.Context(), f)
			if err != nil {
				return err
			}
			if len(runs) == 0 && len(args) == 1 && !written(p, args[0]) {
				ever, err := h.Runs(c.Context(), history.Filter{System: f.System, Name: f.Name, Limit: 1})
				if err != nil {
					return err
				}
				if len(ever) == 0 {
					return a.Unknown(p, args[0])
				}
			}
			return printRuns(a, runs)
		},
	}
	c.Flags().IntVarP(&n, "number", "n", 50, "how many runs; 0: all")
	c.Flags().StringVar(&since, "since", "", "only since: a length of time as 24h or 7d, a date, or RFC 3339")
	c.Flags().StringVar(&state, "state", "", "only in this state: "+strings.Join(states(), ", "))
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(states(), cobra.ShellCompDirectiveNoFileComp))
	return a.Prints(c)
}

func printRuns(a *app.App, runs []pipeline.Run) error {
	if a.JSON() {
		out := []api.Run{}
		for _, r := range runs {
			out = append(out, api.Of(r))
		}
		return a.PrintJSON(out)
	}
	return a.Table([]string{"RUN", "PIPELINE", "STATE", "REASON", "SLOT", "STARTED", "TOOK", "ERROR"}, report.Runs(runs))
}

// recorded is what a name means in the history, where pipelines that are gone
// are known too.
func recorded(a *app.App, p *config.Project, name string) (system, pipe string, err error) {
	if len(p.Find(name)) > 0 {
		x, err := a.Pipeline(p, name)
		if err != nil {
			return "", "", err
		}
		return x.System, x.Name, nil
	}
	name = pipeline.Kebab(name)
	if system, pipe, ok := strings.Cut(name, "/"); ok {
		return system, pipe, nil
	}
	if _, ok := p.Config.Systems[name]; ok {
		return name, "", nil
	}
	return "", name, nil
}

// written reports whether the project's files know a name.
func written(p *config.Project, name string) bool {
	_, system := p.Config.Systems[pipeline.Kebab(name)]
	return system || len(p.Find(name)) > 0 || len(p.Rejected(name)) > 0
}

// Show is `redundctl show`.
func Show(a *app.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "show RUN",
		Short: "Show one run with its steps",
		Example: `  redundctl show 42
  redundctl show 42 -o json | jq '.steps[] | {id, state, error}'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.CompleteRuns(),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := app.RunID(args[0])
			if err != nil {
				return err
			}
			p, _, err := a.Usable(c.Context())
			if err != nil {
				return err
			}
			h, err := a.History(c.Context(), p)
			if err != nil {
				return err
			}
			defer h.Close()
			r, err := h.Run(c.Context(), id)
			if errors.Is(err, history.ErrNoRun) {
				return noRun(id)
			}
			if err != nil {
				return err
			}
			steps, err := h.Steps(c.Context(), id)
			if err != nil {
				return err
			}
			primary, err := story.Primary(c.Context(), h.Ledger, id)
			if err != nil {
				return err
			}
			if a.JSON() {
				return a.PrintJSON(api.Show(r, steps, primary))
			}
			if err := a.PrintRun(r, steps); err != nil {
				return err
			}
			if primary != nil {
				fmt.Fprintf(a.Out, "primary %s: %s\n", primary.Kind, console.Clean(primary.Line()))
			}
			events, err := h.Events(c.Context(), history.EventFilter{Run: id})
			if err != nil {
				return err
			}
			if len(events) == 0 {
				return nil
			}
			var rows [][]string
			for _, e := range events {
				rows = append(rows, []string{report.Clock(e.At), e.What, e.Detail})
			}
			fmt.Fprintln(a.Out)
			return a.Table([]string{"AT", "EVENT", "DETAIL"}, rows)
		},
	}
	return a.Prints(c)
}

// noRun is a question about a run that there is not.
func noRun(id int64) error {
	return app.Usagef("redundctl runs lists those that there are", "there is no run %d", id)
}
