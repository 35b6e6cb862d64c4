package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/params"
	"github.com/redundctl/redundctl/engine/secret"
)

// request is a RunRequest that was found right, with all that it needs.
type request struct {
	set      *loaded.Set // what it runs with
	pipeline *pipeline.Pipeline
	params   map[string]any
	env      map[string]string
	slot     time.Time
	trigger  string
	reason   string
	parent   int64
	above    []string          // the pipelines that called this one, outermost first
	secrets  map[string]string // the declared ones
	values   []string          // every secret that may turn up: theirs and those of the callers
}

func (e *Engine) request(r RunRequest) (*request, error) {
	q := &request{set: e.current.Load(), pipeline: r.Pipeline, env: r.Env, slot: r.Slot.UTC(), trigger: r.Trigger, reason: "manual"}
	if r.Slot.IsZero() {
		q.slot = time.Time{}
	}
	if q.trigger == "" {
		q.trigger = "manual"
	}
	for _, k := range slices.Sorted(maps.Keys(r.Env)) {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.ContainsRune(r.Env[k], 0) {
			return nil, &UsageError{fmt.Sprintf("%q cannot be a variable of the environment", k)}
		}
	}
	return q, e.complete(q, given(r.Params))
}

// given are parameters as they are converted.
func given(texts map[string]string) map[string]any {
	out := make(map[string]any, len(texts))
	for k, v := range texts {
		out[k] = v
	}
	return out
}

// complete converts the parameters and reads the secrets.
func (e *Engine) complete(q *request, given map[string]any) error {
	var err error
	if q.params, err = params.Of(q.pipeline.Params, given); err != nil {
		return &UsageError{fmt.Sprintf("parameters of %s: %v", q.pipeline.ID(), err)}
	}
	q.secrets, err = e.secrets(q.set, q.pipeline)
	for _, v := range q.secrets {
		q.values = append(q.values, v)
	}
	return err
}

// secrets reads the declared secrets; one that is not set is missing.
func (e *Engine) secrets(s *loaded.Set, p *pipeline.Pipeline) (map[string]string, error) {
	from := s.Project.Secrets(e.host)
	out := make(map[string]string, len(p.Secrets))
	for _, name := range p.Secrets {
		v, ok, err := from.Lookup(name)
		if err != nil {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
		if !ok || v == "" {
			continue
		}
		if secret.Weak(v) {
			e.log.Warn("a secret is so short that it cannot be masked everywhere: take a longer one", "secret", name, "pipeline", p.ID())
		}
		out[name] = v
	}
	return out, nil
}

// lookup reads an environment as os.LookupEnv does.
func lookup(environ []string) func(string) (string, bool) {
	m := make(map[string]string, len(environ))
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			m[k] = v
		}
	}
	return func(name string) (string, bool) {
		v, ok := m[name]
		return v, ok
	}
}
