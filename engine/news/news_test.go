package news

import (
	"testing"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/pipeline"
)

func TestLastingAndOver(t *testing.T) {
	t.Parallel()
	run := func(s pipeline.State) pipeline.Run {
		return pipeline.Run{ID: 7, System: "pm2", Pipeline: "a", State: s, Error: "no"}
	}
	const told = "failure pm2/a"
	for _, c := range []struct {
		name    string
		last    pipeline.Run
		off     bool
		lasts   bool
		over    bool
		silence bool
	}{
		{"it failed", run(pipeline.Failed), false, true, false, false},
		{"it was out of time", run(pipeline.TimedOut), false, true, false, false},
		{"nothing of it counts", pipeline.Run{}, false, false, false, false},
		{"it was cancelled", run(pipeline.Cancelled), false, false, false, false},
		{"it succeeded", run(pipeline.Succeeded), false, false, true, false},
		{"it is disabled", run(pipeline.Failed), true, false, true, true},
	} {
		p := &pipeline.Pipeline{System: "pm2", Name: "a", Enabled: !c.off}
		f := &Facts{
			Force: &force.Force{Set: &loaded.Set{Project: &config.Project{}}, Parts: map[string]*force.Part{"pm2/a": {Pipeline: p}}},
			Last:  map[string]pipeline.Run{"pm2/a": c.last},
		}
		list := Lasting(f)
		if (len(list) == 1) != c.lasts || c.lasts && list[0].Key != told {
			t.Errorf("%s: %+v", c.name, list)
		}
		if over, text := Over(f, told); over != c.over || over && (text == "") != c.silence {
			t.Errorf("%s: over %v, %q", c.name, over, text)
		}
	}
	f := &Facts{
		Force: &force.Force{},
		Health: api.Health{Systems: []api.SystemHealth{
			{Name: "pm2", Status: "unhealthy", Checks: []api.Check{{Status: "degraded", Reason: "queue"}, {Status: "unhealthy", Reason: "disk"}}}, {Name: "x", Status: "degraded"},
		}},
		Rejected: []diag.Problem{{File: "b.yaml", Line: 1, Column: 2, Message: "bad"}, {File: "b.yaml", Line: 3}, {File: "a.yaml"}},
	}
	list := Lasting(f)
	if len(list) != 3 || list[0].Key != "reload-rejected a.yaml" || list[1].Detail != "b.yaml:1:2: bad" || list[2].Text != "system pm2 is unhealthy: disk" {
		t.Errorf("%+v", list)
	}
	for key, want := range map[string]bool{
		"unhealthy pm2": false, "unhealthy x": true, "unhealthy gone": true, "reload-rejected b.yaml": false, "reload-rejected c.yaml": true,
		"failure pm2/gone": true, "failover pm2/gone": true, "late-primary pm2/a 2026": true, "other pm2/a": false,
	} {
		if over, _ := Over(f, key); over != want {
			t.Errorf("%s: over %v", key, over)
		}
	}
}
