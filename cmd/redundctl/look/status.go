package look

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/report"
)

// Status is `redundctl status`.
func Status(a *app.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "status [SYSTEM|PIPELINE]",
		Short: "Show what the engine does now",
		Example: `  redundctl status
  redundctl status pm2
  redundctl status -o json | jq .reload.rejected`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.CompleteParts(),
		RunE: func(c *cobra.Command, args []string) error {
			e, err := a.Engine()
			if err != nil {
				return err
			}
			defer e.Close()
			st, err := e.Status(c.Context())
			if err != nil {
				return err
			}
			if len(args) == 1 {
				if err := narrow(&st, args[0]); err != nil {
					return err
				}
			}
			if a.JSON() {
				return a.PrintJSON(st)
			}
			return printStatus(a, st)
		},
	}
	return a.Prints(c)
}

// narrow leaves of a status what a name means.
func narrow(st *api.Status, name string) error {
	name = pipeline.Kebab(name)
	of := func(p api.Part) bool {
		return p.System == name || p.Name == name || p.System+"/"+p.Name == name
	}
	st.Parts = slices.DeleteFunc(st.Parts, func(p api.Part) bool { return !of(p) })
	st.Systems = slices.DeleteFunc(st.Systems, func(s api.SystemStatus) bool {
		return s.Name != name && !slices.ContainsFunc(st.Parts, func(p api.Part) bool { return p.System == s.Name })
	})
	if len(st.Systems) == 0 {
		return app.Usagef("redundctl list shows those that there are", "the engine has no system and no pipeline %q", name)
	}
	return nil
}

// saved says what became of a save.
func saved(l *api.Save) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s seen and %d read", l.Outcome, diag.Count(l.Files, "file"), l.Read)
	names := func(verb string, list []string) {
		if len(list) > 3 {
			list = append(slices.Clone(list[:3]), fmt.Sprintf("and %d more", len(list)-3))
		}
		if len(list) > 0 {
			fmt.Fprintf(&b, "; %s %s", verb, strings.Join(list, ", "))
		}
	}
	var changed []string
	for _, c := range l.Changed {
		changed = append(changed, c.Name)
	}
	names("added", l.Added)
	names("removed", l.Removed)
	names("changed", changed)
	if l.ForceMS > 0 {
		fmt.Fprintf(&b, "; done %.1f ms after it was quiet, at %s", l.ForceMS, clock(l.At))
	}
	return b.String()
}

func printStatus(a *app.App, st api.Status) error {
	fmt.Fprintf(a.Out, "engine %s, process %d, since %s; generation %d with %s, since %s\n", st.Engine.Version, st.Engine.PID,
		clock(st.Engine.Started), st.Reload.Generation, diag.Count(st.Reload.Loaded, "pipeline"), clock(st.Reload.At))
	for _, key := range st.Reload.Restart {
		fmt.Fprintf(a.Out, "%s in redund.yaml has changed and counts from the next start: redundctl restart\n", key)
	}
	for _, r := range st.Reload.Rejected {
		fmt.Fprintf(a.Out, "rejected: %s:%d:%d: %s\n", r.File, r.Line, r.Column, r.Message)
	}
	if l := st.Reload.Last; l != nil {
		fmt.Fprintf(a.Out, "last save: %s\n", saved(l))
	}
	fmt.Fprintln(a.Out)
	var rows [][]string
	for _, s := range st.Systems {
		state, failure := s.State, "-"
		if s.Observe && state == "running" {
			state = "observing"
		}
		if f := s.LastFailure; f != nil {
			failure = fmt.Sprintf("run %d, %s", f.Run, clock(f.At))
		}
		rows = append(rows, []string{s.Name, state, s.Health, strconv.Itoa(s.Pipelines), strconv.Itoa(s.Running), strconv.Itoa(s.Queued), failure})
	}
	if err := a.Table([]string{"SYSTEM", "STATE", "HEALTH", "PIPELINES", "RUNNING", "QUEUED", "LAST FAILURE"}, rows); err != nil {
		return err
	}
	fmt.Fprintln(a.Out)
	rows = nil
	head := []string{"PIPELINE", "STATE", "MODE", "NEXT", "LAST RUN"}
	services := slices.ContainsFunc(st.Parts, func(p api.Part) bool { return p.Service != nil })
	if services {
		head = append(head, "SERVICE")
	}
	drilled := slices.ContainsFunc(st.Parts, func(p api.Part) bool { return p.Proved != nil })
	if drilled {
		head = append(head, "PROVED")
	}
	for _, p := range st.Parts {
		last := "-"
		if r := p.LastRun; r != nil {
			last = fmt.Sprintf("run %d %s", r.ID, r.State)
		}
		row := []string{p.System + "/" + p.Name, p.State, p.Mode, clock(p.Next), last}
		if services {
			row = append(row, service(p.Service))
		}
		if drilled {
			row = append(row, clock(p.Proved))
		}
		rows = append(rows, row)
	}
	return a.Table(head, rows)
}

