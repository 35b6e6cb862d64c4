package write

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/console"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/edit"
	"github.com/redundctl/redundctl/engine/edit/editor"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Edit is `redundctl edit`.
func Edit(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:   "edit NAME",
		Short: "Open the file of a pipeline in your editor, and save it when it is right",
		Long: `Open the file of a pipeline, or redund.yaml, in the editor that $VISUAL or $EDITOR
names, or else in vi or nano. What is edited is a private copy. It is checked with
all other files when you close it: with mistakes it opens again, and these stand on
top as comments, which are taken away again. Closed without another change, it is
given up: the file keeps its text, and the copy stays where you are told.

The file is replaced in one go, with its mode and its line endings, and not if it
has changed on disk meanwhile. A running engine takes it up at once. It works in a
project with mistakes too.

The exit code is 1 when the file is not what you wrote.`,
		Example: `  redundctl edit git-sync
  redundctl edit redund.yaml
  EDITOR='code --wait' redundctl edit marketing-sync`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.CompleteFiles(),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.Checked(c.Context())
			if err != nil {
				return err
			}
			s := &sitting{App: a, project: p, before: map[diag.Problem]bool{}}
			if s.file, err = named(a, p, args[0]); err != nil {
				return err
			}
			for _, x := range p.Problems {
				s.before[x] = true
			}
			return s.sit(c.Context())
		},
	}
}

// named is the file that a name means: redund.yaml, that of a pipeline, be it
// invalid, or one that is named by its path.
func named(a *app.App, p *config.Project, name string) (string, error) {
	found := p.Find(name)
	switch {
	case name == p.ConfigFile, name == "config" && len(found) == 0 && p.Rejected(name) == nil:
		return p.ConfigFile, nil
	case len(found) == 1 && !others(p, name, found[0].File):
		return found[0].File, nil
	case len(found) > 0:
		_, err := a.Pipeline(p, name)
		return "", err
	}
	list := p.Rejected(name)
	// A pipeline may be invalid because of another file: its own is called so.
	called := slices.DeleteFunc(slices.Clone(list), func(f string) bool {
		base := filepath.Base(f)
		return strings.TrimSuffix(base, filepath.Ext(base)) != filepath.Base(pipeline.Kebab(name))
	})
	slices.Sort(called)
	switch called = slices.Compact(called); {
	case len(called) > 1:
		return "", app.Usagef("write one of them", "the name %q means %s", name, strings.Join(called, " and "))
	case len(called) == 1:
		return called[0], nil
	case len(list) > 0:
		return list[0], nil
	}
	if ext := filepath.Ext(name); ext == ".yaml" || ext == ".yml" {
		if path, ok := below(p, name); ok {
			return path, nil
		}
	}
	return "", a.Unknown(p, name)
}

// others reports whether a bare name means an invalid pipeline besides one.
func others(p *config.Project, name, file string) bool {
	list := p.Rejected(name)
	return len(list) > 0 && !strings.Contains(name, "/") && list[0] != file
}

// below is a file of the project that is named by its path, from here or from
// the project root.
func below(p *config.Project, name string) (string, bool) {
	here, err := filepath.Abs(name)
	for _, path := range []string{here, files.Under(p.Root, name)} {
		rel := files.Relative(p.Root, path)
		if info, serr := os.Stat(path); err == nil && serr == nil && info.Mode().IsRegular() && !strings.HasPrefix(rel, "../") {
			return rel, true
		}
	}
	return "", false
}

// sitting is one person at one file of the project.
type sitting struct {
	*app.App
	project *config.Project // as it was before
	before  map[diag.Problem]bool
	file    string // from the project root
}

