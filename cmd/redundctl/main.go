// Command redundctl runs the backups of automations: pipelines written in
// YAML, checked against a schema, run as graphs of steps. Start with app.go;
// each command has a file of its own.
package main

import (
	"context"
	"errors"
	"os"
)

// version is set by the build.
var version = "devel"

func main() {
	os.Exit(run(context.Background(), os.Args[1:], &streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
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
	interrupted := a.interrupted != nil && a.interrupted.Err() != nil
	if a.stop != nil {
		a.stop()
	}
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
	case interrupted:
		return 130
	}
	return 1
}
