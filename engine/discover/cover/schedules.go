package cover

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// agree reports whether a pipeline is due when its primary is. A primary without
// a schedule, as a process, agrees with any; schedules of it that never come do
// not count.
func agree(p *pipeline.Pipeline, found []kind.Due) bool {
	if len(found) == 0 {
		return true
	}
	if p.Service != nil {
		return false
	}
	_, only, extra := match(p.Schedule, found)
	return len(only) == 0 && !slices.ContainsFunc(extra, func(i int) bool { return comes(found[i]) })
}

// comes reports whether a schedule of a primary has any slot. One that cannot be
// kept has no place in a pipeline, and nothing has changed for want of it.
func comes(d kind.Due) bool {
	s, err := schedule.Parse(of(d))
	if err != nil {
		return false
	}
	_, ok := s.Next(time.Now())
	return ok
}

// match pairs the schedules of a pipeline with those of a primary: pairs has for
// each of the pipeline's the index of the other, or -1; only are those of the
// pipeline that have none, and extra those of the primary. Neither order nor
// spelling count, nor how often one stands there.
func match(own pipeline.Schedules, found []kind.Due) (pairs, only, extra []int) {
	taken := make([]bool, len(found))
	for i, s := range own {
		at := -1
		for j, d := range found {
			if !taken[j] && same(s, d) {
				at = j
				break
			}
		}
		if pairs = append(pairs, at); at >= 0 {
			taken[at] = true
		} else if !slices.ContainsFunc(found, func(d kind.Due) bool { return same(s, d) }) {
			only = append(only, i)
		}
	}
	for j, t := range taken {
		if !t && !slices.ContainsFunc(own, func(s pipeline.Schedule) bool { return same(s, found[j]) }) {
			extra = append(extra, j)
		}
	}
	return pairs, only, extra
}

// same reports whether a schedule and that of a primary have the same slots. One
// that cannot be read is compared as text.
func same(s pipeline.Schedule, d kind.Due) bool {
	d.Timezone = zone(s, d)
	spaced := func(c string) string { return strings.Join(strings.Fields(c), " ") }
	if s.Every == 0 && spaced(s.Cron) == spaced(d.Cron) && cmp.Or(s.Timezone, "UTC") == d.Timezone {
		return true
	}
	a, err := schedule.Parse(s)
	if err != nil {
		return false
	}
	b, err := schedule.Parse(of(d))
	return err == nil && a.Same(b)
}

// zone is the time zone of a primary's schedule beside that of a pipeline: one
// that stands in no source is as good as any.
func zone(s pipeline.Schedule, d kind.Due) string {
	if d.Local {
		return cmp.Or(s.Timezone, "UTC")
	}
	return cmp.Or(d.Timezone, "UTC")
}

// of is the schedule of a primary as pipelines have them.
func of(d kind.Due) pipeline.Schedule {
	return pipeline.Schedule{Cron: d.Cron, Timezone: cmp.Or(d.Timezone, "UTC"), DST: pipeline.DST{Gap: "shift", Fold: "first"}}
}

// dues are the schedules of a primary as people read them.
func dues(list []kind.Due) string {
	var out []string
	for _, d := range list {
		out = append(out, due(d.Cron, d.Timezone))
	}
	return several(out)
}

// planned are those of a pipeline.
func planned(p *pipeline.Pipeline) string {
	if p.Service != nil {
		return "that of a service, which always runs"
	}
	var out []string
	for _, s := range p.Schedule {
		if s.Cron == "" {
			out = append(out, "every "+s.Every.String())
		} else {
			out = append(out, due(s.Cron, s.Timezone))
		}
	}
	return several(out)
}

func several(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func due(cron, zone string) string {
	if zone == "" || zone == "UTC" {
		return cron
	}
	return cron + " " + zone
}

// reschedule is the edit that makes the schedules of a pipeline those of its
// primary.
func reschedule(p *pipeline.Pipeline, name string, found []kind.Due) string {
	_, only, extra := match(p.Schedule, found)
	if p.Service == nil && len(only) == len(extra) {
		var commands []string
		for n, i := range only {
			s, d := p.Schedule[i], found[extra[n]]
			if s.Cron == "" || cmp.Or(s.Timezone, "UTC") != zone(s, d) {
				return written(p, found)
			}
			c := fmt.Sprintf("redundctl reschedule %s %q", name, d.Cron)
			if len(p.Schedule) > 1 {
				c += fmt.Sprintf(" --index %d", i)
			}
			commands = append(commands, c)
		}
		return strings.Join(commands, " && ")
	}
	return written(p, found)
}

// written is the key as it should stand in the file.
func written(p *pipeline.Pipeline, found []kind.Due) string {
	var list []string
	for _, d := range found {
		s := fmt.Sprintf("{cron: %q", d.Cron)
		if d.Timezone != "" {
			s += ", timezone: " + d.Timezone
		}
		list = append(list, s+"}")
	}
	value := list[0]
	if len(list) > 1 {
		value = "[" + strings.Join(list, ", ") + "]"
	}
	if p.Service != nil {
		return "it is a service there and has a schedule now: in place of service, give it steps and schedule: " + value + " in " + p.File
	}
	return "write schedule: " + value + " in " + p.File
}

// unreadable says which schedule of a primary is none here; "": all are.
func unreadable(found []kind.Due) string {
	i := slices.IndexFunc(found, func(d kind.Due) bool { _, err := schedule.Parse(of(d)); return err != nil })
	if i < 0 {
		return ""
	}
	_, err := schedule.Parse(of(found[i]))
	return fmt.Sprintf("%q: %s", found[i].Cron, err)
}
