package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/cmd/redundctl/care"
	"github.com/redundctl/redundctl/cmd/redundctl/look"
	"github.com/redundctl/redundctl/cmd/redundctl/monitor"
	"github.com/redundctl/redundctl/cmd/redundctl/run"
	"github.com/redundctl/redundctl/cmd/redundctl/write"
	"github.com/redundctl/redundctl/engine/diag"
)

// entry is one command of the program.
type entry struct {
	name, group string
	make        func(*app.App) *cobra.Command
}

// commands are those that there are, in the order of the help.
func commands() []entry {
	return []entry{
		{"init", "write", write.Init},
		{"import", "write", write.Import},
		{"validate", "write", write.Validate},
		{"list", "write", write.List},
		{"next", "write", write.Next},
		{"graph", "write", write.Graph},
		{"edit", "write", write.Edit},
		{"enable", "write", write.Enable},
		{"disable", "write", write.Disable},
		{"reschedule", "write", write.Reschedule},
		{"arm", "write", write.Arm},
		{"coverage", "write", write.Coverage},
		{"drift", "write", write.Drift},
		{"explain", "write", write.Explain},
		{"schema", "write", write.Schema},
		{"run", "run", run.Run},
		{"serve", "run", run.Serve},
		{"start", "run", run.Start},
		{"stop", "run", run.Stop},
		{"restart", "run", run.Restart},
		{"takeover", "run", run.Takeover},
		{"failback", "run", run.Failback},
		{"cancel", "run", run.Cancel},
		{"retry", "run", run.Retry},
		{"status", "look", look.Status},
		{"health", "look", look.Health},
		{"monitor", "look", monitor.Monitor},
		{"plan", "look", look.Plan},
		{"runs", "look", look.Runs},
		{"show", "look", look.Show},
		{"why", "look", look.Why},
		{"logs", "look", look.Logs},
		{"report", "look", look.Report},
		{"simulate", "look", look.Simulate},
		{"backups", "care", care.Backups},
		{"restore", "care", care.Restore},
		{"cleanup", "care", care.Cleanup},
		{"doctor", "care", care.Doctor},
		{"version", "care", care.Version},
	}
}

// listsAll reports whether an argument asks for what names every command.
func listsAll(arg string) bool {
	return arg == "help" || arg == "completion" || arg == "-h" || arg == "--help" || strings.HasPrefix(arg, "__complete")
}

// command is the root with the commands that args may mean.
func command(a *app.App, args []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "redundctl",
		Short: "The backup of your automations",
		Long: `redundctl is the backup of automations that you do not control: PM2 processes,
GitHub Actions schedules, Netlify Functions. Each one is a pipeline in a YAML
file; redundctl checks the files, runs their steps as a graph, and keeps an
account of what it did.`,
		Example: `  redundctl init                      begin a project in this folder, with what runs elsewhere
  redundctl coverage                  what of that is backed up
  redundctl validate                  check every file, without running anything
  redundctl run git-sync --dry-run    what a run would do
  redundctl run git-sync              run it
  redundctl runs                      what ran, and how it ended`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Version:           a.Version,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
		PersistentPreRunE: a.Prepare,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknown(args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			_ = c.Help()
			return app.ExitCode(2)
		},
	}
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		message := err.Error()
		if what, _, ok := strings.Cut(message, ": strconv.Parse"); ok {
			message = what + ": a number is wanted"
		}
		return app.Usagef("see "+c.CommandPath()+" --help", "%s", message)
	})
	root.SetHelpTemplate(helpTemplate)
	root.SetVersionTemplate("redundctl {{.Version}}\n")
	a.Flags(root)
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
	if only == "" {
		root.SetHelpCommand(help(root))
		root.SetCompletionCommandGroupID("care")
		root.InitDefaultCompletionCmd()
		for _, c := range root.Commands() {
			if c.Name() == "completion" {
				shells(c)
			}
		}
	}
	return root
}

// unknown is a command that there is not.
func unknown(name string) error {
	var names []string
	for _, e := range commands() {
		names = append(names, e.name)
	}
	hint := "see redundctl --help"
	if n := diag.Nearest(name, names); n != "" {
		hint = fmt.Sprintf("did you mean redundctl %s?", n)
	}
	return app.Usagef(hint, "there is no command %q", name)
}

// help is `redundctl help`. The library's own shows all commands and exits with 0
// when it is asked about one that there is not.
func help(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Show what a command does, and its flags",
		GroupID: "care",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, c := range root.Commands() {
				if len(args) == 0 && c.IsAvailableCommand() {
					names = append(names, c.Name()+"\t"+c.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			switch {
			case err != nil:
				return err
			case c == root && len(rest) > 0:
				return unknown(rest[0])
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
	}
}

// shells makes the command that a library gives say which shells there are,
// where it would show its help and exit with 0.
func shells(c *cobra.Command) {
	var names []string
	for _, s := range c.Commands() {
		names = append(names, s.Name())
	}
	slices.Sort(names)
	c.Use = "completion " + strings.Join(names, "|")
	c.Short = "Print a completion script for a shell"
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return app.Usagef("see redundctl completion --help", "completion: %q is none of %s", args[0], strings.Join(names, ", "))
		}
		return app.Usagef("see redundctl completion --help", "completion: name a shell: %s", strings.Join(names, ", "))
	}
}

const helpTemplate = `{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}

{{end}}{{if or .Runnable .HasSubCommands}}{{.UsageString}}{{end}}`

// asUsage makes wrong arguments a wrong use, told in the words of the command's
// usage line.
func asUsage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		err := check(c, args)
		if err == nil {
			return nil
		}
		message := err.Error()
		want := strings.Fields(c.Use)[1:]
		switch {
		case len(c.ValidArgs) > 0 && len(args) > 0 && !slices.Contains(c.ValidArgs, args[0]):
			message = fmt.Sprintf("%q is none of %s", args[0], strings.Join(c.ValidArgs, ", "))
		case len(args) < len(want):
			message = want[len(args)] + " is missing"
		case len(args) > len(want):
			message = "there is an argument too many: " + args[len(want)]
		}
		name := strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ")
		return app.Usagef("see "+c.CommandPath()+" --help", "%s: %s", name, message)
	}
}
