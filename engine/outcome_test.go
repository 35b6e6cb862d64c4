package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestKilledInItsHandlers kills an engine in the handlers of a run that was out
// of time, or that somebody or the next slot of its pipeline has ended.
func TestKilledInItsHandlers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		yaml, told string
		cancels    bool
		state      pipeline.State
	}{
		"out of time": {
			yaml: "overlap: skip\ntimeout: 300ms\non-failure", told: "a,h1,h2 timed-out", state: pipeline.TimedOut,
		},
		"cancelled":      {yaml: "overlap: skip\nretry: {attempts: 2, delay: 1ms}\non-cancel", told: "a,h1,h2 cancelled", cancels: true, state: pipeline.Cancelled},
		"cancel-running": {yaml: "overlap: cancel-running\non-cancel", told: "a,h1,h2 cancelled", state: pipeline.Cancelled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := project(t, map[string]string{"pipelines/pm2/it.yaml": `
version: 1
name: it
system: pm2
schedule: {every: 1s}
missed: skip
steps: [{id: a, idempotent: true, run: 'if mkdir first; then echo a >> told; exec sleep 100; fi'}]
` + c.yaml + `:
  - {run: 'echo h1 >> told; echo >> reached; exec sleep 100'}
  - {run: 'echo "h2 $S" >> told', env: {S: '${{ run.state }}'}}
`})
			kill := child(t, p)
			defer kill()
			if c.cancels {
				until(t, "the step", func() bool { return there(p, "first") })
				other, _ := opened(t, engine.Options{Project: p, Environ: environ(t)})
				defer other.Close()
				list := runs(t, p)
				if _, err := other.Cancel(t.Context(), list[len(list)-1].ID, "a test"); err != nil {
					t.Fatal(err)
				}
			}
			until(t, "the handler", func() bool { return there(p, "reached") })
			kill()
			serve(t, p)
			first := func() pipeline.Run { list := runs(t, p); return list[len(list)-1] }
			until(t, "the end", func() bool {
				text, err := os.ReadFile(filepath.Join(p.Root, "told"))
				return err == nil && strings.Contains(string(text), "h2") && first().State.Done()
			})
			if r := first(); r.State != c.state {
				t.Errorf("%+v", r)
			}
			if got := told(t, p); got != c.told {
				t.Errorf("told %q, want %q", got, c.told)
			}
		})
	}
}
