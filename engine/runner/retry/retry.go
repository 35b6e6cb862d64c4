// Package retry says how long to wait between attempts, and waits.
package retry

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// The defaults of a retry, for those that were not read from a file.
const (
	retryDelay = time.Second
	retryMax   = time.Minute
)

// Delays gives the waits between the attempts of a retry, one at each call.
func Delays(r pipeline.Retry) func() time.Duration {
	first, most := r.Delay.Std(), r.MaxDelay.Std()
	if first == 0 {
		first = retryDelay
	}
	if most == 0 {
		most = retryMax
	}
	first = min(first, most)
	if r.Backoff == "fixed" {
		return backoff.NewConstantBackOff(first).NextBackOff
	}
	b := &backoff.ExponentialBackOff{InitialInterval: first, Multiplier: 2, MaxInterval: most}
	b.Reset()
	return b.NextBackOff
}

// Wait waits, and reports whether ctx was not done before.
func Wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return ctx.Err() == nil
	}
}
