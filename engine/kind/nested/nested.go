// Package nested is the step kind `pipeline`: it runs another pipeline, in a
// run of its own, and waits for its end.
package nested

import (
	"context"
	_ "embed" // the schema fragment
	"fmt"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

//go:embed nested.json
var fragment []byte

// Kind is `uses: pipeline`.
func Kind() kind.Action {
	return kind.Define("pipeline", fragment, func(w with, _ kind.Deps) (pipeline.Action, error) {
		return &action{w}, nil
	})
}

type with struct {
	Name   string         `json:"name"`
	Params map[string]any `json:"params"`
}

type action struct{ with }

// Run runs the pipeline to its end.
func (a *action) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	got, err := s.Call(ctx, a.Name, a.Params)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	out := pipeline.Outputs{Values: map[string]any{"run": got.Run, "state": string(got.State)}}
	if got.State != pipeline.Succeeded {
		err = fmt.Errorf("pipeline %s (run %s) ended as %s", a.Name, got.Run, got.State)
		if got.Error != "" {
			err = fmt.Errorf("%w: %s", err, got.Error)
		}
	}
	return out, err
}

// Plan says what the pipeline would do.
func (a *action) Plan(ctx context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	effects := []pipeline.Effect{pipeline.Effect("runs pipeline " + a.Name + ":")}
	more, err := s.PlanCall(ctx, a.Name, a.Params)
	for _, e := range more {
		effects = append(effects, "  "+e)
	}
	return effects, err
}
