package overdue

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner"
)

func TestLimit(t *testing.T) {
	t.Parallel()
	minute, steps := pipeline.Duration(time.Minute), []pipeline.Step{{}}
	for _, c := range []struct {
		name string
		of   pipeline.Pipeline
		want time.Duration
	}{
		{"no time", pipeline.Pipeline{}, 0},
		{"a service", pipeline.Pipeline{Timeout: minute, Service: &pipeline.Service{}}, 0},
		{"steps alone", pipeline.Pipeline{Timeout: minute, Steps: steps}, time.Minute + slack},
		{"handlers", pipeline.Pipeline{Timeout: minute, OnFailure: steps, OnSuccess: steps}, 6*time.Minute + slack},
		{"two lists", pipeline.Pipeline{Timeout: minute, OnFailure: steps, Always: steps}, 11*time.Minute + slack},
		{"steps after a cancellation", pipeline.Pipeline{Timeout: minute, Steps: []pipeline.Step{{If: "always()"}}}, 6*time.Minute + slack},
	} {
		if got := Limit(&c.of); got != c.want {
			t.Errorf("%s: %s, not %s", c.name, got, c.want)
		}
	}
}

// TestEnd holds that a run which heeds its end gives its own result, and that one
// which does not is given up.
func TestEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r Runs
		of := &pipeline.Pipeline{System: "pm2", Name: "a", Timeout: pipeline.Duration(time.Minute)}
		release := make(chan struct{})
		type end struct {
			run     pipeline.Run
			givenUp bool
			at      time.Duration
		}
		from, ends := time.Now(), make(chan end, 2)
		for id, do := range map[int64]func(context.Context) (pipeline.Run, error){
			1: func(ctx context.Context) (pipeline.Run, error) {
				<-ctx.Done()
				if !errors.Is(context.Cause(ctx), runner.ErrTimeout) {
					t.Error(context.Cause(ctx))
				}
				return pipeline.Run{ID: 1, State: pipeline.TimedOut, Error: "itself"}, nil
			},
			2: func(context.Context) (pipeline.Run, error) { <-release; return pipeline.Run{}, nil },
		} {
			go func() {
				run, givenUp, err := r.Do(t.Context(), Run{Run: pipeline.Run{ID: id}, Of: of, Do: do})
				if err != nil {
					t.Error(err)
				}
				ends <- end{run, givenUp, time.Since(from)}
			}()
		}
		<-time.After(time.Minute + slack)
		if late := r.Late(time.Now()); len(late) != 0 {
			t.Errorf("late: %v", late)
		}
		<-time.After(time.Second)
		if late := r.Late(time.Now()); len(late) != 2 || late[2].Pipeline != "pm2/a" {
			t.Errorf("late: %v", late)
		}
		if !r.End(1) || !r.End(2) || r.End(2) || r.End(3) {
			t.Error("each that goes on is asked once")
		}
		if x := <-ends; x.givenUp || x.run.Error != "itself" {
			t.Errorf("%+v", x)
		}
		if x := <-ends; !x.givenUp || x.run.ID != 2 || x.run.State != pipeline.TimedOut || x.at != time.Minute+slack+time.Second+Grace {
			t.Errorf("%+v", x)
		}
		close(release)
		if len(r.Late(time.Now())) != 0 {
			t.Error("what has ended is late")
		}
	})
}
