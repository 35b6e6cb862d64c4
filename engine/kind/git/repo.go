package git

import (
	"context"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/git/backups"
	"github.com/redundctl/redundctl/engine/kind/git/worktree"
)

// Repo is one work tree with its repository and its backups. It is used by one
// goroutine.
type Repo struct{ *backups.Repo }

// Options say which repository is meant and how git is run in it.
type Options = worktree.Options

// Backup is one saved state of a work tree.
type Backup = backups.Backup

// Retention says how many backups stay, and for how long. Zero: no limit.
type Retention = kind.Retention

// Open finds the repository whose work tree has its top at o.Dir. It changes
// nothing.
func Open(ctx context.Context, o Options) (*Repo, error) {
	r, err := worktree.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Repo{&backups.Repo{Repo: r}}, nil
}
