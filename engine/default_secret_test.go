package engine_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/kind/github/githubtest"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestSecretThatStandsIn holds that a key of a step which has a secret as its
// default is given it, if the pipeline declares it, and is not else.
func TestSecretThatStandsIn(t *testing.T) {
	t.Parallel()
	const token = "ghp_correcthorsebatterystaple"
	hub := githubtest.New(t)
	hub.Token(token, true)
	hub.AddWorkflow("deploy.yml", "active")
	step := "steps:\n  - uses: github/dispatch\n    with: {repository: acme/site, workflow: deploy.yml, ref: main, api-url: " + hub.URL + "}\n"
	p := project(t, map[string]string{
		"pipelines/pm2/declared.yaml":   "version: 1\nname: declared\nsystem: pm2\nsecrets: [GITHUB_TOKEN]\n" + step,
		"pipelines/pm2/undeclared.yaml": "version: 1\nname: undeclared\nsystem: pm2\n" + step,
		"pipelines/pm2/written.yaml":    "version: 1\nname: written\nsystem: pm2\nsecrets: [GITHUB_TOKEN]\n" + strings.Replace(step, "ref:", "token: another, ref:", 1),
	})
	env := environ(t, "GITHUB_TOKEN="+token)
	e, shown := open(t, p, env)
	if r := run(t, e, p, "declared"); r.Run.State != pipeline.Succeeded {
		t.Errorf("%s: %s", r.Run.State, r.Run.Error)
	}
	if r := run(t, e, p, "undeclared"); r.Run.State != pipeline.Failed || !strings.Contains(r.Run.Error, "there is no token") {
		t.Errorf("%s: %s", r.Run.State, r.Run.Error)
	}
	if r := run(t, e, p, "written"); r.Run.State != pipeline.Failed || !strings.Contains(r.Run.Error, "the token is not accepted") {
		t.Errorf("%s: %s", r.Run.State, r.Run.Error)
	}
	var sent []string
	for _, q := range hub.Requests() {
		sent = append(sent, q.Token)
	}
	if got := strings.Join(sent, " "); got != token+"  another" {
		t.Errorf("sent %q", got)
	}
	plan, err := engine.Plan(t.Context(), engine.Options{Project: p, Kinds: builtin.Kinds(), Environ: env}, engine.RunRequest{Pipeline: find(t, p, "declared")})
	if err != nil || !strings.Contains(strings.Join(plan.Steps[0].Effects, "\n"), "Authorization: Bearer ***") {
		t.Errorf("%+v, %v", plan, err)
	}
	if strings.Contains(shown.String(), token) {
		t.Error("the token was shown")
	}
	err = filepath.WalkDir(p.State, func(path string, d fs.DirEntry, err error) error {
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
