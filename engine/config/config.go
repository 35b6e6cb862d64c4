// Package config turns the files of a project into pipelines, or into problems
// with their places. Load is the one way in: `validate`, `run` and every other
// command read files through it. It runs nothing and reaches neither network
// nor database.
//
// Start with Load; settings reads redund.yaml, discover.go finds the files,
// file.go reads one of them, and the check files hold what no schema can say.
package config

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/config/contexts"
	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/config/programs"
	"github.com/redundctl/redundctl/engine/config/settings"
	"github.com/redundctl/redundctl/engine/config/share"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/secret"
	"github.com/redundctl/redundctl/engine/source"
)

// FileName is the name of the project file.
const FileName = settings.FileName

// Options say what to load.
type Options struct {
	Dir         string // the project root; "": that of the nearest redund.yaml upwards, else the current folder
	Environment string // of redund.yaml; "": the one that it names
	Kinds       *kind.Set
	Paths       []string // only these files, and those below these folders; none: all
	// Env is the environment that declared secrets are looked for in and PATH
	// is taken from; nil: os.LookupEnv.
	Env func(string) (string, bool)
	// Instead is read in place of one of the files; nil: none.
	Instead *files.Instead
}

// Project is what was loaded. It is never changed and may be shared.
type Project struct {
	Root       string // absolute
	State      string // absolute
	ConfigFile string // redund.yaml, relative to Root
	Config     Config
	// ConfigInvalid is set when redund.yaml has errors; Config then holds
	// what could be understood, with defaults for the rest.
	ConfigInvalid bool
	Pipelines     []*pipeline.Pipeline // the valid ones, by ID
	Files         int                  // how many were checked: those asked for, and redund.yaml unless other files were asked for and it is right
	Problems      []diag.Problem       // sorted
	Read          time.Time            // when its files began to be read

	env      func(string) (string, bool)
	kinds    *kind.Set
	instead  *files.Instead
	rejected map[string][]string // name and system/name of invalid pipelines, to the files whose problems say why
	actions  *actions
	blind    bool     // nothing is known of what redund.yaml says
	notify   []string // the services that redund.yaml names; nil: nobody knows
}

// Open reads the project file alone: the Project has no pipelines, and only the
// problems of that file.
func Open(o Options) *Project { p, _ := open(o); return p }

func open(o Options) (*Project, *settings.File) {
	p := &Project{Read: time.Now(), ConfigFile: FileName, env: o.Env, kinds: o.Kinds, instead: o.Instead, rejected: map[string][]string{}}
	if p.env == nil {
		p.env = os.LookupEnv
	}
	p.Root = files.Root(o.Dir, FileName)
	p.actions = &actions{project: p, files: map[string]*actionFile{}}
	r := settings.Load(p.Root, o.Environment, p.kinds.Schemas(), o.Instead)
	p.Config, p.ConfigInvalid, p.blind, p.Problems = r.Config, r.Invalid, r.Blind, r.Problems
	p.State = p.abs(p.Config.State)
	return p, r
}

// Load reads the project. It always returns one; what is wrong with it stands
// in its Problems.
func Load(ctx context.Context, o Options) *Project {
	p, r := open(o)
	l := &loader{Project: p, options: o, redund: r}
	l.secrets = p.Secrets(p.env)
	list, _ := p.env("PATH")
	l.programs = &programs.Set{Path: list}
	if !p.ConfigInvalid {
		p.notify = append([]string{}, p.Config.Notify.Services...)
	}
	l.load(ctx, l.discover())
	l.together()
	diag.Sort(p.Problems)
	p.Problems = slices.CompactFunc(p.Problems, func(a, b diag.Problem) bool { return a == b })
	return p
}

// Find gives the pipelines that a name means: system/name, a name, or the
// camelCase that other tools' users write. More than one: it is ambiguous.
func (p *Project) Find(name string) []*pipeline.Pipeline {
	found := p.named(name)
	if kebab := pipeline.Kebab(name); found == nil && kebab != name {
		found = p.named(kebab)
	}
	return found
}

func (p *Project) named(name string) []*pipeline.Pipeline {
	var out []*pipeline.Pipeline
	system, rest, whole := strings.Cut(name, "/")
	for _, x := range p.Pipelines {
		if x.Name == name || whole && x.Name == rest && x.System == system {
			out = append(out, x)
		}
	}
	return out
}

// Rejected lists the files whose problems make pipelines of a name invalid:
// their own, and those that these use.
func (p *Project) Rejected(name string) []string {
	if files := p.rejected[name]; files != nil {
		return files
	}
	return p.rejected[pipeline.Kebab(name)]
}

// Definition is the canonical content of a pipeline as JSON, and its SHA-256
// in hex: two definitions with the same hash behave alike.
func (p *Project) Definition(x *pipeline.Pipeline) (hash string, body []byte) {
	body, err := json.Marshal(x)
	if err != nil {
		// Only values that YAML can hold stand in a pipeline.
		body = []byte("null")
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), body
}

// Secrets are the places that secrets are read from.
func (p *Project) Secrets(env func(string) (string, bool)) *secret.Sources {
	s := &secret.Sources{Environ: env}
	for _, f := range p.Config.Secrets.EnvFiles {
		s.EnvFiles = append(s.EnvFiles, p.abs(f))
	}
	for _, d := range p.Config.Secrets.Directories {
		s.Directories = append(s.Directories, p.abs(d))
	}
	return s
}

// Protected are the absolute paths that no git kind cleans, saves or shows:
// the state directory and the env files.
func (p *Project) Protected() []string {
	out := []string{p.State}
	for _, f := range p.Config.Secrets.EnvFiles {
		out = append(out, p.abs(f))
	}
	return out
}

// abs is a path of redund.yaml, which is relative to the project root.
func (p *Project) abs(path string) string { return files.Under(p.Root, path) }

// loader is one Load.
type loader struct {
	*Project
	options   Options
	redund    *settings.File
	used      map[string]bool // overrides of the environment, by the name that is written
	asked     map[string]bool // the files that Paths mean; nil: all
	named     bool            // Paths name redund.yaml
	unknown   int             // how many steps run a pipeline that there is not
	loaded    []*file
	secrets   *secret.Sources
	programs  *programs.Set
	templates contexts.Templates
	alike     share.Pool // what pipelines have in common
	mu        sync.Mutex // guards Problems while files are read side by side
}

func (l *loader) add(ps ...diag.Problem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Problems = append(l.Problems, ps...)
}

// open reads a file of the project.
func (p *Project) open(name string) (*source.File, []diag.Problem) {
	c := &p.Config.Limits
	return p.instead.Open(p.abs(name), name, source.Limits{FileSize: int64(c.FileSize), Aliases: c.Aliases, Depth: c.Depth}, false)
}
