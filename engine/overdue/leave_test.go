package overdue

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestLeave holds that what does not heed its end is waited for no longer than
// Grace, also where it is registered late, and that Close waits for it a while.
func TestLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r Runs
		why, release, from := errors.New("why"), make(chan struct{}), time.Now()
		deaf := Run{Run: pipeline.Run{ID: 7}, Of: &pipeline.Pipeline{}, Do: func(context.Context) (pipeline.Run, error) { <-release; return pipeline.Run{}, nil }}
		var told []int64
		r.Leave(why, func(run int64) { told = append(told, run) })
		for _, at := range []time.Duration{Grace, Grace} { // the second begins when the time is up
			if _, givenUp, err := r.Do(t.Context(), deaf); givenUp || !errors.Is(err, why) || time.Since(from) != at {
				t.Errorf("given up %v, %v after %s", givenUp, err, time.Since(from))
			}
		}
		if len(told) != 2 {
			t.Errorf("told of %v", told)
		}
		from = time.Now()
		if err := r.Close(func() error { <-release; return nil }); err != nil || time.Since(from) != 2*lastWait {
			t.Errorf("%v after %s", err, time.Since(from))
		}
		time.AfterFunc(time.Second, func() { close(release) })
		from = time.Now()
		if err := r.Close(func() error { return why }); !errors.Is(err, why) || time.Since(from) != time.Second {
			t.Errorf("%v after %s", err, time.Since(from))
		}
	})
}

// TestHandlersHaveTheirTime holds that a run whose handlers have begun late is not
// late itself, and is not given up before their time is over.
func TestHandlersHaveTheirTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r Runs
		steps := []pipeline.Step{{}}
		of := &pipeline.Pipeline{Timeout: pipeline.Duration(time.Minute), OnFailure: steps, Always: steps}
		began, release, ended := make(chan time.Time, 1), make(chan struct{}), make(chan time.Time, 1)
		go func() {
			_, givenUp, err := r.Do(t.Context(), Run{Run: pipeline.Run{ID: 7}, Of: of, Do: func(ctx context.Context) (pipeline.Run, error) {
				<-ctx.Done()
				<-time.After(Grace / 2)
				r.Step(&pipeline.StepRecord{Run: 7, ID: "on-failure.1"})
				began <- time.Now()
				<-time.After(time.Second)
				r.Step(&pipeline.StepRecord{Run: 7, ID: "on-failure.2"}) // of the same list
				<-release
				return pipeline.Run{}, nil
			}})
			if !givenUp || err != nil {
				t.Errorf("given up %v, %v", givenUp, err)
			}
			ended <- time.Now()
		}()
		<-time.After(time.Hour) // as on a full disk
		if len(r.Late(time.Now())) != 1 || !r.End(7) {
			t.Error("it is not late")
		}
		at := <-began
		<-time.After(4 * time.Minute)
		if late := r.Late(time.Now()); len(late) != 0 {
			t.Errorf("late while its handlers run: %v", late)
		}
		if took := (<-ended).Sub(at); took < 5*time.Minute || took > 6*time.Minute {
			t.Errorf("given up %s after its handlers began", took)
		}
		close(release)
	})
}
