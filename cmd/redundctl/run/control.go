package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/api/client"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// startWithin is how long an engine may take until it answers.
const startWithin = time.Minute

// Start is `redundctl start`.
func Start(a *app.App) *cobra.Command {
	var only []string
	drain := app.Length(5 * time.Second)
	c := &cobra.Command{
		Use:   "start [SYSTEM|PIPELINE]",
		Short: "Start the engine in the background, or a part of it that was stopped",
		Long: `Without a name, run redundctl serve in the background and return when it keeps the
schedules; its log is logs/engine.log in the state directory. With a name, take
back what redundctl stop did to a system or a pipeline.`,
		Example: `  redundctl start
  redundctl start --only pm2,netlify-functions
  redundctl start pm2`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.CompleteParts(),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				if err := alone(c); err != nil {
					return err
				}
				return begin(c.Context(), a, args[0], (*client.Client).StartPart)
			}
			return start(c.Context(), a, api.Given{Only: only, Drain: drain.String()})
		},
	}
	c.Flags().StringSliceVar(&only, "only", nil, "serve these `systems` only")
	c.Flags().Var(&drain, "drain", "how long runs that go on may take when the engine stops")
	return c
}

// start runs the engine in a session of its own, told as given but for the
// environment, and waits until it answers.
func start(ctx context.Context, a *app.App, given api.Given) error {
	p, _, err := a.Served(ctx)
	if err != nil {
		return err
	}
	if e, err := client.Open(p.State); err == nil {
		defer e.Close()
		st, err := e.Status(ctx)
		if err == nil {
			fmt.Fprintf(a.Out, "the engine runs already, as process %d\n", st.Engine.PID)
		}
		return err
	}
	if given.Only, err = served(p, given.Only); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	args := []string{"-C", p.Root, "serve", "--log-level", "error", "--drain", given.Drain}
	if len(given.Only) > 0 {
		args = append(args, "--only", strings.Join(given.Only, ","))
	}
	if a.Environment != "" {
		args = append(args, "--environment", a.Environment)
	}
	said, err := os.CreateTemp("", "redundctl-start-")
	if err != nil {
		return fmt.Errorf("a file for what the engine says cannot be made: %w", err)
	}
	defer os.Remove(said.Name())
	defer said.Close()
	engine := exec.Command(self, args...) //nolint:noctx // it outlives this command
	engine.Stderr = said
	engine.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := engine.Start(); err != nil {
		return fmt.Errorf("starting the engine: %w", err)
	}
	ended := make(chan string, 1)
	go func() {
		_ = engine.Wait()
		text, _ := os.ReadFile(said.Name())
		ended <- strings.TrimPrefix(strings.TrimSpace(string(text)), "redundctl: ")
	}()
	return answers(ctx, a, p.State, ended)
}

// answers waits until an engine answers, or has ended and told why.
func answers(ctx context.Context, a *app.App, state string, ended <-chan string) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the engine does not answer within %s: see %s", startWithin, filepath.Join(state, "logs", "engine.log"))
		case what := <-ended:
			if what == "" {
				what = "it ended at once: see " + filepath.Join(state, "logs", "engine.log")
			}
			return errors.New("the engine does not start: " + what)
		case <-tick.C:
		}
		e, err := client.Open(state)
		if err != nil {
			continue
		}
		st, err := e.Status(ctx)
		e.Close()
		if err == nil {
			fmt.Fprintf(a.Out, "the engine runs, as process %d, with %s\n", st.Engine.PID, diag.Count(st.Reload.Loaded, "pipeline"))
			if !slices.ContainsFunc(st.Systems, func(s api.SystemStatus) bool { return !s.Observe }) {
				fmt.Fprintln(a.Out, "it observes: nothing runs by itself until redundctl arm")
			}
			return nil
		}
	}
}

// Stop is `redundctl stop`.
func Stop(a *app.App) *cobra.Command {
	var f stopFlags
	c := &cobra.Command{
		Use:   "stop [SYSTEM|PIPELINE]",
		Short: "Stop the engine, or a part of it",
		Long: `Without a name, end the engine: no new run begins, those that go on are given
--drain and then ended, and the command returns when the engine has: whatever a
step does, some 30 seconds after the drain at most. With a name,
no run of that system or pipeline begins by itself until redundctl start, whatever
engine serves; runs that go on may end, and services are stopped.`,
		Example: `  redundctl stop
  redundctl stop --drain 5m
  redundctl stop git-sync`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.CompleteParts(),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				if err := alone(c); err != nil {
					return err
				}
				return end(c.Context(), a, args[0])
			}
			_, err := f.stop(c, a)
			return err
		},
	}
	f.add(c)
	return c
}

// Restart is `redundctl restart`.
func Restart(a *app.App) *cobra.Command {
	var f stopFlags
	c := &cobra.Command{
		Use:   "restart [SYSTEM|PIPELINE]",
		Short: "Restart the engine, or a part of it",
		Long: `Without a name, end the engine and start another one in the background, for the
same systems, with the same drain and --environment as it was started with. With
a name, stop and start that system or pipeline: services are restarted, errored
ones too, and runs that go on are not touched.`,
		Example: `  redundctl restart
  redundctl restart pm2`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.CompleteParts(),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				if err := alone(c); err != nil {
					return err
				}
				return begin(c.Context(), a, args[0], (*client.Client).RestartPart)
			}
			was, err := f.stop(c, a)
			if err != nil {
				return err
			}
			if a.Environment == "" && was.Given.Environment != nil {
				a.Environment = *was.Given.Environment
			}
			return start(c.Context(), a, was.Given)
		},
	}
	f.add(c)
	return c
}

