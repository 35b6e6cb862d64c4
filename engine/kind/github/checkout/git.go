package checkout

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/proc"
)

// git runs git in one folder.
type git struct {
	dir  string
	proc *proc.Spawner
	env  []string
	mask func(string) string
}

// failure is what git reported.
type failure struct {
	verb string
	code int
	text string
}

// Error is one line.
func (f *failure) Error() string {
	return strings.TrimRight(fmt.Sprintf("git %s: exit code %d: %s", f.verb, f.code, f.text), ": ")
}

// code is the exit code of git, -1 when the error is another one.
func code(err error) int {
	var f *failure
	if errors.As(err, &f) {
		return f.code
	}
	return -1
}

// environment takes out what would make git look at another repository, ask a
// person or translate its messages.
func environment(env []string) []string {
	var out []string
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case name == "LC_ALL" || name == "LANGUAGE":
		case strings.HasPrefix(name, "GIT_") && !strings.HasPrefix(name, "GIT_SSH") && !strings.HasPrefix(name, "GIT_SSL_") && !strings.HasPrefix(name, "GIT_HTTP_") &&
			!strings.HasPrefix(name, "GIT_CONFIG_") && name != "GIT_ASKPASS" && name != "GIT_EXEC_PATH" && name != "GIT_PROXY_COMMAND":
		default:
			out = append(out, kv)
		}
	}
	return append(out, "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "GCM_INTERACTIVE=never")
}

// text runs git and gives what it printed, trimmed.
func (g *git) text(ctx context.Context, args ...string) (string, error) {
	return g.with(ctx, nil, args...)
}

func (g *git) with(ctx context.Context, env []string, args ...string) (string, error) {
	argv := append([]string{"git", "--no-pager", "-c", "color.ui=never", "-c", "core.fsmonitor=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
		"-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never", "-c", "advice.detachedHead=false"}, args...)
	var out bytes.Buffer
	var complaint last
	c := proc.Command{Argv: argv, Dir: g.dir, Env: append(g.env[:len(g.env):len(g.env)], env...), Out: &out, Err: &complaint}
	res, err := g.proc.Run(ctx, c)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", err
	}
	if res.Code != 0 || res.Signal != "" {
		return "", &failure{args[0], res.Code, g.mask(complaint.line())}
	}
	return strings.TrimSpace(out.String()), nil
}

// last keeps the end of what git complains about.
type last struct{ b []byte }

// Write keeps the last 4 KiB.
func (l *last) Write(b []byte) (int, error) {
	l.b = append(l.b, b...)
	if n := len(l.b) - 4096; n > 0 {
		l.b = append([]byte(nil), l.b[n:]...)
	}
	return len(b), nil
}

// line is the complaint in one line: what git calls fatal or an error, else its
// last words. Credentials of addresses are taken out.
func (l *last) line() string {
	text := regexp.MustCompile(`(://)[^/@\s]+@`).ReplaceAllString(strings.ToValidUTF8(string(l.b), "?"), "$1")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "fatal: ") || strings.HasPrefix(line, "error: ") {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}

// resolve gives the commit of a name, "" when there is none.
func (g *git) resolve(ctx context.Context, name string) (string, error) {
	oid, err := g.text(ctx, "rev-parse", "--verify", "-q", "--end-of-options", name+"^{commit}")
	if code(err) == 1 || code(err) == 128 {
		return "", nil
	}
	return oid, err
}

// find gives the commit of a ref as actions/checkout takes it: a full name, a
// branch, a tag, a branch of the remote, or a commit; "" when none is here.
func (g *git) find(ctx context.Context, ref string) (string, error) {
	tries := []string{ref}
	if !strings.HasPrefix(ref, "refs/") {
		tries = []string{"refs/heads/" + ref, "refs/tags/" + ref, "refs/remotes/origin/" + ref}
		if regexp.MustCompile(`^[0-9a-fA-F]{4,64}$`).MatchString(ref) {
			tries = append(tries, ref)
		}
	} else if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		tries = append(tries, "refs/remotes/origin/"+branch)
	}
	for _, t := range tries {
		oid, err := g.resolve(ctx, t)
		if err != nil || oid != "" {
			return oid, err
		}
	}
	return "", nil
}

// bearer is env with a token for a server added, so that it stands neither in
// git's arguments nor in a file. Settings that are in env already stay.
func bearer(env []string, server, token string) []string {
	if token == "" || !strings.HasPrefix(server, "https://") {
		return nil
	}
	n := 0
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "GIT_CONFIG_COUNT="); ok {
			n, _ = strconv.Atoi(v)
		}
	}
	basic := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + token))
	return []string{
		fmt.Sprintf("GIT_CONFIG_COUNT=%d", n+1), fmt.Sprintf("GIT_CONFIG_KEY_%d=http.%s/.extraheader", n, strings.TrimRight(server, "/")),
		fmt.Sprintf("GIT_CONFIG_VALUE_%d=Authorization: Basic %s", n, basic),
	}
}
