package git

import (
	"context"
	"fmt"
	"strings"

	"github.com/redundctl/redundctl/engine/kind/git/worktree"
)

// Merges and rebases are computed as objects alone (git merge-tree), so that
// one that fails has touched neither the index nor the work tree.

// merged makes the merge commit of the local branch and the target.
func (j *job) merged(ctx context.Context) (string, error) {
	tree, err := j.combine(ctx, j.tip, j.t.Oid)
	if err != nil {
		return "", err
	}
	return j.commit(ctx, newCommit{tree: tree, parents: []string{j.tip, j.t.Oid}, env: j.identity("AUTHOR", "COMMITTER"),
		message: fmt.Sprintf("Merge remote-tracking branch '%s' into %s\n", worktree.MaskURL(j.t.String()), j.t.Branch)})
}

// combine merges two commits into a tree.
func (j *job) combine(ctx context.Context, ours, theirs string) (string, error) {
	out, err := j.Git(ctx, worktree.Call{Args: []string{"merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs}})
	f := strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
	switch {
	case err == nil:
		return f[0], nil
	case worktree.ExitCode(err) == 1 && len(f) > 1:
		return "", fmt.Errorf("%s of %s failed: conflict in %s; nothing was changed: resolve it by hand, or use strategy: hardreset, which saves the local commits first",
			j.w.Strategy, j.t, listed(f[1:]))
	case strings.Contains(err.Error(), "unrelated histories"):
		return "", fmt.Errorf("%s of %s failed: the histories have nothing in common%s", j.w.Strategy, j.t, j.shallowHint())
	case strings.Contains(err.Error(), "usage:") || worktree.ExitCode(err) == 129:
		return "", fmt.Errorf("strategy %s needs git 2.38 or newer: %w", j.w.Strategy, err)
	}
	return "", err
}

func (j *job) shallowHint() string {
	if j.Shallow {
		return " (the clone is shallow: git fetch --unshallow)"
	}
	return ""
}

type newCommit struct {
	tree    string
	parents []string
	message string
	env     []string
}

func (r *Repo) commit(ctx context.Context, c newCommit) (string, error) {
	args := []string{"commit-tree", "--no-gpg-sign", c.tree}
	for _, p := range c.parents {
		args = append(args, "-p", p)
	}
	out, err := r.Git(ctx, worktree.Call{Args: args, Stdin: []byte(c.message), Env: c.env})
	return strings.TrimSpace(string(out)), err
}

// identity names redundctl where the user has named nobody.
func (r *Repo) identity(roles ...string) []string {
	var env []string
	for _, role := range roles {
		name, mail := "GIT_"+role+"_NAME", "GIT_"+role+"_EMAIL"
		low := strings.ToLower(role)
		if r.Config.Values["user.email"] == "" && r.Config.Values[low+".email"] == "" && !r.has(mail) && !r.has("EMAIL") {
			env = append(env, mail+"=redundctl@localhost")
		}
		if r.Config.Values["user.name"] == "" && r.Config.Values[low+".name"] == "" && !r.has(name) {
			env = append(env, name+"=redundctl")
		}
	}
	return env
}

func (r *Repo) has(name string) bool {
	for _, kv := range r.Env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok && v != "" {
			return true
		}
	}
	return false
}

// rebased puts the local commits on top of the target, one by one. Merges and
// commits that the target has in another form are left out, as git does it.
func (j *job) rebased(ctx context.Context) (string, error) {
	out, err := j.Git(ctx, worktree.Call{Args: []string{"log", "-z", "--reverse", "--topo-order", "--no-merges", "--cherry-pick", "--right-only",
		"--format=%H%n%P%n%T%n%an%n%ae%n%ad%n%B", "--date=raw", j.t.Oid + "..." + j.tip}})
	if err != nil {
		return "", err
	}
	onto := j.t.Oid
	for _, text := range strings.Split(string(out), "\x00") {
		f := strings.SplitN(text, "\n", 7)
		if len(f) < 7 {
			continue
		}
		if onto, err = j.pick(ctx, onto, f); err != nil {
			return "", err
		}
	}
	return onto, nil
}

// pick puts one commit on top of onto.
func (j *job) pick(ctx context.Context, onto string, f []string) (string, error) {
	oid, parent := f[0], f[1]
	if parent == onto {
		return oid, nil
	}
	base := parent + "^{tree}"
	if parent == "" {
		base = j.emptyTree()
	}
	// A merge of two made-up commits whose common ancestor is the commit's
	// parent applies just the commit's own change.
	made := []string{"GIT_AUTHOR_NAME=redundctl", "GIT_AUTHOR_EMAIL=redundctl@localhost", "GIT_COMMITTER_NAME=redundctl",
		"GIT_COMMITTER_EMAIL=redundctl@localhost", "GIT_AUTHOR_DATE=@1 +0000", "GIT_COMMITTER_DATE=@1 +0000"}
	root, err := j.commit(ctx, newCommit{tree: base, message: "base\n", env: made})
	if err != nil {
		return "", err
	}
	ours, err := j.commit(ctx, newCommit{tree: onto + "^{tree}", parents: []string{root}, message: "ours\n", env: made})
	if err != nil {
		return "", err
	}
	theirs, err := j.commit(ctx, newCommit{tree: f[2], parents: []string{root}, message: "theirs\n", env: made})
	if err != nil {
		return "", err
	}
	tree, err := j.combine(ctx, ours, theirs)
	if err != nil {
		return "", fmt.Errorf("commit %s: %w", worktree.Short(oid), err)
	}
	now, err := j.Text(ctx, "rev-parse", "--verify", onto+"^{tree}")
	if err != nil {
		return "", err
	}
	if tree == now {
		return onto, nil // the target has it all
	}
	return j.commit(ctx, newCommit{tree: tree, parents: []string{onto}, message: f[6],
		env: append(j.identity("COMMITTER"), "GIT_AUTHOR_NAME="+f[3], "GIT_AUTHOR_EMAIL="+f[4], "GIT_AUTHOR_DATE=@"+f[5])})
}
