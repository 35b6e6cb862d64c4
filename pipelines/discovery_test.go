package pipelines

import (
	"strings"
	"testing"
)

// TestAutoDiscovery: what no pipeline backs up fails and gets a draft, and what
// has changed since fails too.
func TestAutoDiscovery(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{
		".github/workflows/nightly.yml": "on:\n  schedule: [{cron: '0 3 * * *'}]\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{run: echo}]\n",
	}, "netlify-functions/auto-discovery")
	e := r.run("auto-discovery")
	e.found("1 primaries are uncovered or drifted, more than 0: github-actions nightly.yml (.github/workflows/nightly.yml) is uncovered")
	draft := e.report("draft-1-nightly-yml.txt", nil)
	r.run("auto-discovery", "max-uncovered=1").clean()
	if !strings.Contains(draft, "workflow: nightly.yml") || !strings.Contains(e.report("auto-discovery.md", nil), "redundctl import actions .github/workflows/nightly.yml") {
		t.Errorf("%s", draft)
	}
	r.command(program, "import", "actions", ".github/workflows/nightly.yml")
	r.run("auto-discovery").clean()
	r.write(".github/workflows/nightly.yml", strings.Replace(r.read(".github/workflows/nightly.yml"), "0 3", "0 4", 1))
	r.run("auto-discovery").found("1 primaries are uncovered or drifted, more than 0: github-actions/nightly has drifted")
}
