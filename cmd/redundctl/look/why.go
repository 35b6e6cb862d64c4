package look

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/console"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/story"
)

// Why is `redundctl why`.
func Why(a *app.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "why PIPELINE [SLOT]",
		Short: "Tell the story of a slot: what was expected, seen, decided and done",
		Long: `Tell in plain words what became of one slot of a pipeline: what was expected of
its primary, what was seen of it, how the slot was decided and what ran. Times
are in the zone of the schedule, with how long after the slot each thing was.

Without SLOT it is the newest slot that was decided, and the newest one where
none was. It reads the history, with an engine or without.`,
		Example: `  redundctl why marketing-sync
  redundctl why marketing-sync 2027-03-28T00:00:00Z
  redundctl why marketing-sync 2027-03-28T02:00
  redundctl why github-actions/marketing-sync -o json | jq .reason`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: a.CompleteNames(),
		RunE: func(c *cobra.Command, args []string) error {
			p, _, err := a.Usable(c.Context())
			if err != nil {
				return err
			}
			ask := story.Ask{Now: time.Now()}
			if ask.System, ask.Name, err = recorded(a, p, args[0]); err != nil {
				return err
			}
			h, err := a.History(c.Context(), p)
			if err != nil {
				return err
			}
			defer h.Close()
			if err := about(c, h.History, p, &ask); err != nil {
				return err
			}
			if ask.Name == "" {
				return a.Unknown(p, args[0])
			}
			if len(args) == 2 {
				if ask.Slot, err = slot(args[1], ask.Pipeline); err != nil {
					return err
				}
			}
			told, open, err := story.Tell(c.Context(), story.Records{History: h.History, Ledger: h.Ledger}, &ask)
			if none := new(story.NoSlot); errors.As(err, &none) {
				if ask.Pipeline == nil && (ask.System == "" || ask.Slot.IsZero()) {
					return a.Unknown(p, args[0])
				}
				return noSlot(&ask, args[0], none)
			}
			if err != nil {
				return err
			}
			if a.JSON() {
				return a.PrintJSON(told.Shape())
			}
			err = told.Write(a.Out, console.Clean)
			if err == nil && len(open) > 0 {
				_, err = fmt.Fprintf(a.Out, "\n%s after it %s still open: redundctl why %s %s\n", diag.Count(len(open), "slot"),
					map[bool]string{true: "is", false: "are"}[len(open) == 1], args[0], pipeline.Time(open[0]))
			}
			return app.Quiet(err)
		},
	}
	return a.Prints(c)
}

// about finds the pipeline that is asked about, in the files or, where it is
// gone from them, in the history.
func about(c *cobra.Command, h *history.History, p *config.Project, ask *story.Ask) error {
	if ask.System != "" {
		for _, x := range p.Find(ask.System + "/" + ask.Name) {
			ask.Pipeline = x
		}
		return nil
	}
	runs, err := h.Runs(c.Context(), history.Filter{Name: ask.Name, Limit: 1})
	if err == nil && len(runs) > 0 {
		ask.System = runs[0].System
	}
	return err
}

// noSlot says that there is nothing to tell.
func noSlot(ask *story.Ask, name string, none *story.NoSlot) error {
	if !ask.Slot.IsZero() {
		return app.Usagef("redundctl runs "+name+" lists those that were decided", "%s", none)
	}
	hint := ""
	for _, x := range ask.Pipeline.Schedule {
		if s, err := schedule.Parse(x); err == nil {
			if next, ok := schedule.Next([]*schedule.Schedule{s}, ask.Now); ok && hint == "" {
				hint = ": an engine that runs would take up " + pipeline.Time(next) + " as the next one"
			}
		}
	}
	return fmt.Errorf("%w%s", none, hint)
}

// slot reads a slot: RFC 3339, or a time of the wall clock where the pipeline's
// schedule is.
func slot(s string, p *pipeline.Pipeline) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	zone := time.UTC
	if p != nil && len(p.Schedule) > 0 {
		if x, err := schedule.Parse(p.Schedule[0]); err == nil && x.Location() != nil {
			zone = x.Location()
		}
	}
	for _, layout := range []string{"2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, app.Usagef("redundctl runs lists them", "a slot is a time as 2027-03-28T00:00:00Z, not %q", s)
}
