// Package kind is what a step kind and a primary kind are: a name, a JSON
// Schema fragment for its keys, and a function that builds the action. A kind
// lives in a folder of its own below this one; engine/builtin lists those that
// are shipped, and nothing else names them.
package kind

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
	"github.com/redundctl/redundctl/schema"
)

// Deps are what every action may use. They live as long as the process that
// runs pipelines and are safe for concurrent use.
type Deps struct {
	HTTP *http.Client  // every request goes through it
	Proc *proc.Spawner // every process is started by it
	Log  *slog.Logger
	// Notify are the service URLs of redund.yaml, for steps that name none.
	Notify []string
	// Backups says how many git backups a step leaves, and how old ones.
	Backups Retention
}

// Retention says how many of something stay, and for how long. Zero: no limit.
type Retention struct {
	Keep   int
	MaxAge time.Duration
}

// Kind is one word that `uses:` (T is pipeline.Action) may hold.
type Kind[T any] struct {
	Name string
	// Key is set for a kind that is written as a key of the step, as `run:`,
	// and that `uses` does not name.
	Key bool
	// Fragment is the JSON Schema of `with`: an object with
	// additionalProperties false and a description, type and default for each
	// key. Its "x-outputs" maps the outputs that the kind sets to their
	// descriptions; without it the outputs are not known before the run.
	Fragment []byte
	// Secrets names the secret that stands in for a key of `with` that is not
	// written, if the pipeline declares it, by key. nil: none does.
	Secrets map[string]string
	// Build makes the action of one attempt from `with`, whose expressions
	// have been evaluated, which has passed the Fragment and holds its
	// defaults. The error says what is wrong with the values, in one line.
	Build func(with map[string]any, d Deps) (T, error)
	// Check finds, while files are loaded, what the schema cannot say: a file
	// that is missing, a value that contradicts another. It may be nil. Values
	// that hold an expression are still text. It reads files below the root
	// at most: no network, no process.
	Check func(with map[string]any, at Place) []Finding
}

// Place is where a step stands while its file is checked.
type Place struct {
	Root string // project root, absolute
	Dir  string // the step's working directory, absolute, or "" when an expression decides
	// Notify is Deps.Notify as the project has it; nil: nobody knows.
	Notify []string
	// Secrets are the names that the pipeline declares; nil: nobody knows, as in
	// an action that several pipelines may use.
	Secrets []string
}

// Finding is one thing that Check found.
type Finding struct {
	Key      []string // path below `with`, outermost first; empty: the step
	Severity diag.Severity
	Rule     string // an id of diag.Rules
	Message  string
	Hint     string
}

// Define makes a Kind whose `with` is decoded into C.
func Define[C, T any](name string, fragment []byte, build func(C, Deps) (T, error)) Kind[T] {
	return Kind[T]{Name: name, Fragment: fragment, Build: func(with map[string]any, d Deps) (T, error) {
		var c C
		if err := schema.Decode(with, &c); err != nil {
			var none T
			return none, err
		}
		return build(c, d)
	}}
}

// Action is a kind of step.
type Action = Kind[pipeline.Action]

// Primary is one word that `primary:` may hold.
type Primary struct {
	Name     string
	Fragment []byte // the JSON Schema of its keys, as that of a step kind
	// Usual is how late this kind of primary usually may be: a shorter grace
	// gets a warning. 0: nobody knows.
	Usual time.Duration
	// Opens is the key that holds what opens heartbeats and claims of the
	// pipeline; "": there is none, and one is made.
	Opens string
	// Build makes the probe of one pipeline of its keys, whose expressions have
	// been evaluated, which have passed the Fragment and hold its defaults. The
	// error says what is wrong with the values, in one line. nil: it is not
	// built yet, and such a primary is never known.
	Build func(with map[string]any, d PrimaryDeps) (pipeline.Probe, error)
}

// PrimaryDeps are what a probe may use. They are safe for concurrent use.
type PrimaryDeps struct {
	Deps
	Pipeline *pipeline.Pipeline
	Root     string // the project root, absolute
	// Temp is a directory for scripts, 0700, outside the state directory, which
	// goes with this process.
	Temp string
	// Env is the environment of processes, KEY=VALUE: the engine's own names and
	// what the pipeline inherits and sets.
	Env []string
	// Host is the environment of the engine itself.
	Host func(name string) (string, bool)
	// Mask puts *** in place of secrets. What a probe says is masked by whoever
	// asked it; one that cuts a text does so before, lest a half be left.
	Mask func(string) string
	// Secret gives the value of a secret that the pipeline declares.
	Secret func(name string) (value string, ok bool)
	// Heartbeats gives those of this pipeline since then, in order.
	Heartbeats func(ctx context.Context, since time.Time) ([]pipeline.Heartbeat, error)
	// Shared keeps what several probes have in common, as the answers of one
	// repository: the first who asks for a key has it made. Build alone asks.
	Shared Values
}

