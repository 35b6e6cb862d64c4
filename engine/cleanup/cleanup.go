// Package cleanup removes what the retention of a project no longer keeps:
// runs with what they recorded and left, log files, health reports and git
// backups. Clean does it once, for the command; Run again and again, for an
// engine that serves.
package cleanup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/config/settings"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/history/retention"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// An engine that has started lets others go first, and cleans up soon; then
// every hour.
const (
	soon  = time.Minute
	every = time.Hour
)

// gentle is how an engine rests between portions: it works a quarter of the
// time, and a run waits for one portion at the most.
const gentle = 3

// Place is what is cleaned, and what stays there.
type Place struct {
	State   string // the state directory
	History *history.History
	Logs    *logs.Dir // its bounds say how long rotated files stay
	Keep    settings.Retention
	// Backups removes git backups and names those that it removed, or would
	// remove; nil: there are none.
	Backups func(ctx context.Context, dry bool) ([]string, error)
	Rest    int // between portions, as retention.Options has it
}

// Cleaned is what retention removed, or would remove.
type Cleaned struct {
	DryRun    bool
	Runs      retention.Pruned
	Logs      []string // file names
	Reports   []string // file names
	Artifacts []string // names of directories, which are ids of runs
	Backups   []string
}

// Clean removes what retention no longer keeps; a dry one only says what. What
// cannot be removed keeps nothing else from it, and stands in the error.
func (p *Place) Clean(ctx context.Context, dry bool) (Cleaned, error) {
	out := Cleaned{DryRun: dry, Logs: []string{}, Reports: []string{}, Artifacts: []string{}, Backups: []string{}}
	now := time.Now()
	var errs []error
	failed := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("cleaning up %s: %w", what, err))
		}
	}
	before := now.Add(-p.Keep.Runs.Std())
	runs, err := p.History.Prune(ctx, retention.Options{Before: before, Dry: dry, Rest: p.Rest})
	out.Runs = runs
	failed("the history", err)
	if err == nil {
		out.Artifacts, err = p.artifacts(ctx, before, dry)
		failed("what runs left", err)
	}
	files, err := p.Logs.Prune(now, dry)
	out.Logs = append(out.Logs, files...)
	failed("the logs", err)
	out.Reports, err = p.reports(now.Add(-p.Keep.Reports.Std()), dry)
	failed("the reports", err)
	if p.Backups != nil {
		gone, err := p.Backups(ctx, dry)
		out.Backups = append(out.Backups, gone...)
		failed("the backups", err)
	}
	return out, errors.Join(errs...)
}

// artifacts removes what runs left that are no longer recorded.
func (p *Place) artifacts(ctx context.Context, before time.Time, dry bool) ([]string, error) {
	return old(filepath.Join(p.State, "artifacts"), before, dry, func(d fs.DirEntry) (bool, error) {
		id, err := strconv.ParseInt(d.Name(), 10, 64)
		if err != nil {
			return false, nil //nolint:nilerr // it is not ours
		}
		switch _, err := p.History.Run(ctx, id); {
		case errors.Is(err, history.ErrNoRun):
			return true, nil
		default:
			return false, err
		}
	})
}

// reports removes the accounts of past verdicts; what is of now stays.
func (p *Place) reports(before time.Time, dry bool) ([]string, error) {
	return old(filepath.Join(p.State, "reports"), before, dry, func(d fs.DirEntry) (bool, error) {
		return d.Type().IsRegular() && strings.HasPrefix(d.Name(), "health-") && strings.HasSuffix(d.Name(), ".json"), nil
	})
}

// old removes the entries of a directory that were last written before a time
// and that may go, and gives their names.
func old(dir string, before time.Time, dry bool, may func(fs.DirEntry) (bool, error)) ([]string, error) {
	gone := []string{}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return gone, nil
	}
	for _, d := range entries {
		info, ierr := d.Info()
		if ierr != nil || !info.ModTime().Before(before) {
			continue // it is new, or gone already
		}
		ok, err := may(d)
		if err == nil && ok && !dry {
			err = os.RemoveAll(filepath.Join(dir, d.Name()))
		}
		if err != nil {
			return gone, err
		}
		if ok {
			gone = append(gone, d.Name())
		}
	}
	return gone, err
}

// Telling reports whether something went that people know of. An old event does
// not count: the event of its removal would be another one to remove.
func (c *Cleaned) Telling() bool {
	return c.Runs.Runs+len(c.Logs)+len(c.Reports)+len(c.Artifacts)+len(c.Backups) > 0
}

// String says it in one line, as a part of a sentence.
func (c *Cleaned) String() string {
	return fmt.Sprintf("%s with %s and %s, %s, %s, %s", diag.Count(c.Runs.Runs, "run"), diag.Count(c.Runs.Steps, "step"),
		diag.Count(c.Runs.Events, "event"), diag.Count(len(c.Logs), "log file"), diag.Count(len(c.Reports), "report"), diag.Count(len(c.Backups), "backup"))
}

// Run cleans what place gives, soon and then every hour, until ctx is done, and
// leaves a line in the log and an event of what it removed.
func Run(ctx context.Context, log *slog.Logger, place func() Place) { again(ctx, every, log, place) }

func again(ctx context.Context, every time.Duration, log *slog.Logger, place func() Place) {
	next := time.NewTimer(soon)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		p := place()
		p.Rest = gentle
		out, err := p.Clean(ctx, false)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			log.Warn("not all that retention no longer keeps could be removed; it is tried again later", "error", err)
		}
		if out.Telling() {
			log.Info("retention removed what is no longer kept", "runs", out.Runs.Runs, "steps", out.Runs.Steps, "slots", out.Runs.Slots,
				"events", out.Runs.Events, "definitions", out.Runs.Definitions, "logs", len(out.Logs), "reports", len(out.Reports),
				"artifacts", len(out.Artifacts), "backups", len(out.Backups))
			if err := p.History.Event(ctx, pipeline.Event{What: "retention", Detail: "removed " + out.String()}); err != nil && ctx.Err() == nil {
				log.Warn("an event could not be recorded", "event", "retention", "error", err)
			}
		}
		next.Reset(every)
	}
}
