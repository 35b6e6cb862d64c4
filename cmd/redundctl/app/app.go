// Package app is what the commands of redundctl share: the global flags, the
// streams, how errors become exit codes, how things are printed, and how a
// project is loaded and a pipeline found in it. The commands themselves are in
// the folders beside this one, one folder for each part of the help.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/engine/api/client"
	"github.com/redundctl/redundctl/engine/console"
)

// App is one call of the program. It belongs to one goroutine.
type App struct {
	Version      string
	In, Out, Err *os.File

	// Global flags.
	Dir         string        // -C; empty: the folder of the nearest redund.yaml upwards
	Environment string        // --environment; empty: none
	level       string        // --log-level
	shown       slog.LevelVar // the same, as loggers take it
	Format      string        // -o, of the commands that have it

	interrupted context.Context // ends with the first SIGINT, SIGTERM or SIGHUP; nil in commands that end by themselves
	stop        context.CancelFunc
}

// Flags gives the root command the global flags.
func (a *App) Flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVarP(&a.Dir, "directory", "C", "", "the project's folder (default: that of the nearest redund.yaml upwards)")
	f.StringVar(&a.Environment, "environment", "", "the environment of redund.yaml to use")
	f.StringVar(&a.level, "log-level", "warn", "what is logged to the terminal: debug, info, warn or error")
}

// Prepare checks the global flags and gets ready to be interrupted, but where a
// command ends by itself before anyone could.
func (a *App) Prepare(c *cobra.Command, _ []string) error {
	if err := a.checkFlags(c); err != nil {
		return err
	}
	if c.Name() == "version" {
		return nil
	}
	end := []os.Signal{syscall.SIGTERM, os.Interrupt}
	if c.Name() == "edit" {
		end = end[:1] // Ctrl-C is a key of the editor
	}
	// With nohup we go on when the terminal has gone; to an engine the signal
	// says that it should read its files.
	if !signal.Ignored(syscall.SIGHUP) && c.Name() != "serve" {
		end = append(end, syscall.SIGHUP)
	}
	a.interrupted, a.stop = signal.NotifyContext(c.Context(), end...)
	context.AfterFunc(a.interrupted, a.stop) // the second Ctrl-C ends the program at once
	c.SetContext(a.interrupted)
	// A reader that has gone, as `head` does, makes a write fail; by itself it
	// would kill the program, in the middle of a run.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if os.Getenv("GOGC") == "" {
		// A command lives for a moment and loads much at once; collecting
		// garbage as often as a server does costs a fifth of validate's time. An
		// engine goes back to that when it has begun.
		debug.SetGCPercent(200)
	}
	return nil
}

func (a *App) checkFlags(c *cobra.Command) error {
	switch a.level {
	case "debug", "info", "warn", "error":
		var level slog.Level
		_ = level.UnmarshalText([]byte(a.level)) // it is one of them
		a.shown.Set(level)
	default:
		return Usagef("", "--log-level is debug, info, warn or error, not %q", a.level)
	}
	_, md := c.Annotations[markdown]
	switch a.Format {
	case "", "text", "json":
	case "md":
		if !md {
			return Usagef("", "-o is text or json, not %q", a.Format)
		}
	default:
		return Usagef("", "-o is %s, not %q", map[bool]string{false: "text or json", true: "text, json or md"}[md], a.Format)
	}
	if a.Dir != "" {
		if info, err := os.Stat(a.Dir); err != nil || !info.IsDir() {
			return Usagef("", "-C: %s is not a folder", a.Dir)
		}
	}
	return nil
}

// ExitCode ends the program with a code when all has been said.
type ExitCode int

func (e ExitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usageError is a wrong use of the program.
type usageError struct{ message, hint string }

func (e *usageError) Error() string {
	if e.hint == "" {
		return e.message
	}
	return e.message + "\n  " + e.hint
}

// Usagef is a wrong use of the program: exit code 2. The hint, which may be
// empty, says what to do instead.
func Usagef(hint, format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...), hint: hint}
}

// End shows the error that a command ended with, unless it was shown, and
// returns the exit code of the program.
func (a *App) End(err error) int {
	interrupted := a.interrupted != nil && a.interrupted.Err() != nil
	if a.stop != nil {
		a.stop()
	}
	var code ExitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	if interrupted && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	var wrong *usageError
	var refused *client.UsageError
	if errors.As(err, &refused) {
		wrong = &usageError{refused.Message, refused.Hint}
		err = wrong
	}
	a.Fail(err)
	switch {
	case wrong != nil || errors.As(err, &wrong):
		return 2
	case errors.Is(err, client.ErrNoEngine):
		return 3
	case interrupted:
		return 130
	}
	return 1
}

// Fail prints an error as people read it: one line, and its hint.
func (a *App) Fail(err error) {
	prefix := "redundctl: "
	if console.Color(a.Err) {
		prefix = "\x1b[31mredundctl:\x1b[0m "
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	for i := range lines {
		lines[i] = console.Clean(lines[i])
	}
	fmt.Fprintln(a.Err, prefix+strings.Join(lines, "\n"))
}

// Level is what is logged to stderr; it may be changed.
func (a *App) Level() *slog.LevelVar { return &a.shown }

// Logger logs to stderr what Level lets through.
func (a *App) Logger() *slog.Logger {
	return console.NewLogger(a.Err, console.LogOptions{Level: &a.shown, Color: console.Color(a.Err)})
}