// Values gives the value of a key, which make makes where there is none.
type Values interface {
	Get(key string, make func() any) any
}

// Shared keeps values by key for as long as an engine serves, or as one of their
// users has them. The zero value holds none. It is safe for concurrent use.
type Shared struct {
	mu     sync.Mutex
	values map[string]*value
}

// value is one of them.
type value struct {
	is    any
	users map[string]bool
	all   bool // it is nobody's and stays
}

// Get gives the value of a key, which make makes once. It stays for as long as
// the Shared does.
func (s *Shared) Get(key string, make func() any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.get(key, make)
	v.all = true
	return v.is
}

func (s *Shared) get(key string, make func() any) *value {
	v := s.values[key]
	if v == nil {
		v = &value{is: make(), users: map[string]bool{}}
		if s.values == nil {
			s.values = map[string]*value{}
		}
		s.values[key] = v
	}
	return v
}

// Len is how many values there are.
func (s *Shared) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.values)
}

// For is what one user, as a pipeline, asks through while it is made anew.
func (s *Shared) For(user string) *Use { return &Use{of: s, user: user, got: map[string]bool{}} }

// Use is what one user has of a Shared. It is for one goroutine.
type Use struct {
	of   *Shared
	user string
	got  map[string]bool
}

// Get gives the value of a key, which make makes where there is none. It stays
// for as long as a user has it.
func (u *Use) Get(key string, make func() any) any {
	u.of.mu.Lock()
	defer u.of.mu.Unlock()
	v := u.of.get(key, make)
	v.users[u.user], u.got[key] = true, true
	return v.is
}

// Done says that the user has what it has asked for by this Use, and no longer
// what it had before, as with a token that was rotated. What nobody has is dropped.
func (u *Use) Done() {
	u.of.mu.Lock()
	defer u.of.mu.Unlock()
	for key, v := range u.of.values {
		if !v.users[u.user] || u.got[key] {
			continue
		}
		if delete(v.users, u.user); len(v.users) == 0 && !v.all {
			delete(u.of.values, key)
		}
	}
}

// Set is the kinds that an engine knows. The zero value knows none. It is not
// changed after it was made and is safe for concurrent use.
type Set struct {
	Actions   []Action
	Primaries []Primary
	// Finders find the primaries of a project, one a system.
	Finders []Finder
	// Plugin makes the kind of `plugin:<name>`; nil where there are no plugins.
	Plugin func(name string) Action
	// Send gives a message to one service, by its URL, which the error does not
	// show; nil where there are no services.
	Send func(ctx context.Context, service string, m Message) error
	// Service says what is wrong with the URL of a service; nil: nothing that can be
	// known before a message is sent. It is nil where Send is.
	Service func(url string) *Finding

	once    sync.Once
	schemas *schema.Set
}

// Message is what people are told.
type Message struct {
	Title string // "": none
	Text  string
}

// With is the same set with other plugins; it shares the schemas, which are
// costly to make.
func (s *Set) With(plugin func(name string) Action) *Set {
	return &Set{Actions: s.Actions, Primaries: s.Primaries, Finders: s.Finders, Plugin: plugin, Send: s.Send, Service: s.Service, schemas: s.Schemas()}
}

// Schemas are the schemas of the language with these kinds, always the same
// ones.
func (s *Set) Schemas() *schema.Set {
	s.once.Do(func() {
		if s.schemas != nil {
			return // those of the set that this one came from
		}
		f := schema.Fragments{Steps: map[string][]byte{}, Primaries: map[string][]byte{}}
		for _, k := range s.Actions {
			if !k.Key {
				f.Steps[k.Name] = k.Fragment
			}
		}
		for _, k := range s.Primaries {
			f.Primaries[k.Name] = k.Fragment
		}
		s.schemas = schema.New(f)
	})
	return s.schemas
}

// PluginPrefix begins the `uses` of an executable of the user's.
const PluginPrefix = "plugin:"

// Action finds the kind that `uses` names.
func (s *Set) Action(uses string) (Action, bool) {
	if name, ok := strings.CutPrefix(uses, PluginPrefix); ok && s.Plugin != nil {
		return s.Plugin(name), name != ""
	}
	for _, k := range s.Actions {
		if k.Name == uses {
			return k, true
		}
	}
	return Action{}, false
}

// Primary finds the kind of primary that is called so.
func (s *Set) Primary(name string) (Primary, bool) {
	for _, k := range s.Primaries {
		if k.Name == name {
			return k, true
		}
	}
	return Primary{}, false
}
