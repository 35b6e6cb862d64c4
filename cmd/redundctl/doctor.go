package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/engine/doctor"
)

func (a *app) doctorCommand() *cobra.Command {
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
			p, _ := a.project(c.Context())
			list := doctor.Examine(c.Context(), p, version)
			if bundle != "" {
				if err := doctor.WriteBundle(c.Context(), bundle, doctor.Bundle{Version: version, Findings: list, Project: p, Env: os.LookupEnv}); err != nil {
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
			if a.json() {
				err = a.printJSON(list)
			} else if err = a.table([]string{"", "WHAT", "FOUND"}, rows); bundle != "" {
				fmt.Fprintf(a.out, "wrote %s; look through it before you pass it on\n", bundle)
			}
			if err == nil && bad {
				return exitCode(1)
			}
			return err
		},
	}
	c.Flags().StringVar(&bundle, "bundle", "", "write a masked bundle for a bug report to this `file`")
	return a.prints(c)
}
