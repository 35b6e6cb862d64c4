package care

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/cleanup/backups"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind/git"
	"github.com/redundctl/redundctl/engine/proc"
	"github.com/redundctl/redundctl/engine/report"
)

// kept is a backup with the repository that keeps it.
type kept struct {
	git.Backup
	in *git.Repo
}

// search is where backups are looked for: in the work trees of the project, or in
// dir alone. With verify each is read whole.
type search struct {
	dir    string
	verify bool
}

// of gives the backups that there are, newest first. They are there until done is
// called.
func (s search) of(ctx context.Context, a *app.App, p *config.Project) (list []kept, done func(), err error) {
	tops := backups.WorkTrees(p)
	switch {
	case s.dir != "":
		top, err := filepath.Abs(s.dir)
		if err != nil {
			return nil, nil, fmt.Errorf("finding %s: %w", s.dir, err)
		}
		tops = []string{top}
	case len(tops) == 0:
		tops = []string{p.Root} // which is then said to be no repository
	}
	start, err := proc.New(proc.Options{})
	if err != nil {
		return nil, nil, err
	}
	for _, top := range tops {
		r, err := git.Open(ctx, git.Options{Dir: top, Proc: start, Env: os.Environ(), Protected: p.Protected(), Out: a.Err})
		if err != nil {
			start.Close()
			return nil, nil, err
		}
		found, err := r.Backups(ctx, s.verify)
		if err != nil {
			start.Close()
			return nil, nil, err
		}
		for _, b := range found {
			list = append(list, kept{b, r})
		}
	}
	slices.SortStableFunc(list, func(x, y kept) int { return strings.Compare(y.ID, x.ID) })
	return list, func() { start.Close() }, nil
}

// Backups is `redundctl backups`.
func Backups(a *app.App) *cobra.Command {
	var verify bool
	var dir string
	c := &cobra.Command{
		Use:   "backups",
		Short: "List the git backups of the project's work trees",
		Long: `List the backups that the git kinds made before they changed something: commits
under refs/redund/backups that hold HEAD, what was staged, what was not, and the
untracked files. It looks in the work tree of the project and in those that its
git steps name as their directory. With --verify each one is read whole; the exit code is 1 when
one cannot be read.`,
		Example: `  redundctl backups
  redundctl backups --verify -o json`,
		RunE: func(c *cobra.Command, _ []string) error {
			p, _, err := a.Usable(c.Context())
			if err != nil {
				return err
			}
			list, done, err := search{dir: dir, verify: verify}.of(c.Context(), a, p)
			if err != nil {
				return err
			}
			defer done()
			if err := printBackups(a, list, verify); err != nil {
				return err
			}
			for _, b := range list {
				if verify && !b.Verified {
					return app.ExitCode(1)
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&verify, "verify", false, "read each backup whole")
	c.Flags().StringVar(&dir, "repository", "", "the top of one work tree (default: the project's, and those of its git steps)")
	return a.Prints(c)
}

func printBackups(a *app.App, list []kept, verified bool) error {
	if a.JSON() {
		out := []api.Backup{}
		for _, b := range list {
			out = append(out, api.Backup{
				ID: b.ID, At: api.When(b.At), Commit: b.Commit, Branch: api.Present(b.Branch), Head: api.Present(b.Head), Reason: b.Reason,
				WorkTree: b.WorkTree, Staged: b.Staged, Unstaged: b.Unstaged, Untracked: b.Untracked, Commits: b.Commits,
				Verified: b.Verified, Problem: api.Present(b.Problem),
			})
		}
		return a.PrintJSON(out)
	}
	if len(list) == 0 {
		fmt.Fprintln(a.Out, "there are no backups; a git/sync makes one before it changes anything")
		return nil
	}
	head := []string{"BACKUP", "MADE", "BRANCH", "HEAD", "STAGED", "UNSTAGED", "UNTRACKED", "COMMITS", "REASON"}
	if verified {
		head = append(head, "READABLE")
	}
	var rows [][]string
	for _, b := range list {
		row := []string{
			b.ID, report.Clock(b.At), cmp.Or(b.Branch, "(detached)"), cmp.Or(b.Head[:min(len(b.Head), 12)], "-"), fmt.Sprint(b.Staged),
			fmt.Sprint(b.Unstaged), fmt.Sprint(b.Untracked), fmt.Sprint(b.Commits), b.Reason,
		}
		if verified {
			row = append(row, cmp.Or(b.Problem, "yes"))
		}
		rows = append(rows, row)
	}
	return a.Table(head, rows)
}

// completeBackups offers backups, newest first.
func completeBackups(a *app.App, dir *string) app.Completion {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		p, _ := a.Project(c.Context())
		list, done, err := search{dir: *dir}.of(c.Context(), a, p)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer done()
		var out []string
		for _, b := range list {
			out = append(out, b.ID+"\t"+b.Reason)
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// Restore is `redundctl restore`.
func Restore(a *app.App) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "restore ID",
		Short: "Bring a git backup back, after making one of what is there now",
		Example: `  redundctl backups
  redundctl restore 20261124T081315.123Z`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeBackups(a, &dir),
		RunE: func(c *cobra.Command, args []string) error {
			p, _, err := a.Usable(c.Context())
			if err != nil {
				return err
			}
			list, done, err := search{dir: dir}.of(c.Context(), a, p)
			if err != nil {
				return err
			}
			defer done()
			at := slices.IndexFunc(list, func(b kept) bool { return b.ID == args[0] })
			if at < 0 {
				hint := "redundctl backups lists them"
				if i := slices.IndexFunc(list, func(b kept) bool { return strings.HasPrefix(b.ID, args[0]) }); i >= 0 {
					hint = "write the whole id, as " + list[i].ID // what is restored is not guessed
				}
				return app.Usagef(hint, "there is no backup %q", args[0])
			}
			got, err := list[at].in.Restore(c.Context(), args[0])
			if err != nil {
				return err
			}
			if a.JSON() {
				return a.PrintJSON(map[string]any{"restored": got.Of.ID, "before": got.ID, "files": got.Files, "note": api.Present(got.Note)})
			}
			fmt.Fprintf(a.Out, "restored %s, %s; what was there before is backup %s\n", got.Of.ID, diag.Count(got.Files, "file"), got.ID)
			if got.Note != "" {
				fmt.Fprintln(a.Out, got.Note)
			}
			return nil
		},
	}
	c.Flags().StringVar(&dir, "repository", "", "the top of one work tree (default: the project's, and those of its git steps)")
	return a.Prints(c)
}
