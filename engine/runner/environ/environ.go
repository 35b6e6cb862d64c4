// Package environ composes the environment of a run's steps.
package environ

import (
	"maps"
	"path/filepath"
	"slices"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/eval"
)

// Environ is an environment that is shared by many steps: the variables as a
// process gets them, where each stands, and those of them that expressions see
// as `env`. It is never changed; With makes another one.
type Environ struct {
	Vars  []string // KEY=VALUE, clipped: whoever appends gets a copy
	at    map[string]int
	Shown map[string]string
}

// own reports whether a variable is set by the engine or by the kind that
// starts the process, so that no file and no step may set it.
func own(name string) bool {
	switch name {
	case "REDUND_PIPELINE", "REDUND_SYSTEM", "REDUND_RUN_ID", "REDUND_SLOT", "REDUND_ATTEMPT", "REDUND_FENCE",
		"REDUND_OUTPUT", "REDUND_ENV", "REDUND_ARTIFACTS", "REDUNDANCY_MODE":
		return true
	}
	return false
}

// Base is what the environment of a run is made of.
type Base struct {
	Pipeline *pipeline.Pipeline
	Host     func(name string) (string, bool) // the engine's own environment
	Inherit  []string                         // the project's inherit-env
	Flags    map[string]string                // --env
	Contexts map[string]any
	Root     string
	Run      map[string]string // what is told of the run: REDUND_*
}

// New composes what all steps of a run share. The pipeline's own `env`
// is evaluated once, in the contexts that stand before any step has run.
func New(j Base) (*Environ, error) {
	e := &Environ{at: map[string]int{}, Shown: map[string]string{}}
	if j.Host != nil {
		for _, k := range pipeline.Passed() {
			if v, ok := j.Host(k); ok {
				e.set(k, v)
			}
		}
		for _, names := range [][]string{j.Inherit, j.Pipeline.InheritEnv} {
			for _, k := range names {
				if v, ok := j.Host(k); ok {
					e.show(k, v)
				}
			}
		}
	}
	view := maps.Clone(j.Contexts)
	view["env"] = maps.Clone(e.Shown)
	env, err := eval.Map(j.Pipeline.Env, &expr.Env{Contexts: view, Root: j.Root})
	if err != nil {
		return nil, err
	}
	for _, layer := range []map[string]string{env, j.Flags} {
		for _, k := range slices.Sorted(maps.Keys(layer)) {
			e.show(k, layer[k])
		}
	}
	for _, k := range slices.Sorted(maps.Keys(j.Run)) {
		e.set(k, j.Run[k])
	}
	e.Vars = slices.Clip(e.Vars)
	return e, nil
}

func (e *Environ) set(k, v string) {
	if i, ok := e.at[k]; ok {
		e.Vars[i] = k + "=" + v
		return
	}
	e.at[k] = len(e.Vars)
	e.Vars = append(e.Vars, k+"="+v)
}

func (e *Environ) show(k, v string) {
	if !own(k) {
		e.set(k, v)
		e.Shown[k] = v
	}
}

// With is e and, over it, layers: later ones win.
func (e *Environ) With(layers ...map[string]string) *Environ {
	if empty(layers) {
		return e
	}
	out := &Environ{Vars: slices.Clone(e.Vars), at: maps.Clone(e.at), Shown: maps.Clone(e.Shown)}
	for _, layer := range layers {
		for _, k := range slices.Sorted(maps.Keys(layer)) {
			out.show(k, layer[k])
		}
	}
	out.Vars = slices.Clip(out.Vars)
	return out
}

func empty(layers []map[string]string) bool {
	return !slices.ContainsFunc(layers, func(m map[string]string) bool { return len(m) > 0 })
}

// Merged is a and, over it, b: a new map.
func Merged(a, b map[string]string) map[string]string {
	if len(b) == 0 {
		return a
	}
	out := make(map[string]string, len(a)+len(b))
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

// Artifacts is where the steps of a run leave files that are kept.
func Artifacts(temp string) string {
	if temp == "" {
		return ""
	}
	return filepath.Join(temp, "artifacts")
}
