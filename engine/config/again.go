package config

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/config/check"
	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/config/settings"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// kept is what a project keeps for the next load of it. It is never changed.
type kept struct {
	settings *settings.File       // that hold
	linked   bool                 // some file may be reached by two paths
	own      []diag.Problem       // of redund.yaml
	problems []diag.Problem       // of it and of looking for files
	loaded   []*check.File        // as each was found by itself, in order; nil: not all is known
	order    []int                // which of these have good pipelines, in the order of their ids
	noted    []int                // which of these have problems, in order
	used     map[string]bool      // the actions that these use
	single   bool                 // no name is taken twice, no pipeline runs another, nothing is overridden
	self     *self                // tells the project from others, and holds nothing
	since    *self                // that of a project which has the same pipelines by name; nil: none is known
	replaced []*pipeline.Pipeline // those that differ from the ones of since
	secrets  string               // tells when what lies where secrets are has changed
}

type self struct{ _ byte }

// Change is what is known of the files of a project since they were loaded.
type Change struct {
	// Paths are the only files that may differ, absolute; nil: any may, and each
	// is looked at, but read only if it differs.
	Paths []string
	// Outside is set when what files name may differ too: programs, scripts,
	// folders.
	Outside bool
}

// Kinds are those that files are checked against.
func (p *Project) Kinds() *kind.Set { return p.options.Kinds }

// Again gives what Load would give now, and reads only what has changed and what
// refers to it. p stays as it is.
func (p *Project) Again(ctx context.Context, c Change) *Project {
	if p.kept.loaded == nil || len(p.options.Paths) > 0 {
		o := p.options
		o.Dir = p.Root
		return Load(ctx, o)
	}
	n := begin(p.options, p.Root)
	a := &again{loader: &loader{Project: n}, before: p, change: c, all: c.Paths == nil, dirty: map[string]bool{}}
	if a.sort(); !a.all {
		n.Read = p.Read // what was not told has not been looked at since
	}
	if a.quick() {
		return n
	}
	if a.settings {
		n.settle(settings.Load(n.Root, n.options.Environment, n.options.Kinds.Schemas(), n.options.Instead), p.kept.settings)
	} else {
		n.take(p)
	}
	a.carryOver()
	a.load(ctx, a.list(), a.known)
	a.together()
	return n
}

// again is one load after another.
type again struct {
	*loader
	before   *Project
	change   Change
	all      bool            // every file is looked at
	dirty    map[string]bool // names of files that have changed; with all, those of actions alone
	settings bool            // redund.yaml is read
	search   bool            // files are looked for
	secrets  bool            // what lies where secrets are has changed
	same     bool            // files are checked against the same as before
	next     int             // the file of before that known looks at
}

// sort tells apart what has changed.
func (a *again) sort() {
	p := a.before
	places := p.secretPlaces()
	for _, path := range a.change.Paths {
		name := files.Relative(p.Root, path)
		a.dirty[name] = true
		if name == p.ConfigFile {
			a.settings = true
			continue
		}
		if slices.ContainsFunc(places, func(x string) bool { return x == path || strings.HasPrefix(path, x+"/") }) {
			a.secrets = true
			continue
		}
		if p.check.Actions.Knows(name) {
			continue
		}
		// What comes, goes, or is reached by a link may concern other files too.
		info, err := os.Lstat(path)
		if _, known := p.index(name); !known || err != nil || !info.Mode().IsRegular() {
			a.search = true
		}
	}
	if a.search && p.kept.linked {
		a.all = true
	}
	if a.all || a.change.Outside {
		a.settings = true
	}
	a.search = a.search || a.settings
}

// index is where a file that was loaded stands.
func (p *Project) index(name string) (int, bool) {
	return slices.BinarySearchFunc(p.kept.loaded, name, func(f *check.File, name string) int { return strings.Compare(f.Name, name) })
}

// carryOver keeps the actions that are as they were, and says whether files are
// checked against the same.
func (a *again) carryOver() {
	p, n := a.before, a.Project
	if a.all || a.change.Outside || a.secrets || !reflect.DeepEqual(p.Config.Secrets, n.Config.Secrets) {
		n.kept.secrets = n.secretStamps()
		a.secrets = n.kept.secrets != p.kept.secrets
	} else {
		n.kept.secrets = p.kept.secrets
	}
	a.same = n.kept.settings == p.kept.settings || alike(p, n)
	if !a.same || a.change.Outside {
		return
	}
	for _, name := range n.check.Actions.Keep(p.check.Actions, p.kept.used, func(name string, s files.Stamp) bool {
		return a.dirty[name] || a.all && !s.Same(files.StampOf(n.abs(name)))
	}) {
		a.dirty[name] = true
	}
}

