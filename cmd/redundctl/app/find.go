package app

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/discover"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

// Read looks for the primaries of a project in its files, and runs none of
// them.
func (a *App) Read(ctx context.Context, p *config.Project, kinds *kind.Set) ([]discover.Primary, error) {
	return discover.Find(ctx, kinds.Finders, kind.Search{Root: p.Root})
}

// Evaluate is Read for a person who asks for pipelines: files that are code are
// evaluated. path, absolute, is where to look; "": wherever files of a system
// usually lie.
func (a *App) Evaluate(ctx context.Context, p *config.Project, finders []kind.Finder, path string) (found []discover.Primary, err error) {
	s, err := proc.New(proc.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return discover.Find(ctx, finders, kind.Search{Root: p.Root, Path: path, Evaluate: true, Proc: s, Env: own(os.Environ())})
}

// own are the variables that a process of the project gets of ours: with all of
// them a file could write our secrets into a pipeline.
func own(environ []string) []string {
	var out []string
	for _, kv := range environ {
		if name, _, _ := strings.Cut(kv, "="); slices.Contains(pipeline.Passed(), name) {
			out = append(out, kv)
		}
	}
	return out
}
