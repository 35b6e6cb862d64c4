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
	for i := range kinds.Primaries {
		if kinds.Primaries[i].Name == "file" {
			kinds.Primaries[i].Build = func(map[string]any, kind.PrimaryDeps) (pipeline.Probe, error) { built.Add(1); return s, nil }
		}
	}
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
