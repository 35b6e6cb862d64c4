package care

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/cleanup"
	"github.com/redundctl/redundctl/engine/cleanup/backups"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/proc"
	"github.com/redundctl/redundctl/engine/report"
	"github.com/redundctl/redundctl/engine/store"
)

// Cleanup is `redundctl cleanup`.
func Cleanup(a *app.App) *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use:   "cleanup",
		Short: "Remove what retention in redund.yaml no longer keeps",
		Long: `Remove runs with what they left, logs, health reports and git backups that are
older than retention in redund.yaml says. An engine that serves does so by itself,
every hour. With --dry-run nothing is removed: it says what would be.`,
		Example: `  redundctl cleanup --dry-run
  redundctl cleanup`,
		RunE: func(c *cobra.Command, _ []string) error {
			p, _, err := a.Usable(c.Context())
			if err != nil {
				return err
			}
			out, err := clean(c.Context(), a, p, dry)
			if err != nil {
				return err
			}
			if a.JSON() {
				r := out.Runs
				return a.PrintJSON(api.Cleaned{
					DryRun: out.DryRun, Logs: out.Logs, Reports: out.Reports, Artifacts: out.Artifacts, Backups: out.Backups,
					History: api.Pruned{
						Runs: r.Runs, Steps: r.Steps, Slots: r.Slots, Events: r.Events, Definitions: r.Definitions,
						Oldest: api.When(r.Oldest), Newest: api.When(r.Newest),
					},
				})
			}
			verb := "removed"
			if dry {
				verb = "would remove"
			}
			span := ""
			if out.Runs.Runs > 0 {
				span = fmt.Sprintf("; runs of %s to %s", report.Clock(out.Runs.Oldest), report.Clock(out.Runs.Newest))
			}
			fmt.Fprintf(a.Out, "%s %s%s\n", verb, out.String(), span)
			for _, x := range slices.Concat(out.Logs, out.Reports, out.Backups) {
				fmt.Fprintf(a.Out, "  %s\n", x)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would be removed, and remove nothing")
	return a.Prints(c)
}

// clean opens what the project recorded and cleans it up.
func clean(ctx context.Context, a *app.App, p *config.Project, dry bool) (out cleanup.Cleaned, err error) {
	db, err := store.Open(ctx, store.Options{Dir: p.State, ReadOnly: dry})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	d, err := logs.Open(filepath.Join(p.State, "logs"), logs.Options{MaxAge: p.Config.Retention.Logs.Std()})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	s, err := proc.New(proc.Options{})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	place := cleanup.Place{
		State: p.State, History: history.New(db), Logs: d, Keep: p.Config.Retention,
		Backups: func(ctx context.Context, dry bool) ([]string, error) {
			return backups.Prune(ctx, p, backups.Options{Proc: s, Env: os.Environ(), Out: a.Err}, dry)
		},
		Rest: 1, // half of the time is for an engine that goes on meanwhile
	}
	return place.Clean(ctx, dry)
}
