// Command redundctl runs the backups of automations: pipelines written in
// YAML, checked against a schema, run as graphs of steps. Start with root.go,
// which lists the commands; each has a file of its own, in the folder of its
// part of the help.
package main

import (
	"context"
	"os"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	_ "github.com/redundctl/redundctl/cmd/redundctl/warm" // a faster start
)

// version is set by the build.
var version = "devel"

func main() { os.Exit(program(os.Args[1:])) }

// program is the whole program but for the end of its process; it returns the
// exit code.
func program(args []string) int {
	a := &app.App{Version: version, In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	root := command(a, args)
	root.SetArgs(args)
	return a.End(root.ExecuteContext(context.Background()))
}
