package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api/client"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/console"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Project loads the project, whatever is wrong with it.
func (a *App) Project(ctx context.Context, paths ...string) (*config.Project, *kind.Set) {
	o := a.options(builtin.Kinds())
	o.Paths = paths
	return load(ctx, o)
}

func load(ctx context.Context, o config.Options) (*config.Project, *kind.Set) {
	p := config.Load(ctx, o)
	return p, with(p, o.Kinds)
}

// with are kinds and the plugins that a project names.
func with(p *config.Project, kinds *kind.Set) *kind.Set {
	return kinds.With(builtin.Plugins(p.Config.Plugins, p.Root, os.Getenv("PATH")))
}

// Again is Served for a project that was loaded before: only what has changed is
// read.
func (a *App) Again(ctx context.Context, before *config.Project, c config.Change) (*config.Project, *kind.Set) {
	p := before.Again(ctx, c)
	return p, with(p, before.Kinds())
}

// Instead is Project with a text in place of what stands in one of its files.
func (a *App) Instead(ctx context.Context, path string, text []byte, paths ...string) *config.Project {
	o := a.options(builtin.Kinds())
	o.Paths = paths
	if path != "" {
		o.Instead = &files.Instead{Path: path, Text: text}
	}
	return config.Load(ctx, o)
}

func (a *App) options(kinds *kind.Set) config.Options {
	return config.Options{Dir: a.Dir, Environment: a.Environment, Kinds: kinds, Env: os.LookupEnv}
}

// Engine speaks to the engine of the project. Of the files only the project
// file is read, which may be broken: an engine goes on with the last good one.
func (a *App) Engine() (*client.Client, error) {
	return client.Open(config.Open(a.options(builtin.Kinds())).State)
}

// Named is Usable for commands about one pipeline.
func (a *App) Named(ctx context.Context, name string) (*config.Project, *pipeline.Pipeline, error) {
	p, _, err := a.Usable(ctx)
	if err != nil {
		return nil, nil, err
	}
	x, err := a.Pipeline(p, name)
	return p, x, err
}

// Usable is Project for commands that need a valid redund.yaml: its problems
// are shown and end the command.
func (a *App) Usable(ctx context.Context) (*config.Project, *kind.Set, error) {
	return a.usable(ctx, a.options(builtin.Kinds()))
}

// Served is Usable for an engine: with an invalid redund.yaml its last good form
// holds, where the state directory has one.
func (a *App) Served(ctx context.Context) (*config.Project, *kind.Set, error) {
	o := a.options(builtin.Kinds())
	o.KeepSettings = true
	return a.usable(ctx, o)
}

func (a *App) usable(ctx context.Context, o config.Options) (*config.Project, *kind.Set, error) {
	p, kinds := load(ctx, o)
	if err := ctx.Err(); err != nil {
		return nil, nil, err // what was loaded is not all that there is
	}
	if err := a.begun(p); err != nil {
		return nil, nil, err
	}
	return a.right(p, kinds)
}

// Anywhere is Usable for commands that look at what else a folder holds: it need
// not be a project yet.
func (a *App) Anywhere(ctx context.Context) (*config.Project, *kind.Set, error) {
	p, kinds := load(ctx, a.options(builtin.Kinds()))
	if err := ctx.Err(); err != nil {
		return nil, nil, err // what was loaded is not all that there is
	}
	if err := a.inEnvironment(p); err != nil {
		return nil, nil, err
	}
	return a.right(p, kinds)
}

// right shows what is wrong with the project file, which ends the command.
func (a *App) right(p *config.Project, kinds *kind.Set) (*config.Project, *kind.Set, error) {
	if p.ConfigInvalid {
		a.Problems(p, func(x diag.Problem) bool { return x.File == p.ConfigFile })
		return nil, nil, ExitCode(1)
	}
	return p, kinds, nil
}

// Checked is Project for the check of all its files: there must be some, and
// the environment that the command line names.
func (a *App) Checked(ctx context.Context, paths ...string) (*config.Project, error) {
	p, _ := a.Project(ctx, paths...)
	if err := ctx.Err(); err != nil {
		return nil, err // what was loaded is not all that there is
	}
	if len(paths) > 0 {
		return p, nil
	}
	return p, a.begun(p)
}

