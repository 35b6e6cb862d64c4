// Package run holds the commands that make pipelines run.
package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/api/client"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/console"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner"
	"github.com/redundctl/redundctl/engine/schedule"
)

// runFlags are the flags of `run`.
type runFlags struct {
	params, env    []string
	slot           string
	dryRun, detach bool
}

// Run is `redundctl run`.
func Run(a *app.App) *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run NAME",
		Short: "Run a pipeline now, in the foreground",
		Long: `Run a pipeline in this process, with or without an engine, and show what its
steps print. The run is recorded like any other: redundctl show and logs have it
afterwards. Ctrl-C cancels it and ends all that it started.

With --dry-run nothing is changed anywhere: each step says what it would do.

The exit code is 0 when the run succeeded, 1 when it did not, 2 when the name or
a parameter is wrong, 130 when it was interrupted.`,
		Example: `  redundctl run git-sync
  redundctl run github-actions/marketing-sync --dry-run
  redundctl run marketingSync --param message="We shipped"
  AUTO_SYNC_STRATEGY=merge redundctl run git-sync`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.CompleteNames(),
		RunE: func(c *cobra.Command, args []string) error {
			if f.detach && f.dryRun {
				return app.Usagef("leave one of them out", "--detach and --dry-run exclude each other")
			}
			load := a.Usable
			if f.detach {
				load = a.Served // the engine goes on with that form too
			}
			p, kinds, err := load(c.Context())
			if err != nil {
				return err
			}
			if files := p.Rejected(args[0]); f.detach && len(p.Find(args[0])) == 0 && len(files) > 0 {
				fmt.Fprintf(a.Err, "redundctl: %s has mistakes: the engine runs the last good form, if it has one\n", files[0])
				return f.handOver(c.Context(), a, p, pipeline.Kebab(args[0]))
			}
			x, err := a.Pipeline(p, args[0])
			if err != nil {
				return err
			}
			r, err := f.request(x)
			if err != nil {
				return err
			}
			if what := stray(x, r.Slot); what != "" {
				fmt.Fprintln(a.Err, "redundctl: "+what)
			}
			if f.detach {
				return f.handOver(c.Context(), a, p, x.ID())
			}
			o := engine.Options{Project: p, Kinds: kinds, Environ: os.Environ(), Log: a.Logger()}
			if f.dryRun {
				return plan(c.Context(), a, o, r)
			}
			return now(c.Context(), a, o, r)
		},
	}
	c.Flags().StringArrayVar(&f.params, "param", nil, "a parameter as `name=value`; may be given several times")
	c.Flags().StringArrayVar(&f.env, "env", nil, "a variable for the steps as `NAME=value`; may be given several times")
	c.Flags().StringVar(&f.slot, "slot", "", "serve this slot: RFC 3339; it fails when the slot is served already")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be done, and change nothing")
	c.Flags().BoolVar(&f.detach, "detach", false, "let the running engine do it, and return at once")
	return a.Prints(c)
}

// request reads the flags.
func (f *runFlags) request(p *pipeline.Pipeline) (engine.RunRequest, error) {
	r := engine.RunRequest{Pipeline: p, Params: map[string]string{}, Env: map[string]string{}}
	for _, part := range []struct {
		flag string
		list []string
		into map[string]string
	}{{"--param", f.params, r.Params}, {"--env", f.env, r.Env}} {
		for _, x := range part.list {
			k, v, ok := strings.Cut(x, "=")
			if !ok || k == "" {
				return r, app.Usagef("", "%s is name=value, not %q", part.flag, x)
			}
			if part.flag == "--env" && !isVariable(k) {
				return r, app.Usagef("", "--env: %q cannot be the name of a variable: letters, digits and _, and no digit first", k)
			}
			if _, twice := part.into[k]; twice {
				return r, app.Usagef("", "%s %s is given twice", part.flag, k)
			}
			part.into[k] = v
		}
	}
	if f.slot != "" {
		t, err := time.Parse(time.RFC3339, f.slot)
		if err != nil {
			return r, app.Usagef("", "--slot is a time as 2027-03-28T00:00:00Z, not %q", f.slot)
		}
		r.Slot = t
	}
	return r, nil
}

