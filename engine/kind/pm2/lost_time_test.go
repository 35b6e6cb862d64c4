package pm2

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// slow is a context that is done as soon as the list of a daemon has been read,
// while another probe looks for lost workers.
type slow struct {
	context.Context
	home *home
}

func (s slow) Done() <-chan struct{} {
	if s.home.asked.IsZero() {
		return s.Context.Done()
	}
	select {
	case s.home.turn <- struct{}{}: // another one looks
	default:
	}
	over := make(chan struct{})
	close(over)
	return over
}

// TestNoTimeForLostWorkers: where nobody had the time to look for workers that
// have lost their daemon, the application is not known to be down: ours beside one
// would be a second copy.
func TestNoTimeForLostWorkers(t *testing.T) {
	t.Parallel()
	slot := time.Now().Add(-time.Minute)
	for _, w := range []pipeline.Window{{}, {Slot: slot, Next: slot.Add(time.Hour)}} {
		p := &probe{name: "api", home: newHome(t.TempDir())}
		r, err := p.Probe(slow{t.Context(), p.home}, w)
		if err != nil || r.Verdict != pipeline.Unknown || !strings.Contains(r.Reason, "no answer in time") || r.Evidence["home"] == nil {
			t.Errorf("%+v, %v", r, err)
		}
	}
}
