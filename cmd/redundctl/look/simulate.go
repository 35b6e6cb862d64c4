package look

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/console"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/simulate"
)

// begin is when a simulation begins if nothing is said: always at the same time,
// so that the same command gives the same on every day.
const begin = "2026-01-01T00:00:00Z"

// mostDays is how many days are simulated at most: a century.
const mostDays = 36500

// simulation is what the flags of simulate say.
type simulation struct {
	days                     int
	seed                     int64
	loss                     float64
	lateness, duration, from string
}

// Simulate is `redundctl simulate`.
func Simulate(a *app.App) *cobra.Command {
	var f simulation
	c := &cobra.Command{
		Use:   "simulate",
		Short: "Live through a year in seconds: who would have delivered each slot, and how late",
		Long: `Run the real schedules and the real decisions of this project's pipelines on a
clock that is not real, against primaries that are modelled. Nothing is run, asked
or recorded.

Simulated are the pipelines that are enabled, have a schedule and are in standby,
those too that observe: what they would do is shown. Each modelled primary begins a
run at its slot plus a lateness, or none at all (--primary-loss), and succeeds after
--primary-duration. A run belongs to the latest slot at or before its creation.
grace, covers, stall-after, every, recover and fence count as they are written; a
grace of auto, and a stall-after that is not given, learn from what the primary
shows. A backup begins as soon as it is decided on, and succeeds.

  by primary   slots that the primary delivered, and the backup did not run
  by backup    slots that the backup ran
  missed       slots that nobody delivered
  doubled      slots of the backup that the primary, late, delivered too
  delay        from the slot to when the primary's run had succeeded, or the
               backup's began: how long a backup takes is not simulated

Slots count that were decided within the days. The same seed gives the same result,
whatever the order of the files; a pipeline's primary is the same beside any others.

Exit codes: 0 nothing is missed; 1 something is; 2 wrong use.`,
		Example: `  redundctl simulate
  redundctl simulate --primary-loss 0.05 --lateness p50=5m,p99=3h
  redundctl simulate --days 30 --from 2027-03-20 --seed 7     over a change of the clock
  redundctl simulate --primary-loss 1 -o json | jq '."delay-ms"'     how late without any primary`,
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			p, _, err := a.Usable(c.Context())
			if err != nil {
				return err
			}
			list := standby(p)
			a.Mention(p)
			if len(list) == 0 {
				fmt.Fprintln(a.Err, "redundctl: no pipeline here is enabled, has a schedule and is in standby beside a primary: there is nothing to simulate")
			}
			bar := progress{to: a.Err, began: time.Now()}
			if console.IsTerminal(a.Err) && os.Getenv("TERM") != "dumb" {
				o.Progress = bar.show
			}
			r, err := simulate.Run(c.Context(), list, o)
			bar.clear()
			if err != nil {
				return fmt.Errorf("simulating %d days: %w", o.Days, err)
			}
			if a.JSON() {
				err = a.PrintJSON(simulated(o, r))
			} else {
				err = printSimulation(a, o, r)
			}
			if err == nil && r.Missed > 0 {
				return app.ExitCode(1)
			}
			return err
		},
	}
	c.Flags().IntVar(&f.days, "days", 365, "how many days, of 24 hours")
	c.Flags().Int64Var(&f.seed, "seed", 1, "what chance is derived from")
	c.Flags().Float64Var(&f.loss, "primary-loss", 0, "the chance, 0 to 1, that a primary begins no run for a slot")
	c.Flags().StringVar(&f.lateness, "lateness", "p50=0s,p99=0s", "how late primaries begin: log-normal through two points; both 0: on time")
	c.Flags().StringVar(&f.duration, "primary-duration", "5m", "how long a primary's run takes")
	c.Flags().StringVar(&f.from, "from", begin, "when it begins: RFC 3339, or a date")
	for _, name := range []string{"days", "seed", "primary-loss", "primary-duration", "from"} {
		_ = c.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	_ = c.RegisterFlagCompletionFunc("lateness", cobra.FixedCompletions([]string{
		"p50=0s,p99=0s\ton time", "p50=1m,p99=10m\ta cron daemon under load", "p50=15m,p99=1h\tGitHub on usual days", "p50=30m,p99=12h\tGitHub on bad days",
	}, cobra.ShellCompDirectiveNoFileComp))
	return a.Prints(c)
}

