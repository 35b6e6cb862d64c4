package run

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/cmd/redundctl/spare"
	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api/server"
	"github.com/redundctl/redundctl/engine/cleanup/backups"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

// Serve is `redundctl serve`.
func Serve(a *app.App) *cobra.Command {
	var only []string
	drain := app.Length(5 * time.Second)
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the engine in the foreground",
		Long: `Keep the schedules of every pipeline, run them, and take up what is saved in the
files, until Ctrl-C or SIGTERM. A mistake in a file stops nothing: its last good
form stays in force, and redundctl status shows the mistake.

What is logged to the terminal is what logs.level in redund.yaml says, also when
that is changed; --log-level has the last word.

On SIGTERM no new run begins; those that go on are given --drain, then ended. The
next engine goes on with them where it may, and else runs their handlers. SIGHUP
reads the files at once.`,
		Example: `  redundctl serve
  redundctl serve --only pm2,netlify-functions
  redundctl serve --drain 1m --log-level debug`,
		RunE: func(c *cobra.Command, _ []string) error {
			hup := make(chan os.Signal, 1) // from the first moment on: nobody who sends it ends the engine
			signal.Notify(hup, syscall.SIGHUP)
			defer signal.Stop(hup)
			p, kinds, err := a.Served(c.Context())
			if err != nil {
				return err
			}
			if only, err = served(p, only); err != nil {
				return err
			}
			opening := engine.Options{
				Project: p, Kinds: kinds, Environ: os.Environ(), Log: a.Logger(), Subreaper: true,
				Serve: engine.Serve{
					Version: a.Version, Only: only, Drain: time.Duration(drain), Environment: a.Environment,
					Load: a.Again,
					Backups: func(ctx context.Context, p *config.Project, s *proc.Spawner) ([]string, error) {
						return backups.Prune(ctx, p, backups.Options{Proc: s, Env: os.Environ()}, false)
					},
				},
			}
			if !c.Flags().Changed("log-level") {
				opening.Level = a.Level() // as logs.level of the project says
			}
			return serve(c.Context(), a, opening, hup)
		},
	}
	c.Flags().StringSliceVar(&only, "only", nil, "serve these `systems` only")
	c.Flags().Var(&drain, "drain", "how long runs that go on may take when the engine stops")
	return c
}

// served are the systems that --only names.
func served(p *config.Project, only []string) ([]string, error) {
	var out []string
	for _, name := range only {
		name = pipeline.Kebab(name)
		if _, ok := p.Config.Systems[name]; !ok {
			return nil, app.Usagef("the systems are "+strings.Join(slices.Sorted(maps.Keys(p.Config.Systems)), ", "), "--only: there is no system %q", name)
		}
		out = append(out, name)
	}
	return out, nil
}

// serve lets an engine serve with its socket, until ctx is done or somebody
// asks it to stop.
func serve(ctx context.Context, a *app.App, o engine.Options, hup <-chan os.Signal) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ready := make(chan struct{})
	o.Serve.Ready = func() { close(ready) }
	e, err := engine.New(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	srv, err := server.New(e, server.Options{Stop: stop, Log: a.Logger(), Primaries: func() server.Primaries {
		if p := e.Primaries(); p != nil {
			return p
		}
		return nil
	}})
	if err != nil {
		return err
	}
	// The socket stays until the engine has ended: who waits for that sees it go.
	open, closeSocket := context.WithCancel(context.WithoutCancel(ctx))
	var beside sync.WaitGroup // what uses the engine, which is closed after that
	defer beside.Wait()
	defer closeSocket()
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	select {
	case err = <-ended:
		return err
	case <-ready:
	}
	listening := make(chan error, 1)
	go func() {
		err := srv.Run(open)
		if err != nil {
			stop()
		}
		listening <- err
	}()
	notify(a, daemon.SdNotifyReady)
	beside.Go(func() { signals(ctx, a, e, hup) })
	beside.Go(func() { watchdog(open, a, e) })
	go spare.Keep(open)
	err = <-ended
	stop()
	closeSocket()
	return errors.Join(err, <-listening)
}

// signals takes up the files on SIGHUP until ctx is done, and tells systemd of
// both: of the end last, though runs go on for a while yet.
func signals(ctx context.Context, a *app.App, e *engine.Engine, hup <-chan os.Signal) {
	defer notify(a, daemon.SdNotifyStopping)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			if ctx.Err() != nil {
				return
			}
			notify(a, daemon.SdNotifyReloading+"\n"+daemon.SdNotifyMonotonicUsec())
			if err := e.Reload(ctx); err != nil && ctx.Err() == nil {
				a.Logger().Error("the files could not be read again", "error", err)
			}
			notify(a, daemon.SdNotifyReady)
		}
	}
}

// watchdog tells systemd that we live, as often as it wants to know, until ctx is
// done. An engine that is stuck says nothing, and is started anew.
func watchdog(ctx context.Context, a *app.App, e *engine.Engine) {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every <= 0 {
		return
	}
	tick := time.NewTicker(every / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if e.Alive(every) {
				notify(a, daemon.SdNotifyWatchdog)
			}
		}
	}
}

// notify tells systemd, where it started us (Type=notify).
func notify(a *app.App, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		a.Logger().Warn("systemd could not be told", "state", state, "error", err)
	}
}
