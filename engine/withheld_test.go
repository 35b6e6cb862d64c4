package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
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

// TestASecretDoesNotWait holds that nothing with a secret is kept until its turn
// comes, whoever declares that secret, and that what only looks like one is.
func TestASecretDoesNotWait(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{
		".env":        "TOKEN=correct-horse\nOTHER=battery-staple\nHOOK=generic://example.com/hush-hush\nSHORT=abc\nKEY=\"first-line\n-\nthird-line\"\n",
		"redund.yaml": "version: 1\nnotify: {services: [\"${{ secrets.HOOK }}\"], on: []}\n",
		"pipelines/pm2/a.yaml": `
version: 1
name: a
system: pm2
secrets: [TOKEN, SHORT, KEY]
params: {x: {default: none}}
steps: [{exec: ["true"]}]
`,
		"pipelines/pm2/b.yaml": "version: 1\nname: b\nsystem: pm2\nsecrets: [OTHER]\nsteps: [{exec: [\"true\"]}]\n",
	})
	e := serve(t, p)
	for value, name := range map[string]string{
		"correct-horse": "TOKEN", "Bearer correct-horse": "TOKEN", "Y29ycmVjdC1ob3JzZQ==": "TOKEN", "battery-staple": "OTHER",
		"generic://example.com/hush-hush": "HOOK", "abc": "SHORT", "first-line\n-\nthird-line": "KEY", "third-line": "KEY",
		"abcd": "", "none": "", "correct": "", "a-b": "",
	} {
		for _, r := range []engine.RunRequest{{Params: map[string]string{"x": value}}, {Env: map[string]string{"X": value}}} {
			var wrong *engine.UsageError
			run, err := e.Trigger(t.Context(), "a", "a test", r)
			switch {
			case name == "" && err != nil:
				t.Errorf("%q: %v", value, err)
			case name != "" && (!errors.As(err, &wrong) || !strings.Contains(err.Error(), "holds the secret "+name+",") || strings.Contains(err.Error(), value)):
				t.Errorf("%q waits as run %d, %v", value, run.ID, err)
			}
		}
	}
	searchFor(t, p.State, "correct-horse")
	searchFor(t, p.State, "battery-staple")
}

// TestErrorOfWhatWaitedIsMasked holds that the error of a parameter that is
// wrong by the time of its run shows no secret.
func TestErrorOfWhatWaitedIsMasked(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{".env": "TOKEN=correct-horse\n", "pipelines/pm2/a.yaml": `
version: 1
name: a
system: pm2
secrets: [TOKEN]
params: {n: {type: integer, default: 1}}
steps: [{exec: ["true"]}]
`})
	serve(t, p)
	// As an engine kept it to which this was no secret.
	db, err := store.Open(t.Context(), store.Options{Dir: p.State})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := history.New(db).Enqueue(t.Context(), history.Order{
		System: "pm2", Pipeline: "a", Trigger: "api", Reason: "manual", Params: map[string]string{"n": "correct-horse"},
	}); err != nil {
		t.Fatal(err)
	}
	until(t, "the end", func() bool { return runs(t, p)[0].State == pipeline.Failed })
	if line := runs(t, p)[0].Error; strings.Contains(line, "horse") || !strings.Contains(line, "***") {
		t.Error(line)
	}
}
