package health

import (
	"errors"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// TestOf holds each rule of the verdict, at its bound and beyond it.
func TestOf(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)
	free := func(n uint64) *uint64 { return &n }
	one := func(p Pipeline) []System { return []System{{Name: "pm2", Pipelines: []Pipeline{p}}} }
	run := func(s pipeline.State) Pipeline { return Pipeline{ID: "pm2/a", Last: &pipeline.Run{ID: 1, State: s}} }
	jump := func(by, ago time.Duration) schedule.Jump {
		return schedule.Jump{From: now.Add(-ago - by), To: now.Add(-ago)}
	}
	for name, c := range map[string]struct {
		facts Facts
		check string // "": none
		want  string
	}{
		"nothing":             {Facts{Systems: one(run(pipeline.Succeeded))}, "runs", Healthy},
		"a run that failed":   {Facts{Systems: one(run(pipeline.Failed))}, "run", Unhealthy},
		"a run out of time":   {Facts{Systems: one(run(pipeline.TimedOut))}, "run", Unhealthy},
		"a cancelled run":     {Facts{Systems: one(run(pipeline.Cancelled))}, "runs", Healthy},
		"a run past its time": {Facts{Systems: one(Pipeline{Stuck: now.Add(-time.Hour)})}, "stuck", Unhealthy},
		"missed":              {Facts{Systems: []System{{Missed: 1}}}, "missed", Degraded},
		"a rejected file":     {Facts{Systems: []System{{Rejected: []diag.Problem{{File: "a.yaml"}}}}}, "file", Degraded},
		"the state":           {Facts{Failing: errors.New("no")}, "", Unhealthy},
		"the history":         {Facts{Unread: errors.New("no")}, "", Unhealthy},
		"little room":         {Facts{Free: free(LittleDisk - 1)}, "", Degraded},
		"room enough":         {Facts{Free: free(LittleDisk)}, "", Healthy},
		"a young queue":       {Facts{Waiting: 1, Oldest: now.Add(-OldQueue)}, "", Healthy},
		"an old queue":        {Facts{Waiting: 1, Oldest: now.Add(-OldQueue - 1)}, "", Degraded},
		"a small jump":        {Facts{Jump: jump(longJump, 0)}, "", Healthy},
		"a jump":              {Facts{Jump: jump(time.Minute, time.Minute)}, "", Degraded},
		"a jump back":         {Facts{Jump: jump(-time.Minute, time.Minute)}, "", Degraded},
		"a jump long ago":     {Facts{Jump: jump(time.Minute, recentJump)}, "", Healthy},
	} {
		c.facts.Now = now
		got := Of(&c.facts)
		if got.Status != c.want {
			t.Errorf("%s: %+v", name, got)
		}
		if c.check != "" && (len(got.Systems) != 1 || got.Systems[0].Status != c.want || got.Systems[0].Checks[0].Name != c.check) {
			t.Errorf("%s: %+v", name, got.Systems)
		}
	}
	both := Facts{Now: now, Waiting: 1, Systems: []System{{Name: "a"}, {Name: "b", Missed: 2}}}
	if got := Of(&both); got.Status != Degraded || len(got.Systems[0].Checks) != 1 || len(got.Systems[1].Checks) != 2 {
		t.Errorf("what concerns all and one: %+v", got)
	}
}

// TestFinal holds when a failure counts: not while another attempt comes.
func TestFinal(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name    string
		state   pipeline.State
		attempt int
		ago     time.Duration
		next    int
		want    bool
	}{
		{"it failed for good", pipeline.Failed, 2, 0, 0, true},
		{"it was out of time for good, and runs again", pipeline.TimedOut, 2, 0, 1, true},
		{"an attempt is left and waits", pipeline.Failed, 1, time.Hour, 2, false},
		{"an attempt is left and will come", pipeline.Failed, 1, lastWait, 0, false},
		{"an attempt is left and does not come", pipeline.Failed, 1, lastWait + 1, 0, true},
		{"an attempt is left and does not come, and another run goes on", pipeline.Failed, 1, time.Hour, 1, true},
		{"it was cancelled", pipeline.Cancelled, 2, 0, 0, false},
		{"it succeeded", pipeline.Succeeded, 1, 0, 0, false},
	} {
		r := pipeline.Run{State: c.state, Attempt: c.attempt, Finished: now.Add(-c.ago)}
		if got := Final(&r, pipeline.Retry{Attempts: 2}, c.next, now); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestDiffers holds that the reasons make no difference.
func TestDiffers(t *testing.T) {
	t.Parallel()
	of := func(status, check, reason string) *api.Health {
		return &api.Health{Status: Healthy, Systems: []api.SystemHealth{{Name: "a", Status: status, Checks: []api.Check{{Name: check, Status: status, Reason: reason}}}}}
	}
	a := of(Degraded, "disk", "only 5 KiB are free")
	for b, want := range map[*api.Health]bool{
		of(Degraded, "disk", "only 4 KiB are free"): false, of(Unhealthy, "disk", ""): true, of(Degraded, "queue", ""): true, {Status: Healthy}: true,
	} {
		if got := Differs(a, b); got != want {
			t.Errorf("%+v: %v", b, got)
		}
	}
}
