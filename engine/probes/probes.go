// Package probes makes the probes of primaries, of what their pipelines say, and
// looks through them: each look ends, and what it says holds no secret.
package probes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/environ"
	"github.com/redundctl/redundctl/engine/runner/eval"
	"github.com/redundctl/redundctl/engine/secret"
)

// Options are what probes work with besides what was loaded.
type Options struct {
	// Temp is a directory for scripts, 0700, outside the state directory; "":
	// none can be written.
	Temp string
	// Host is the environment of the engine.
	Host func(name string) (string, bool)
	// Heartbeats gives those of a pipeline since then, in order; nil: nobody
	// calls.
	Heartbeats func(ctx context.Context, pipeline string, since time.Time) ([]pipeline.Heartbeat, error)
	// Shared is what the probes of an engine have in common; nil: nothing.
	Shared *kind.Shared
	// Before is given back where nothing has changed that the probe hangs on, with
	// all that it remembers; nil: a new one is made.
	Before *Primary
}

// After are the same options with the probe before, which may be nil.
func (o Options) After(before *Primary) Options {
	o.Before = before
	return o
}

// Primary is the primary of one pipeline, ready to be looked at. It is for as
// long as the pipeline is in force in one form; Look is for one goroutine at a
// time.
type Primary struct {
	// Probe may also be a pipeline.Dispatcher or a pipeline.Canceller. nil: the
	// kind has none yet, and every look is Unknown.
	Probe pipeline.Probe
	// Masker knows the secrets that the probe was made with.
	Masker *secret.Masker

	kind string
	sees string      // stands for what the probe hangs on
	busy chan looked // of the look that was given up and goes on; nil: none
}

// looked is what came of one look.
type looked struct {
	reading pipeline.Reading
	err     error
}

// Build makes the probe of the primary of p, which it must have. Expressions in
// its keys read `secrets`, `vars`, `env` and `pipeline` as they are now. The
// error says in one line, without secrets, what is wrong with what they gave.
func Build(s *loaded.Set, p *pipeline.Pipeline, o Options) (*Primary, error) {
	known, err := Secrets(s, p, o.Host)
	if err != nil {
		return nil, err
	}
	out := &Primary{Masker: Masker(s, known), kind: p.Primary.Kind}
	k, ok := s.Kinds.Primary(p.Primary.Kind)
	switch {
	case !ok:
		return nil, fmt.Errorf("primary: there is no kind %s", p.Primary.Kind)
	case k.Build == nil:
		return out, nil
	}
	view, env, err := View(s, p, Given{Secrets: known, Host: o.Host})
	if err != nil {
		return nil, out.line("primary", err)
	}
	with, err := values(s, p.Primary, view)
	if err != nil {
		return nil, out.line("primary."+k.Name, err)
	}
	if out.sees, err = digest(s.Definition(p).Hash, s.Project.Root, with, env.Vars, known); err != nil {
		return nil, out.line("primary."+k.Name, err)
	}
	if o.Before != nil && o.Before.sees == out.sees {
		return o.Before, nil
	}
	shared := o.Shared
	if shared == nil {
		shared = &kind.Shared{}
	}
	id := p.ID()
	use := shared.For(id)
	d := kind.PrimaryDeps{
		Deps: s.Deps(), Pipeline: p, Root: s.Project.Root, Env: env.Vars, Host: o.Host, Shared: use,
		Temp: o.Temp, Mask: out.Masker.Mask,
		Secret: func(name string) (string, bool) { v, ok := known[name]; return v, ok },
		Heartbeats: func(ctx context.Context, since time.Time) ([]pipeline.Heartbeat, error) {
			if o.Heartbeats == nil {
				return nil, nil
			}
			return o.Heartbeats(ctx, id, since)
		},
	}
	if d.Host == nil {
		d.Host = func(string) (string, bool) { return "", false }
	}
	if out.Probe, err = k.Build(with, d); err != nil {
		return nil, out.line("primary."+k.Name, err)
	}
	use.Done()
	return out, nil
}

