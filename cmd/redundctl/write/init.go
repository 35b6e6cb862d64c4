// Package write holds the commands with which pipelines are written, checked and
// looked at before they run.
package write

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/discover"
)

// Init is `redundctl init`.
func Init(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIR]",
		Short: "Begin a project: write redund.yaml and a folder for pipelines",
		Long: `Write redund.yaml, which observes until you change it, and the folder pipelines
with one folder a system. What is there already is left as it is.`,
		Example: `  redundctl init
  redundctl init ../site`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dir := a.Dir
			if len(args) == 1 {
				dir = filepath.Join(dir, args[0])
			}
			if err := discover.Begin(dir, a.Out); err != nil {
				return err
			}
			a.Dir = dir
			_, _, err := a.Usable(c.Context()) // a redund.yaml that was there may be broken
			return err
		},
	}
}
