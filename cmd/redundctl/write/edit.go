package write

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/api/client"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/edit"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/source"
)

// Enable is `redundctl enable`.
func Enable(a *app.App) *cobra.Command {
	return enabling(a, true, &cobra.Command{
		Use:   "enable NAME",
		Short: "Enable a pipeline, in its file",
		Long: `Write enabled: true into the file of a pipeline. Nothing else in the file changes
by a byte; a running engine takes it up at once.`,
		Example: `  redundctl enable git-sync`,
	})
}

// Disable is `redundctl disable`.
func Disable(a *app.App) *cobra.Command {
	return enabling(a, false, &cobra.Command{
		Use:   "disable NAME",
		Short: "Disable a pipeline, in its file",
		Long: `Write enabled: false into the file of a pipeline. Nothing else in the file changes
by a byte; a running engine takes it up at once. Its slots are then recorded as
skipped, and never caught up.`,
		Example: `  redundctl disable marketing-sync`,
	})
}

func enabling(a *app.App, on bool, c *cobra.Command) *cobra.Command {
	c.Args = cobra.ExactArgs(1)
	c.ValidArgsFunction = a.CompleteNames()
	c.RunE = func(c *cobra.Command, args []string) error {
		p, x, err := a.Named(c.Context(), args[0])
		if err != nil {
			return err
		}
		err = edit.File(filepath.Join(p.Root, x.File), func(f *source.File) ([]byte, error) {
			if x.Enabled == on {
				return f.Text, nil
			}
			return edit.Flag(f, []any{"enabled"}, on)
		})
		if err != nil {
			return err
		}
		word := map[bool]string{true: "enabled", false: "disabled"}[on]
		fmt.Fprintf(a.Out, "%s is %s, in %s\n", x.ID(), word, x.File)
		if err := a.Still(c.Context(), x.ID(), "enabled", func(y *pipeline.Pipeline) bool { return y.Enabled == on }); err != nil {
			return err
		}
		return inForce(c.Context(), a, x.File, p.ConfigFile)
	}
	return c
}

