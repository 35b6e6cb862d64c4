package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/engine/console"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/report"
)

// Prints gives a command that prints data its -o flag.
func (a *App) Prints(c *cobra.Command) *cobra.Command {
	c.Flags().StringVarP(&a.Format, "output", "o", "text", "what to print: text or json")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// markdown marks the commands that print it.
const markdown = "prints-markdown"

// PrintsMarkdown gives a command that prints data, for summaries as Markdown too,
// its -o flag.
func (a *App) PrintsMarkdown(c *cobra.Command) *cobra.Command {
	formats := []string{"text", "json", "md"}
	c.Flags().StringVarP(&a.Format, "output", "o", "text", "what to print: text, json or md")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	c.Annotations = map[string]string{markdown: ""}
	return c
}

// Markdown reports whether -o asks for Markdown.
func (a *App) Markdown() bool { return a.Format == "md" }

// JSON reports whether -o asks for JSON.
func (a *App) JSON() bool { return a.Format == "json" }

// PrintJSON prints one value.
func (a *App) PrintJSON(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("printing JSON: %w", err)
	}
	_, err := a.Out.Write(b.Bytes())
	return Quiet(err)
}

// Table prints rows for people.
func (a *App) Table(head []string, rows [][]string) error {
	return Quiet(console.Table(a.Out, console.Color(a.Out), head, rows))
}

// Quiet drops the error of a reader that has gone, as `head` does.
func Quiet(err error) error {
	if errors.Is(err, os.ErrClosed) || errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// PrintRun prints one run and its steps for people.
func (a *App) PrintRun(r pipeline.Run, steps []pipeline.StepRecord) error {
	fmt.Fprintf(a.Out, "run %d of %s/%s: %s", r.ID, r.System, r.Pipeline, r.State)
	switch {
	case r.Error != "" && r.Error != string(r.State):
		fmt.Fprintf(a.Out, ": %s", console.Clean(r.Error))
	case r.State == pipeline.Skipped && r.Reason != "":
		fmt.Fprintf(a.Out, ": %s", console.Clean(r.Reason))
	}
	if _, err := fmt.Fprintf(a.Out, "\n%s\n", report.Facts(r)); err != nil || len(steps) == 0 {
		return Quiet(err)
	}
	return a.Table([]string{"STEP", "USES", "STATE", "TOOK", "ATTEMPTS", "ERROR"}, report.Steps(steps))
}

// ParseTime reads RFC 3339, a date, or a length of time before now.
func ParseTime(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	d, err := pipeline.ParseDuration(s)
	if err != nil {
		return time.Time{}, Usagef("", "%q is neither a time as 2027-03-28T00:00:00Z, nor a date, nor a length of time as 24h or 7d", s)
	}
	return now.Add(-d.Std()), nil
}

// Length is a flag that holds a length of time, as files have them: 90s, 5m, 1d.
type Length time.Duration

// String is the length as Go writes it, and 0 for none, which help leaves out.
func (l *Length) String() string {
	if *l == 0 {
		return "0"
	}
	return time.Duration(*l).String()
}

// Type is what the help calls it.
func (l *Length) Type() string { return "duration" }

// Set reads it.
func (l *Length) Set(s string) error {
	d, err := pipeline.ParseDuration(s)
	if err != nil {
		return errors.New("a length of time is wanted, as 90s, 5m, 1h30m or 1d")
	}
	*l = Length(d)
	return nil
}

// RunID reads the number of a run.
func RunID(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id < 1 {
		return 0, Usagef("redundctl runs lists them", "a run is a number, not %q", s)
	}
	return id, nil
}
