package engine_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// hung is a probe that never answers.
type hung struct{}

func (hung) Probe(ctx context.Context, _ pipeline.Window) (pipeline.Reading, error) {
	<-ctx.Done()
	return pipeline.Reading{}, ctx.Err()
}

// TestHungProbes holds that primaries which never answer hold up nobody else, and
// their own other slots for no longer than one look.
func TestHungProbes(t *testing.T) {
	t.Parallel()
	const text = "version: 1\nname: %s\nprimary: {%s}\ngrace: %s\nschedule: {%s}\noverlap: allow\nsteps: [{exec: ['true']}]\n"
	files := map[string]string{
		"redund.yaml":                "version: 1\nhealth: {every: 1h}\n",
		"pipelines/pm2/healthy.yaml": fmt.Sprintf(text, "healthy", "file: {path: x}, every: 1s", "1h", "every: 10s"),
		"pipelines/pm2/dense.yaml":   fmt.Sprintf(text, "dense", "command: {run: 'true'}, on-unknown: skip", "5m", "every: 30s"),
	}
	for i := range 60 {
		name := fmt.Sprint("hung-", i)
		files["pipelines/pm2/"+name+".yaml"] = fmt.Sprintf(text, name, "command: {run: 'true'}", "30m", "cron: '10 * * * *'")
	}
	s := &stage{does: func(int, pipeline.Window) (pipeline.Reading, error) {
		return pipeline.Reading{Verdict: pipeline.NotDelivered, Run: "x", Reason: "as the test says"}, nil
	}}
	synctest.Test(t, func(t *testing.T) {
		s.looks = map[time.Time]int{}
		kinds := standIns(func(kind.PrimaryDeps) pipeline.Probe { return s }, done{})
		inPlaceOf(kinds, "command", func(kind.PrimaryDeps) pipeline.Probe { return hung{} })
		p := project(t, files)
		<-time.After(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour + 5*time.Minute))) // by the clock of the bubble
		_, stop := serveOnly(t, p, kinds)
		<-time.After(25 * time.Minute)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		most, n := map[string]time.Duration{}, map[string]int{}
		for _, r := range runs(t, p) {
			most[r.Pipeline] = max(most[r.Pipeline], r.Queued.Sub(r.Slot))
			n[r.Pipeline]++
		}
		if n["healthy"] < 140 || most["healthy"] > 6*time.Second {
			t.Errorf("%d slots beside those of hung probes, decided up to %s after them", n["healthy"], most["healthy"])
		}
		if late := most["dense"] - 5*time.Minute; n["dense"] < 30 || late > 50*time.Second {
			t.Errorf("%d slots of one hung probe, decided up to %s after their grace", n["dense"], late)
		}
	})
}
