package api

import (
	"cmp"
	"slices"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// Next is the next slot of an enabled pipeline after t.
func Next(p *pipeline.Pipeline, t time.Time) (time.Time, bool) {
	if !p.Enabled {
		return time.Time{}, false
	}
	return schedule.Next(schedules(p), t)
}

// schedules parses those of a pipeline; the loader has found them good.
func schedules(p *pipeline.Pipeline) []*schedule.Schedule {
	var out []*schedule.Schedule
	for _, s := range p.Schedule {
		if x, err := schedule.Parse(s); err == nil {
			out = append(out, x)
		}
	}
	return out
}

// Upcoming merges the next n slots of some pipelines.
func Upcoming(from []*pipeline.Pipeline, after time.Time, n int) []Due {
	type slot struct {
		at time.Time
		p  *pipeline.Pipeline
	}
	var all []slot
	for _, p := range from {
		if !p.Enabled {
			continue
		}
		list, t := schedules(p), after
		for range n {
			next, ok := schedule.Next(list, t)
			if !ok {
				break
			}
			all, t = append(all, slot{next, p}), next
		}
	}
	slices.SortStableFunc(all, func(x, y slot) int { return cmp.Or(x.at.Compare(y.at), cmp.Compare(x.p.ID(), y.p.ID())) })
	out := []Due{}
	for _, s := range all[:min(n, len(all))] {
		out = append(out, Due{Pipeline: s.p.Name, System: s.p.System, At: s.at.Format(time.RFC3339)})
	}
	return out
}
