package runner

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// environ is an environment that is shared by many steps: the variables as a
// process gets them, where each stands, and those of them that expressions see
// as `env`. It is never changed; with makes another one.
type environ struct {
	vars  []string // KEY=VALUE, clipped: whoever appends gets a copy
	at    map[string]int
	shown map[string]string
}

// passed are the variables of the engine's own environment that every step
// sees.
const passed = "PATH HOME USER LANG TZ TMPDIR SHELL"

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

// newEnviron composes what all steps of a run share. The pipeline's own `env`
// is evaluated once, in the contexts that stand before any step has run.
func newEnviron(j *Job, contexts map[string]any) (*environ, error) {
	e := &environ{at: map[string]int{}, shown: map[string]string{}}
	if j.Host != nil {
		for _, k := range strings.Fields(passed) {
			if v, ok := j.Host(k); ok {
				e.set(k, v)
			}
		}
		for _, names := range [][]string{j.InheritEnv, j.Pipeline.InheritEnv} {
			for _, k := range names {
				if v, ok := j.Host(k); ok {
					e.show(k, v)
				}
			}
		}
	}
	view := withContext(contexts, "env", maps.Clone(e.shown))
	env, err := evalMap(j.Pipeline.Env, &expr.Env{Contexts: view, Root: j.Root})
	if err != nil {
		return nil, err
	}
	for _, layer := range []map[string]string{env, j.Env} {
		for _, k := range slices.Sorted(maps.Keys(layer)) {
			e.show(k, layer[k])
		}
	}
	r := &j.Run
	e.set("REDUND_PIPELINE", j.Pipeline.Name)
	e.set("REDUND_SYSTEM", j.Pipeline.System)
	e.set("REDUND_RUN_ID", runID(r))
	e.set("REDUND_SLOT", pipeline.Time(r.Slot))
	e.set("REDUND_ATTEMPT", strconv.Itoa(max(r.Attempt, 1)))
	e.set("REDUND_FENCE", strconv.FormatInt(r.Fence, 10))
	e.set("REDUND_ARTIFACTS", artifacts(j.Temp))
	e.set("REDUNDANCY_MODE", "true")
	e.vars = slices.Clip(e.vars)
	return e, nil
}

func (e *environ) set(k, v string) {
	if i, ok := e.at[k]; ok {
		e.vars[i] = k + "=" + v
		return
	}
	e.at[k] = len(e.vars)
	e.vars = append(e.vars, k+"="+v)
}

func (e *environ) show(k, v string) {
	if !own(k) {
		e.set(k, v)
		e.shown[k] = v
	}
}

// with is e and, over it, layers: later ones win.
func (e *environ) with(layers ...map[string]string) *environ {
	if empty(layers) {
		return e
	}
	out := &environ{vars: slices.Clone(e.vars), at: maps.Clone(e.at), shown: maps.Clone(e.shown)}
	for _, layer := range layers {
		for _, k := range slices.Sorted(maps.Keys(layer)) {
			out.show(k, layer[k])
		}
	}
	out.vars = slices.Clip(out.vars)
	return out
}

func empty(layers []map[string]string) bool {
	return !slices.ContainsFunc(layers, func(m map[string]string) bool { return len(m) > 0 })
}

func runID(r *pipeline.Run) string {
	if r.ID == 0 {
		return ""
	}
	return strconv.FormatInt(r.ID, 10)
}
