package run

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/api/client"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Takeover is `redundctl takeover`.
func Takeover(a *app.App) *cobra.Command {
	return move(a, &cobra.Command{
		Use:   "takeover PIPELINE",
		Short: "Have a service run here in place of its primary",
		Long: `Start the service of a pipeline in standby here, whatever its primary does, and
keep it until redundctl failback. Nothing is done to the primary: stop that
yourself, or both run.`,
		Example: `  redundctl takeover api`,
	}, (*client.Client).Takeover, "%s runs here until redundctl failback %[1]s; nothing was done to its primary\n")
}

// Failback is `redundctl failback`.
func Failback(a *app.App) *cobra.Command {
	return move(a, &cobra.Command{
		Use:   "failback PIPELINE",
		Short: "Give a service back to its primary",
		Long: `Stop the service of a pipeline here, so that its primary can have it again. It
starts here again when the primary does not come within 30 seconds, or is seen to
be down.`,
		Example: `  redundctl failback api`,
	}, (*client.Client).Failback, "%s is given back to its primary; it starts here again if that does not come\n")
}

// move completes a command that moves a service; said is printed with its name.
func move(a *app.App, c *cobra.Command, do func(*client.Client, context.Context, string) (api.Turned, error), said string) *cobra.Command {
	c.Args = cobra.ExactArgs(1)
	c.ValidArgsFunction = a.CompleteNames()
	c.RunE = func(c *cobra.Command, args []string) error {
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		got, err := do(e, c.Context(), pipeline.Kebab(args[0]))
		if err == nil {
			fmt.Fprintf(a.Out, said, got.Name)
		}
		return err
	}
	return c
}
