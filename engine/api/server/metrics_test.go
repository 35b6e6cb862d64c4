package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/api/server"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestPrimaryMetrics holds that the metrics say what the last look at each
// primary said, and nothing of pipelines that are gone.
func TestPrimaryMetrics(t *testing.T) {
	s := start(t, project(t, t.TempDir(), map[string]string{"pipelines/a.yaml": `version: 1
name: a
system: pm2
primary: {heartbeat: {}}
schedule: {cron: "0 0 1 1 *"}
steps: [{exec: ["true"]}]
`}), server.Limits{})
	for _, id := range []string{"pm2/a", "pm2/gone"} {
		err := s.engine.Records().Ledger.Probed(t.Context(), id, ledger.Probe{Known: true, Verdict: pipeline.Delivered, Since: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, body := ask(t, s.local(), "GET /metrics", "")
	if !strings.Contains(body, "\nredundctl_primary{system=\"pm2\",pipeline=\"a\",verdict=\"succeeded\"} 1\n") || strings.Contains(body, "gone") {
		t.Error(body)
	}
}
