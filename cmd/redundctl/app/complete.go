package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/report"
)

// Completion is what a shell offers for the argument that is being typed.
type Completion = func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)

// complete offers words of the project for the first argument of a command.
// Whoever presses a key to complete a word reads no errors: there are none.
func (a *App) complete(words func(c *cobra.Command, p *config.Project, typed string) []string) Completion {
	return func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		p, _ := a.Project(c.Context())
		return words(c, p, typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteNames offers the names of pipelines.
func (a *App) CompleteNames() Completion {
	return a.complete(func(_ *cobra.Command, p *config.Project, _ string) []string { return pipelines(p) })
}

// CompleteSystems offers systems.
func (a *App) CompleteSystems() Completion {
	return a.complete(func(_ *cobra.Command, p *config.Project, _ string) []string { return systems(p) })
}

// CompleteParts offers systems and pipelines.
func (a *App) CompleteParts() Completion {
	return a.complete(func(_ *cobra.Command, p *config.Project, _ string) []string {
		return append(systems(p), pipelines(p)...)
	})
}

// CompleteFiles offers what may be edited: pipelines, redund.yaml, and the files
// that have mistakes.
func (a *App) CompleteFiles() Completion {
	return a.complete(func(_ *cobra.Command, p *config.Project, _ string) []string {
		out := append(pipelines(p), p.ConfigFile)
		for _, x := range p.Problems {
			if x.Severity == "error" && !slices.Contains(out, x.File) {
				out = append(out, x.File)
			}
		}
		return out
	})
}

// CompleteRuns offers the newest runs in some states; none: in all.
func (a *App) CompleteRuns(states ...pipeline.State) Completion {
	return a.complete(func(c *cobra.Command, p *config.Project, _ string) []string { return a.runs(c, p, states) })
}

// CompleteLogs offers whose log lines there may be: runs to whoever begins to
// type a number, and else the engine, systems and pipelines.
func (a *App) CompleteLogs() Completion {
	return a.complete(func(c *cobra.Command, p *config.Project, typed string) []string {
		if typed != "" && strings.Trim(typed, "0123456789") == "" {
			return a.runs(c, p, nil)
		}
		return slices.Concat([]string{"engine"}, systems(p), pipelines(p))
	})
}

func systems(p *config.Project) []string { return slices.Sorted(maps.Keys(p.Config.Systems)) }

func pipelines(p *config.Project) []string {
	var out []string
	for _, x := range p.Pipelines {
		out = append(out, x.Name+"\t"+x.Description)
	}
	return out
}

// offered is how many runs are offered.
const offered = 50

func (a *App) runs(c *cobra.Command, p *config.Project, states []pipeline.State) []string {
	h, err := a.History(c.Context(), p)
	if err != nil {
		return nil
	}
	defer h.Close()
	list, err := h.Runs(c.Context(), history.Filter{States: states, Limit: offered})
	if err != nil {
		return nil
	}
	var out []string
	for _, r := range list {
		out = append(out, fmt.Sprintf("%d\t%s/%s %s, %s", r.ID, r.System, r.Pipeline, r.State, report.Clock(r.Queued)))
	}
	return out
}
