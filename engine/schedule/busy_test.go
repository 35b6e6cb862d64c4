package schedule

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestBusy holds that who is called and does not return is seen.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var zones Zones
		s, err := zones.Parse(pipeline.Schedule{Every: pipeline.Duration(10 * time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		timer := NewTimer(TimerOptions{})
		timer.Set(Entry{ID: "pm2/tick", Schedules: []*Schedule{s}})
		if got := timer.Busy(); got != 0 {
			t.Errorf("busy for %s before it runs", got)
		}
		ctx, stop := context.WithCancel(t.Context())
		stuck, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			_ = timer.Run(ctx, func([]Due) { <-stuck }, nil)
		}()
		time.Sleep(5 * time.Second) //nolint:forbidigo // of the bubble
		synctest.Wait()
		if got := timer.Busy(); got != 0 {
			t.Errorf("busy for %s while it waits", got)
		}
		time.Sleep(30 * time.Second) //nolint:forbidigo // of the bubble
		if got := timer.Busy(); got < 20*time.Second {
			t.Errorf("busy for %s, but it is stuck", got)
		}
		close(stuck)
		synctest.Wait()
		if got := timer.Busy(); got != 0 {
			t.Errorf("busy for %s, but it goes on", got)
		}
		stop()
		<-ended
		if got := timer.Busy(); got != 0 {
			t.Errorf("busy for %s after its end", got)
		}
	})
}