// service says how a service does.
func service(s *api.Service) string {
	if s == nil {
		return "-"
	}
	out := s.State
	if s.Since != nil {
		out += " since " + clock(s.Since)
	}
	for _, pid := range s.PIDs {
		out += fmt.Sprintf(", process %d", pid)
	}
	if s.Restarts > 0 {
		out += ", " + diag.Count(s.Restarts, "restart")
	}
	if t := s.Takeover; t != nil {
		out += ", in place of its primary since " + clock(t.Since) + " (" + t.Reason + ")"
	} else if s.Reason != nil {
		out += ": " + *s.Reason
	}
	return out
}

// clock is an instant of a JSON shape as people read it where they are.
func clock(s *string) string {
	if s == nil {
		return "-"
	}
	t, err := time.Parse(time.RFC3339, *s)
	if err != nil {
		return *s
	}
	return report.Clock(t)
}

// Health is `redundctl health`.
func Health(a *app.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "health [SYSTEM]",
		Short: "Have the engine check itself, and show the verdicts with their reasons",
		Long: `Check now: the last runs, what is known of primaries, the queue, slots that were missed, the disk, the clock
and the files. The exit code is 1 when something is unhealthy.`,
		Example: `  redundctl health
  redundctl health pm2 -o json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.CompleteSystems(),
		RunE: func(c *cobra.Command, args []string) error {
			e, err := a.Engine()
			if err != nil {
				return err
			}
			defer e.Close()
			h, err := e.Health(c.Context(), pipeline.Kebab(strings.Join(args, "")))
			if err != nil {
				return err
			}
			if a.JSON() {
				err = a.PrintJSON(h)
			} else {
				var rows [][]string
				for _, s := range h.Systems {
					for _, x := range s.Checks {
						rows = append(rows, []string{s.Name, x.Status, x.Name, x.Reason})
					}
				}
				fmt.Fprintln(a.Out, h.Status)
				err = a.Table([]string{"SYSTEM", "STATUS", "CHECK", "REASON"}, rows)
			}
			if err == nil && h.Status == "unhealthy" {
				return app.ExitCode(1)
			}
			return err
		},
	}
	return a.Prints(c)
}

// Plan is `redundctl plan`.
func Plan(a *app.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show what the files on disk would change in the running engine",
		Long: `Compare the files with what is in force. A running engine takes up what is saved
by itself, so there is mostly nothing to show; what is rejected stays.`,
		Example: `  redundctl plan`,
		RunE: func(c *cobra.Command, _ []string) error {
			e, err := a.Engine()
			if err != nil {
				return err
			}
			defer e.Close()
			p, err := e.Plan(c.Context())
			if err != nil {
				return err
			}
			if a.JSON() {
				return a.PrintJSON(p)
			}
			for _, x := range p.Added {
				fmt.Fprintf(a.Out, "add     %s\n", x)
			}
			for _, x := range p.Removed {
				fmt.Fprintf(a.Out, "remove  %s\n", x)
			}
			for _, x := range p.Changed {
				fmt.Fprintf(a.Out, "change  %s: %s\n", x.Name, strings.Join(x.Keys, ", "))
			}
			for _, r := range p.Rejected {
				fmt.Fprintf(a.Out, "reject  %s:%d:%d: %s\n", r.File, r.Line, r.Column, r.Message)
			}
			if len(p.Added)+len(p.Removed)+len(p.Changed)+len(p.Rejected) == 0 {
				fmt.Fprintln(a.Out, "nothing would change")
			}
			return nil
		},
	}
	return a.Prints(c)
}
