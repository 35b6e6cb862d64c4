// Package cleanup removes what the retention of a project no longer keeps:
// runs, logs and git backups.
package cleanup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/history/retention"
	"github.com/redundctl/redundctl/engine/kind/git"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// Cleaned is what retention removed, or would remove.
type Cleaned struct {
	DryRun  bool
	Runs    retention.Pruned
	Logs    []string
	Backups []string
}

// Run removes what retention no longer keeps; a dry one only says what. repo
// is the project's work tree, or nil where it is none.
func Run(ctx context.Context, p *config.Project, repo *git.Repo, dry bool) (Cleaned, error) {
	out := Cleaned{DryRun: dry, Logs: []string{}, Backups: []string{}}
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
	return out, backups(ctx, p, repo, &out)
}

// backups removes those of the project's own repository.
func backups(ctx context.Context, p *config.Project, repo *git.Repo, out *Cleaned) error {
	if repo == nil {
		return nil
	}
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
