package write

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/console"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/discover"
	"github.com/redundctl/redundctl/engine/kind"
)

// Import is `redundctl import`.
func Import(a *app.App) *cobra.Command {
	var dry, all bool
	names := []string{"pm2", "actions", "netlify"}
	c := &cobra.Command{
		Use:   "import " + strings.Join(names, "|") + " PATH",
		Short: "Write a pipeline for each automation of one file or folder",
		Long: `Write a pipeline for each automation of PM2 (an ecosystem file), GitHub Actions (a
workflow, or a folder of them) or Netlify (a function, a folder of functions, or
netlify.toml) into pipelines/SYSTEM/NAME.yaml. What is there is never overwritten,
and what a pipeline backs up already gets no second one.

A file in JavaScript that only code can read, as ecosystem.config.js, is evaluated
with node, in a process of its own with a time limit.

The exit code is 1 when a source could not be read; the rest is written all the
same.`,
		Example: `  redundctl import pm2 ecosystem.config.cjs
  redundctl import actions .github/workflows/marketing-sync.yml --dry-run
  redundctl import netlify netlify/functions`,
		Args: cobra.ExactArgs(2),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return names, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(c *cobra.Command, args []string) error {
			if all && !dry {
				return app.Usagef("", "--all goes with --dry-run: nothing is ever overwritten")
			}
			p, kinds, err := a.Anywhere(c.Context())
			if err != nil {
				return err
			}
			f, ok := discover.Named(kinds.Finders, args[0])
			if !ok {
				return app.Usagef("see redundctl import --help", "import: %q is none of %s", args[0], strings.Join(names, ", "))
			}
			path, err := given(p.Root, args[1], a.Dir != "")
			if err != nil {
				return err
			}
			found, err := a.Evaluate(c.Context(), p, []kind.Finder{f}, path)
			if err != nil {
				return err
			}
			plan := discover.Make
			if all {
				plan = discover.MakeAll
			}
			_, none := os.Stat(filepath.Join(p.Root, p.ConfigFile))
			r := &result{App: a, plan: plan(p, found), found: found, dry: dry, bare: errors.Is(none, fs.ErrNotExist)}
			if !dry {
				r.plan.Write(p.Root)
			}
			if err := r.show(); err != nil {
				return err
			}
			if r.plan.Broken() || r.plan.Failed() {
				return app.ExitCode(1)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "print the files, and write nothing")
	c.Flags().BoolVar(&all, "all", false, "with --dry-run: also what a pipeline backs up already, as it would be made now")
	return a.Prints(c)
}

// given is a path as it was given: from the current folder, or else from the
// project that was named.
func given(root, written string, named bool) (string, error) {
	path, err := filepath.Abs(written)
	if err != nil {
		return "", err
	}
	_, err = os.Stat(path)
	if err != nil && named {
		path = files.Under(root, written)
		_, err = os.Stat(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", app.Usagef("", "there is no %s", written)
	case err != nil:
		return "", app.Usagef("", "%s cannot be read: %s", written, files.Cause(err))
	}
	return path, nil
}

// result is what init and import did, or would do.
type result struct {
	*app.App
	plan  discover.Plan
	found []discover.Primary
	begun bool // redund.yaml is new
	dry   bool
	bare  bool // there is no redund.yaml
}

// The shapes of -o json.
type (
	writtenJSON struct {
		Pipeline string  `json:"pipeline"`
		System   string  `json:"system"`
		File     string  `json:"file"`
		Source   string  `json:"source"`
		Enabled  bool    `json:"enabled"`
		Note     *string `json:"note"`
	}
	fileJSON struct {
		File string `json:"file"`
		Text string `json:"text"`
	}
	skippedJSON struct {
		Source string  `json:"source"`
		Line   *int    `json:"line"`
		Name   *string `json:"name"`
		Reason string  `json:"reason"`
	}
	constructJSON struct {
		Source  string       `json:"source"`
		Line    *int         `json:"line"`
		Column  *int         `json:"column"`
		Key     string       `json:"key"`
		Support kind.Support `json:"support"`
		Note    *string      `json:"note"`
	}
)

func present[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// show prints the result.
func (r *result) show() error {
	switch {
	case r.JSON():
		return r.PrintJSON(r.json())
	case r.dry:
		return r.texts()
	}
	return r.text()
}

func (r *result) json() map[string]any {
	written, texts, skipped, constructs := []writtenJSON{}, []fileJSON{}, []skippedJSON{}, []constructJSON{}
	for _, f := range r.plan.Files {
		x := f.Primary
		written = append(written, writtenJSON{f.Name, x.Finder.System, f.Path, x.Source, x.Disabled == "", present(cmp.Or(x.Disabled, x.Note))})
		texts = append(texts, fileJSON{f.Path, string(f.Text)})
	}
	for _, l := range r.plan.Left {
		skipped = append(skipped, skippedJSON{l.Primary.Source, present(l.Primary.Line), present(l.Primary.Primary), l.Reason})
	}
	for _, c := range discover.Constructs(r.found) {
		constructs = append(constructs, constructJSON{c.File, present(c.Line), present(c.Column), c.Key, c.Support, present(c.Note)})
	}
	out := map[string]any{"skipped": skipped, "constructs": constructs, "evaluated": r.evaluated()}
	if r.dry {
		out["files"] = texts
	} else {
		out["written"] = written
	}
	return out
}

// evaluated are the files whose code was run.
func (r *result) evaluated() []string {
	out := []string{}
	for _, x := range r.found {
		if x.Evaluated && !slices.Contains(out, x.Source) {
			out = append(out, x.Source)
		}
	}
	return out
}

// texts prints files that are not written: they are all that stands on stdout.
func (r *result) texts() error {
	for _, f := range r.plan.Files {
		if _, err := fmt.Fprintf(r.Out, "# %s\n%s\n", f.Path, f.Text); err != nil {
			return app.Quiet(err)
		}
	}
	for _, l := range r.left() {
		fmt.Fprintln(r.Err, l)
	}
	return nil
}

// left says of each primary without a file why.
func (r *result) left() []string {
	var out []string
	for _, l := range r.plan.Left {
		x := l.Primary
		at := x.Source
		if x.Line > 0 {
			at = fmt.Sprintf("%s:%d", at, x.Line)
		}
		if x.Primary != "" && !strings.HasSuffix(x.Source, x.Primary) {
			at += " (" + x.Primary + ")"
		}
		out = append(out, console.Clean("left "+at+": "+l.Reason))
	}
	return out
}

// mostShown is how many differences people are shown; files have them all.
const mostShown = 40

// text prints what was done, for people.
func (r *result) text() error {
	var b strings.Builder
	say := func(format string, args ...any) { b.WriteString(console.Clean(fmt.Sprintf(format, args...)) + "\n") }
	for _, file := range r.evaluated() {
		say("evaluated %s, in a process of its own with a time limit", file)
	}
	disabled := 0
	for _, f := range r.plan.Files {
		switch x := f.Primary; {
		case x.Disabled != "":
			disabled++
			say("wrote %s, disabled: %s", f.Path, x.Disabled)
		case x.Note != "":
			say("wrote %s: %s", f.Path, x.Note)
		default:
			say("wrote %s", f.Path)
		}
	}
	for _, l := range r.left() {
		b.WriteString(l + "\n")
	}
	r.differences(say)
	if len(r.found) > 0 {
		say("%s found: %s written, %d of them disabled; %d left", diag.Count(len(r.found), "automation"), diag.Count(len(r.plan.Files), "pipeline"), disabled, len(r.plan.Left))
	}
	switch {
	case len(r.found) > 0 && r.bare:
		b.WriteString("then: redundctl validate, redundctl coverage, and redundctl init, which has the project observe before anything runs by itself\n")
	case len(r.found) > 0:
		b.WriteString("then: redundctl validate, redundctl coverage, and redundctl arm when you trust what you see\n")
	case r.begun:
		b.WriteString(firstPipeline)
	default:
		b.WriteString("no automation was found there: a workflow or a function of a folder needs a schedule, an ecosystem file applications\n")
	}
	_, err := r.Out.WriteString(b.String())
	return app.Quiet(err)
}

const firstPipeline = `Write a first pipeline into pipelines/<system>/<name>.yaml, for example

  version: 1
  name: hello
  schedule: {cron: "0 6 * * *"}
  steps:
    - run: echo hello

then: redundctl validate, redundctl run hello
`

// differences says what means something else here, or nothing.
func (r *result) differences(say func(format string, args ...any)) {
	count := map[kind.Support]int{}
	shown := 0
	for _, c := range discover.Constructs(r.found) {
		if count[c.Support]++; c.Support == kind.Exact {
			continue
		}
		if shown++; shown > mostShown {
			continue
		}
		at := c.File
		if c.Line > 0 {
			at = fmt.Sprintf("%s:%d:%d", at, c.Line, max(c.Column, 1))
		}
		say("%s: %s: %s", at, c.Support, strings.TrimSuffix(c.Key+": "+c.Note, ": "))
	}
	if shown > mostShown {
		say("… and %d more: -o json lists them all, and each file its own", shown-mostShown)
	}
	if len(count) > 0 {
		say("%s: %d exact, %d approximated, %d unsupported", diag.Count(count[kind.Exact]+count[kind.Approximated]+count[kind.Unsupported], "construct"), count[kind.Exact], count[kind.Approximated], count[kind.Unsupported])
	}
}
