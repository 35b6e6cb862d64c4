// Package backups removes the git backups of a project that its retention no
// longer keeps.
package backups

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/kind/git"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

// Options say how git is run.
type Options struct {
	Proc *proc.Spawner
	Env  []string  // KEY=VALUE
	Out  io.Writer // what it says; nil: nobody hears it
}

// Prune removes backups of the project's own repository, and names them; a dry
// one only names them. A project that is
// not the top of a repository has none.
func Prune(ctx context.Context, p *config.Project, o Options, dry bool) ([]string, error) {
	if _, err := os.Lstat(filepath.Join(p.Root, ".git")); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	repo, err := git.Open(ctx, git.Options{Dir: p.Root, Proc: o.Proc, Env: o.Env, Protected: p.Protected(), Out: o.Out})
	if err != nil {
		return nil, err // its backups would grow for ever, and nobody would know
	}
	keep := p.Config.Retention.Backups
	gone, err := repo.Prune(ctx, git.Retention{Keep: keep.Keep, MaxAge: keep.MaxAge.Std()}, dry)
	if err != nil {
		return nil, fmt.Errorf("removing backups: %w", err)
	}
	var out []string
	for _, b := range gone {
		out = append(out, b.ID+" of "+pipeline.Time(b.At))
	}
	return out, nil
}
