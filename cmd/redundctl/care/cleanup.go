package care

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/cleanup"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/report"
)

// Cleanup is `redundctl cleanup`.
func Cleanup(a *app.App) *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use:   "cleanup",
		Short: "Remove what retention in redund.yaml no longer keeps",
		Long: `Remove runs, logs and git backups that are older than retention in redund.yaml
says, or more than it keeps. With --dry-run nothing is removed: it says what
would be.`,
		Example: `  redundctl cleanup --dry-run
  redundctl cleanup`,
		RunE: func(c *cobra.Command, _ []string) error {
			p, _, err := a.Usable(c.Context())
			if err != nil {
				return err
			}
			repo, done, err := repository(c.Context(), a, p, "")
			switch {
			case err == nil:
				defer done()
			case versioned(p.Root):
				return err // its backups would grow for ever, and nobody would know
			default:
				repo = nil // a project that is no repository has no backups
			}
			out, err := cleanup.Run(c.Context(), p, repo, dry)
			if err != nil {
				return err
			}
			if a.JSON() {
				r := out.Runs
				return a.PrintJSON(api.Cleaned{
					DryRun: out.DryRun, Logs: out.Logs, Backups: out.Backups,
					History: api.Pruned{
						Runs: r.Runs, Steps: r.Steps, Slots: r.Slots, Events: r.Events, Definitions: r.Definitions,
						Oldest: api.When(r.Oldest), Newest: api.When(r.Newest),
					},
				})
			}
			verb := "removed"
			if dry {
				verb = "would remove"
			}
			span := ""
			if out.Runs.Runs > 0 {
				span = fmt.Sprintf(" (%s to %s)", report.Clock(out.Runs.Oldest), report.Clock(out.Runs.Newest))
			}
			fmt.Fprintf(a.Out, "%s %s%s with %s and %s, %s, %s\n", verb, diag.Count(out.Runs.Runs, "run"), span,
				diag.Count(out.Runs.Steps, "step"), diag.Count(out.Runs.Events, "event"), diag.Count(len(out.Logs), "log file"), diag.Count(len(out.Backups), "backup"))
			for _, x := range append(out.Logs, out.Backups...) {
				fmt.Fprintf(a.Out, "  %s\n", x)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would be removed, and remove nothing")
	return a.Prints(c)
}

// versioned reports whether a folder lies in a git repository, whole or not.
func versioned(dir string) bool {
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}
