// Package news says what people are to be told of, of facts alone: what lasts,
// and what is over.
package news

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/health"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/outbox"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// The keys of conditions begin with one of these words of notify.on.
const (
	failure   = "failure"
	rejected  = "reload-rejected"
	unhealthy = "unhealthy"
	failover  = "failover"
	late      = "late-primary"
	blind     = "primary-unknown"
	drill     = "drill-failed"
)

// Facts are what news are made of.
type Facts struct {
	Force    *force.Force
	Last     map[string]pipeline.Run // by system/name: the last that ended, but for one that another attempt follows
	Health   api.Health
	Rejected []diag.Problem
}

// Failed is the condition of a pipeline whose run failed for good.
func Failed(r pipeline.Run) outbox.Condition {
	id := r.System + "/" + r.Pipeline
	return outbox.Condition{Key: failure + " " + id, What: failure, Text: fmt.Sprintf("run %d of %s %s: %s", r.ID, id, r.State, r.Error)}
}

// Recovered gives the key of the condition that a run which succeeded ends, and
// what is said of that.
func Recovered(r pipeline.Run) (key, text string) {
	id := r.System + "/" + r.Pipeline
	return failure + " " + id, fmt.Sprintf("%s succeeded again, with run %d", id, r.ID)
}

// Failover is the condition of a backup that runs in the place of its primary.
func Failover(r pipeline.Run) outbox.Condition {
	id := r.System + "/" + r.Pipeline
	return outbox.Condition{Key: failover + " " + id, What: failover, Text: fmt.Sprintf("%s takes the place of its primary for slot %s, with run %d: %s", id, pipeline.Time(r.Slot), r.ID, r.Reason)}
}

// Delivered gives the key of the condition that a primary which delivers ends,
// and what is said of that.
func Delivered(id string) (key, text string) {
	return failover + " " + id, "the primary of " + id + " delivers again"
}

// TakenOver is the condition of a service that runs here in place of its primary,
// whose kind is named.
func TakenOver(id, kind, why string) outbox.Condition {
	return outbox.Condition{Key: failover + " " + id, What: failover, Text: fmt.Sprintf("%s runs here in place of its primary (%s): %s", id, kind, why)}
}

// GivenBack gives the key of the condition that ends when a primary has its
// service again, and what is said of that.
func GivenBack(id, kind, why string) (key, text string) {
	return failover + " " + id, fmt.Sprintf("%s is with its primary (%s) again: %s", id, kind, why)
}

// Late is what is told of a primary that turned up after its backup ran.
func Late(s *ledger.Slot) outbox.Condition {
	return outbox.Condition{
		Key: late + " " + s.ID() + " " + pipeline.Time(s.At), What: late,
		Text: fmt.Sprintf("the primary of %s turned up %s late for slot %s, which the backup had served with run %d", s.ID(), s.Late.Round(time.Second), pipeline.Time(s.At), s.Run),
	}
}

// Blind is the condition of a primary of which nothing was ever known.
func Blind(id string, r pipeline.Reading) outbox.Condition {
	return outbox.Condition{Key: blind + " " + id, What: blind, Text: "nothing was ever known of the primary of " + id + ", so its backup does not run: " + r.Reason}
}

// Known gives the key of the condition that is over when a primary is known,
// and what is said of that.
func Known(id string, r pipeline.Reading) (key, text string) {
	return blind + " " + id, fmt.Sprintf("the primary of %s is known now: %s", id, r.Verdict)
}

// Drill is the condition of a backup that would not work.
func Drill(id, why string) outbox.Condition {
	return outbox.Condition{Key: drill + " " + id, What: drill, Text: "the drill of " + id + " failed, its backup would not work: " + why}
}

// Proved gives the key of the condition that a backup which was proved ends, and
// what is said of that.
func Proved(id string) (key, text string) {
	return drill + " " + id, "the backup of " + id + " is proved"
}

// Lasting gives the conditions that there are.
func Lasting(f *Facts) []outbox.Condition {
	var out []outbox.Condition
	for id, r := range f.Last {
		if p := f.Force.Parts[id]; p != nil && f.Force.Halted(p, nil) != "disabled" && r.State.Bad() && r.Trigger != "drill" {
			out = append(out, Failed(r))
		}
	}
	for _, s := range f.Health.Systems {
		if s.Status == health.Unhealthy {
			out = append(out, outbox.Condition{Key: unhealthy + " " + s.Name, What: unhealthy, Text: "system " + s.Name + " is unhealthy: " + Reasons(s.Checks)})
		}
	}
	done := map[string]bool{}
	for _, x := range f.Rejected {
		if done[x.File] {
			continue
		}
		done[x.File] = true
		text := fmt.Sprintf("%s:%d:%d: %s", x.File, x.Line, x.Column, x.Message)
		out = append(out, outbox.Condition{Key: rejected + " " + x.File, What: rejected, Detail: text, Text: "a file is rejected; its last good form, if there is one, stays in force: " + text})
	}
	slices.SortFunc(out, func(a, b outbox.Condition) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// Reasons are those of the worst checks, in one line.
func Reasons(checks []api.Check) string {
	worst := health.Healthy
	for _, c := range checks {
		worst = health.Worse(worst, c.Status)
	}
	var out []string
	for _, c := range checks {
		if c.Status == worst {
			out = append(out, c.Reason)
		}
	}
	return strings.Join(out, "; ")
}

// Over says of the key of a condition that was told whether it is over, and
// what is said of that: nothing, where what it was about is gone.
func Over(f *Facts, key string) (over bool, text string) {
	word, of, _ := strings.Cut(key, " ")
	switch word {
	case failure:
		p := f.Force.Parts[of]
		if p == nil || f.Force.Halted(p, nil) == "disabled" {
			return true, ""
		}
		r := f.Last[of]
		_, text = Recovered(r)
		return r.State == pipeline.Succeeded, text
	case unhealthy:
		i := slices.IndexFunc(f.Health.Systems, func(s api.SystemHealth) bool { return s.Name == of })
		if i < 0 {
			return true, ""
		}
		is := f.Health.Systems[i].Status
		return is != health.Unhealthy, fmt.Sprintf("system %s is %s again", of, is)
	case failover, blind:
		p := f.Force.Parts[of]
		return p == nil || f.Force.Halted(p, nil) == "disabled" || p.Pipeline.Primary == nil, ""
	case drill:
		p := f.Force.Parts[of]
		return p == nil || f.Force.Halted(p, nil) == "disabled" || p.Pipeline.Drill == nil, ""
	case late:
		return true, "" // it was, and is over
	case rejected:
		return !slices.ContainsFunc(f.Rejected, func(x diag.Problem) bool { return x.File == of }), of + " is no longer rejected"
	}
	return false, ""
}
