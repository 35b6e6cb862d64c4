package work

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/params"
	"github.com/redundctl/redundctl/engine/runner/past"
	"github.com/redundctl/redundctl/engine/secret"
)

// Ask asks for one run.
type Ask struct {
	Pipeline *pipeline.Pipeline
	Params   map[string]string // as text, converted to the declared types
	Env      map[string]string
	Slot     time.Time // zero: by hand
	Trigger  string    // "": manual
}

// UsageError is a request that cannot be right, whatever the state of the
// machine: an unknown parameter, a value of the wrong type.
type UsageError struct{ Message string }

// Error is the message.
func (e *UsageError) Error() string { return e.Message }

// Request is what was asked for and found right, with all that it needs.
type Request struct {
	set      *loaded.Set // what it runs with
	pipeline *pipeline.Pipeline
	params   map[string]any
	asked    map[string]string // params, as they were given
	env      map[string]string
	slot     time.Time
	trigger  string
	reason   string
	parent   int64
	above    []string          // the pipelines that called this one, outermost first
	secrets  map[string]string // the declared ones
	values   []string          // every secret that may turn up: theirs and those of the callers
	served   bool              // it is an engine's, which nobody waits for
	past     *past.Past        // of what had begun before, nil: it begins
	primary  map[string]string // what was seen of the pipeline's primary
}

// Request completes what was asked for, for a run with set. A *UsageError says
// that it is wrong.
func (w *Worker) Request(set *loaded.Set, r Ask) (*Request, error) {
	q := &Request{set: set, pipeline: r.Pipeline, asked: r.Params, env: r.Env, slot: r.Slot.UTC(), trigger: r.Trigger, reason: "manual"}
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
	return q, w.complete(q, given(r.Params))
}

// Waited is what has waited for its turn.
type Waited struct {
	history.Queued
	Past    *past.Past        // nil: it begins
	Primary map[string]string // as the runner's Job has it
}

// Queued completes what has waited, under the form of its pipeline that is in
// force now, or that it had begun with.
func (w *Worker) Queued(set *loaded.Set, p *pipeline.Pipeline, x Waited) (*Request, error) {
	q := &Request{set: set, pipeline: p, env: x.Env, slot: x.Slot, trigger: x.Trigger, reason: x.Reason, parent: x.Parent, served: true, past: x.Past, primary: x.Primary}
	return q, w.complete(q, given(x.Params))
}

// masker knows every secret that may turn up.
func (q *Request) masker() *secret.Masker {
	return secret.NewMasker(slices.Concat(q.values, q.set.Hidden)...)
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
func (w *Worker) complete(q *Request, given map[string]any) error {
	var err error
	if q.secrets, err = w.secrets(q.set, q.pipeline); err != nil {
		return err
	}
	for _, v := range q.secrets {
		q.values = append(q.values, v)
	}
	if q.params, err = params.Of(q.pipeline.Params, given); err != nil {
		// It quotes the value, and stands in the history when the run had waited.
		return &UsageError{q.masker().Mask(fmt.Sprintf("parameters of %s: %v", q.pipeline.ID(), err))}
	}
	return nil
}

// secrets reads the declared secrets; one that is not set is missing.
func (w *Worker) secrets(s *loaded.Set, p *pipeline.Pipeline) (map[string]string, error) {
	from := s.Project.Secrets(w.Host)
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
			w.Log.Warn("a secret is so short that it cannot be masked everywhere: take a longer one", "secret", name, "pipeline", p.ID())
		}
		out[name] = v
	}
	return out, nil
}
