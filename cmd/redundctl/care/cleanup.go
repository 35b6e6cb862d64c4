package care

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/cleanup"
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
			if err != nil {
				repo = nil // a project that is no repository has no backups
			} else {
				defer done()
			}
			out, err := cleanup.Run(c.Context(), p, repo, dry)
			if err != nil {
				return err
			}
			if a.JSON() {
				return a.PrintJSON(out)
			}
			verb := "removed"
			if dry {
				verb = "would remove"
			}
			span := ""
			if out.Runs.Runs > 0 {
				span = fmt.Sprintf(" (%s to %s)", report.Clock(out.Runs.Oldest), report.Clock(out.Runs.Newest))
			}
			fmt.Fprintf(a.Out, "%s %d runs%s with %d steps and %d events, %d log files, %d backups\n",
				verb, out.Runs.Runs, span, out.Runs.Steps, out.Runs.Events, len(out.Logs), len(out.Backups))
			for _, x := range append(out.Logs, out.Backups...) {
				fmt.Fprintf(a.Out, "  %s\n", x)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would be removed, and remove nothing")
	return a.Prints(c)
}
