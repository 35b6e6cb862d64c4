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
	"slices"
	"strings"
	"syscall"

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

// WorkTrees are the work trees that may hold backups of a project: its root, and
// the directories that the git steps of its valid pipelines write down, where
// one is the top of a repository. Directories that an expression builds are not
// among them. They are absolute, the root first.
func WorkTrees(p *config.Project) []string {
	tops := []string{p.Root}
	for _, x := range p.Pipelines {
		for _, list := range [][]pipeline.Step{x.Steps, x.OnSuccess, x.OnFailure, x.OnCancel, x.Always} {
			for i := range list {
				dir, _ := list[i].With["directory"].(string)
				if strings.HasPrefix(list[i].Uses, "git/") && !strings.Contains(dir, "${{") {
					tops = append(tops, under(p.Root, x.WorkingDirectory, list[i].WorkingDirectory, dir))
				}
			}
		}
	}
	var out []string
	for _, top := range tops {
		if _, err := os.Lstat(filepath.Join(top, ".git")); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) && !slices.Contains(out, top) {
			out = append(out, top)
		}
	}
	return out
}

// under is where the last of some paths leads, each relative to the one before.
func under(paths ...string) string {
	at := ""
	for _, p := range paths {
		if filepath.IsAbs(p) {
			at = p
		} else {
			at = filepath.Join(at, p)
		}
	}
	return filepath.Clean(at)
}

// Prune removes backups of the work trees of a project, and names them; a dry one
// only names them.
func Prune(ctx context.Context, p *config.Project, o Options, dry bool) ([]string, error) {
	if o.Out == nil {
		o.Out = io.Discard
	}
	keep := p.Config.Retention.Backups
	var out []string
	for _, top := range WorkTrees(p) {
		repo, err := git.Open(ctx, git.Options{Dir: top, Proc: o.Proc, Env: o.Env, Protected: p.Protected(), Out: o.Out})
		if err != nil {
			return out, err // its backups would grow for ever, and nobody would know
		}
		gone, err := repo.Prune(ctx, git.Retention{Keep: keep.Keep, MaxAge: keep.MaxAge.Std()}, dry)
		if err != nil {
			return out, fmt.Errorf("removing backups: %w", err)
		}
		for _, b := range gone {
			out = append(out, b.ID+" of "+pipeline.Time(b.At))
		}
	}
	return out, nil
}
