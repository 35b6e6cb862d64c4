// Package trace tells what became of a save: seen, read, checked, and in force
// or rejected, with the time that each took.
package trace

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/status"
)

// Save is what is known of one.
type Save struct {
	Seen  time.Time // the first sign of it
	Told  time.Time // when it was quiet, and work began
	Files int       // that were saved
	Read  config.Cost
	Ended time.Time
	Waits bool // some pipelines are gone, and stay for now
}

// What became of a save.
const (
	InForce   = "in-force"
	Rejected  = "rejected"  // nothing is new but mistakes
	Unchanged = "unchanged" // nothing that was written means anything else
	Waiting   = "waiting"   // for files that are gone to come back
)

// Of gives the trace of a save that led from what was in force before to f, and
// differs by d.
func Of(s Save, before, f *force.Force, d *force.Difference) *api.Save {
	plan := status.Plan(*d, fresh(before, f))
	out := &api.Save{
		Seen: api.When(s.Seen), At: api.When(s.Ended), Files: s.Files, Read: s.Read.Files,
		QuietMS: ms(s.Told.Sub(s.Seen)), ParseMS: ms(s.Read.Parsed), CheckMS: ms(s.Read.Checked), ForceMS: ms(s.Ended.Sub(s.Told)),
		Added: plan.Added, Removed: plan.Removed, Changed: plan.Changed, Rejected: plan.Rejected,
	}
	switch {
	case !d.Empty() || !f.Same(before, *d) && len(out.Rejected) == 0:
		out.Outcome = InForce
	case len(out.Rejected) > 0:
		out.Outcome = Rejected
	case s.Waits:
		out.Outcome = Waiting
	default:
		out.Outcome = Unchanged
	}
	return out
}

// fresh gives the mistakes that were not there before.
func fresh(before, f *force.Force) []diag.Problem {
	told := make(map[diag.Problem]bool, len(before.Rejected))
	for _, x := range before.Rejected {
		told[x] = true
	}
	return slices.DeleteFunc(slices.Clone(f.Rejected), func(x diag.Problem) bool { return told[x] })
}

// ms is a length of time as numbers of milliseconds, to the microsecond.
func ms(d time.Duration) float64 { return float64(max(d, 0).Microseconds()) / 1000 }

// Attrs are what a line of the log says of a save.
func Attrs(s *api.Save, generation int64) []any {
	return []any{
		"generation", generation, "outcome", s.Outcome, "files", s.Files, "read", s.Read,
		"added", len(s.Added), "removed", len(s.Removed), "changed", len(s.Changed), "rejected", len(s.Rejected),
		"quiet-ms", s.QuietMS, "parse-ms", s.ParseMS, "check-ms", s.CheckMS, "force-ms", s.ForceMS,
	}
}

// Detail says the same in words, for an event.
func Detail(s *api.Save) string {
	var what []string
	say := func(verb string, names []string) {
		if len(names) > most {
			names = append(slices.Clone(names[:most]), fmt.Sprintf("and %d more", len(names)-most))
		}
		if len(names) > 0 {
			what = append(what, verb+" "+strings.Join(names, ", "))
		}
	}
	say("added", s.Added)
	say("removed", s.Removed)
	changed := map[string][]string{}
	for _, c := range s.Changed {
		changed[c.Name] = c.Keys
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		names = append(names, fmt.Sprintf("%s (%s)", name, strings.Join(changed[name], " ")))
	}
	say("changed", names)
	var places []string
	for _, x := range s.Rejected {
		places = append(places, fmt.Sprintf("%s:%d:%d", x.File, x.Line, x.Column))
	}
	say("rejected", places)
	what = append(what, fmt.Sprintf("%d files seen, %d read; quiet after %.0f ms, then parsed in %.1f ms, checked in %.1f ms, done after %.1f ms",
		s.Files, s.Read, s.QuietMS, s.ParseMS, s.CheckMS, s.ForceMS))
	return s.Outcome + ": " + strings.Join(what, "; ")
}

// most is how many names an event lists.
const most = 10
