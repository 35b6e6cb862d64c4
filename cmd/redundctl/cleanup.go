package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/kind/git"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// cleaned is what retention removed, or would remove.
type cleaned struct {
	DryRun  bool           `json:"dry-run"`
	Runs    history.Pruned `json:"history"`
	Logs    []string       `json:"logs"`
	Backups []string       `json:"backups"`
}

func (a *app) cleanupCommand() *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use:   "cleanup",
		Short: "Remove what retention in redund.yaml no longer keeps",
		Long: `Remove runs, logs and git backups that are older than retention in redund.yaml
says, or more than it keeps. With --dry-run nothing is removed: it says what
would be.`,
		Example: `  redundctl cleanup --dry-run
  redundctl cleanup`,
		RunE: func(c *cobra.Command, _ []string) error {
			p, _, err := a.usable(c.Context())
			if err != nil {
				return err
			}
			out, err := a.cleanup(c.Context(), p, dry)
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(out)
			}
			verb := "removed"
			if dry {
				verb = "would remove"
			}
			span := ""
			if out.Runs.Runs > 0 {
				span = fmt.Sprintf(" (%s to %s)", clock(out.Runs.Oldest), clock(out.Runs.Newest))
			}
			fmt.Fprintf(a.out, "%s %d runs%s with %d steps and %d events, %d log files, %d backups\n",
				verb, out.Runs.Runs, span, out.Runs.Steps, out.Runs.Events, len(out.Logs), len(out.Backups))
			for _, x := range append(out.Logs, out.Backups...) {
				fmt.Fprintf(a.out, "  %s\n", x)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would be removed, and remove nothing")
	return a.prints(c)
}

func (a *app) cleanup(ctx context.Context, p *config.Project, dry bool) (cleaned, error) {
	out := cleaned{DryRun: dry, Logs: []string{}, Backups: []string{}}
	keep := p.Config.Retention
	db, err := store.Open(ctx, store.Options{Dir: p.State, ReadOnly: dry})
	if err != nil {
		return out, err
	}
	h := history.New(db)
	if out.Runs, err = h.Prune(ctx, time.Now().Add(-keep.Runs.Std()), dry); err != nil {
		err = fmt.Errorf("cleaning up the history: %w", err)
	}
	if err = errors.Join(err, h.Close(), db.Close()); err != nil {
		return out, err
	}
	d, err := logs.Open(filepath.Join(p.State, "logs"), logs.Options{MaxAge: keep.Logs.Std()})
	if err != nil {
		return out, err
	}
	files, err := d.Prune(time.Now(), dry)
	if err = errors.Join(err, d.Close()); err != nil {
		return out, fmt.Errorf("cleaning up the logs: %w", err)
	}
	out.Logs = append(out.Logs, files...)
	return out, a.cleanBackups(ctx, p, &out)
}

// cleanBackups removes backups of the project's own repository, where it is
// one.
func (a *app) cleanBackups(ctx context.Context, p *config.Project, out *cleaned) error {
	repo, done, err := a.repository(ctx, p, "")
	if err != nil {
		return nil //nolint:nilerr // a project that is no repository has no backups
	}
	defer done()
	keep := p.Config.Retention.Backups
	gone, err := repo.Prune(ctx, git.Retention{Keep: keep.Keep, MaxAge: keep.MaxAge.Std()}, out.DryRun)
	if err != nil {
		return fmt.Errorf("cleaning up the backups: %w", err)
	}
	for _, b := range gone {
		out.Backups = append(out.Backups, b.ID+" of "+pipeline.Time(b.At))
	}
	return nil
}
