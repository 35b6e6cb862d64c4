package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/report"
)

func states() []string {
	return []string{"queued", "running", "succeeded", "failed", "timed-out", "cancelled", "skipped"}
}

func (a *app) runsCommand() *cobra.Command {
	var n int
	var since, state string
	c := &cobra.Command{
		Use:   "runs [NAME]",
		Short: "List what ran, newest first",
		Example: `  redundctl runs
  redundctl runs git-sync -n 5
  redundctl runs --since 24h --state failed -o json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			f := history.Filter{Limit: n}
			if n < 1 {
				return usagef("", "-n is a number from 1")
			}
			if state != "" {
				if !slices.Contains(states(), state) {
					return usagef("", "--state is one of %s, not %q", strings.Join(states(), ", "), state)
				}
				f.States = []pipeline.State{pipeline.State(state)}
			}
			if since != "" {
				var err error
				if f.Since, err = parseTime(since, time.Now()); err != nil {
					return usagef("", "--since: %s", err)
				}
			}
			p, _, err := a.usable(c.Context())
			if err != nil {
				return err
			}
			if len(args) == 1 {
				if f.System, f.Name, err = a.recorded(p, args[0]); err != nil {
					return err
				}
			}
			h, err := a.history(c.Context(), p)
			if err != nil {
				return err
			}
			defer h.Close()
			runs, err := h.Runs(c.Context(), f)
			if err != nil {
				return err
			}
			return a.printRuns(runs)
		},
	}
	c.Flags().IntVarP(&n, "number", "n", 50, "how many runs")
	c.Flags().StringVar(&since, "since", "", "only since: a length of time as 24h or 7d, a date, or RFC 3339")
	c.Flags().StringVar(&state, "state", "", "only in this state: "+strings.Join(states(), ", "))
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(states(), cobra.ShellCompDirectiveNoFileComp))
	return a.prints(c)
}

func (a *app) printRuns(runs []pipeline.Run) error {
	if a.json() {
		out := []api.Run{}
		for _, r := range runs {
			out = append(out, api.Of(r))
		}
		return a.printJSON(out)
	}
	return a.table([]string{"RUN", "PIPELINE", "STATE", "REASON", "SLOT", "STARTED", "TOOK", "ERROR"}, report.Runs(runs))
}

// recorded is what a name means in the history, where pipelines that are gone
// are known too.
func (a *app) recorded(p *config.Project, name string) (system, pipe string, err error) {
	if found := p.Find(name); len(found) == 1 {
		return found[0].System, found[0].Name, nil
	} else if len(found) > 1 {
		_, err := a.pipeline(p, name)
		return "", "", err
	}
	if system, pipe, ok := strings.Cut(name, "/"); ok {
		return system, pipe, nil
	}
	if _, ok := p.Config.Systems[name]; ok {
		return name, "", nil
	}
	return "", name, nil
}

func (a *app) showCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show RUN",
		Short: "Show one run with its steps",
		Example: `  redundctl show 42
  redundctl show 42 -o json | jq '.steps[] | {id, state, error}'`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := runID(args[0])
			if err != nil {
				return err
			}
			p, _, err := a.usable(c.Context())
			if err != nil {
				return err
			}
			h, err := a.history(c.Context(), p)
			if err != nil {
				return err
			}
			defer h.Close()
			r, err := h.Run(c.Context(), id)
			if errors.Is(err, history.ErrNoRun) {
				return usagef("redundctl runs lists those that there are", "there is no run %d", id)
			}
			if err != nil {
				return err
			}
			steps, err := h.Steps(c.Context(), id)
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(api.Show(r, steps))
			}
			if err := a.printRun(r, steps); err != nil {
				return err
			}
			events, err := h.Events(c.Context(), history.EventFilter{Run: id})
			if err != nil {
				return err
			}
			for _, e := range events {
				fmt.Fprintf(a.out, "%s  %s  %s\n", report.Clock(e.At), e.What, e.Detail)
			}
			return nil
		},
	}
	return a.prints(c)
}

func runID(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id < 1 {
		return 0, usagef("redundctl runs lists them", "a run is a number, not %q", s)
	}
	return id, nil
}

// printRun prints one run and its steps for people.
func (a *app) printRun(r pipeline.Run, steps []pipeline.StepRecord) error {
	fmt.Fprintf(a.out, "run %d of %s/%s: %s", r.ID, r.System, r.Pipeline, r.State)
	if r.Error != "" && r.Error != string(r.State) {
		fmt.Fprintf(a.out, ": %s", r.Error)
	}
	fmt.Fprintf(a.out, "\n%s, attempt %d, started %s, took %s\n", r.Trigger, r.Attempt, report.Clock(r.Started), report.Took(r.Started, r.Finished))
	return a.table([]string{"STEP", "USES", "STATE", "TOOK", "ATTEMPTS", "ERROR"}, report.Steps(steps))
}

func (a *app) logsCommand() *cobra.Command {
	var n int
	var follow bool
	var step string
	c := &cobra.Command{
		Use:   "logs [engine|SYSTEM|NAME|RUN]",
		Short: "Print log lines: of the engine, a system, a pipeline or a run",
		Long: `Print what was logged, oldest first; rotated files are read too. Without an
argument the lines of all systems are printed. Times are in UTC.`,
		Example: `  redundctl logs git-sync -n 20
  redundctl logs 42                  all that run 42 printed
  redundctl logs pm2 -f              go on with what is printed next`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			if n < 0 {
				return usagef("", "-n is a number from 0, where 0 means all")
			}
			p, _, err := a.usable(c.Context())
			if err != nil {
				return err
			}
			q := logs.Query{Limit: n, Follow: follow, Step: step}
			if len(args) == 1 {
				if err := a.logQuery(p, args[0], &q, c.Flags().Changed("number")); err != nil {
					return err
				}
			}
			d, err := logs.Open(p.State+"/logs", logs.Options{})
			if err != nil {
				return err
			}
			defer d.Close()
			err = d.Read(c.Context(), q, func(l logs.Line) error { return a.printLine(l, q) })
			if follow && c.Context().Err() != nil || errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return quiet(err)
		},
	}
	c.Flags().IntVarP(&n, "number", "n", 100, "only the last so many lines; 0: all")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is appended, until Ctrl-C")
	c.Flags().StringVar(&step, "step", "", "only the lines of one step")
	return a.prints(c)
}

// logQuery turns the argument into what to look for.
func (a *app) logQuery(p *config.Project, arg string, q *logs.Query, limited bool) error {
	if id, err := strconv.ParseInt(arg, 10, 64); err == nil {
		q.Run = id
		if !limited {
			q.Limit = 0
		}
		return nil
	}
	if _, ok := p.Config.Systems[arg]; ok || arg == "engine" {
		q.Name = arg
		return nil
	}
	x, err := a.pipeline(p, arg)
	if err != nil {
		return err
	}
	q.Name, q.Pipeline = x.System, x.ID()
	return nil
}
