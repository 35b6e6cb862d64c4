// Package monitor is `redundctl monitor`: a live view of a running engine on a
// terminal. The package screen is what it shows; here it meets the engine and the
// terminal.
package monitor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/cmd/redundctl/monitor/screen"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/console"
)

// Monitor is `redundctl monitor`.
func Monitor(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:   "monitor [SYSTEM]",
		Short: "Watch the engine, live",
		Long: `Show the verdict with its reasons, the systems, the pipelines, what is in progress
and what happened lately, as it changes. When the engine goes away, the last
picture stays with its age, and the view goes on when an engine is back.

Keys: up, down, tab and enter move and open; l shows log lines as they come; c
cancels a run, r lets one run again, s stops or starts a system or a pipeline,
and each asks first; / filters, ? lists the keys, q ends (0), Ctrl-C too (130).

Where standard input or output is no terminal, or one that cannot move its
cursor (TERM=dumb), the picture is printed once, as text.`,
		Example: `  redundctl monitor
  redundctl monitor pm2
  redundctl monitor | head -20        one picture, as text`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.CompleteSystems(),
		RunE: func(c *cobra.Command, args []string) error {
			system := ""
			if len(args) == 1 {
				system = args[0]
			}
			return run(c.Context(), a, system)
		},
	}
}

func run(ctx context.Context, a *app.App, system string) error {
	first, err := look(ctx, a, system)
	if err != nil {
		return err
	}
	if !console.IsTerminal(a.In) || !console.IsTerminal(a.Out) || os.Getenv("TERM") == "dumb" {
		return printed(a, first)
	}
	s := screen.New(screen.Options{System: system, Color: console.Color(a.Out), Now: time.Now()})
	s.Met()
	s.Status(first.status)
	s.Active(first.active)
	v := &view{screen: s}
	p := tea.NewProgram(v, tea.WithContext(ctx), tea.WithInput(a.In), tea.WithOutput(a.Out), tea.WithoutSignalHandler(), tea.WithFPS(30))
	v.feed = newFeed(a.Engine, system, func(t tell) { p.Send(t) })
	end := v.feed.begin(ctx)
	_, err = p.Run()
	end()
	switch {
	case ctx.Err() != nil || v.interrupted:
		return app.ExitCode(130)
	case errors.Is(err, tea.ErrProgramPanic):
		return errors.New("the view failed: this is a mistake in redundctl, and redundctl status shows the same")
	case err != nil:
		return fmt.Errorf("drawing on the terminal: %w: redundctl status shows the same", err)
	}
	return nil
}

// picture is how things are at one moment.
type picture struct {
	system string
	status api.Status
	active screen.Active
}

// look asks the engine for everything once. The error is that of the other
// commands when there is no engine or no such system.
func look(ctx context.Context, a *app.App, system string) (picture, error) {
	p := picture{system: system}
	c, err := a.Engine()
	if err != nil {
		return p, err
	}
	defer c.Close()
	if system != "" {
		if _, err := c.Health(ctx, system); err != nil {
			return p, err
		}
	}
	if p.status, err = c.Status(ctx); err != nil {
		return p, err
	}
	p.active, err = active(ctx, c, system)
	return p, err
}

// view is the screen as the terminal library wants it.
type view struct {
	screen      *screen.Screen
	feed        *feed
	interrupted bool
}

// Init has nothing to begin: the feed does that.
func (v *view) Init() tea.Cmd { return nil }

// Update takes in what happened.
func (v *view) Update(m tea.Msg) (tea.Model, tea.Cmd) {
	var ask screen.Ask
	switch m := m.(type) {
	case tell:
		m(v.screen)
	case tea.WindowSizeMsg:
		v.screen.Resize(m.Width, m.Height)
	case tea.KeyPressMsg:
		ask = v.screen.Key(m.String(), m.Text)
	case tea.PasteMsg:
		v.screen.Paste(m.Content)
	case tea.ResumeMsg:
		v.screen.Tick(time.Now())
	}
	v.feed.want(v.screen.Wants())
	switch ask.Do {
	case 0:
		return v, nil
	case screen.Quit:
		return v, tea.Quit
	case screen.Interrupt:
		v.interrupted = true
		return v, tea.Quit
	case screen.Suspend:
		return v, tea.Suspend
	}
	v.feed.do(ask)
	return v, nil
}

// View gives what to draw.
func (v *view) View() tea.View {
	out := tea.NewView(v.screen.View())
	out.AltScreen = true
	return out
}
