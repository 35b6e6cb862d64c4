package decide_test

import (
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/decide"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// TestTrigger holds that a slot of a pipeline in standby is one of failover, also
// where nobody asks its primary.
func TestTrigger(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		p       pipeline.Pipeline
		trigger string
	}{
		{pipeline.Pipeline{Enabled: false, Mode: pipeline.Standby, Primary: &pipeline.Primary{}}, "failover"},
		{pipeline.Pipeline{Enabled: false, Mode: pipeline.Replacement, Primary: &pipeline.Primary{}}, "schedule"},
		{pipeline.Pipeline{Enabled: false, Mode: pipeline.Alongside}, "schedule"},
	} {
		c.p.System, c.p.Name = "pm2", "a"
		x := &decide.Facts{
			Force:  &force.Force{Set: &loaded.Set{Project: &config.Project{}}, Parts: map[string]*force.Part{"pm2/a": {Pipeline: &c.p}}},
			Active: map[string]history.Active{},
		}
		got := x.Slots(schedule.Due{ID: "pm2/a", Slots: []time.Time{time.Unix(0, 0)}})
		if len(got.List) != 1 || got.List[0].Trigger != c.trigger || got.List[0].Run || got.List[0].Reason != "disabled" {
			t.Errorf("%s: %+v, want it disabled, by %s", c.p.Mode, got.List, c.trigger)
		}
	}
}

// TestMissed holds that a slot whose primary is asked keeps whether it is caught up.
func TestMissed(t *testing.T) {
	t.Parallel()
	p := &pipeline.Pipeline{System: "pm2", Name: "a", Enabled: true, Mode: pipeline.Standby, Primary: &pipeline.Primary{}, Missed: "run-all"}
	for _, late := range []bool{true, false} {
		x := &decide.Facts{
			Force:  &force.Force{Set: &loaded.Set{Project: &config.Project{}}, Parts: map[string]*force.Part{"pm2/a": {Pipeline: p}}},
			Active: map[string]history.Active{},
		}
		got := x.Slots(schedule.Due{ID: "pm2/a", Slots: []time.Time{time.Unix(0, 0), time.Unix(60, 0)}, Late: late})
		if len(got.Open) != 2 || got.Open[0].Missed != late || got.Open[1].Missed != late {
			t.Errorf("late %t: %+v", late, got)
		}
	}
}
