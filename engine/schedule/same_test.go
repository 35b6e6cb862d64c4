package schedule_test

import (
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

func TestSame(t *testing.T) {
	cron := func(c string, zone ...string) pipeline.Schedule {
		s := pipeline.Schedule{Cron: c, Timezone: "UTC", DST: pipeline.DST{Gap: "shift", Fold: "first"}}
		if len(zone) > 0 {
			s.Timezone = zone[0]
		}
		return s
	}
	every := func(d time.Duration) pipeline.Schedule {
		return pipeline.Schedule{Every: pipeline.Duration(d), Timezone: "UTC"}
	}
	for _, c := range []struct {
		a, b pipeline.Schedule
		same bool
	}{
		{cron("@hourly"), cron("0 * * * *"), true},
		{cron("0  6 * *  SUN"), cron("0 0 6 * * 0"), true},
		{cron("0 6 * * 7"), cron("0 6 * * 0"), true},
		{cron("0,30 * * * *"), cron("*/30 * * * *"), true},
		{cron("0 0-23 * * *"), cron("0 * * * *"), true},
		{cron("0 6 * * *"), cron("1 6 * * *"), false},
		{cron("0 6 * * *"), cron("0 6 * * 1"), false},
		{cron("0 6 1 * *"), cron("0 6 * * *"), false},
		{cron("0 6 * * *", "Etc/UTC"), cron("0 6 * * *"), true},
		{cron("0 6 * * *", "Europe/Berlin"), cron("0 6 * * *"), false},
		{cron("0 6 * * *", "Europe/Berlin"), cron("0 6 * * *", "Europe/Berlin"), true},
		{every(15 * time.Minute), cron("*/15 * * * *"), true},
		{every(15 * time.Minute), cron("*/15 * * * *", "Europe/Berlin"), true},
		{every(6 * time.Hour), cron("0 */6 * * *"), true},
		{every(6 * time.Hour), cron("0 */6 * * *", "Europe/Berlin"), false},
		{every(24 * time.Hour), cron("0 0 * * *"), true},
		{every(time.Second), cron("* * * * * *"), true},
		{every(15 * time.Minute), cron("*/15 * * * 1-5"), false},
		{every(15 * time.Minute), cron("*/15 * * 1 *"), false},
		{every(15 * time.Minute), cron("5/15 * * * *"), false},
		{every(7 * time.Minute), cron("*/7 * * * *"), false},
		{every(time.Hour), every(time.Hour), true},
		{every(time.Hour), every(2 * time.Hour), false},
	} {
		a, err := schedule.Parse(c.a)
		if err != nil {
			t.Fatal(err)
		}
		b, err := schedule.Parse(c.b)
		if err != nil {
			t.Fatal(err)
		}
		if a.Same(b) != c.same || b.Same(a) != c.same {
			t.Errorf("%+v and %+v: Same is %t and %t, not %t", c.a, c.b, a.Same(b), b.Same(a), c.same)
		}
	}
}

func TestOften(t *testing.T) {
	t.Parallel()
	for cron, want := range map[string]bool{
		"*/5 * * * *": true, "0,59 3 * * *": true, "0 0 3 * * *": false, "0,30 0 3 * * *": true, "@hourly": false, "7 * * * *": false,
	} {
		s, err := schedule.Parse(pipeline.Schedule{Cron: cron})
		if err != nil || s.Often() != want {
			t.Errorf("%s: %v %v", cron, s.Often(), err)
		}
	}
	for every, want := range map[time.Duration]bool{time.Hour: false, time.Hour - time.Second: true} {
		s, err := schedule.Parse(pipeline.Schedule{Every: pipeline.Duration(every)})
		if err != nil || s.Often() != want {
			t.Errorf("%s: %v", every, err)
		}
	}
}
