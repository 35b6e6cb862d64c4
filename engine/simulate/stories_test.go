package simulate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestStories tells what becomes of the slots of an hourly pipeline, whose primary
// is late by so many minutes: hour by hour, -1 for never, on time for the rest.
func TestStories(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name string
		late []int
		take int // minutes of each run
		make func(p *pipeline.Pipeline)
		want []string
	}{
		{"on time, late and never", []int{0, 10, -1}, 5, nil, []string{
			"0 primary-succeeded at 0:05, primary", "1 primary-succeeded at 1:15, primary", "2 primary-missing at 2:15, backup",
		}},
		{"under way at the end of the grace", []int{14}, 20, nil, []string{"0 primary-succeeded at 0:34, primary"}},
		{"just after the grace", []int{16}, 5, nil, []string{"0 primary-missing at 0:15, backup, doubled"}},
		{"just after the grace, fenced", []int{16}, 5, func(p *pipeline.Pipeline) { p.Primary.Fence = "cancel-late" }, []string{"0 primary-missing at 0:15, backup"}},
		{"right before the next slot, fenced", []int{58}, 5, func(p *pipeline.Pipeline) {
			p.Primary.Fence, p.Primary.Every = "cancel-late", minutes(7)
		}, []string{"0 primary-missing at 0:15, backup"}},
		{"fenced, and done between two looks", []int{15 + 1}, 1, func(p *pipeline.Pipeline) {
			p.Primary.Fence, p.Primary.Every = "cancel-late", minutes(7)
		}, []string{"0 primary-missing at 0:15, backup, doubled"}},
		{"more than a period late", []int{70, -1}, 5, nil, []string{"0 primary-missing at 0:15, backup", "1 primary-succeeded at 1:15, primary"}},
		{"stalled", []int{5}, 50, func(p *pipeline.Pipeline) { p.Primary.StallAfter = minutes(30) }, []string{"0 primary-stalled at 0:35, backup, doubled"}},
		{"stalled, fenced", []int{5}, 50, func(p *pipeline.Pipeline) {
			p.Primary.StallAfter, p.Primary.Fence = minutes(30), "cancel-late"
		}, []string{"0 primary-stalled at 0:35, backup"}},
		{"stalled after the next slot", []int{55, -1}, 50, func(p *pipeline.Pipeline) {
			p.Primary.StallAfter, p.Primary.Fence, p.Grace.For = minutes(30), "cancel-late", minutes(60)
		}, []string{"0 primary-stalled at 1:25, backup", "1 primary-missing at 2:00, backup"}},
		{"asked to run", []int{-1}, 5, func(p *pipeline.Pipeline) { p.Primary.Recover = "dispatch" }, []string{"0 dispatched at 0:20, primary"}},
		{"asked to run, and it takes too long", []int{-1}, 50, func(p *pipeline.Pipeline) {
			p.Primary.Recover, p.Primary.StallAfter = "dispatch", minutes(10)
		}, []string{"0 primary-stalled at 0:25, backup, doubled"}},
		{"a later success counts", []int{-1, 0}, 5, func(p *pipeline.Pipeline) { p.Covers, p.Grace.For = "since", minutes(90) }, []string{
			"0 superseded at 1:05, later", "1 primary-succeeded at 1:05, primary",
		}},
		{"a later success counts not", []int{-1, 0}, 5, func(p *pipeline.Pipeline) { p.Grace.For = minutes(90) }, []string{
			"0 primary-missing at 1:30, backup", "1 primary-succeeded at 1:05, primary",
		}},
		{"a later success is seen right before the first step", []int{-1, 0}, 29, func(p *pipeline.Pipeline) {
			p.Covers, p.Grace.For, p.Primary.Every = "since", minutes(90), minutes(50)
		}, []string{"0 superseded at 1:30, later", "1 primary-succeeded at 1:30, primary"}},
		{"our later success counts", []int{-1, 5, -1}, 200, func(p *pipeline.Pipeline) {
			p.Covers, p.Grace.For, p.Primary.StallAfter = "since", minutes(90), minutes(10)
		}, []string{"0 superseded at 1:15, later by the backup", "1 primary-stalled at 1:15, backup, doubled"}},
		{"looks seldom", []int{1}, 1, func(p *pipeline.Pipeline) { p.Primary.Every = minutes(9) }, []string{"0 primary-succeeded at 0:09, primary"}},
		{"without a grace", []int{5}, 5, func(p *pipeline.Pipeline) { p.Grace.For = 0 }, []string{"0 primary-missing at 0:00, backup, doubled"}},
		{"nothing is learned yet", []int{-1}, 5, func(p *pipeline.Pipeline) { p.Grace = pipeline.Grace{Auto: true} }, []string{"0 primary-missing at 0:30, backup"}},
		{"no jitter moves the grace", []int{-1}, 5, func(p *pipeline.Pipeline) { p.Schedule[0].Jitter = minutes(9) }, []string{"0 primary-missing at 0:15, backup"}},
	} {
		p := made("a", cron("0 * * * *"))
		if x.make != nil {
			x.make(p)
		}
		for _, always := range []bool{false, true} {
			var got []string
			_, err := Run(t.Context(), []*pipeline.Pipeline{p}, Options{
				From: from, Days: 1, Duration: time.Duration(x.take) * time.Minute, always: always,
				Plan: func(string) Plan {
					return func(slot time.Time) (time.Duration, bool) {
						if h := slot.Hour(); h < len(x.late) {
							return time.Duration(x.late[h]) * time.Minute, x.late[h] >= 0
						}
						return 0, true
					}
				},
				Settled: func(o Outcome) {
					if o.Slot.Hour() >= len(x.want) {
						return
					}
					line := fmt.Sprintf("%d %s at %s", o.Slot.Hour(), o.Reason, strings.TrimPrefix(o.Decided.Format("15:04"), "0"))
					switch {
					case o.Missed():
						line += ", missed"
					case o.Later && o.LaterBackup:
						line += ", later by the backup"
					case o.Later:
						line += ", later"
					case !o.Backup.IsZero():
						line += ", backup"
					default:
						line += ", primary"
					}
					if o.Doubled() {
						line += ", doubled"
					}
					got = append(got, line)
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if slices.Sort(got); !slices.Equal(got, x.want) {
				t.Errorf("%s (at each interval: %v):\n got %q\nwant %q", x.name, always, got, x.want)
			}
		}
	}
}