func (s *sitting) sit(ctx context.Context) error {
	e, err := editor.Find(os.Getenv)
	if err != nil {
		return err
	}
	if e.Chosen == "" && !(console.IsTerminal(s.In) && console.IsTerminal(s.Out)) {
		return app.Usagef("set EDITOR to a program of your own, or use redundctl enable, disable or reschedule", "%s needs a terminal, and this is none", e.Argv[0])
	}
	text, err := edit.Read(filepath.Join(s.project.Root, s.file))
	if errors.Is(err, fs.ErrNotExist) && s.file == s.project.ConfigFile {
		return app.Usagef("redundctl init writes one; a project needs none, for every key has a default", "there is no %s in %s", s.file, s.project.Root)
	}
	if err != nil {
		return err
	}
	if err := text.Writable(); err != nil {
		return err
	}
	session := &editor.Session{Editor: e, In: s.In, Out: s.Out, Err: s.Err, Check: s.check}
	if !console.IsTerminal(s.In) {
		session.Times = 10 // nobody is there to give up
	}
	after, how, err := session.Edit(ctx, s.file, text.Bytes)
	kept := func(format string, args ...any) error {
		err := fmt.Errorf(format, args...)
		if at := session.Kept(); at != "" {
			err = fmt.Errorf("%w\n  what you wrote lies in %s", err, at)
		}
		return err
	}
	switch {
	case err != nil:
		return kept("%w; %s keeps its text", err, s.file)
	case how == editor.Emptied:
		return fmt.Errorf("the file was saved empty, so %s keeps its text: remove the file itself if that is meant", s.file)
	case how == editor.GivenUp:
		for _, n := range s.check(ctx, after) {
			if n.Line > 0 {
				n.Text = fmt.Sprintf("%s:%d:%d: %s", s.file, n.Line, n.Column, n.Text)
			}
			fmt.Fprintln(s.Err, console.Clean(n.Text))
		}
		return kept("what you wrote has mistakes, so %s keeps its text", s.file)
	case how == editor.Unchanged && len(s.check(ctx, after)) > 0:
		return fmt.Errorf("nothing was changed, and %s has mistakes: redundctl validate shows them", s.file)
	case how == editor.Unchanged:
		fmt.Fprintf(s.Out, "nothing was changed in %s\n", s.file)
		return nil
	}
	if err := text.Write(after); errors.Is(err, edit.ErrChanged) {
		return kept("%s was changed on disk while you edited it, and keeps that text: diff %[1]s %s shows what differs", s.file, session.Kept())
	} else if err != nil {
		return kept("%w", err)
	}
	fmt.Fprintf(s.Out, "saved %s\n", s.file)
	return errors.Join(session.Forget(), s.saved(ctx))
}

// check finds what keeps a text from being saved: mistakes in it, and those
// that it makes in other files.
func (s *sitting) check(ctx context.Context, text []byte) []editor.Note {
	path := filepath.Join(s.project.Root, s.file)
	p := s.Instead(ctx, path, text)
	problems := p.Problems
	if s.file != p.ConfigFile {
		problems = append(problems, s.Instead(ctx, path, text, path).Problems...) // an action that nobody uses yet
	}
	// A project file that could not be read has hidden what is wrong elsewhere.
	own := s.project.ConfigInvalid && s.file == p.ConfigFile
	var notes []editor.Note
	for _, x := range problems {
		n := editor.Note{Line: x.Line, Column: x.Column, Text: x.Message}
		if x.Hint != "" {
			n.Text += " (" + x.Hint + ")"
		}
		if x.File != s.file {
			n = editor.Note{Text: fmt.Sprintf("%s:%d:%d: %s", x.File, x.Line, x.Column, n.Text)}
		}
		if x.Severity == diag.Error && (x.File == s.file || !own && !s.before[x]) && !slices.Contains(notes, n) {
			notes = append(notes, n)
		}
	}
	return notes
}

// saved says what a file brings that was saved: warnings, and what is in force
// in an engine that runs.
func (s *sitting) saved(ctx context.Context) error {
	p := s.Instead(ctx, "", nil)
	if slices.ContainsFunc(p.Problems, func(x diag.Problem) bool { return x.File == s.file }) {
		s.Problems(p, func(x diag.Problem) bool { return x.File == s.file })
	}
	return inForce(ctx, s.App, s.file, p.ConfigFile)
}
