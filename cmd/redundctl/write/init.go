// Package write holds the commands with which pipelines are written, checked and
// looked at before they run.
package write

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/discover"
)

// Init is `redundctl init`.
func Init(a *app.App) *cobra.Command {
	return a.Prints(&cobra.Command{
		Use:   "init [DIR]",
		Short: "Begin a project: write redund.yaml, and a pipeline for each automation that is found",
		Long: `Write redund.yaml, which observes until you change it, and look for what runs
elsewhere: workflows of GitHub Actions with a schedule, applications of PM2,
functions of Netlify with a schedule. Each gets a pipeline that backs it up, in
pipelines/SYSTEM/NAME.yaml; one that cannot run here gets it disabled, with the
reason. What is there already is left as it is.

What could not be read is listed, with its place and why. Of each thing that means
something else here, or nothing, the file says so on top, and so does the output.

Files in JavaScript that only code can read, as ecosystem.config.js, are evaluated
with node, in a process of its own with a time limit; only init and import do so.`,
		Example: `  redundctl init
  redundctl init ../site
  redundctl init -o json | jq '.skipped'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dir := a.Dir
			if len(args) == 1 {
				dir = filepath.Join(dir, args[0])
			}
			if dir == "" {
				dir = "." // here, whatever project lies above
			}
			kinds := builtin.Kinds()
			systems := []string{"pm2", "github-actions", "netlify-functions"}
			for _, f := range kinds.Finders {
				systems = append(systems, f.System)
			}
			file, made, err := discover.Begin(dir, systems)
			if err != nil {
				return err
			}
			if !a.JSON() {
				if made {
					fmt.Fprintf(a.Out, "wrote %s, which observes: nothing runs by itself\n", file)
				} else {
					fmt.Fprintf(a.Out, "%s is there already and stays as it is\n", file)
				}
			}
			a.Dir = dir
			p, _, err := a.Usable(c.Context()) // a redund.yaml that was there may be broken
			if err != nil {
				return err
			}
			found, ferr := a.Evaluate(c.Context(), p, kinds.Finders, "")
			if err := c.Context().Err(); err != nil {
				return err
			}
			plan := discover.Make(p, found)
			plan.Write(p.Root)
			r := &result{App: a, plan: plan, found: found, begun: made}
			if err := r.show(); err != nil || ferr != nil {
				return firstError(ferr, err)
			}
			if plan.Failed() {
				return app.ExitCode(1)
			}
			return nil
		},
	})
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
