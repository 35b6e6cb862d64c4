// Command redundctl runs the backups of automations: pipelines written in
// YAML, checked against a schema, run as graphs of steps. Start with app.go;
// each command has a file of its own.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// version is set by the build.
var version = "devel"

func main() {
	if os.Getenv("GOGC") == "" {
		// A command lives for a moment and loads much at once; collecting
		// garbage as often as a server does costs a fifth of validate's time.
		debug.SetGCPercent(400)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], &streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// streams are what the program reads and writes.
type streams struct{ in, out, err *os.File }

// run is the whole program but for the end of its process; it returns the
// exit code.
func run(ctx context.Context, args []string, s *streams) int {
	a := &app{streams: s}
	root := a.command(args)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var code exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	a.fail(err)
	var wrong *usageError
	switch {
	case errors.As(err, &wrong):
		return 2
	case ctx.Err() != nil:
		return 130
	}
	return 1
}
