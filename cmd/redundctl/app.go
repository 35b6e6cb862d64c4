package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/console"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// app is what every command has: the global flags and the streams.
type app struct {
	*streams
	dir         string // -C
	environment string
	level       string
	output      string // -o

	interrupted context.Context // ends with the first SIGINT or SIGTERM; nil in commands that end by themselves
	stop        context.CancelFunc
}

// exitCode ends the program with a code when all has been said.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usageError is a wrong use of the program: exit code 2.
type usageError struct {
	message string
	hint    string
}

func (e *usageError) Error() string {
	if e.hint == "" {
		return e.message
	}
	return e.message + "\n  " + e.hint
}

func usagef(hint, format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...), hint: hint}
}

// fail prints an error as people read it: one line, and its hint.
func (a *app) fail(err error) {
	prefix := "redundctl: "
	if console.Color(a.err) {
		prefix = "\x1b[31mredundctl:\x1b[0m "
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	for i := range lines {
		lines[i] = console.Clean(lines[i])
	}
	fmt.Fprintln(a.err, prefix+strings.Join(lines, "\n"))
}

// entry is one command of the program.
type entry struct {
	name, group string
	make        func(*app) *cobra.Command
}

// commands are those that there are, in the order of the help.
func commands() []entry {
	return []entry{
		{"init", "write", (*app).initCommand},
		{"validate", "write", (*app).validateCommand},
		{"list", "write", (*app).listCommand},
		{"next", "write", (*app).nextCommand},
		{"graph", "write", (*app).graphCommand},
		{"explain", "write", (*app).explainCommand},
		{"schema", "write", (*app).schemaCommand},
		{"run", "run", (*app).runCommand},
		{"runs", "look", (*app).runsCommand},
		{"show", "look", (*app).showCommand},
		{"logs", "look", (*app).logsCommand},
		{"report", "look", (*app).reportCommand},
		{"backups", "care", (*app).backupsCommand},
		{"restore", "care", (*app).restoreCommand},
		{"cleanup", "care", (*app).cleanupCommand},
		{"doctor", "care", (*app).doctorCommand},
		{"version", "care", (*app).versionCommand},
	}
}

// listsAll reports whether an argument asks for what names every command.
func listsAll(arg string) bool {
	return arg == "help" || arg == "completion" || arg == "-h" || arg == "--help" || strings.HasPrefix(arg, "__complete")
}

// command is the root with the commands that args may mean.
func (a *app) command(args []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "redundctl",
		Short: "The backup of your automations",
		Long: `redundctl is the backup of automations that you do not control: PM2 processes,
GitHub Actions schedules, Netlify Functions. Each one is a pipeline in a YAML
file; redundctl checks the files, runs their steps as a graph, and keeps an
account of what it did.`,
		Example: `  redundctl init                      begin a project in this folder
  redundctl validate                  check every file, without running anything
  redundctl run git-sync --dry-run    what a run would do
  redundctl run git-sync              run it
  redundctl runs                      what ran, and how it ended`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
		PersistentPreRunE: a.prepare,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("see redundctl --help", "there is no command %q", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			_ = c.Help()
			return exitCode(2)
		},
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("see "+c.CommandPath()+" --help", "%s", err)
	})
	root.SetHelpTemplate(helpTemplate)
	f := root.PersistentFlags()
	f.StringVarP(&a.dir, "directory", "C", "", "the project's folder (default: that of the nearest redund.yaml upwards)")
	f.StringVar(&a.environment, "environment", "", "the environment of redund.yaml to use")
	f.StringVar(&a.level, "log-level", "warn", "what is logged to the terminal: debug, info, warn or error")
	root.AddGroup(
		&cobra.Group{ID: "write", Title: "Write and check:"},
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "look", Title: "Look back:"},
		&cobra.Group{ID: "care", Title: "Take care:"},
	)
	// Making a command costs a start as much as running a small one does, so
	// only the one that is named is made, or all where help lists them.
	only := ""
	if i := slices.IndexFunc(commands(), func(c entry) bool { return slices.Contains(args, c.name) }); i >= 0 && !slices.ContainsFunc(args, listsAll) {
		only = commands()[i].name
	}
	for _, e := range commands() {
		if only != "" && !slices.Contains(args, e.name) {
			continue
		}
		c := e.make(a)
		c.GroupID = e.group
		if c.Args == nil {
			c.Args = cobra.NoArgs
		}
		c.Args = asUsage(c.Args)
		root.AddCommand(c)
	}
	return root
}

const helpTemplate = `{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}

{{end}}{{if or .Runnable .HasSubCommands}}{{.UsageString}}{{end}}`

// asUsage makes wrong arguments a wrong use.
func asUsage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usagef("see "+c.CommandPath()+" --help", "%s", err)
		}
		return nil
	}
}

