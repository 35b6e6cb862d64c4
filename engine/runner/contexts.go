package runner

import (
	"maps"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/eval"
)

// contexts are those that stand when a run begins and do not change while its
// graph runs; `steps`, `env`, `matrix` and `inputs` are added for each step.
func contexts(j *Job) map[string]any {
	p := j.Pipeline
	secrets := make(map[string]any, len(p.Secrets))
	for _, name := range p.Secrets {
		secrets[name] = j.Secrets[name]
	}
	primary := map[string]any{"kind": "", "verdict": "", "reason": "", "evidence": "", "url": ""}
	if p.Primary != nil {
		primary["kind"] = p.Primary.Kind
	}
	return map[string]any{
		"run":      eval.Run(&j.Run, pipeline.Running, ""),
		"pipeline": map[string]any{"name": p.Name, "system": p.System, "file": p.File, "category": p.Category},
		"primary":  primary,
		"params":   orEmpty(j.Params),
		"vars":     orEmpty(j.Vars),
		"secrets":  secrets,
	}
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// withContext is a copy of contexts with one more.
func withContext(contexts map[string]any, name string, v any) map[string]any {
	out := make(map[string]any, len(contexts)+4)
	maps.Copy(out, contexts)
	out[name] = v
	return out
}

// object is what `steps.ID` gives of a step that has ended.
func (e *ending) object() map[string]any {
	outputs := e.outputs
	if outputs == nil {
		outputs = map[string]any{}
	}
	var code any
	if e.exit != nil {
		code = *e.exit
	}
	return map[string]any{"outputs": outputs, "outcome": string(e.state), "conclusion": string(e.conclusion()), "exit-code": code, "error": e.err}
}