// stopFlags are the flags of what ends an engine.
type stopFlags struct {
	drain app.Length
	force bool
}

func (f *stopFlags) add(c *cobra.Command) {
	c.Flags().Var(&f.drain, "drain", "how long runs that go on may take (default: as the engine was told)")
	c.Flags().BoolVar(&f.force, "force", false, "end them at once")
}

// stop ends the engine, and says which it was.
func (f *stopFlags) stop(c *cobra.Command, a *app.App) (was api.EngineInfo, err error) {
	e, err := a.Engine()
	if err != nil {
		return was, err
	}
	defer e.Close()
	r := api.StopRequest{Force: f.force}
	if c.Flags().Changed("drain") {
		s := f.drain.String()
		r.Drain = &s
	}
	if was, err = e.StopEngine(c.Context(), r); err != nil {
		return was, err
	}
	if err := e.Gone(c.Context()); err != nil {
		return was, err
	}
	fmt.Fprintf(a.Out, "the engine has ended, process %d\n", was.PID)
	return was, nil
}

// alone refuses flags that are about the whole engine where a part is named.
func alone(c *cobra.Command) error {
	for _, name := range []string{"only", "drain", "force"} {
		if c.Flags().Changed(name) {
			return app.Usagef("leave one of them out", "--%s is about the whole engine, and a name about a part of it", name)
		}
	}
	return nil
}

// end stops a part of the engine.
func end(ctx context.Context, a *app.App, name string) error {
	e, err := a.Engine()
	if err != nil {
		return err
	}
	defer e.Close()
	got, err := e.StopPart(ctx, pipeline.Kebab(name))
	if err != nil {
		return err
	}
	fmt.Fprintf(a.Out, "%s is %s\n", got.Name, got.State)
	return nil
}

// begin starts or restarts a part, and says why it still does not run.
func begin(ctx context.Context, a *app.App, name string, do func(*client.Client, context.Context, string) (api.Turned, error)) error {
	e, err := a.Engine()
	if err != nil {
		return err
	}
	defer e.Close()
	got, err := do(e, ctx, pipeline.Kebab(name))
	if err != nil {
		return err
	}
	why := ""
	system, pipe, isPipeline := strings.Cut(got.Name, "/")
	st, err := e.Status(ctx)
	if err != nil {
		return err
	}
	for _, x := range st.Systems {
		switch {
		case x.Name != system:
		case got.State == "stopped":
			why = fmt.Sprintf(", for its system is: redundctl start %s", system)
		case got.State == "disabled" && x.State == "disabled":
			why = fmt.Sprintf(": systems.%s.enabled in redund.yaml says so", system)
		case got.State == "disabled" && isPipeline:
			why = ": redundctl enable " + pipe
		case got.State == "observing":
			why = ": redundctl arm ends that"
		}
	}
	fmt.Fprintf(a.Out, "%s is %s%s\n", got.Name, got.State, why)
	return nil
}

// Cancel is `redundctl cancel`.
func Cancel(a *app.App) *cobra.Command {
	c := &cobra.Command{
		Use:               "cancel RUN",
		Short:             "End a run that waits or goes on",
		Example:           `  redundctl cancel 42`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.CompleteRuns(pipeline.Queued, pipeline.Running),
		RunE: func(c *cobra.Command, args []string) error {
			id, e, err := runOf(a, args[0])
			if err != nil {
				return err
			}
			defer e.Close()
			got, err := e.Cancel(c.Context(), id)
			switch {
			case err != nil:
				return err
			case a.JSON():
				return a.PrintJSON(got)
			case !got.Asked:
				fmt.Fprintf(a.Out, "run %d had ended already: %s\n", id, got.State)
			default:
				fmt.Fprintf(a.Out, "run %d was asked to end\n", id)
			}
			return nil
		},
	}
	return a.Prints(c)
}

// Retry is `redundctl retry`.
func Retry(a *app.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "retry RUN",
		Short: "Run again what has ended",
		Long: `Let a run that has ended wait for another attempt, with its parameters and its
slot, under the newest form of its pipeline. One that was started with a secret
cannot be run again, since that is not recorded: start it anew.`,
		Example:           `  redundctl retry 42`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.CompleteRuns(pipeline.Failed, pipeline.TimedOut, pipeline.Cancelled, pipeline.Succeeded),
		RunE: func(c *cobra.Command, args []string) error {
			id, e, err := runOf(a, args[0])
			if err != nil {
				return err
			}
			defer e.Close()
			got, err := e.Retry(c.Context(), id)
			if err != nil {
				return err
			}
			return queued(a, got)
		},
	}
	return a.Prints(c)
}

// queued tells of a run that waits for its turn.
func queued(a *app.App, r api.Run) error {
	if a.JSON() {
		return a.PrintJSON(r)
	}
	fmt.Fprintf(a.Out, "run %d of %s/%s is queued: redundctl logs %d -f follows it\n", r.ID, r.System, r.Pipeline, r.ID)
	return nil
}

// runOf reads the number of a run and finds the engine.
func runOf(a *app.App, arg string) (int64, *client.Client, error) {
	id, err := app.RunID(arg)
	if err != nil {
		return 0, nil, err
	}
	e, err := a.Engine()
	return id, e, err
}
