package engine_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/kind/github/githubtest"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestBacksUpGitHub holds that slots which a workflow of GitHub delivers are
// skipped, and that those are run which it fails or leaves out.
func TestBacksUpGitHub(t *testing.T) {
	t.Parallel()
	const token = "ghp_correcthorsebatterystaple"
	hub := githubtest.New(t)
	hub.Token(token, false)
	begin := time.Now().Truncate(time.Second)
	for i := range 120 {
		at := begin.Add(time.Duration(i) * time.Second)
		switch run := (githubtest.Run{Workflow: "nightly.yml", Created: at}); at.Unix() % 3 {
		case 0:
			run.Conclusion = "success"
			hub.AddRun(run)
		case 1:
			run.Conclusion = "failure"
			hub.AddRun(run)
		}
	}
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": fmt.Sprintf(`
version: 1
name: a
system: pm2
primary:
  github-workflow: {repository: acme/site, workflow: nightly.yml, api-url: %q}
  every: 100ms
grace: 300ms
overlap: allow
secrets: [GITHUB_TOKEN]
schedule: {every: 1s}
steps: [{exec: ["true"]}]
`, hub.URL), ".env": "GITHUB_TOKEN=" + token + "\n"})
	_, end := serveOnly(t, p, builtin.Kinds())
	all := map[int64]pipeline.Run{}
	until(t, "a slot of each kind", func() bool {
		for at, r := range decided(t, p) {
			all[at%3] = r
		}
		return len(all) == 3
	})
	if err := end(); err != nil {
		t.Error(err)
	}
	for at, want := range map[int64]struct {
		state  pipeline.State
		reason string
	}{0: {pipeline.Skipped, "primary-succeeded"}, 1: {pipeline.Succeeded, "primary-failed"}, 2: {pipeline.Succeeded, "primary-missing"}} {
		if r := all[at]; r.State != want.state || r.Reason != want.reason {
			t.Errorf("slots of kind %d: %s %s: %s", at, r.State, r.Reason, r.Error)
		}
	}
	if hub.Count(http.StatusNotModified, "/actions/runs") == 0 || hub.Count(0, "POST") > 0 {
		t.Errorf("the requests are %v", hub.Requests())
	}
	err := filepath.WalkDir(p.State, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), token) {
			t.Errorf("the token is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
