// Package git holds the step kinds git/sync, git/backup, git/restore and
// git/repair. They bring a work tree to its remote and back, and lose nothing
// on the way: what would go is in a verified backup first, and what fails
// leaves everything as it was.
//
// A reader starts with sync.go, then backup.go (how a state is saved) and
// move.go (how a work tree is changed, or not at all).
//
// Submodules and other repositories inside the work tree are left as they
// are. The user's hooks do not run, but for pre-push: a sync that nobody
// watches must not start programs that the remote's content may have changed.
// Content filters (line endings, LFS) run when files are written, as with git
// itself, and never when files are saved.
package git

import (
	"context"
	_ "embed" // the schema fragments
	"errors"
	"path/filepath"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/git/backups"
	"github.com/redundctl/redundctl/engine/pipeline"
)

var (
	//go:embed sync.json
	syncFragment []byte
	//go:embed backup.json
	backupFragment []byte
	//go:embed restore.json
	restoreFragment []byte
	//go:embed repair.json
	repairFragment []byte
)

// Kinds are the step kinds of this package.
func Kinds() []kind.Action {
	return []kind.Action{
		kind.Define("git/sync", syncFragment, func(w syncWith, d kind.Deps) (pipeline.Action, error) {
			if w.Clean && !w.Backup && w.Strategy == hardreset {
				return nil, errors.New("clean: true needs backup: true: untracked files are never deleted without a backup")
			}
			return &syncAction{w, d}, nil
		}),
		kind.Define("git/backup", backupFragment, func(w backupWith, d kind.Deps) (pipeline.Action, error) {
			return &backupAction{w, d}, nil
		}),
		kind.Define("git/restore", restoreFragment, func(w restoreWith, d kind.Deps) (pipeline.Action, error) {
			return &restoreAction{w, d}, nil
		}),
		kind.Define("git/repair", repairFragment, func(w repairWith, d kind.Deps) (pipeline.Action, error) {
			return &repairAction{w, d}, nil
		}),
	}
}

type backupWith struct {
	Directory string `json:"directory"`
}

type restoreWith struct {
	Directory string `json:"directory"`
	ID        string `json:"id"`
}

type repairWith struct {
	Directory string `json:"directory"`
}

// open opens the repository that a step works in.
func open(ctx context.Context, s *pipeline.Scope, d kind.Deps, directory string) (*Repo, error) {
	dir := filepath.Join(s.Dir, directory)
	if filepath.IsAbs(directory) {
		dir = directory
	}
	dir, err := s.Inside(dir)
	if err != nil {
		return nil, err
	}
	return Open(ctx, Options{Dir: dir, Proc: d.Proc, Env: s.Env, Protected: append([]string{s.State}, s.Protected...), Mask: s.Mask, Out: s.Out})
}

type syncAction struct {
	with syncWith
	deps kind.Deps
}

// Run syncs.
func (a *syncAction) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	r, err := open(ctx, s, a.deps, a.with.Directory)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	res, err := r.sync(ctx, a.with)
	out := map[string]any{"before": res.before, "after": res.after, "changed": res.after != "" && (res.after != res.before || res.files > 0),
		"ahead": res.ahead, "behind": res.behind, "backup": ""}
	if res.backup != nil {
		out["backup"] = res.backup.ID
		if err == nil {
			err = r.thin(ctx, a.deps.Backups)
		}
	}
	return pipeline.Outputs{Values: out}, err
}

// thin removes old backups after a new one was made.
func (r *Repo) thin(ctx context.Context, rt backups.Retention) error {
	gone, err := r.Prune(ctx, rt, false)
	if len(gone) > 0 {
		r.Say("removed %s", diag.Count(len(gone), "old backup"))
	}
	return err
}

type backupAction struct {
	with backupWith
	deps kind.Deps
}

// Run makes a backup.
func (a *backupAction) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	r, err := open(ctx, s, a.deps, a.with.Directory)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	b, err := r.Make(ctx, "step "+s.Step)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	if b.Reused {
		r.Say("backup %s holds all of this already", b.ID)
	} else {
		r.Say("backup %s: %s", b.ID, b.Summary())
		err = r.thin(ctx, a.deps.Backups)
	}
	return pipeline.Outputs{Values: map[string]any{"backup": b.ID, "commit": b.Commit, "changed": !b.Reused}}, err
}

// Plan says what would be saved.
func (a *backupAction) Plan(ctx context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	r, err := open(ctx, s, a.deps, a.with.Directory)
	if err != nil {
		return nil, err
	}
	return r.planBackup(ctx)
}

type restoreAction struct {
	with restoreWith
	deps kind.Deps
}

// Run restores a backup.
func (a *restoreAction) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	r, err := open(ctx, s, a.deps, a.with.Directory)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	res, err := r.Restore(ctx, a.with.ID)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	r.Say("restored backup %s (%s), %s; what was here is in backup %s", res.Of.ID, res.Of.Summary(), diag.Count(res.Files, "file"), res.ID)
	if res.Note != "" {
		r.Say("%s", res.Note)
	}
	return pipeline.Outputs{Values: map[string]any{"restored": res.Of.ID, "backup": res.ID, "changed": res.Files > 0}}, nil
}

// Plan says what would be restored.
func (a *restoreAction) Plan(ctx context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	r, err := open(ctx, s, a.deps, a.with.Directory)
	if err != nil {
		return nil, err
	}
	return r.planRestore(ctx, a.with.ID)
}

type repairAction struct {
	with repairWith
	deps kind.Deps
}

// Run repairs.
func (a *repairAction) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	r, err := open(ctx, s, a.deps, a.with.Directory)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	res, err := r.repair(ctx)
	for _, l := range res.done {
		r.Say("%s", l)
	}
	if err == nil && len(res.done) == 0 {
		r.Say("nothing to repair in %s", r.Top)
	}
	out := map[string]any{"changed": len(res.done) > 0, "backup": ""}
	if res.backup != nil {
		out["backup"] = res.backup.ID
	}
	return pipeline.Outputs{Values: out}, err
}

// Plan says what would be repaired.
func (a *repairAction) Plan(ctx context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	r, err := open(ctx, s, a.deps, a.with.Directory)
	if err != nil {
		return nil, err
	}
	return r.planRepair(ctx)
}
