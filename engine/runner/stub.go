package runner

import (
	"context"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// Run runs the job to its end, handlers included. When ctx ends the graph is
// cancelled, and the handlers still run.
func Run(ctx context.Context, j Job, rec Recorder) Result {
	return Result{State: pipeline.Failed, Error: "not built yet"}
}

// Plan says what Run would do and changes nothing.
func Plan(ctx context.Context, j Job) (Planned, error) { return Planned{}, nil }

// Waves are the ids of the steps in the order in which they may run: each wave
// waits for the ones before it.
func Waves(p *pipeline.Pipeline) [][]string { return nil }