// begun reports a folder without a project, and an environment that the
// project does not have.
func (a *App) begun(p *config.Project) error {
	if !begun(p) {
		return fmt.Errorf("there is no project in %s or above it: redundctl init begins one, -C names the folder of another", p.Root)
	}
	return a.inEnvironment(p)
}

// begun reports whether a folder is a project; it may be one that cannot be read.
func begun(p *config.Project) bool {
	_, err := os.Stat(filepath.Join(p.Root, p.ConfigFile))
	unread := slices.ContainsFunc(p.Problems, func(x diag.Problem) bool { return x.Rule == "unreadable" })
	return p.Files > 0 || unread || !errors.Is(err, fs.ErrNotExist)
}

// inEnvironment reports an environment that the project does not have.
func (a *App) inEnvironment(p *config.Project) error {
	for _, x := range p.Problems {
		if a.Environment != "" && x.Rule == "unknown-environment" {
			return Usagef(x.Hint, "--environment: %s", x.Message)
		}
	}
	return nil
}

// Problems shows some of the problems on stderr.
func (a *App) Problems(p *config.Project, which func(diag.Problem) bool) {
	r := diag.Report{Files: p.Files, Problems: []diag.Problem{}}
	for _, x := range p.Problems {
		if which(x) {
			r.Problems = append(r.Problems, x)
		}
	}
	_ = diag.WriteText(a.Err, r, console.Color(a.Err))
}

// Pipeline finds the one pipeline that a name means.
func (a *App) Pipeline(p *config.Project, name string) (*pipeline.Pipeline, error) {
	switch found := p.Find(name); len(found) {
	case 1:
		// A bare name must not move to another system while one file is broken.
		if files := p.Rejected(name); len(files) > 0 && !strings.Contains(name, "/") && files[0] != found[0].File {
			return nil, Usagef("write "+found[0].ID()+" if that is meant", "the name %q means %s and the pipeline in %s, which is invalid", name, found[0].ID(), files[0])
		}
		return found[0], nil
	case 0:
		return nil, a.Unknown(p, name)
	default:
		var ids []string
		for _, f := range found {
			ids = append(ids, f.ID())
		}
		return nil, Usagef("write one of them", "the name %q means %s", name, strings.Join(ids, " and "))
	}
}

// Unknown says why there is no such pipeline: its file is invalid, or nobody
// wrote it.
func (a *App) Unknown(p *config.Project, name string) error {
	if files := p.Rejected(name); len(files) > 0 {
		a.Problems(p, func(x diag.Problem) bool { return x.Severity == diag.Error && slices.Contains(files, x.File) })
		return ExitCode(1)
	}
	var names []string
	for _, x := range p.Pipelines {
		names = append(names, x.Name, x.ID())
	}
	hint := "redundctl list shows those that there are"
	for _, x := range p.Pipelines {
		if x.File == name || filepath.Base(x.File) == name {
			return Usagef("write "+x.ID(), "a pipeline is named as in its file, and not by the file %q", name)
		}
	}
	if n := diag.Nearest(name, names); n != "" {
		hint = fmt.Sprintf("did you mean %q?", n)
	}
	return Usagef(hint, "there is no pipeline %q in %s", name, p.Root)
}

// History opens what was recorded.
func (a *App) History(ctx context.Context, p *config.Project) (*engine.History, error) {
	return engine.OpenHistory(ctx, p)
}

// Mention says on stderr that some files were left out.
func (a *App) Mention(p *config.Project) {
	if !begun(p) {
		return // nothing is left out where nothing is
	}
	files := map[string]bool{}
	for _, x := range p.Problems {
		if x.Severity == "error" {
			files[x.File] = true
		}
	}
	if len(files) > 0 {
		fmt.Fprintf(a.Err, "redundctl: left out, with problems that redundctl validate shows: %s\n", strings.Join(slices.Sorted(maps.Keys(files)), ", "))
	}
}

// Still reads the files again after an edit, and says when something else in
// them, as an environment of redund.yaml, overrides what was written.
func (a *App) Still(ctx context.Context, id, key string, so func(*pipeline.Pipeline) bool) error {
	p, _, err := a.Usable(ctx)
	if err != nil {
		return err
	}
	for _, x := range p.Pipelines {
		if x.ID() == id && !so(x) {
			return fmt.Errorf("%s of %s was written, but the environment %q of %s overrides it", key, id, p.Config.Environment, p.ConfigFile)
		}
	}
	return nil
}