// digest stands for some values.
func digest(values ...any) (string, error) {
	text, err := json.Marshal(values)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// line is an error about a key, in one line without secrets.
func (x *Primary) line(key string, err error) error {
	return fmt.Errorf("%s: %s", key, x.text(err.Error()))
}

func (x *Primary) text(s string) string {
	return strings.Join(strings.Fields(x.Masker.Mask(s)), " ")
}

// values are the keys of a primary after their expressions, with defaults and
// checked: expressions may have made anything.
func values(s *loaded.Set, p *pipeline.Primary, view *expr.Env) (map[string]any, error) {
	with := p.With
	if with == nil {
		with = map[string]any{}
	}
	v, err := expr.EvalTree(with, view)
	if err != nil {
		return nil, err
	}
	with, _ = eval.Clone(v).(map[string]any) // a probe may change what it is given
	var wrong []error
	for _, i := range s.Kinds.Schemas().Primary(p.Kind, with) {
		var where strings.Builder
		for n, x := range i.Path {
			if n > 0 {
				where.WriteByte('.')
			}
			fmt.Fprint(&where, x)
		}
		wrong = append(wrong, fmt.Errorf("%s %s", where.String(), i.Message))
	}
	return with, errors.Join(wrong...)
}

// Secrets reads those that a pipeline declares; one that is not set is missing.
func Secrets(s *loaded.Set, p *pipeline.Pipeline, host func(string) (string, bool)) (map[string]string, error) {
	from := s.Project.Secrets(host)
	out := make(map[string]string, len(p.Secrets))
	for _, name := range p.Secrets {
		v, ok, err := from.Lookup(name)
		if err != nil {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
		if ok && v != "" {
			out[name] = v
		}
	}
	return out, nil
}

// Masker knows those secrets, and those of redund.yaml.
func Masker(s *loaded.Set, secrets map[string]string) *secret.Masker {
	m := secret.NewMasker(s.Hidden...)
	for _, v := range secrets {
		m.Add(v)
	}
	return m
}

// Text is a text of a pipeline after its expressions, as those of a primary's
// keys are read.
func Text(s *loaded.Set, p *pipeline.Pipeline, text string, host func(string) (string, bool)) (string, error) {
	known, err := Secrets(s, p, host)
	if err != nil {
		return "", err
	}
	view, _, err := View(s, p, Given{Secrets: known, Host: host})
	if err != nil {
		return "", err
	}
	t, err := expr.Parse(text)
	if err != nil {
		return "", err
	}
	return t.Text(view)
}

// Given is what the expressions of a pipeline that has no run read.
type Given struct {
	Secrets map[string]string // the declared ones that are set
	Host    func(name string) (string, bool)
	Told    map[string]string // REDUND_*: what a process is told
}

// View is what expressions outside of any run read, and the environment of
// processes that belong to none.
func View(s *loaded.Set, p *pipeline.Pipeline, g Given) (*expr.Env, *environ.Environ, error) {
	secrets := make(map[string]any, len(p.Secrets))
	for _, name := range p.Secrets {
		secrets[name] = g.Secrets[name]
	}
	none := map[string]any{}
	vars := s.Project.Config.Vars
	if vars == nil {
		vars = none
	}
	primary := map[string]any{"kind": "", "verdict": "", "reason": "", "evidence": "", "url": ""}
	if p.Primary != nil {
		primary["kind"] = p.Primary.Kind
	}
	contexts := map[string]any{
		"pipeline": map[string]any{"name": p.Name, "system": p.System, "file": p.File, "category": p.Category},
		"run":      map[string]any{"id": "", "slot": "", "attempt": 0, "trigger": "", "reason": "", "state": "", "error": "", "fence": 0},
		"primary":  primary, "secrets": secrets, "vars": vars, "params": none, "steps": none, "matrix": none,
	}
	env, err := environ.New(environ.Base{
		Pipeline: p, Host: g.Host, Inherit: s.Project.Config.InheritEnv, Contexts: contexts, Root: s.Project.Root, Run: g.Told,
	})
	if err != nil {
		return nil, nil, err
	}
	contexts["env"] = env.Shown
	return &expr.Env{Contexts: contexts, Root: s.Project.Root}, env, nil
}

// late is how long after its deadline a look may still return.
const late = time.Second

// Look looks once. It returns at the latest a second after ctx is done, which
// must have a deadline, whatever the probe does: then, and where the probe fails,
// the verdict is Unknown. A look that was given up is waited for by those that
// follow. The reading holds no secret that the probe was made with.
func (x *Primary) Look(ctx context.Context, w pipeline.Window) pipeline.Reading {
	if x.Probe == nil {
		return unknown("this version cannot look at " + x.kind)
	}
	old := x.busy != nil
	if !old {
		done := make(chan looked, 1)
		go func() { done <- x.look(ctx, w) }()
		x.busy = done
	}
	select {
	case l := <-x.busy:
		return x.took(l, old)
	case <-ctx.Done():
	}
	timer := time.NewTimer(late)
	defer timer.Stop()
	select {
	case l := <-x.busy:
		return x.took(l, old)
	case <-timer.C:
		return unknown("the look takes too long and does not end")
	}
}

// took is what a look that has ended says; what one says that was given up is of
// no use any more.
func (x *Primary) took(l looked, old bool) pipeline.Reading {
	x.busy = nil
	switch {
	case old:
		return unknown("the look before took too long")
	case l.err != nil:
		return unknown(x.text(l.err.Error()))
	}
	r := l.reading
	r.Reason, r.URL = x.text(r.Reason), x.Masker.Mask(r.URL)
	if r.Evidence != nil {
		r.Evidence, _ = x.masked(r.Evidence).(map[string]any)
	}
	return r
}

// look asks the probe; its panic is an error like others.
func (x *Primary) look(ctx context.Context, w pipeline.Window) (l looked) {
	defer func() {
		if p := recover(); p != nil {
			l.err = fmt.Errorf("a mistake in redundctl: %v", p)
		}
	}()
	l.reading, l.err = x.Probe.Probe(ctx, w)
	return l
}

func unknown(reason string) pipeline.Reading {
	return pipeline.Reading{Verdict: pipeline.Unknown, Reason: reason}
}

// masked is a copy of a tree without secrets.
func (x *Primary) masked(v any) any {
	switch v := v.(type) {
	case string:
		return x.Masker.Mask(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, y := range v {
			out[x.Masker.Mask(k)] = x.masked(y)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, y := range v {
			out[i] = x.masked(y)
		}
		return out
	case []string:
		out := make([]any, len(v))
		for i, y := range v {
			out[i] = x.Masker.Mask(y)
		}
		return out
	}
	return v
}
