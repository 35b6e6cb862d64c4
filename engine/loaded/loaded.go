// Package loaded is what was read at one time, with what its runs work with.
package loaded

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/schema"
)

// Set is what was loaded at one time. It is replaced whole and never changed:
// a run goes on with the set that it began with.
type Set struct {
	Project *config.Project
	Kinds   *kind.Set
	Hidden  []string // values of redund.yaml that are masked like secrets

	deps kind.Deps
}

// New makes what runs of a project work with: deps, and what redund.yaml says
// besides. host is the environment that secrets are looked for in.
func New(p *config.Project, kinds *kind.Set, host func(string) (string, bool), deps kind.Deps) (*Set, error) {
	keep := p.Config.Retention.Backups
	deps.Backups = kind.Retention{Keep: keep.Keep, MaxAge: keep.MaxAge.Std()}
	s := &Set{Project: p, Kinds: kinds, deps: deps}
	// The URLs of services hold secrets, which are masked like declared ones.
	for _, x := range p.Config.Notify.Services {
		text, secrets, err := Resolve(p, host, x)
		if err != nil {
			return s, fmt.Errorf("notify.services: %w", err)
		}
		s.deps.Notify, s.Hidden = append(s.deps.Notify, text), append(s.Hidden, secrets...)
	}
	return s, nil
}

// Definition is what a pipeline runs under.
func (s *Set) Definition(p *pipeline.Pipeline) history.Definition {
	hash, body := s.Project.Definition(p)
	return history.Definition{Hash: hash, File: p.File, Body: body}
}

// Restore gives the pipeline of a definition as the history keeps it.
func Restore(d history.Definition) (*pipeline.Pipeline, error) {
	var v any
	p := &pipeline.Pipeline{File: d.File}
	err := json.Unmarshal(d.Body, &v)
	if err == nil {
		err = schema.Decode(v, p)
	}
	if err != nil {
		return nil, fmt.Errorf("the definition that was kept of %s cannot be read: %w", d.File, err)
	}
	return p, nil
}

// Builder makes the actions of one run, which is given these secrets. What is a
// key of the step itself was checked when the file was loaded and has no other
// form; of what stands in `with`, expressions may have made anything.
func (s *Set) Builder(secrets map[string]string) func(uses string, with map[string]any) (pipeline.Action, error) {
	return func(uses string, with map[string]any) (pipeline.Action, error) { return s.build(uses, with, secrets) }
}

func (s *Set) build(uses string, with map[string]any, secrets map[string]string) (pipeline.Action, error) {
	k, ok := s.Kinds.Action(uses)
	if !ok {
		return nil, fmt.Errorf("uses: there is no kind %s", uses)
	}
	if k.Key {
		return k.Build(with, s.deps)
	}
	for key, name := range k.Secrets {
		if _, written := with[key]; !written && secrets[name] != "" {
			with[key] = secrets[name]
		}
	}
	schemas := s.Kinds.Schemas()
	schemas.FillWith(uses, with)
	var wrong []error
	for _, i := range schemas.With(uses, with) {
		where := "with"
		for _, x := range i.Path {
			where += "." + fmt.Sprint(x)
		}
		wrong = append(wrong, fmt.Errorf("%s %s", where, i.Message))
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return k.Build(with, s.deps)
}

// Deps are what kinds work with.
func (s *Set) Deps() kind.Deps { return s.deps }

// Secrets are the names of those that the project knows: what its pipelines
// declare and what redund.yaml reads.
func (s *Set) Secrets() ([]string, error) {
	c := &s.Project.Config
	var names []string
	for _, p := range s.Project.Pipelines {
		names = append(names, p.Secrets...)
	}
	for _, text := range slices.Concat(c.Notify.Services, []string{c.Health.Ping, c.Server.Token}) {
		t, err := expr.Parse(text)
		if err != nil {
			return nil, err
		}
		for _, r := range t.Refs() {
			if r.Root == "secrets" && len(r.Path) > 0 {
				names = append(names, r.Path[0])
			}
		}
	}
	return names, nil
}

// Resolve is a value of redund.yaml after its expressions, and the secrets that
// it holds.
func Resolve(project *config.Project, host func(string) (string, bool), s string) (text string, hidden []string, err error) {
	t, err := expr.Parse(s)
	if err != nil {
		return "", nil, err
	}
	from, secrets := project.Secrets(host), map[string]any{}
	for _, r := range t.Refs() {
		if r.Root != "secrets" || len(r.Path) == 0 {
			continue
		}
		v, _, err := from.Lookup(r.Path[0])
		if err != nil {
			return "", nil, fmt.Errorf("secret %s: %w", r.Path[0], err)
		}
		secrets[r.Path[0]] = v
		hidden = append(hidden, v)
	}
	text, err = t.Text(&expr.Env{Contexts: map[string]any{"secrets": secrets, "vars": project.Config.Vars}})
	return text, hidden, err
}

// Token is server.token of redund.yaml after its expressions, "" when there is
// none.
func Token(p *config.Project, host func(string) (string, bool)) (string, error) {
	if p.Config.Server.Token == "" {
		return "", nil
	}
	token, _, err := Resolve(p, host, p.Config.Server.Token)
	if err == nil && token == "" {
		err = errors.New("it is empty: set the secret that it names, or remove the key to have a token made")
	}
	if err != nil {
		return "", fmt.Errorf("server.token: %w", err)
	}
	return token, nil
}