// inForce has an engine, if one runs, read files that were saved, and says
// whether they are in force: what is asked next finds them so.
func inForce(ctx context.Context, a *app.App, files ...string) error {
	e, err := a.Engine()
	if errors.Is(err, client.ErrNoEngine) {
		return nil
	}
	var r api.Reload
	if err == nil {
		defer e.Close()
		r, err = e.Reload(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s is saved, but the engine cannot be asked whether it is in force: %w", files[0], err)
	}
	for _, x := range r.Rejected {
		if slices.Contains(files, x.File) {
			return fmt.Errorf("%s is saved, but the engine goes on with what was in force: %s:%d:%d: %s", files[0], x.File, x.Line, x.Column, x.Message)
		}
	}
	fmt.Fprintf(a.Out, "in force in the engine, as generation %d\n", r.Generation)
	return nil
}

// Reschedule is `redundctl reschedule`.
func Reschedule(a *app.App) *cobra.Command {
	index := -1
	c := &cobra.Command{
		Use:   "reschedule NAME CRON",
		Short: "Change the cron of a pipeline, in its file",
		Long: `Write another cron expression into the file of a pipeline. Nothing else in the
file changes by a byte; a running engine takes it up at once.`,
		Example: `  redundctl reschedule git-sync "*/30 * * * *"
  redundctl reschedule marketing-sync "0 6 * * 1" --index 1`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.CompleteNames(),
		RunE: func(c *cobra.Command, args []string) error {
			p, x, err := a.Named(c.Context(), args[0])
			if err != nil {
				return err
			}
			switch n := len(x.Schedule); {
			case n > 0 && (index >= n || c.Flags().Changed("index") && index < 0):
				return app.Usagef("", "%s has %s, and none with index %d", x.File, diag.Count(n, "schedule"), index)
			case n > 1 && index < 0:
				return app.Usagef("", "%s has %d schedules: say which one with --index, from 0", x.File, n)
			}
			of := pipeline.Schedule{Cron: args[1], Timezone: "UTC"}
			if i := max(index, 0); i < len(x.Schedule) {
				of = x.Schedule[i]
				of.Cron, of.Every = args[1], 0
			}
			if _, err := schedule.Parse(of); err != nil {
				return app.Usagef("", "%q: %s", args[1], err)
			}
			err = edit.File(filepath.Join(p.Root, x.File), func(f *source.File) ([]byte, error) { return edit.Cron(f, index, args[1]) })
			if err != nil {
				return err
			}
			fmt.Fprintf(a.Out, "%s is due at %s, in %s\n", x.ID(), args[1], x.File)
			err = a.Still(c.Context(), x.ID(), "schedule", func(y *pipeline.Pipeline) bool {
				return slices.ContainsFunc(y.Schedule, func(s pipeline.Schedule) bool { return s.Cron == args[1] })
			})
			if err != nil {
				return err
			}
			return inForce(c.Context(), a, x.File, p.ConfigFile)
		},
	}
	c.Flags().IntVar(&index, "index", -1, "which of several schedules, from 0")
	return c
}

// Arm is `redundctl arm`.
func Arm(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:   "arm [SYSTEM|PIPELINE]",
		Short: "End observing, in the files: from now on runs begin by themselves",
		Long: `Write observe: false wherever observe: true stands: in redund.yaml, of the project
and of its systems, and in the files of pipelines. With a name, only that of the
system or the pipeline. Nothing else in the files changes by a byte.`,
		Example: `  redundctl arm
  redundctl arm pm2
  redundctl arm git-sync`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.CompleteParts(),
		RunE: func(c *cobra.Command, args []string) error {
			p, _, err := a.Usable(c.Context())
			if err != nil {
				return err
			}
			places, err := observing(a, p, args)
			if err != nil {
				return err
			}
			for _, x := range places {
				if err := edit.File(filepath.Join(p.Root, x.file), func(f *source.File) ([]byte, error) { return edit.Flag(f, x.path, false) }); err != nil {
					return err
				}
				fmt.Fprintf(a.Out, "%s no longer observes, in %s\n", x.what, x.file)
			}
			if err := armed(a, c, args, len(places)); err != nil || len(places) == 0 {
				return err
			}
			files := []string(nil)
			for _, x := range places {
				files = append(files, x.file)
			}
			return inForce(c.Context(), a, files...)
		},
	}
}

// place is an `observe: true` in a file.
type place struct {
	file, what string
	path       []any
}

// observing finds what observes of that which a command means.
func observing(a *app.App, p *config.Project, args []string) ([]place, error) {
	var out []place
	add := func(file, what string, path ...any) { out = append(out, place{file, what, path}) }
	asked := pipeline.Kebab(first(args))
	_, system := p.Config.Systems[asked]
	if len(args) == 1 && !system {
		x, err := a.Pipeline(p, args[0])
		if err == nil && x.Observe {
			add(x.File, x.ID(), "observe")
		}
		return out, err
	}
	if len(args) == 0 && p.Config.Observe {
		add(p.ConfigFile, "the project", "observe")
	}
	for name, s := range p.Config.Systems {
		if s.Observe && (len(args) == 0 || asked == name) {
			add(p.ConfigFile, name, "systems", name, "observe")
		}
	}
	if len(args) == 0 {
		for _, x := range p.Pipelines {
			if x.Observe {
				add(x.File, x.ID(), "observe")
			}
		}
	}
	return out, nil
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// armed says what still observes, for another reason than was asked about.
func armed(a *app.App, c *cobra.Command, args []string, changed int) error {
	p, _, err := a.Usable(c.Context())
	if err != nil {
		return err
	}
	switch {
	case p.Config.Observe && len(args) == 0:
		return fmt.Errorf("the project still observes: environments.%s says so", p.Config.Environment)
	case p.Config.Observe:
		fmt.Fprintln(a.Err, "redundctl: the project as a whole still observes: redundctl arm ends that")
	case changed == 0 && len(args) == 1:
		fmt.Fprintf(a.Out, "%s does not observe\n", args[0])
	case changed == 0:
		fmt.Fprintln(a.Out, "nothing observes")
	}
	return nil
}
