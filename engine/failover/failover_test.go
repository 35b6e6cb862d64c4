package failover_test

import (
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/failover"
	"github.com/redundctl/redundctl/engine/pipeline"
)

var slot = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return slot.Add(d) }

// TestDecide is the table of what is done about a slot.
func TestDecide(t *testing.T) {
	t.Parallel()
	policy := failover.Policy{Grace: 30 * time.Minute, StallAfter: time.Hour, OnUnknown: "run"}
	skip, dispatch := policy, policy
	skip.OnUnknown, dispatch.Dispatch = "skip", true
	known := failover.Slot{At: slot, Known: true}
	never := failover.Slot{At: slot}
	leased := failover.Slot{At: slot, Known: true, Lease: after(2 * time.Hour)}
	asked := failover.Slot{At: slot, Known: true, Dispatched: "77", Asked: after(30 * time.Minute)}
	refused := asked
	refused.Dispatched, refused.Refused = "", true
	seen := known
	seen.Seen = after(10 * time.Minute)
	is := func(v pipeline.Verdict) pipeline.Reading { return pipeline.Reading{Verdict: v} }
	running := func(began time.Duration) pipeline.Reading {
		return pipeline.Reading{Verdict: pipeline.UnderWay, Began: after(began)}
	}
	run := func(v pipeline.Verdict, id string) pipeline.Reading { return pipeline.Reading{Verdict: v, Run: id} }
	deny := pipeline.Reading{Verdict: pipeline.Unknown, Refused: true}
	do := func(a failover.Act, reason string) failover.Decision {
		return failover.Decision{Act: a, Reason: reason}
	}
	wait := func(by time.Duration) failover.Decision {
		return failover.Decision{Act: failover.Wait, By: after(by)}
	}
	for _, x := range []struct {
		name    string
		policy  failover.Policy
		slot    failover.Slot
		reading pipeline.Reading
		now     time.Duration
		want    failover.Decision
	}{
		{"delivered", policy, known, is(pipeline.Delivered), time.Minute, do(failover.Skip, "primary-succeeded")},
		{"delivered late, but before we ran", policy, known, is(pipeline.Delivered), 9 * time.Hour, do(failover.Skip, "primary-succeeded")},
		{"failed", policy, known, is(pipeline.NotDelivered), time.Minute, do(failover.Run, "primary-failed")},
		{"failed, and it could be asked again", dispatch, known, is(pipeline.NotDelivered), time.Minute, do(failover.Run, "primary-failed")},
		{"goes on", policy, known, running(5 * time.Minute), 50 * time.Minute, wait(65 * time.Minute)},
		{"goes on for too long", policy, known, running(5 * time.Minute), 65 * time.Minute, do(failover.Run, "primary-stalled")},
		{"goes on since it was first seen", policy, seen, is(pipeline.UnderWay), 20 * time.Minute, wait(70 * time.Minute)},
		{"goes on, first seen now", policy, known, is(pipeline.UnderWay), 20 * time.Minute, wait(80 * time.Minute)},
		{"nothing yet", policy, known, is(pipeline.Nothing), 29 * time.Minute, wait(30 * time.Minute)},
		{"nothing", policy, known, is(pipeline.Nothing), 30 * time.Minute, do(failover.Run, "primary-missing")},
		{"nothing, and unknown counts as skip", skip, known, is(pipeline.Nothing), 30 * time.Minute, do(failover.Run, "primary-missing")},
		{"unknown yet", policy, known, is(pipeline.Unknown), time.Minute, wait(30 * time.Minute)},
		{"unknown", policy, known, is(pipeline.Unknown), 30 * time.Minute, do(failover.Run, "primary-unknown")},
		{"unknown, skip", skip, known, is(pipeline.Unknown), 30 * time.Minute, do(failover.Skip, "primary-unknown")},
		{"no answer, never one", policy, never, is(pipeline.Unknown), 30 * time.Minute, do(failover.Run, "primary-unknown")},
		{"refused, never anything else", policy, never, deny, 30 * time.Minute, do(failover.Skip, "primary-unknown")},
		{"refused, not yet decided", policy, never, deny, time.Minute, wait(30 * time.Minute)},
		{"refused, once it was known", policy, known, deny, 30 * time.Minute, do(failover.Run, "primary-unknown")},
		{"leased", policy, leased, is(pipeline.Nothing), time.Hour, wait(2 * time.Hour)},
		{"leased, unknown", policy, leased, is(pipeline.Unknown), time.Hour, wait(2 * time.Hour)},
		{"leased and delivered", policy, leased, is(pipeline.Delivered), time.Hour, do(failover.Skip, "claimed-by-primary")},
		{"leased and failed", policy, leased, is(pipeline.NotDelivered), time.Hour, do(failover.Run, "primary-failed")},
		{"past the lease", policy, leased, is(pipeline.Nothing), 2 * time.Hour, do(failover.Run, "primary-stalled")},
		{"past stall-after within a lease", policy, leased, running(5 * time.Minute), 90 * time.Minute, wait(2 * time.Hour)},
		{"past the lease, though it began later", policy, leased, running(90 * time.Minute), 2 * time.Hour, do(failover.Run, "primary-stalled")},
		{"asks the primary", dispatch, known, is(pipeline.Nothing), 30 * time.Minute, do(failover.Dispatch, "")},
		{"asked, not yet to be seen", dispatch, asked, is(pipeline.Nothing), 40 * time.Minute, wait(90 * time.Minute)},
		{"asked, and nobody knows", dispatch, asked, is(pipeline.Unknown), 40 * time.Minute, wait(90 * time.Minute)},
		{"asked, and it goes on", dispatch, asked, running(31 * time.Minute), 40 * time.Minute, wait(91 * time.Minute)},
		{"asked, never seen", dispatch, asked, is(pipeline.Nothing), 90 * time.Minute, do(failover.Run, "primary-stalled")},
		{"asked and delivered", dispatch, asked, run(pipeline.Delivered, "77"), 40 * time.Minute, do(failover.Skip, "dispatched")},
		{"asked, and another one delivered", dispatch, asked, run(pipeline.Delivered, "78"), 40 * time.Minute, do(failover.Skip, "primary-succeeded")},
		{"asked and failed", dispatch, asked, run(pipeline.NotDelivered, "77"), 40 * time.Minute, do(failover.Run, "primary-failed")},
		{"asked, and it was refused", dispatch, refused, is(pipeline.Nothing), 31 * time.Minute, do(failover.Run, "primary-missing")},
		{"a verdict of tomorrow", policy, known, is("whatever"), 30 * time.Minute, do(failover.Run, "primary-unknown")},
	} {
		if got := failover.Decide(x.policy, x.slot, x.reading, after(x.now)); got != x.want {
			t.Errorf("%s: %+v, want %+v", x.name, got, x.want)
		}
	}
}

