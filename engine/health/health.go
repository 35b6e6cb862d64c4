// Package health is the verdict over an engine and its systems. It knows facts
// and asks nobody.
package health

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// The verdicts, from the best to the worst.
const (
	Healthy   = "healthy"
	Degraded  = "degraded"
	Unhealthy = "unhealthy"
)

// OldQueue is how long a run that is due may wait.
const OldQueue = 5 * time.Minute

// LittleDisk is how many bytes must be free where the state directory lies.
const LittleDisk = 16 << 20

// What makes an engine degraded besides, as the reference says.
const (
	longJump   = 30 * time.Second
	recentJump = time.Hour
)

// Facts are what a verdict is made of.
type Facts struct {
	Now     time.Time
	Failing error   // why the state directory cannot be written; nil: it can
	Unread  error   // why the history cannot be read
	Logs    error   // why lines of the log files are lost; nil: none are
	Free    *uint64 // bytes where the state directory lies; nil: nobody knows
	Waiting int     // runs that are due and wait
	Oldest  time.Time
	Jump    schedule.Jump // the last one
	Systems []System
}

// System is what is known of one system.
type System struct {
	Name      string
	Missed    int // slots of the last day that passed unserved
	Rejected  []diag.Problem
	Pipelines []Pipeline // the enabled ones
}

// Pipeline is what is known of one pipeline.
type Pipeline struct {
	ID    string
	Last  *pipeline.Run // the last that ended, but for one that another attempt follows; nil: there is none
	Blind string        // why nothing was ever known of its primary, for which slots are given up; "": it was, or none was
	Stuck time.Time     // when a run of it began that goes on past its time; zero: none does
	// Errored says why its service was given up, and Unset why no look at its
	// primary was ever conclusive; "": that is not so.
	Errored, Unset string
}

// lastWait is how long the next attempt of a run may be in coming, where its
// pipeline does not say.
const lastWait = time.Minute

// Final reports whether a run failed and no other attempt of it comes. Next is
// the highest attempt of the runs of its pipeline that have not ended.
func Final(r *pipeline.Run, retry pipeline.Retry, next int, now time.Time) bool {
	switch {
	case !r.State.Bad():
		return false
	case r.Attempt >= max(retry.Attempts, 1):
		return true
	}
	return next != r.Attempt+1 && now.Sub(r.Finished) > max(retry.MaxDelay.Std(), lastWait)
}

// checks collects the verdicts over one system.
type checks []api.Check

func (c *checks) say(name, status, reason string) {
	*c = append(*c, api.Check{Name: name, Status: status, Reason: reason})
}

// Of gives the verdict. The worst part is the whole's.
func Of(f *Facts) api.Health {
	all := general(f)
	out := api.Health{Status: worst(all), Systems: []api.SystemHealth{}}
	for i := range f.Systems {
		s := &f.Systems[i]
		list := slices.Clone(all)
		for j := range s.Pipelines {
			list.run(&s.Pipelines[j])
		}
		if s.Missed > 0 {
			list.say("missed", Degraded, diag.Count(s.Missed, "slot")+" within a day passed unserved and were not caught up")
		}
		for _, x := range s.Rejected {
			list.say("file", Degraded, fmt.Sprintf("%s:%d: %s", x.File, x.Line, x.Message))
		}
		if len(list) == 0 {
			list.say("runs", Healthy, "nothing is wrong")
		}
		x := api.SystemHealth{Name: s.Name, Status: worst(list), Checks: list}
		out.Status = Worse(out.Status, x.Status)
		out.Systems = append(out.Systems, x)
	}
	return out
}

// general is what concerns every system.
func general(f *Facts) checks {
	var out checks
	if f.Failing != nil {
		out.say("state", Unhealthy, "the state directory cannot be written: "+f.Failing.Error())
	}
	if f.Unread != nil {
		out.say("history", Unhealthy, "the history cannot be read: "+f.Unread.Error())
	}
	if f.Logs != nil {
		out.say("logs", Degraded, "what runs print cannot be kept: "+strings.ReplaceAll(f.Logs.Error(), "\n", "; "))
	}
	if f.Free != nil && *f.Free < LittleDisk {
		out.say("disk", Degraded, fmt.Sprintf("only %d KiB are free where the state directory lies: free some space there", *f.Free>>10))
	}
	if wait := f.Now.Sub(f.Oldest); f.Waiting > 0 && wait > OldQueue {
		out.say("queue", Degraded, fmt.Sprintf("%s waits, the oldest for %s", diag.Count(f.Waiting, "run"), wait.Round(time.Second)))
	}
	if by := f.Jump.To.Sub(f.Jump.From).Abs(); by > longJump && f.Now.Sub(f.Jump.To) < recentJump {
		out.say("clock", Degraded, fmt.Sprintf("the clock jumped by %s", by.Round(time.Second)))
	}
	return out
}

// run looks at the last run of a pipeline, and at those that go on.
func (c *checks) run(p *Pipeline) {
	if p.Last != nil && p.Last.State.Bad() {
		c.say("run", Unhealthy, fmt.Sprintf("run %d of %s %s: %s", p.Last.ID, p.ID, p.Last.State, p.Last.Error))
	}
	if p.Blind != "" {
		c.say("probe", Unhealthy, fmt.Sprintf("nothing was ever known of the primary of %s, so its backup does not run: %s", p.ID, p.Blind))
	}
	if !p.Stuck.IsZero() {
		c.say("stuck", Unhealthy, fmt.Sprintf("a run of %s goes on since %s, past its time", p.ID, p.Stuck.UTC().Format(time.RFC3339)))
	}
	if p.Errored != "" {
		c.say("service", Unhealthy, fmt.Sprintf("the service %s is errored: %s: mend it, or redundctl restart %[1]s", p.ID, p.Errored))
	}
	if p.Unset != "" {
		c.say("primary", Unhealthy, fmt.Sprintf("no look at the primary of %s was ever conclusive: %s; check the names, the address and the token in its `primary`", p.ID, p.Unset))
	}
}

func worst(list checks) string {
	out := Healthy
	for _, c := range list {
		out = Worse(out, c.Status)
	}
	return out
}

// Differs reports whether two verdicts are not the same, whatever their reasons
// say: these count seconds, and the room on the disk.
func Differs(a, b *api.Health) bool {
	same := func(x, y api.Check) bool { return x.Name == y.Name && x.Status == y.Status }
	return a.Status != b.Status || !slices.EqualFunc(a.Systems, b.Systems, func(x, y api.SystemHealth) bool {
		return x.Name == y.Name && x.Status == y.Status && slices.EqualFunc(x.Checks, y.Checks, same)
	})
}

// Worse gives the worse of two verdicts.
func Worse(a, b string) string {
	order := []string{Healthy, Degraded, Unhealthy}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}