// options checks the flags.
func (f *simulation) options() (simulate.Options, error) {
	o := simulate.Options{Days: f.days, Seed: f.seed, Loss: f.loss}
	if f.days < 1 || f.days > mostDays {
		return o, app.Usagef("", "--days is a number from 1 to %d", mostDays)
	}
	if !(f.loss >= 0 && f.loss <= 1) { // so that what is no number fails too
		return o, app.Usagef("for one slot in twenty write 0.05", "--primary-loss is a chance from 0 to 1, not %v", f.loss)
	}
	var err error
	if o.Lateness, err = simulate.ParseLateness(f.lateness); err != nil {
		return o, app.Usagef("", "--lateness: %s", err)
	}
	d, err := pipeline.ParseDuration(f.duration)
	if err != nil {
		return o, app.Usagef("", "--primary-duration: %q is not a length of time as 90s, 5m or 1h30m", f.duration)
	}
	o.Duration = d.Std()
	if o.From, err = app.ParseTime(f.from, time.Now()); err != nil {
		return o, app.Usagef("", "--from: %s", err)
	}
	if o.From.Year() < 1970 || o.From.Year() > 9000 {
		return o, app.Usagef("", "--from is a time from 1970 to 9000, not %s", f.from)
	}
	return o, nil
}

// standby are the pipelines of a project that have a primary to stand by.
func standby(p *config.Project) []*pipeline.Pipeline {
	var out []*pipeline.Pipeline
	for _, x := range p.Pipelines {
		system, known := p.Config.Systems[x.System]
		if x.Enabled && (!known || system.Enabled) && x.Primary != nil && x.Mode == pipeline.Standby && len(x.Schedule) > 0 {
			out = append(out, x)
		}
	}
	return out
}

func simulated(o simulate.Options, r simulate.Result) api.Simulation {
	return api.Simulation{
		Days: o.Days, Seed: o.Seed, From: pipeline.Time(o.From), Pipelines: r.Pipelines, Slots: r.Slots, ByPrimary: r.ByPrimary,
		ByBackup: r.ByBackup, Missed: r.Missed, Doubled: r.Doubled,
		DelayMS: api.Delay{P50: api.Milliseconds(r.Delay.P(50)), P99: api.Milliseconds(r.Delay.P(99)), Max: api.Milliseconds(r.Delay.Max())},
	}
}

// printSimulation prints for people, who want shares beside numbers.
func printSimulation(a *app.App, o simulate.Options, r simulate.Result) error {
	days := "days"
	if o.Days == 1 {
		days = "day"
	}
	fmt.Fprintf(a.Out, "%d %s from %s, seed %d, pipelines in standby: %d\n\n", o.Days, days, pipeline.Time(o.From), o.Seed, r.Pipelines)
	share := func(n int) string {
		if r.Slots == 0 {
			return "-"
		}
		return fmt.Sprintf("%.2f %%", 100*float64(n)/float64(r.Slots))
	}
	rows := [][]string{{"all", fmt.Sprint(r.Slots), ""}}
	for _, x := range []struct {
		name string
		n    int
	}{{"by primary", r.ByPrimary}, {"by backup", r.ByBackup}, {"missed", r.Missed}, {"doubled", r.Doubled}} {
		rows = append(rows, []string{x.name, fmt.Sprint(x.n), share(x.n)})
	}
	if err := a.Table([]string{"SLOTS", "NUMBER", "SHARE"}, rows); err != nil {
		return err
	}
	long := func(d time.Duration, ok bool) string {
		if !ok {
			return "-"
		}
		return pipeline.Duration(d.Round(time.Second)).String()
	}
	_, err := fmt.Fprintf(a.Out, "\ndelay: p50 %s, p99 %s, max %s\n", long(r.Delay.P(50)), long(r.Delay.P(99)), long(r.Delay.Max()))
	return app.Quiet(err)
}

// progress is a line that says how far a long simulation is.
type progress struct {
	to    io.Writer
	began time.Time
	shown time.Time // zero: never
}

// show shows it, once it has taken a second, ten times a second at most.
func (p *progress) show(share float64) {
	now := time.Now()
	if now.Sub(p.began) < time.Second || now.Sub(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = now
	fmt.Fprintf(p.to, "\r\x1b[Ksimulating: %.0f %%", 100*share)
}

func (p *progress) clear() {
	if !p.shown.IsZero() {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