func TestAuto(t *testing.T) {
	t.Parallel()
	many := func(n int, d, last time.Duration) []time.Duration {
		out := make([]time.Duration, n)
		for i := range out {
			out[i] = d
		}
		out[0] = last
		return out
	}
	for _, x := range []struct {
		late          []time.Duration
		period, grace time.Duration
	}{
		{nil, time.Hour, 30 * time.Minute},
		{nil, 24 * time.Hour, 6 * time.Hour},
		{nil, 10 * time.Minute, 10 * time.Minute},
		{nil, 0, 30 * time.Minute},
		{many(19, time.Hour, time.Hour), 24 * time.Hour, 6 * time.Hour},
		{many(20, time.Hour, 2*time.Hour), 24 * time.Hour, 2 * time.Hour},
		{many(200, time.Hour, 2*time.Hour), 24 * time.Hour, time.Hour},
		{many(50, 20*time.Hour, 20*time.Hour), 12 * time.Hour, 12 * time.Hour},
		{many(50, time.Second, time.Second), 12 * time.Hour, time.Minute},
	} {
		if got := failover.Auto(x.late, x.period, time.Minute); got != x.grace {
			t.Errorf("%d runs, %s: %s, want %s", len(x.late), x.period, got, x.grace)
		}
	}
	if got := failover.Stall(many(20, 10*time.Minute, 10*time.Minute), time.Hour); got != 20*time.Minute {
		t.Error(got)
	}
	if got := failover.Stall(nil, time.Hour); got != time.Hour {
		t.Error(got)
	}
}
