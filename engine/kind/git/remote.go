package git

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// target is the branch of a remote that a work tree is brought to.
type target struct {
	remote, branch string // as the user wrote them; branch without refs/heads/
	tracking       string // the ref that remembers it here
	oid            string
}

func (t target) ref() string { return "refs/heads/" + t.branch }

func (t target) String() string { return t.remote + "/" + t.branch }

// target finds out what is meant, without asking the remote.
func (r *Repo) target(w syncWith, branch string) (target, error) {
	t := target{remote: w.Remote, branch: w.Branch}
	if t.branch == "" {
		if branch == "" {
			return t, fmt.Errorf("HEAD is detached in %s: say which branch is meant with `branch`", r.top)
		}
		t.branch = strings.TrimPrefix(branch, "refs/heads/")
	}
	if strings.HasPrefix(t.branch, "-") || strings.ContainsAny(t.branch, ":*?[\\^~ ") || strings.HasPrefix(t.remote, "-") {
		return t, fmt.Errorf("%q of %q cannot be a branch of a remote", t.branch, maskURL(t.remote))
	}
	if r.config.values["remote."+t.remote+".url"] != "" {
		t.tracking = "refs/remotes/" + t.remote + "/" + t.branch
		return t, nil
	}
	if strings.ContainsAny(t.remote, ":/") {
		t.tracking = "refs/redund/remotes/" + t.branch
		return t, nil
	}
	var names []string
	for k := range r.config.values {
		if n, ok := strings.CutPrefix(k, "remote."); ok && strings.HasSuffix(n, ".url") {
			names = append(names, strings.TrimSuffix(n, ".url"))
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return t, fmt.Errorf("%s has no remote: git remote add %s URL", r.top, t.remote)
	}
	return t, fmt.Errorf("%s has no remote %q; it has %s", r.top, t.remote, strings.Join(names, ", "))
}

// remoteArgs keep the remote's own settings from doing more than is asked.
func (t target) remoteArgs(verb string, args ...string) []string {
	out := []string{verb}
	if strings.HasPrefix(t.tracking, "refs/remotes/") {
		out = []string{"-c", "remote." + t.remote + ".mirror=false", "-c", "push.recurseSubmodules=no", "-c", "push.followTags=false", verb}
	}
	return append(out, args...)
}

// fetch brings the branch here and sets t.oid.
func (r *Repo) fetch(ctx context.Context, t *target) error {
	_, err := r.git(ctx, call{verb: "fetch", args: t.remoteArgs("fetch", "--quiet", "--no-recurse-submodules", "--no-prune", "--no-write-fetch-head",
		"--refmap=", t.remote, "+"+t.ref()+":"+t.tracking)})
	if err != nil {
		return t.explain(err)
	}
	t.oid, err = r.text(ctx, "rev-parse", "--verify", "-q", t.tracking+"^{commit}")
	return err
}

// ask is fetch for a dry run: it learns the commit and writes nothing.
func (r *Repo) ask(ctx context.Context, t *target) error {
	out, err := r.git(ctx, call{args: []string{"ls-remote", "--quiet", t.remote, t.ref()}})
	if err != nil {
		return t.explain(err)
	}
	for _, l := range strings.Split(string(out), "\n") {
		if oid, ref, ok := strings.Cut(l, "\t"); ok && ref == t.ref() {
			t.oid = oid
			return nil
		}
	}
	return t.missing()
}

func (t target) missing() error {
	return fmt.Errorf("the remote %s has no branch %s", maskURL(t.remote), t.branch)
}

func (t target) explain(err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "couldn't find remote ref"):
		return t.missing()
	case strings.Contains(text, "could not read Username") || strings.Contains(text, "could not read Password") ||
		strings.Contains(text, "Authentication failed") || strings.Contains(text, "Permission denied (publickey"):
		return fmt.Errorf("the remote %s wants credentials, and nobody can be asked: set up a credential helper or a key: %w", maskURL(t.remote), err)
	}
	return fmt.Errorf("the remote %s was not reached: %w", maskURL(t.remote), err)
}

// push sends a commit to the branch: this one ref by its name, never another,
// never by force. The user's pre-push hook runs.
func (r *Repo) push(ctx context.Context, t target, oid string) error {
	_, err := r.git(ctx, call{verb: "push", hooks: true, args: t.remoteArgs("push", "--quiet", "--no-follow-tags", t.remote, oid+":"+t.ref())})
	if err != nil {
		return fmt.Errorf("the work tree is synced, but the push to %s failed: %w", maskURL(t.String()), err)
	}
	return nil
}

// apart counts the commits that only a and only b have.
func (r *Repo) apart(ctx context.Context, a, b string) (ahead, behind int, err error) {
	if a == b {
		return 0, 0, nil
	}
	args := []string{"rev-list", "--count", b}
	if a != "" {
		args = []string{"rev-list", "--left-right", "--count", a + "..." + b}
	}
	out, err := r.text(ctx, args...)
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

// commits are those that only a has, newest first, at most n of them.
func (r *Repo) commits(ctx context.Context, a, b string, n int) ([]string, error) {
	args := []string{"log", "--format=%H %s", "-n", strconv.Itoa(n), a}
	if b != "" {
		args = append(args, "^"+b)
	}
	out, err := r.text(ctx, args...)
	if err != nil || out == "" {
		return nil, err
	}
	return strings.Split(out, "\n"), nil
}

// here reports whether a commit is in this repository.
func (r *Repo) here(ctx context.Context, oid string) bool {
	_, err := r.git(ctx, call{args: []string{"cat-file", "-e", oid + "^{commit}"}, env: []string{"GIT_NO_LAZY_FETCH=1"}})
	return err == nil
}

// heads are HEAD's commit and branch; "" what there is not.
func (r *Repo) heads(ctx context.Context) (head, branch string, err error) {
	branch, err = r.text(ctx, "symbolic-ref", "-q", "HEAD")
	if err != nil && exitCode(err) != 1 {
		return "", "", err
	}
	head, err = r.resolve(ctx, "HEAD")
	return head, branch, err
}

// resolve gives the commit of a ref, "" when there is no such ref.
func (r *Repo) resolve(ctx context.Context, ref string) (string, error) {
	oid, err := r.text(ctx, "rev-parse", "--verify", "-q", ref+"^{commit}")
	if err != nil && exitCode(err) == 1 {
		return "", nil
	}
	return oid, err
}
