// Package config turns the files of a project into pipelines, or into problems
// with their places. Load is the one way in: `validate`, `run` and every other
// command read files through it. It runs nothing and reaches neither network
// nor database.
//
// Start with Load; settings reads redund.yaml, discover.go finds the files,
// check reads one of them, together.go holds what only all of them show, and
// again.go reads only what has changed.
package config

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redundctl/redundctl/engine/config/check"
	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/config/programs"
	"github.com/redundctl/redundctl/engine/config/settings"
	"github.com/redundctl/redundctl/engine/config/share"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/secret"
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
	// KeepSettings has the last good form of redund.yaml hold while the file has
	// errors, when the state directory holds one.
	KeepSettings bool
	// Instead is read in place of one of the files; nil: none.
	Instead *files.Instead
}

// Project is what was loaded. It is never changed and may be shared.
type Project struct {
	Root       string // absolute
	State      string // absolute; who serves stays in that which it began with
	ConfigFile string // redund.yaml, relative to Root
	Config     Config
	// ConfigInvalid is set when redund.yaml has errors; Config then holds
	// what could be understood, with defaults for the rest.
	ConfigInvalid bool
	// ConfigKept is set when redund.yaml has errors and Config is its last good
	// form: ConfigInvalid is not set then.
	ConfigKept bool
	Pipelines  []*pipeline.Pipeline // the valid ones, by ID
	Files      int                  // how many were checked: those asked for, and redund.yaml unless other files were asked for and it is right
	Problems   []diag.Problem       // sorted
	Read       time.Time            // no later than when its files began to be read

	Cost Cost

	options  Options
	kept     kept
	rejected map[string][]string // name and system/name of invalid pipelines, to the files whose problems say why
	check    *check.Project
}

// Cost is what it took to read the project.
type Cost struct {
	Files           int           // that were read
	Parsed, Checked time.Duration // of all of these, one after another
}

// Open reads the project file alone: the Project has no pipelines, and only the
// problems of that file.
func Open(o Options) *Project {
	p := begin(o, files.Root(o.Dir, FileName))
	p.settle(settings.Load(p.Root, o.Environment, o.Kinds.Schemas(), o.Instead), nil)
	return p
}

// begin knows of a project where it lies.
func begin(o Options, root string) *Project {
	if o.Env == nil {
		o.Env = os.LookupEnv
	}
	return &Project{Read: time.Now(), ConfigFile: FileName, Root: root, options: o, rejected: map[string][]string{}}
}

// settle takes redund.yaml as it was read; before is the form that held until
// now, or nil.
func (p *Project) settle(r, before *settings.File) {
	r.CheckServices(p.options.Kinds.Service)
	p.Config, p.ConfigInvalid, p.Problems = r.Config, r.Invalid, r.Problems
	p.State = p.abs(p.Config.State)
	if r.Invalid && p.options.KeepSettings {
		r = p.fallBack(r, before)
	}
	p.kept.settings, p.kept.own = r, slices.Clip(p.Problems)
	p.against()
}

// against is what files are checked against.
func (p *Project) against() {
	r := p.kept.settings
	c := &check.Project{Root: p.Root, Config: &p.Config, Settings: r, Instead: p.options.Instead, Blind: r.Blind, Kinds: p.options.Kinds, Secrets: p.Secrets(p.options.Env)}
	list, _ := p.options.Env("PATH")
	c.Programs = &programs.Set{Path: list}
	if !p.ConfigInvalid {
		c.Notify = append([]string{}, p.Config.Notify.Services...)
	}
	c.Actions = check.NewActions(c)
	p.check = c
}

// Load reads the project. It always returns one; what is wrong with it stands
// in its Problems.
func Load(ctx context.Context, o Options) *Project {
	p := Open(o)
	l := &loader{Project: p}
	p.kept.secrets = p.secretStamps()
	l.load(ctx, l.discover(), nil)
	l.together()
	return p
}

// Action gives the file of `kind: action` at a path from the project root, as
// `uses: ./path` names it. The error says that it has problems, which stand
// among those of the project when a pipeline uses it.
func (p *Project) Action(name string) (*pipeline.ActionFile, error) { return p.check.Actions.Get(name) }

// Find gives the pipelines that a name means: system/name, a name, or the
// camelCase that other tools' users write. More than one: it is ambiguous.
func (p *Project) Find(name string) []*pipeline.Pipeline {
	found := p.named(name)
	if kebab := pipeline.Kebab(name); found == nil && kebab != name {
		found = p.named(kebab)
	}
	return found
}

func (p *Project) named(name string) []*pipeline.Pipeline { return among(p.Pipelines, name) }

// among gives the pipelines of a list that have a name: system/name, or a name.
func among(list []*pipeline.Pipeline, name string) []*pipeline.Pipeline {
	var out []*pipeline.Pipeline
	system, rest, whole := strings.Cut(name, "/")
	for _, x := range list {
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
// the state directory, the one that it moves to, and the env files.
func (p *Project) Protected() []string {
	out := []string{p.State}
	if p.Moves() {
		out = append(out, p.abs(p.Config.State))
	}
	for _, f := range p.Config.Secrets.EnvFiles {
		out = append(out, p.abs(f))
	}
	return out
}

// Moves reports whether redund.yaml names another state directory than that which
// is used.
func (p *Project) Moves() bool { return p.abs(p.Config.State) != p.State }

// abs is a path of redund.yaml, which is relative to the project root.
func (p *Project) abs(path string) string { return files.Under(p.Root, path) }

// loader is one Load.
type loader struct {
	*Project
	asked   map[string]bool // the files that Paths mean; nil: all
	named   bool            // Paths name redund.yaml
	mu      sync.Mutex      // guards Cost while files are read side by side
	unknown int             // how many steps run a pipeline that there is not
	loaded  []*check.File
	names   map[string][]*pipeline.Pipeline // by their bare names
	fresh   []bool                          // which of loaded were read
	sorted  []int                           // which of loaded have pipelines, in the order of their ids, as far as that is known
	alike   share.Pool                      // what pipelines have in common
}

func (l *loader) add(ps ...diag.Problem) { l.Problems = append(l.Problems, ps...) }

// read reads one file; several goroutines may do so.
func (l *loader) read(x files.Found) *check.File {
	f := &check.File{Project: l.check, Found: x}
	f.Read()
	if f.Pipeline != nil {
		l.alike.Of(f.Pipeline)
	}
	f.Project = nil // so that what is kept holds nothing else
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Cost.Files++
	l.Cost.Parsed += f.Parsed
	l.Cost.Checked += f.Checked
	return f
}

// load reads files side by side, but for those that are known; known may be nil.
func (l *loader) load(ctx context.Context, list []files.Found, known func(files.Found) *check.File) {
	l.kept.loaded, l.fresh = make([]*check.File, len(list)), make([]bool, len(list))
	var todo []int
	for i, x := range list {
		if known != nil {
			l.kept.loaded[i] = known(x)
		}
		if l.kept.loaded[i] == nil {
			l.fresh[i] = true
			todo = append(todo, i)
		}
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(todo)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(todo) {
					return
				}
				l.kept.loaded[todo[i]] = l.read(list[todo[i]])
			}
		})
	}
	wg.Wait()
	l.loaded = slices.Clone(l.kept.loaded)
	if ctx.Err() != nil {
		l.loaded = slices.DeleteFunc(l.loaded, func(f *check.File) bool { return f == nil })
		l.kept.loaded = nil // not all of it is known
	}
}
