package eval

import (
	"maps"
	"strings"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// Base is what the contexts of a run are made of.
type Base struct {
	Pipeline *pipeline.Pipeline
	Run      *pipeline.Run
	Params   map[string]any
	Vars     map[string]any
	Secrets  map[string]string // the declared ones; those that are not set may be missing
	Primary  map[string]string // what was seen of it; what is missing is empty
}

// Contexts are those that stand when a run begins and do not change while its
// graph runs; `steps`, `env`, `matrix` and `inputs` are added for each step.
func Contexts(b Base) map[string]any {
	p := b.Pipeline
	secrets := make(map[string]any, len(p.Secrets))
	for _, name := range p.Secrets {
		secrets[name] = b.Secrets[name]
	}
	primary := map[string]any{"kind": "", "verdict": "", "reason": "", "evidence": "", "url": ""}
	if p.Primary != nil {
		primary["kind"] = p.Primary.Kind
	}
	for k, v := range b.Primary {
		primary[k] = v
	}
	return map[string]any{
		"run":      Run(b.Run, pipeline.Running, ""),
		"pipeline": map[string]any{"name": p.Name, "system": p.System, "file": p.File, "category": p.Category},
		"primary":  primary,
		"params":   orEmpty(b.Params),
		"vars":     orEmpty(b.Vars),
		"secrets":  secrets,
	}
}

// Declared gives the secrets that a pipeline declares, in any letter case; one
// that is not set is empty.
func Declared(p *pipeline.Pipeline, values map[string]string) func(name string) (string, bool) {
	return func(name string) (string, bool) {
		for _, declared := range p.Secrets {
			if strings.EqualFold(declared, name) {
				return values[declared], true
			}
		}
		return "", false
	}
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// With is a copy of contexts with one more.
func With(contexts map[string]any, name string, v any) map[string]any {
	out := make(map[string]any, len(contexts)+4)
	maps.Copy(out, contexts)
	out[name] = v
	return out
}
