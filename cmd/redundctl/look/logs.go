package look

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/handlers"
	"github.com/redundctl/redundctl/engine/store"
)

// Logs is `redundctl logs`.
func Logs(a *app.App) *cobra.Command {
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
		ValidArgsFunction: a.CompleteLogs(),
		RunE: func(c *cobra.Command, args []string) error {
			if n < 0 {
				return app.Usagef("", "-n is a number from 0, where 0 means all")
			}
			p, _, err := a.Usable(c.Context())
			if err != nil {
				return err
			}
			q := logs.Query{Limit: n, Follow: follow, Step: step}
			if len(args) == 1 {
				if err := of(a, p, args[0], &q); err != nil {
					return err
				}
			}
			if q.Run != 0 && !c.Flags().Changed("number") {
				q.Limit = 0 // one run is short enough to be read whole
			}
			if err := store.Check(p.State); err != nil {
				return err
			}
			d, err := logs.Open(filepath.Join(p.State, "logs"), logs.Options{})
			if err != nil {
				return err
			}
			defer d.Close()
			printed := false
			err = d.Read(c.Context(), q, func(l logs.Line) error {
				printed = true
				return printLine(a, l, q)
			})
			if !printed && c.Context().Err() == nil && (err == nil || errors.Is(err, fs.ErrNotExist)) {
				err = asked(c.Context(), a, p, q)
			}
			switch {
			case c.Context().Err() != nil:
				return app.ExitCode(130)
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case errors.Is(err, fs.ErrPermission):
				return fmt.Errorf("%w: make it readable for this user", err)
			}
			return app.Quiet(err)
		},
	}
	c.Flags().IntVarP(&n, "number", "n", 100, "only the last so many lines; 0: all")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is appended, until Ctrl-C")
	c.Flags().StringVar(&step, "step", "", "only the lines of one step")
	return a.Prints(c)
}

// of turns the argument into whose lines to look for.
func of(a *app.App, p *config.Project, arg string, q *logs.Query) error {
	if _, err := strconv.ParseInt(arg, 10, 64); err == nil {
		q.Run, err = app.RunID(arg)
		return err
	}
	name := pipeline.Kebab(arg)
	if _, ok := p.Config.Systems[name]; ok || name == "engine" {
		q.Name = name
		return nil
	}
	x, err := a.Pipeline(p, arg)
	if err != nil {
		return err
	}
	q.Name, q.Pipeline = x.System, x.ID()
	return nil
}

// asked reports a question about a run or a step that there is not; one that has
// printed nothing is no mistake, and a history that cannot answer none either.
func asked(ctx context.Context, a *app.App, p *config.Project, q logs.Query) error {
	var names []string
	switch {
	case q.Run != 0:
		h, err := a.History(ctx, p)
		if err != nil {
			return nil // the question was about the logs
		}
		defer h.Close()
		run, err := h.Run(ctx, q.Run)
		if errors.Is(err, history.ErrNoRun) {
			return noRun(q.Run)
		}
		steps, serr := h.Steps(ctx, q.Run)
		if err != nil || serr != nil || !run.State.Done() { // what goes on may come to the step yet
			return nil
		}
		for _, s := range steps {
			name := s.ID
			if s.Matrix != "" {
				name += " (" + s.Matrix + ")"
			}
			names = append(names, name)
		}
	case q.Step != "" && q.Pipeline != "":
		x, err := a.Pipeline(p, q.Pipeline)
		if err != nil {
			return err
		}
		names = stepsOf(x)
		q.Step, _, _ = strings.Cut(strings.Replace(q.Step, "_(", " (", 1), " (") // which combinations there were, only a run knows
	default:
		return nil
	}
	if q.HasStep(names) {
		return nil
	}
	return app.Usagef("the steps are "+strings.Join(names, ", "), "there is no step %q", q.Step)
}

// stepsOf are the steps of a pipeline as tables name them.
func stepsOf(x *pipeline.Pipeline) []string {
	if x.Service != nil {
		return []string{"service"}
	}
	var names []string
	for _, s := range x.Steps {
		names = append(names, s.ID)
	}
	for _, l := range handlers.All(x) {
		for _, s := range l.Steps {
			names = append(names, s.ID)
		}
	}
	return names
}
