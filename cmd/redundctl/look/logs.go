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
argument the lines of all systems and of the engine are printed. Times are in UTC.`,
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
			var q logs.Query
			if len(args) == 1 {
				if q, err = of(c.Context(), a, p, args[0]); err != nil {
					return err
				}
			}
			q.Limit, q.Follow, q.Step = n, follow, step
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
			if q.Run != 0 && follow {
				over, closed := ended(c.Context(), a, p, q.Run)
				defer closed()
				q.Over = over
			}
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
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is appended, until Ctrl-C; of a run until it has ended")
	c.Flags().StringVar(&step, "step", "", "only the lines of one step")
	return a.Prints(c)
}

// of turns the argument into whose lines to look for.
func of(ctx context.Context, a *app.App, p *config.Project, arg string) (logs.Query, error) {
	if _, err := strconv.ParseInt(arg, 10, 64); err == nil {
		id, err := app.RunID(arg)
		return logs.Query{Run: id}, err
	}
	name := pipeline.Kebab(arg)
	if _, ok := p.Config.Systems[name]; ok || name == "engine" {
		return logs.Query{Name: name}, nil
	}
	if len(p.Find(arg)) == 0 {
		// One whose file is broken or gone has left its lines all the same.
		if r, ok := ran(ctx, a, p, arg); ok {
			return logs.Query{Name: r.System, Pipeline: r.System + "/" + r.Pipeline}, nil
		}
	}
	x, err := a.Pipeline(p, arg)
	if err != nil {
		return logs.Query{}, err
	}
	return logs.Query{Name: x.System, Pipeline: x.ID()}, nil
}

// ran is the newest run of a pipeline that the files do not have.
func ran(ctx context.Context, a *app.App, p *config.Project, name string) (pipeline.Run, bool) {
	system, pipe, err := recorded(a, p, name)
	if err != nil {
		return pipeline.Run{}, false
	}
	h, err := a.History(ctx, p)
	if err != nil {
		return pipeline.Run{}, false // the question was about the logs
	}
	defer h.Close()
	runs, err := h.Runs(ctx, history.Filter{System: system, Name: pipe, Limit: 1})
	if err != nil || len(runs) == 0 {
		return pipeline.Run{}, false
	}
	return runs[0], true
}

// ended reports whether a run has ended, asked again and again; the second ends
// that. Of one that nobody can tell of it is false.
func ended(ctx context.Context, a *app.App, p *config.Project, id int64) (over func(context.Context) bool, closed func()) {
	h, err := a.History(ctx, p)
	if err != nil {
		return nil, func() {} // the question was about the logs
	}
	return func(ctx context.Context) bool {
		r, err := h.Run(ctx, id)
		return errors.Is(err, history.ErrNoRun) || err == nil && r.State.Done()
	}, func() { h.Close() }
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
		names := []string{"service"}
		for i := range x.Service.Instances {
			names = append(names, fmt.Sprintf("service.%d", i))
		}
		return names
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
