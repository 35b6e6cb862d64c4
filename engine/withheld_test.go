package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestRetryOfWhatIsNotRecorded holds that a run is not run again with what stands
// in the place of a secret.
func TestRetryOfWhatIsNotRecorded(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{".env": "TOKEN=correct-horse\n", "pipelines/pm2/a.yaml": `
version: 1
name: a
system: pm2
secrets: [TOKEN]
params: {x: {default: none}}
steps: [{exec: ["true"]}]
`})
	e := serve(t, p)
	for _, r := range []engine.RunRequest{
		{Params: map[string]string{"x": "correct-horse"}}, {Env: map[string]string{"X": "a correct-horse"}},
	} {
		r.Pipeline = find(t, p, "a")
		rep, err := e.RunNow(t.Context(), r)
		if err != nil || rep.Run.State != pipeline.Succeeded {
			t.Fatalf("%+v, %v", rep.Run, err)
		}
		var wrong *engine.UsageError
		if again, err := e.Retry(t.Context(), rep.Run.ID, "a test"); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "redundctl run pm2/a") {
			t.Errorf("run again as %+v, %v", again, err)
		}
	}
}
