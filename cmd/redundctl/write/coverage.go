package write

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/console"
	"github.com/redundctl/redundctl/engine/discover/cover"
	"github.com/redundctl/redundctl/engine/report"
)

// Coverage is `redundctl coverage`.
func Coverage(a *app.App) *cobra.Command {
	var under float64
	c := &cobra.Command{
		Use:   "coverage",
		Short: "Show every automation of the project, and what backs it up",
		Long: `Show every workflow with a schedule, every application of PM2 and every function
with a schedule, and what backs it up:

  covered     a pipeline has it as its primary, and is due when it is
  drifted     its pipeline has another schedule
  disabled    its pipeline is disabled, or the system of that
  uncovered   no pipeline backs it up, or its file is broken

It reads files, and what drills have recorded: it runs none of the project's code,
and needs neither an engine nor a network. NOTE says what else to know: that its
pipeline observes or was never proved by a drill, which secrets this machine lacks,
that the platform never fires the schedule.

The exit code is 1 when fewer than --fail-under percent are covered.`,
		Example: `  redundctl coverage
  redundctl coverage --fail-under 90
  redundctl coverage -o md >> "$GITHUB_STEP_SUMMARY"
  redundctl coverage -o json | jq -r '.primaries[] | select(.status == "uncovered").source'`,
		RunE: func(c *cobra.Command, _ []string) error {
			if under < 0 || under > 100 || under != under {
				return app.Usagef("", "--fail-under is a number from 0 to 100")
			}
			p, kinds, err := a.Anywhere(c.Context())
			if err != nil {
				return err
			}
			found, err := a.Read(c.Context(), p, kinds)
			if err != nil {
				return err
			}
			facts := cover.Facts{Project: p, Found: found, Secrets: p.Secrets(os.LookupEnv)}
			if err := known(c.Context(), a, p, &facts); err != nil {
				fmt.Fprintf(a.Err, "redundctl: what was recorded cannot be read, so that nothing counts as proved: %s\n", err)
			}
			r := cover.Of(facts)
			a.Mention(p)
			if err := show(a, r); err != nil {
				return app.Quiet(err)
			}
			if r.Percent < under {
				fmt.Fprintf(a.Err, "redundctl: %s %% is covered, and %s %% is asked for\n", number(r.Percent), number(under))
				return app.ExitCode(1)
			}
			return nil
		},
	}
	c.Flags().Float64Var(&under, "fail-under", 0, "exit with 1 when fewer than so many percent are covered")
	return a.PrintsMarkdown(c)
}

// known adds what the history knows of pipelines.
func known(ctx context.Context, a *app.App, p *config.Project, f *cover.Facts) error {
	h, err := a.History(ctx, p)
	if err != nil {
		return err
	}
	defer h.Close()
	proved, _, err := h.Ledger.Drilled(ctx)
	if err != nil {
		return err
	}
	f.Proved, f.Notes = map[string]bool{}, map[string][]string{}
	for id := range proved {
		f.Proved[id] = true
	}
	notes, err := report.Notes(ctx, h.Ledger, p.Pipelines)
	for _, n := range notes {
		id := n.System + "/" + n.Pipeline
		f.Notes[id] = append(f.Notes[id], n.Message)
	}
	return err
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func show(a *app.App, r cover.Report) error {
	switch {
	case a.JSON():
		return a.PrintJSON(r)
	case a.Markdown():
		_, err := a.Out.WriteString(cover.Markdown(r))
		return err
	}
	if len(r.Primaries) > 0 {
		var rows [][]string
		for _, p := range r.Primaries {
			rows = append(rows, []string{string(p.Status), p.System, p.Name, at(p.Source, p.Line), or(p.Pipeline), or(p.Note)})
		}
		if err := a.Table([]string{"STATUS", "SYSTEM", "NAME", "SOURCE", "PIPELINE", "NOTE"}, rows); err != nil {
			return err
		}
		fmt.Fprintln(a.Out)
	}
	_, err := fmt.Fprintln(a.Out, bar(a, r))
	return err
}

// bar is the summary in one line, as a picture and in numbers.
func bar(a *app.App, r cover.Report) string {
	const cells = 20
	full := int(r.Percent * cells / 100)
	picture := strings.Repeat("█", full) + strings.Repeat("░", cells-full)
	if console.Color(a.Out) {
		color := "\x1b[31m"
		switch {
		case r.Percent == 100:
			color = "\x1b[32m"
		case r.Percent >= 50:
			color = "\x1b[33m"
		}
		picture = color + picture + "\x1b[0m"
	}
	return picture + " " + cover.Summary(r)
}

func at(source string, line *int) string {
	if line == nil {
		return source
	}
	return fmt.Sprintf("%s:%d", source, *line)
}

func or(s *string) string {
	if s == nil {
		return "-"
	}
	return cmp.Or(*s, "-")
}

// Drift is `redundctl drift`.
func Drift(a *app.App) *cobra.Command {
	return a.PrintsMarkdown(&cobra.Command{
		Use:   "drift",
		Short: "Show what has changed in the automations that pipelines back up",
		Long: `Show what has changed in the primaries since their pipelines were imported: the
schedule, the secrets that are used, the script, or that the source is gone; with
the edit that would follow it. Of pipelines that were written by hand the schedule
is compared.

It reads files alone, and runs none of the project's code. The exit code is 1 when
anything has changed.`,
		Example: `  redundctl drift
  redundctl drift -o json | jq -r '.[].hint'`,
		RunE: func(c *cobra.Command, _ []string) error {
			p, kinds, err := a.Anywhere(c.Context())
			if err != nil {
				return err
			}
			found, err := a.Read(c.Context(), p, kinds)
			if err != nil {
				return err
			}
			list := cover.Drift(p, found)
			a.Mention(p)
			if err := changes(a, list); err != nil {
				return app.Quiet(err)
			}
			if len(list) > 0 {
				return app.ExitCode(1)
			}
			return nil
		},
	})
}

func changes(a *app.App, list []cover.Change) error {
	switch {
	case a.JSON():
		return a.PrintJSON(list)
	case a.Markdown():
		_, err := a.Out.WriteString(cover.MarkdownOfDrift(list))
		return err
	case len(list) == 0:
		_, err := fmt.Fprintln(a.Out, "nothing has changed")
		return err
	}
	var b strings.Builder
	for _, x := range list {
		fmt.Fprintf(&b, "%s\n", console.Clean(fmt.Sprintf("%s/%s: %s of %s has changed", x.System, x.Pipeline, x.Key, x.Source)))
		fmt.Fprintf(&b, "  was   %s\n  is    %s\n  then  %s\n", console.Clean(or(x.Was)), console.Clean(or(x.Is)), console.Clean(x.Hint))
	}
	_, err := a.Out.WriteString(b.String())
	return err
}
