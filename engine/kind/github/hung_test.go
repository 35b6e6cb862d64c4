package github

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// never answers.
type never struct{ asked atomic.Int64 }

func (n *never) RoundTrip(r *http.Request) (*http.Response, error) {
	n.asked.Add(1)
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestHungServer holds that all pipelines of a repository wait for one request that
// gets no answer, and have its error within their own time.
func TestHungServer(t *testing.T) {
	t.Parallel()
	for _, every := range []time.Duration{10 * time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			var hub never
			shared := &kind.Shared{}
			began := time.Now()
			var all sync.WaitGroup
			for n := range 30 {
				p, err := watch(map[string]any{"repository": "acme/site", "workflow": "nightly.yml", "api-url": "https://api.example.com"}, kind.PrimaryDeps{
					Deps: kind.Deps{HTTP: &http.Client{Transport: &hub}}, Shared: shared,
					Pipeline: &pipeline.Pipeline{Primary: &pipeline.Primary{Every: pipeline.Duration(every)}},
				}, time.Now)
				if err != nil {
					t.Fatal(err)
				}
				all.Go(func() {
					<-time.After(time.Duration(n) * 100 * time.Millisecond) // by the clock of the bubble
					ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
					defer stop()
					r, err := p.Probe(ctx, pipeline.Window{Slot: began.Add(-time.Minute), Next: began.Add(time.Hour)})
					if err != nil || r.Verdict != pipeline.Unknown || !strings.Contains(r.Reason, "no answer in time") || ctx.Err() != nil {
						t.Errorf("%d: %+v, %v, after %s", n, r, err, time.Since(began))
					}
				})
			}
			all.Wait()
			if n := hub.asked.Load(); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}
