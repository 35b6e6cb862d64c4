package write

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/console"
	"github.com/redundctl/redundctl/engine/diag"
)

// Validate is `redundctl validate`.
func Validate(a *app.App) *cobra.Command {
	var format string
	var strict bool
	c := &cobra.Command{
		Use:   "validate [PATH…]",
		Short: "Check files without running anything",
		Long: `Check redund.yaml and every pipeline, or the files and folders that are named:
everything that can be known without running. Nothing is started and no network
is used. Each problem has a place, a rule and what to do; docs/problems.md lists
the rules.

Errors are what no machine could run; warnings depend on this machine. The exit
code is 1 when there is an error, and with --strict when there is a warning.`,
		Example: `  redundctl validate
  redundctl validate pipelines/pm2 --strict
  redundctl validate --format github     annotations in a GitHub workflow
  redundctl validate --format sarif > redundctl.sarif`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, paths []string) error {
			if format == "" {
				format = a.Format
			}
			write, ok := map[string]func(diag.Report) error{
				"text":   func(r diag.Report) error { return diag.WriteText(a.Out, r, console.Color(a.Out)) },
				"json":   func(r diag.Report) error { return diag.WriteJSON(a.Out, r) },
				"github": func(r diag.Report) error { return diag.WriteGitHub(a.Out, r) },
				"sarif":  func(r diag.Report) error { return diag.WriteSARIF(a.Out, r) },
			}[format]
			if !ok {
				return app.Usagef("", "--format is text, json, github or sarif, not %q", format)
			}
			p, err := a.Checked(c.Context(), paths...)
			if err != nil {
				return err
			}
			r := diag.Report{Valid: true, Files: p.Files, Problems: p.Problems}
			bad := false
			for _, x := range r.Problems {
				r.Valid = r.Valid && x.Severity != diag.Error
				bad = bad || x.Severity == diag.Error || strict
			}
			if err := app.Quiet(write(r)); err != nil {
				return fmt.Errorf("printing the problems: %w", err)
			}
			if bad {
				return app.ExitCode(1)
			}
			return nil
		},
	}
	c.Flags().StringVar(&format, "format", "", "what to print: text, json, github or sarif (default: as -o)")
	c.Flags().BoolVar(&strict, "strict", false, "fail on warnings too")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "json", "github", "sarif"}, cobra.ShellCompDirectiveNoFileComp))
	return a.Prints(c)
}
