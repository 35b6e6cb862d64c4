// Package care holds the commands that keep a project and its machine in order.
package care

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
)

// Version is `redundctl version`.
func Version(a *app.App) *cobra.Command {
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: `  redundctl version -o json`,
		RunE: func(*cobra.Command, []string) error {
			if a.JSON() {
				return a.PrintJSON(map[string]string{"version": a.Version})
			}
			_, err := fmt.Fprintf(a.Out, "redundctl %s\n", a.Version)
			return app.Quiet(err)
		},
	}
	return a.Prints(c)
}
