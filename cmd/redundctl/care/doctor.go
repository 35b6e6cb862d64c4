package care

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/doctor"
)

// Doctor is `redundctl doctor`.
func Doctor(a *app.App) *cobra.Command {
	var bundle string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is missing on this machine",
		Long: `Look at the programs, folders and limits that redundctl and the pipelines of this
project need. With --bundle it writes a file for a bug report: versions, findings,
files of the project and the end of the logs, with every known secret masked.

The exit code is 1 when something keeps redundctl from working.`,
		Example: `  redundctl doctor
  redundctl doctor --bundle report.tar.gz`,
		RunE: func(c *cobra.Command, _ []string) error {
			p, _ := a.Project(c.Context())
			list := doctor.Examine(c.Context(), p, a.Version)
			if bundle != "" {
				if err := doctor.WriteBundle(c.Context(), bundle, doctor.Bundle{Version: a.Version, Findings: list, Project: p, Env: os.LookupEnv}); err != nil {
					return err
				}
			}
			bad := false
			var rows [][]string
			for _, f := range list {
				bad = bad || f.Status == "bad"
				rows = append(rows, []string{f.Status, f.Name, f.Detail})
			}
			var err error
			if a.JSON() {
				err = a.PrintJSON(list)
			} else if err = a.Table([]string{"", "WHAT", "FOUND"}, rows); bundle != "" {
				fmt.Fprintf(a.Out, "wrote %s; look through it before you pass it on\n", bundle)
			}
			if err == nil && bad {
				return app.ExitCode(1)
			}
			return err
		},
	}
	c.Flags().StringVar(&bundle, "bundle", "", "write a masked bundle for a bug report to this `file`")
	return a.Prints(c)
}