// stray says that a schedule never has a slot; empty: it has. The slot is served all
// the same: the schedule may have been another one when it was due.
func stray(p *pipeline.Pipeline, slot time.Time) string {
	if slot.IsZero() || len(p.Schedule) == 0 {
		return ""
	}
	var list []*schedule.Schedule
	for _, x := range p.Schedule {
		s, err := schedule.Parse(x)
		if err != nil {
			return "" // the check of the files has told
		}
		list = append(list, s)
	}
	next, ok := schedule.Next(list, slot.Add(-time.Nanosecond))
	switch {
	case !ok:
		return fmt.Sprintf("%s is never due at %s, nor later", p.ID(), pipeline.Time(slot))
	case next.Equal(slot):
		return ""
	}
	return fmt.Sprintf("%s is never due at %s: the slot after it is %s", p.ID(), pipeline.Time(slot), pipeline.Time(next))
}

// isVariable reports whether a shell can read a variable of that name.
func isVariable(name string) bool {
	for i, r := range name {
		if r != '_' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// now runs with live output: on stdout for people, on stderr beside JSON.
func now(ctx context.Context, a *app.App, opts engine.Options, r engine.RunRequest) error {
	live := a.Out
	if a.JSON() {
		live = a.Err
	}
	shape := console.OutputOptions{Color: console.Color(live), Steps: len(r.Pipeline.Steps)}
	if console.IsTerminal(live) {
		shape.Terminal = live
	}
	out := console.NewOutput(live, shape)
	opts.Output, opts.Subreaper = out, true
	report, err := once(ctx, opts, r)
	if cerr := out.Close(); err == nil {
		err = app.Quiet(cerr)
	}
	var wrong *engine.UsageError
	var taken *history.SlotTaken
	switch {
	case errors.As(err, &wrong):
		return app.Usagef("", "%s", wrong.Message)
	case errors.As(err, &taken):
		a.Fail(taken)
		return app.ExitCode(1)
	case report.Run.ID == 0:
		return err
	}
	// What ran is shown, whatever went wrong around it.
	if err := errors.Join(err, ended(a, report)); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil && report.Run.State == pipeline.Cancelled:
		return app.ExitCode(130)
	case report.Run.State != pipeline.Succeeded:
		return app.ExitCode(1)
	}
	return nil
}

// once opens an engine for one run.
func once(ctx context.Context, o engine.Options, r engine.RunRequest) (engine.Report, error) {
	e, err := engine.New(ctx, o)
	if err != nil {
		return engine.Report{}, err
	}
	report, err := e.RunNow(ctx, r)
	return report, errors.Join(err, e.Close())
}

func ended(a *app.App, r engine.Report) error {
	if a.JSON() {
		return a.PrintJSON(api.Show(r.Run, r.Steps, nil))
	}
	fmt.Fprintln(a.Out)
	return a.PrintRun(r.Run, r.Steps)
}

// handOver gives a run to the engine, which may know a pipeline in a form that is
// better than its file.
func (f *runFlags) handOver(ctx context.Context, a *app.App, p *config.Project, name string) error {
	r, err := f.request(nil)
	if err != nil {
		return err
	}
	e, err := client.Open(p.State)
	if err != nil {
		return err
	}
	defer e.Close()
	got, err := e.Trigger(ctx, api.RunRequest{Pipeline: name, Params: r.Params, Env: r.Env, Slot: api.When(r.Slot)})
	if err != nil {
		return err
	}
	return queued(a, got)
}

// planned is `run --dry-run -o json`.
type planned struct {
	Pipeline string            `json:"pipeline"`
	Waves    [][]string        `json:"waves"`
	Steps    []runner.PlanStep `json:"steps"`
}

func plan(ctx context.Context, a *app.App, o engine.Options, r engine.RunRequest) error {
	got, err := engine.Plan(ctx, o, r)
	var wrong *engine.UsageError
	switch {
	case errors.As(err, &wrong):
		return app.Usagef("", "%s", wrong.Message)
	case err != nil:
		return err
	}
	if err := printPlan(a, r.Pipeline, got); err != nil {
		return err
	}
	if got.Err != nil {
		return app.ExitCode(1) // the step says why
	}
	return nil
}

func printPlan(a *app.App, p *pipeline.Pipeline, got runner.Planned) error {
	if a.JSON() {
		return a.PrintJSON(planned{Pipeline: p.Name, Waves: got.Waves, Steps: got.Steps})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s would run, nothing is changed now:\n", p.ID())
	for i, s := range got.Steps {
		fmt.Fprintf(&b, "%d. %s [%s]\n", i+1, s.ID, s.Uses)
		for _, e := range s.Effects {
			fmt.Fprintf(&b, "   %s\n", strings.ReplaceAll(console.Clean(e), "\n", "\n   "))
		}
	}
	_, err := fmt.Fprint(a.Out, b.String())
	return app.Quiet(err)
}
