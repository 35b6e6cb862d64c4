package engine

import (
	"context"

	"github.com/redundctl/redundctl/engine/schedule"
)

// Jump tells an engine that serves of a jump of the clock, which no test can
// make: the clock is everybody's.
func (e *Engine) Jump(ctx context.Context, j schedule.Jump) { e.serving.Load().jump(ctx, j) }
