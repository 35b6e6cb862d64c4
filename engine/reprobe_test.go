package engine_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// generation is how often the engine has taken up what is on disk.
func generation(t *testing.T, e *engine.Engine) int64 {
	t.Helper()
	st, err := e.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st.Reload.Generation
}

// TestProbeOutlastsOtherSaves holds that the probe of a primary is made anew when
// what it hangs on changes, and not for a save of something else: it remembers
// what it saw.
func TestProbeOutlastsOtherSaves(t *testing.T) {
	t.Parallel()
	var looks, built atomic.Int64
	s := &stage{does: func(int, pipeline.Window) (pipeline.Reading, error) {
		looks.Add(1)
		return pipeline.Reading{Verdict: pipeline.Nothing, Reason: "as the test says"}, nil
	}}
	kinds := s.kinds()
	inPlaceOf(kinds, "file", func(kind.PrimaryDeps) pipeline.Probe { built.Add(1); return s })
	files := backup("")
	file := "pipelines/pm2/a.yaml"
	files[file] = strings.Replace(files[file], "grace: 300ms", "grace: 1h", 1)
	p := project(t, files)
	e, _ := keep(t, p, kinds)
	until(t, "a look", func() bool { return looks.Load() > 0 })
	for _, c := range []struct {
		name, text string
		want       int64
	}{
		{"pipelines/pm2/b.yaml", "version: 1\nname: b\nsystem: pm2\nsteps: [{exec: ['true']}]\n", 1},
		{file, strings.Replace(files[file], "path: nowhere", "path: elsewhere", 1), 2},
	} {
		before := generation(t, e)
		save(t, p, c.name, c.text)
		until(t, "that it is taken up", func() bool { return generation(t, e) != before })
		n := looks.Load()
		until(t, "more looks", func() bool { return looks.Load() > n+2 })
		if is := built.Load(); is != c.want {
			t.Errorf("after a save of %s the probe was made %d times, want %d", c.name, is, c.want)
		}
	}
}

// TestFenceAfterScheduleEdit holds that with an edit of the schedule a slot ends
// at the next one by the new schedule: what runs for later slots is not ended in
// its name.
func TestFenceAfterScheduleEdit(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(3 * time.Second).Truncate(time.Second).UTC()
	var wrong, later atomic.Int64
	s := &stage{does: func(_ int, w pipeline.Window) (pipeline.Reading, error) {
		r := pipeline.Reading{Verdict: pipeline.Nothing, Reason: "as the test says"}
		switch {
		case !w.Slot.Equal(at):
			later.Add(1)
		case later.Load() > 0 && w.Next.After(at.Add(time.Hour/2)):
			// As a list of runs shows it: the one of a later slot.
			r = pipeline.Reading{Verdict: pipeline.UnderWay, Run: "later", Began: time.Now(), Scheduled: true}
			wrong.Add(1)
		}
		return r, nil
	}}
	files := backup(", fence: cancel-late")
	file := "pipelines/pm2/a.yaml"
	hourly := at.Format("'5 4 * * * *'")
	files[file] = strings.Replace(files[file], "every: 1s", "cron: "+hourly, 1)
	p := project(t, files)
	e, _ := keep(t, p, s.kinds())
	until(t, "the backup of the first slot", func() bool { return decided(t, p)[at.Unix()].State == pipeline.Succeeded })
	save(t, p, file, strings.Replace(files[file], "cron: "+hourly, "every: 1s", 1))
	until(t, "later slots", func() bool { return len(decided(t, p)) > 3 })
	if wrong.Load() > 0 || strings.Contains(happened(t, e, "pm2/a"), "fenced") {
		t.Errorf("after the edit %d looks at the first slot went on, and with them: %s", wrong.Load(), happened(t, e, "pm2/a"))
	}
}
