// Package status is what an engine says of itself, made of facts alone.
package status

import (
	"maps"
	"slices"
	"time"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// Facts are what a status is made of.
type Facts struct {
	Now     time.Time
	Engine  api.EngineInfo
	Force   *force.Force
	Systems []string             // those that are served, in their order
	Stopped map[string]time.Time // systems and pipelines that were stopped by hand
	Active  map[string]history.Active
	Last    map[string]pipeline.Run // the newest of each pipeline
	Failed  map[string]pipeline.Run // the newest of each that failed
	Health  api.Health
	Proved  map[string]time.Time // when each backup was proved last
	Restart []string             // keys of redund.yaml that wait for another start
	// Service says how a service does, by system/name.
	Service func(id string) *api.Service
}

// Of gives the status.
func Of(x *Facts) api.Status {
	f := x.Force
	out := api.Status{
		Engine:  x.Engine,
		Reload:  api.Reload{Generation: f.Generation, Loaded: len(f.Parts), At: api.When(f.At), Rejected: Rejected(f.Rejected), Restart: append([]string{}, x.Restart...), Last: f.Save},
		Systems: make([]api.SystemStatus, 0, len(x.Systems)), Parts: make([]api.Part, 0, len(f.Parts)),
	}
	at := map[string]int{}
	for i, name := range x.Systems {
		at[name] = i
		out.Systems = append(out.Systems, x.system(name))
	}
	for _, id := range slices.Sorted(maps.Keys(f.Parts)) {
		p := f.Parts[id]
		out.Parts = append(out.Parts, x.part(p))
		if i, ok := at[p.Pipeline.System]; ok {
			x.count(&out.Systems[i], id)
		}
	}
	return out
}

func (x *Facts) system(name string) api.SystemStatus {
	c := x.Force.Set.Project.Config
	out := api.SystemStatus{Name: name, State: "running", Health: x.Health.Status, Observe: c.Observe || c.Systems[name].Observe}
	for _, h := range x.Health.Systems {
		if h.Name == name {
			out.Health = h.Status
		}
	}
	_, stopped := x.Stopped[name]
	switch {
	case !c.Systems[name].Enabled:
		out.State = "disabled"
	case stopped:
		out.State = "stopped"
	}
	return out
}

// count adds a pipeline to its system.
func (x *Facts) count(s *api.SystemStatus, id string) {
	s.Pipelines++
	s.Running += len(x.Active[id].Running)
	s.Queued += x.Active[id].Queued
	if r, ok := x.Failed[id]; ok && (s.LastFailure == nil || r.ID > s.LastFailure.Run) {
		s.LastFailure = &api.Failure{Run: r.ID, At: api.When(r.Finished), Error: api.Present(r.Error)}
	}
}

func (x *Facts) part(p *force.Part) api.Part {
	out := api.Part{Name: p.Pipeline.Name, System: p.Pipeline.System, Mode: string(x.Force.Mode(p)), State: "running"}
	switch why := x.Force.Halted(p, x.Stopped); why {
	case "":
	case "observed":
		out.State = "observing"
	default:
		out.State = why
	}
	if out.State == "running" || out.State == "observing" {
		if next, ok := schedule.Next(p.Schedules, x.Now); ok {
			out.Next = api.When(next)
		}
	}
	if p.Pipeline.Service != nil && x.Service != nil {
		out.Service = x.Service(p.Pipeline.ID())
	}
	out.Proved = api.When(x.Proved[p.Pipeline.ID()])
	if last, ok := x.Last[p.Pipeline.ID()]; ok {
		r := api.Of(last)
		out.LastRun = &r
	}
	return out
}

// Rejected gives the shape of mistakes.
func Rejected(list []diag.Problem) []api.Rejected {
	out := make([]api.Rejected, 0, len(list))
	for _, x := range list {
		out = append(out, api.Rejected{File: x.File, Line: x.Line, Column: x.Column, Message: x.Message})
	}
	return out
}

// Plan gives the shape of a difference, and of the mistakes that it leaves out.
func Plan(d force.Difference, rejected []diag.Problem) api.Plan {
	out := api.Plan{Added: append([]string{}, d.Added...), Removed: append([]string{}, d.Removed...), Changed: []api.Changed{}, Rejected: Rejected(rejected)}
	for _, id := range slices.Sorted(maps.Keys(d.Changed)) {
		out.Changed = append(out.Changed, api.Changed{Name: id, Keys: append([]string{}, d.Changed[id]...)})
	}
	return out
}

// List gives the pipelines in force, by their names.
func List(f *force.Force, now time.Time) []api.Listed {
	out := make([]api.Listed, 0, len(f.Parts))
	for _, id := range slices.Sorted(maps.Keys(f.Parts)) {
		p := f.Parts[id]
		next := time.Time{}
		if p.Pipeline.Enabled {
			next, _ = schedule.Next(p.Schedules, now)
		}
		out = append(out, api.List(p.Pipeline, next))
	}
	return out
}
