package worktree

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Target is the branch of a remote that a work tree is brought to.
type Target struct {
	Remote, Branch string // as the user wrote them; branch without refs/heads/
	Tracking       string // the ref that remembers it here
	Oid            string
}

// Ref is the branch as the remote calls it.
func (t Target) Ref() string { return "refs/heads/" + t.Branch }

// String is remote/branch.
func (t Target) String() string { return t.Remote + "/" + t.Branch }

// Target finds out which branch of a remote is meant, without asking it; want
// "" is the branch that is checked out.
func (r *Repo) Target(remote, want, branch string) (Target, error) {
	t := Target{Remote: remote, Branch: want}
	if t.Branch == "" {
		if branch == "" {
			return t, fmt.Errorf("HEAD is detached in %s: say which branch is meant with `branch`", r.Top)
		}
		t.Branch = strings.TrimPrefix(branch, "refs/heads/")
	}
	if strings.HasPrefix(t.Branch, "-") || strings.ContainsAny(t.Branch, ":*?[\\^~ ") || strings.HasPrefix(t.Remote, "-") {
		return t, fmt.Errorf("%q of %q cannot be a branch of a remote", t.Branch, MaskURL(t.Remote))
	}
	if r.Config.Values["remote."+t.Remote+".url"] != "" {
		t.Tracking = "refs/remotes/" + t.Remote + "/" + t.Branch
		return t, nil
	}
	if strings.ContainsAny(t.Remote, ":/") {
		t.Tracking = "refs/redund/remotes/" + t.Branch
		return t, nil
	}
	var names []string
	for k := range r.Config.Values {
		if n, ok := strings.CutPrefix(k, "remote."); ok && strings.HasSuffix(n, ".url") {
			names = append(names, strings.TrimSuffix(n, ".url"))
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return t, fmt.Errorf("%s has no remote: git remote add %s URL", r.Top, t.Remote)
	}
	return t, fmt.Errorf("%s has no remote %q; it has %s", r.Top, t.Remote, strings.Join(names, ", "))
}

// remoteArgs keep the remote's own settings from doing more than is asked.
func (t Target) remoteArgs(verb string, args ...string) []string {
	out := []string{verb}
	if strings.HasPrefix(t.Tracking, "refs/remotes/") {
		out = []string{"-c", "remote." + t.Remote + ".mirror=false", "-c", "push.recurseSubmodules=no", "-c", "push.followTags=false", verb}
	}
	return append(out, args...)
}

// Fetch brings the branch here and sets t.oid.
func (r *Repo) Fetch(ctx context.Context, t *Target) error {
	_, err := r.Git(ctx, Call{verb: "fetch", Args: t.remoteArgs("fetch", "--quiet", "--no-recurse-submodules", "--no-prune", "--no-write-fetch-head",
		"--refmap=", t.Remote, "+"+t.Ref()+":"+t.Tracking)})
	if err != nil {
		return t.explain(err)
	}
	t.Oid, err = r.Text(ctx, "rev-parse", "--verify", "-q", t.Tracking+"^{commit}")
	return err
}

// Ask is fetch for a dry run: it learns the commit and writes nothing.
func (r *Repo) Ask(ctx context.Context, t *Target) error {
	out, err := r.Git(ctx, Call{Args: []string{"ls-remote", "--quiet", t.Remote, t.Ref()}})
	if err != nil {
		return t.explain(err)
	}
	for _, l := range strings.Split(string(out), "\n") {
		if oid, ref, ok := strings.Cut(l, "\t"); ok && ref == t.Ref() {
			t.Oid = oid
			return nil
		}
	}
	return t.missing()
}

func (t Target) missing() error {
	return fmt.Errorf("the remote %s has no branch %s", MaskURL(t.Remote), t.Branch)
}

func (t Target) explain(err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "couldn't find remote ref"):
		return t.missing()
	case strings.Contains(text, "could not read Username") || strings.Contains(text, "could not read Password") ||
		strings.Contains(text, "Authentication failed") || strings.Contains(text, "Permission denied (publickey"):
		return fmt.Errorf("the remote %s wants credentials, and nobody can be asked: set up a credential helper or a key: %w", MaskURL(t.Remote), err)
	}
	return fmt.Errorf("the remote %s was not reached: %w", MaskURL(t.Remote), err)
}

// Push sends a commit to the branch: this one ref by its name, never another,
// never by force. The user's pre-push hook runs.
func (r *Repo) Push(ctx context.Context, t Target, oid string) error {
	_, err := r.Git(ctx, Call{verb: "push", hooks: true, Args: t.remoteArgs("push", "--quiet", "--no-follow-tags", t.Remote, oid+":"+t.Ref())})
	if err != nil {
		return fmt.Errorf("the work tree is synced, but the push to %s failed: %w", MaskURL(t.String()), err)
	}
	return nil
}

// Apart counts the commits that only a and only b have.
func (r *Repo) Apart(ctx context.Context, a, b string) (ahead, behind int, err error) {
	if a == b {
		return 0, 0, nil
	}
	args := []string{"rev-list", "--count", b}
	if a != "" {
		args = []string{"rev-list", "--left-right", "--count", a + "..." + b}
	}
	out, err := r.Text(ctx, args...)
	if err != nil {
		return 0, 0, err
	}
	f := strings.Fields(out)
	if len(f) == 1 {
		f = append([]string{"0"}, f...)
	}
	if ahead, err = strconv.Atoi(f[0]); err == nil {
		behind, err = strconv.Atoi(f[1])
	}
	return ahead, behind, err
}

// Commits are those that only a has, newest first, at most n of them.
func (r *Repo) Commits(ctx context.Context, a, b string, n int) ([]string, error) {
	args := []string{"log", "--format=%H %s", "-n", strconv.Itoa(n), a}
	if b != "" {
		args = append(args, "^"+b)
	}
	out, err := r.Text(ctx, args...)
	if err != nil || out == "" {
		return nil, err
	}
	return strings.Split(out, "\n"), nil
}

// Here reports whether a commit is in this repository.
func (r *Repo) Here(ctx context.Context, oid string) bool {
	_, err := r.Git(ctx, Call{Args: []string{"cat-file", "-e", oid + "^{commit}"}, Env: []string{"GIT_NO_LAZY_FETCH=1"}})
	return err == nil
}

// Heads are HEAD's commit and branch; "" what there is not.
func (r *Repo) Heads(ctx context.Context) (head, branch string, err error) {
	branch, err = r.Text(ctx, "symbolic-ref", "-q", "HEAD")
	if err != nil && ExitCode(err) != 1 {
		return "", "", err
	}
	head, err = r.Resolve(ctx, "HEAD")
	return head, branch, err
}

// Resolve gives the commit of a ref, "" when there is no such ref.
func (r *Repo) Resolve(ctx context.Context, ref string) (string, error) {
	oid, err := r.Text(ctx, "rev-parse", "--verify", "-q", ref+"^{commit}")
	if err != nil && ExitCode(err) == 1 {
		return "", nil
	}
	return oid, err
}