// alike reports whether two forms of redund.yaml say the same about pipelines.
func alike(p, n *Project) bool {
	modes := func(c *Config) map[string]pipeline.Mode {
		out := make(map[string]pipeline.Mode, len(c.Systems))
		for name, s := range c.Systems {
			out[name] = s.Mode
		}
		return out
	}
	type basis struct {
		notify, inherit []string
		blind           bool
		modes           map[string]pipeline.Mode
		limits          settings.Limits
		vars            map[string]any
		plugins         map[string]string
		secrets         settings.Secrets
		environment     string
		overrides       map[string]map[string]any
	}
	of := func(x *Project) basis {
		c := &x.Config
		return basis{x.check.Notify, c.InheritEnv, x.check.Blind, modes(c), c.Limits, c.Vars, c.Plugins, c.Secrets, c.Environment, x.kept.settings.Overrides}
	}
	return reflect.DeepEqual(of(p), of(n))
}

// list gives all files there are.
func (a *again) list() []files.Found {
	if a.search {
		return a.discover()
	}
	p, n := a.before, a.Project
	n.kept.linked, n.kept.problems, n.Files = p.kept.linked, p.kept.problems, p.Files
	n.Problems = slices.Clone(p.kept.problems)
	a.loader.sorted = p.kept.order
	out := make([]files.Found, len(p.kept.loaded))
	for i, f := range p.kept.loaded {
		out[i] = f.Found
	}
	return out
}

// known gives a file as it was found before, when that holds; or else nil.
func (a *again) known(x files.Found) *check.File {
	list := a.before.kept.loaded // in the order in which files are asked for
	for a.next < len(list) && list[a.next].Name < x.Name {
		a.next++
	}
	if a.next == len(list) || !a.same {
		return nil
	}
	f := list[a.next]
	switch {
	case f.Found != x, a.dirty[x.Name],
		a.secrets && f.Secret,
		a.change.Outside && f.Outside,
		len(f.Overrides) > 0 && a.kept.settings != a.before.kept.settings, // whose places it may name
		(a.all || a.change.Outside) && !f.Stamp.Same(files.StampOf(a.abs(x.Name))),
		len(a.dirty) > 0 && slices.ContainsFunc(f.Used, func(name string) bool { return a.dirty[name] }):
		return nil
	}
	return f
}

// take has redund.yaml be as it was.
func (p *Project) take(from *Project) {
	p.State, p.Config, p.ConfigInvalid, p.ConfigKept = from.State, from.Config, from.ConfigInvalid, from.ConfigKept
	p.kept.settings, p.kept.own = from.kept.settings, from.kept.own
	p.Problems = slices.Clone(p.kept.own)
	p.against()
}

// Replaces gives the pipelines in which p differs from before. It is ok when p
// was loaded after before and has the same pipelines by name.
func (p *Project) Replaces(before *Project) ([]*pipeline.Pipeline, bool) {
	return p.kept.replaced, p.kept.since != nil && p.kept.since == before.kept.self
}

// secretPlaces are the absolute paths of env files and directories of secrets.
func (p *Project) secretPlaces() []string {
	s := p.Secrets(nil)
	return append(s.EnvFiles, s.Directories...)
}

// secretStamps tells when what lies where secrets are has changed.
func (p *Project) secretStamps() string {
	var b strings.Builder
	for _, place := range p.secretPlaces() {
		fmt.Fprintln(&b, place, files.StampOf(place))
		entries, err := os.ReadDir(place)
		for _, e := range entries {
			if err == nil {
				fmt.Fprintln(&b, e.Name(), files.StampOf(filepath.Join(place, e.Name())))
			}
		}
	}
	return b.String()
}

// Watched are the absolute paths of what says what the project is: redund.yaml,
// where its pipelines and secrets lie, and the actions that they use.
func (p *Project) Watched() []string {
	out := []string{p.abs(p.ConfigFile)}
	for _, x := range p.Config.Pipelines {
		out = append(out, files.Fixed(p.abs(x)))
	}
	out = append(out, p.secretPlaces()...)
	for _, name := range slices.Sorted(maps.Keys(p.kept.used)) {
		if name != ".." && !strings.HasPrefix(name, "../") && !filepath.IsAbs(name) {
			out = append(out, p.abs(name))
		}
	}
	return out
}