// prepare checks the global flags and gets ready to be interrupted, but where a
// command ends by itself before anyone could.
func (a *app) prepare(c *cobra.Command, _ []string) error {
	if err := a.checkFlags(); err != nil {
		return err
	}
	if c.Name() == "version" {
		return nil
	}
	a.interrupted, a.stop = signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(a.interrupted, a.stop) // the second Ctrl-C ends the program at once
	c.SetContext(a.interrupted)
	if os.Getenv("GOGC") == "" {
		// A command lives for a moment and loads much at once; collecting
		// garbage as often as a server does costs a fifth of validate's time.
		debug.SetGCPercent(400)
	}
	return nil
}

func (a *app) checkFlags() error {
	switch a.level {
	case "debug", "info", "warn", "error":
	default:
		return usagef("", "--log-level is debug, info, warn or error, not %q", a.level)
	}
	switch a.output {
	case "", "text", "json":
	default:
		return usagef("", "-o is text or json, not %q", a.output)
	}
	if a.dir != "" {
		if info, err := os.Stat(a.dir); err != nil || !info.IsDir() {
			return usagef("", "-C: %s is not a folder", a.dir)
		}
	}
	return nil
}

// prints gives a command that prints data its -o flag.
func (a *app) prints(c *cobra.Command) *cobra.Command {
	c.Flags().StringVarP(&a.output, "output", "o", "text", "what to print: text or json")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) json() bool { return a.output == "json" }

// printJSON prints one value.
func (a *app) printJSON(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("printing JSON: %w", err)
	}
	_, err := a.out.Write(b.Bytes())
	return quiet(err)
}

// table prints rows for people.
func (a *app) table(head []string, rows [][]string) error {
	return quiet(console.Table(a.out, console.Color(a.out), head, rows))
}

// quiet drops the error of a reader that has gone, as `head` does.
func quiet(err error) error {
	if errors.Is(err, os.ErrClosed) || err != nil && strings.HasSuffix(err.Error(), "broken pipe") {
		return nil
	}
	return err
}

func (a *app) logger() *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(a.level)) // checked by checkFlags
	return console.NewLogger(a.err, console.LogOptions{Level: level, Color: console.Color(a.err)})
}

// project loads the project, whatever is wrong with it.
func (a *app) project(ctx context.Context, paths ...string) (*config.Project, *kind.Set) {
	kinds := builtin.Kinds()
	p := config.Load(ctx, config.Options{Dir: a.dir, Environment: a.environment, Kinds: kinds, Paths: paths, Env: os.LookupEnv})
	kinds.Plugin = builtin.Plugins(p.Config.Plugins, p.Root, os.Getenv("PATH"))
	return p, kinds
}

// usable is project for commands that need a valid redund.yaml: its problems
// are shown and end the command.
func (a *app) usable(ctx context.Context) (*config.Project, *kind.Set, error) {
	p, kinds := a.project(ctx)
	if p.ConfigInvalid {
		a.problems(p, func(x diag.Problem) bool { return x.File == p.ConfigFile })
		return nil, nil, exitCode(1)
	}
	return p, kinds, nil
}

// problems shows some of the problems on stderr.
func (a *app) problems(p *config.Project, which func(diag.Problem) bool) {
	r := diag.Report{Files: p.Files, Problems: []diag.Problem{}}
	for _, x := range p.Problems {
		if which(x) {
			r.Problems = append(r.Problems, x)
		}
	}
	_ = diag.WriteText(a.err, r, console.Color(a.err))
}

// pipeline finds the one pipeline that a name means.
func (a *app) pipeline(p *config.Project, name string) (*pipeline.Pipeline, error) {
	switch found := p.Find(name); len(found) {
	case 1:
		// A bare name must not move to another system while one file is broken.
		if files := p.Rejected(name); len(files) > 0 && !strings.Contains(name, "/") && files[0] != found[0].File {
			return nil, usagef("write "+found[0].ID()+" if that is meant", "the name %q means %s and the pipeline in %s, which is invalid", name, found[0].ID(), files[0])
		}
		return found[0], nil
	case 0:
		return nil, a.unknown(p, name)
	default:
		var ids []string
		for _, f := range found {
			ids = append(ids, f.ID())
		}
		return nil, usagef("write one of them", "the name %q means %s", name, strings.Join(ids, " and "))
	}
}

// unknown says why there is no such pipeline: its file is invalid, or nobody
// wrote it.
func (a *app) unknown(p *config.Project, name string) error {
	if files := p.Rejected(name); len(files) > 0 {
		a.problems(p, func(x diag.Problem) bool { return x.Severity == diag.Error && x.File == files[0] })
		return exitCode(1)
	}
	var names []string
	for _, x := range p.Pipelines {
		names = append(names, x.Name, x.ID())
	}
	hint := "redundctl list shows those that there are"
	if n := diag.Nearest(name, names); n != "" {
		hint = fmt.Sprintf("did you mean %q?", n)
	}
	return usagef(hint, "there is no pipeline %q in %s", name, p.Root)
}

// history opens what was recorded.
func (a *app) history(ctx context.Context, p *config.Project) (*engine.History, error) {
	return engine.OpenHistory(ctx, p)
}

// completeNames offers the names of pipelines.
func (a *app) completeNames(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	p, _ := a.project(c.Context())
	var out []string
	for _, x := range p.Pipelines {
		out = append(out, x.Name+"\t"+x.Description)
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
