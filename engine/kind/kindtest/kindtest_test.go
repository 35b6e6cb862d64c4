package kindtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// judged is a test that keeps what would fail it.
type judged struct {
	testing.TB
	failures []string
}

func (j *judged) Helper()           {}
func (j *judged) Error(args ...any) { j.failures = append(j.failures, fmt.Sprint(args...)) }
func (j *judged) Errorf(f string, args ...any) {
	j.failures = append(j.failures, fmt.Sprintf(f, args...))
}

// bad is a kind whose dry run does something.
type bad func(ctx context.Context, s *pipeline.Scope) error

func (b bad) Run(context.Context, *pipeline.Scope) (pipeline.Outputs, error) {
	return pipeline.Outputs{}, errors.New("a plan ran the action")
}

func (b bad) Plan(ctx context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	return []pipeline.Effect{"works"}, b(ctx, s)
}

// program is a dry run that starts a program and waits for it.
func program(words ...string) bad {
	return func(ctx context.Context, s *pipeline.Scope) error { return command(ctx, s, words...).Run() }
}

// command is a program as a kind would start it: found in the PATH of its own
// environment.
func command(ctx context.Context, s *pipeline.Scope, words ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, words[0], words[1:]...)
	for _, v := range s.Env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok && !strings.Contains(words[0], "/") {
			c.Path, c.Err = filepath.Join(p, words[0]), nil
		}
	}
	c.Dir, c.Env = s.Dir, s.Env
	return c
}

// tree is a work tree with one file, and what a dry run is given in it.
func tree(t *testing.T) *pipeline.Scope {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "file"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &pipeline.Scope{Root: root, Dir: root, State: filepath.Join(root, ".redund"), Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + root}}
}

// TestBadKinds: whatever a dry run does beyond reading fails the suite, and says
// what it was.
func TestBadKinds(t *testing.T) {
	t.Parallel()
	file := func(s *pipeline.Scope) string { return filepath.Join(s.Root, "file") }
	for name, c := range map[string]struct {
		plan bad
		want string // begins the one failure
	}{
		"makes a file":        {func(_ context.Context, s *pipeline.Scope) error { return os.WriteFile(file(s)+"2", nil, 0o600) }, "a dry run made "},
		"changes a file":      {func(_ context.Context, s *pipeline.Scope) error { return os.WriteFile(file(s), []byte("new"), 0o600) }, "a dry run changed "},
		"changes a mode":      {func(_ context.Context, s *pipeline.Scope) error { return os.Chmod(file(s), 0o644) }, "a dry run changed "},
		"removes a file":      {func(_ context.Context, s *pipeline.Scope) error { return os.Remove(file(s)) }, "a dry run changed "},
		"makes its state":     {func(_ context.Context, s *pipeline.Scope) error { return os.Mkdir(s.State, 0o700) }, "a dry run made "},
		"a program writes":    {program("touch", "file"), `a dry run started "touch file"`},
		"git writes":          {program("git", "-C", ".", "init", "-q"), `a dry run started "git -C . init -q"`},
		"git configures":      {program("git", "config", "user.name", "x"), `a dry run started "git config user.name x"`},
		"git sets a value":    {program("git", "config", "user.name", "--get x"), `a dry run started "git config user.name --get x"`},
		"git logs to a file":  {program("git", "log", "--output=other"), `a dry run started "git log --output=other"`},
		"git diffs to a file": {program("git", "diff", "--no-index", "--output", "other", "file", "/dev/null"), `a dry run started "git diff --no-index --output other file /dev/null"`},
		"git keeps the lost":  {program("git", "fsck", "--lost-found"), `a dry run started "git fsck --lost-found"`},
		"git fetches":         {program("git", "-c", "a.b=status", "fetch"), `a dry run started "git -c a.b=status fetch"`},
		"network":             {program("curl", "--version", "http://127.0.0.1:1"), `a dry run started "curl --version http://127.0.0.1:1"`},
		"a shell":             {program("sh", "-c", "true"), `a dry run started "sh -c true"`},
		"by its full path":    {program("/bin/sh", "-c", "echo > other"), "a dry run made "},
		"leaves a process":    {left(true), "a dry run left process "},
		"cleared its marks":   {left(false), "a dry run left process "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if words := strings.Fields(c.want); len(words) > 3 && words[3][1:] == "curl" {
				if _, err := exec.LookPath("curl"); err != nil {
					t.Skip("curl is not installed")
				}
			}
			j, s := &judged{TB: t}, tree(t)
			effects, _ := Plan(j, c.plan, s)
			// A folder has another time when something in it is made or removed.
			failures := deleteFunc(j.failures, "a dry run changed "+s.Root+":")
			if len(failures) != 1 || !strings.HasPrefix(failures[0], c.want) {
				t.Errorf("the suite said %q, want %q", failures, c.want)
			}
			if len(effects) != 1 {
				t.Errorf("what the plan said was lost: %q", effects)
			}
		})
	}
}

func deleteFunc(list []string, prefix string) []string {
	var out []string
	for _, s := range list {
		if !strings.HasPrefix(s, prefix) {
			out = append(out, s)
		}
	}
	return out
}

// left is a dry run that leaves a process behind, with its environment or
// without; it tells that it runs before the plan returns.
func left(marked bool) bad {
	return func(_ context.Context, s *pipeline.Scope) error {
		// It waits without starting another program: in the middle of that the
		// system shows no environment.
		c := command(context.Background(), s, "/bin/sh", "-c", "echo; read x")
		if _, err := c.StdinPipe(); err != nil {
			return err
		}
		if !marked {
			c.Env = []string{"PATH=/usr/bin:/bin"}
		} else {
			c.Dir = "/"
		}
		out, err := c.StdoutPipe()
		if err != nil {
			return err
		}
		if err := c.Start(); err != nil {
			return err
		}
		_, err = out.Read(make([]byte, 1))
		go func() { _ = c.Wait() }()
		return err
	}
}

// TestGoodKinds: what only reads passes, programs included.
func TestGoodKinds(t *testing.T) {
	t.Parallel()
	for name, plan := range map[string]bad{
		"reads a file": func(_ context.Context, s *pipeline.Scope) error {
			_, err := os.ReadFile(filepath.Join(s.Root, "file"))
			return err
		},
		"a program reads": program("cat", "file"),
		"asks a version":  program("git", "--version"),
		"git looks":       program("git", "-C", "/", "-c", "a.b=c", "ls-files", "--no-such-option"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := &judged{TB: t}
			_, err := Plan(j, plan, tree(t))
			var exit *exec.ExitError
			if len(j.failures) > 0 || err != nil && (!errors.As(err, &exit) || exit.ExitCode() == 97) {
				t.Errorf("the suite said %q; the plan %v", j.failures, err)
			}
		})
	}
}

// TestClient: a request that changes something is refused and never sent.
func TestClient(t *testing.T) {
	t.Parallel()
	reached := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { reached <- q.Method }))
	defer server.Close()
	send := func(client *http.Client, method string) bad {
		return func(ctx context.Context, _ *pipeline.Scope) error {
			q, err := http.NewRequestWithContext(ctx, method, server.URL+"/?token=x", nil)
			if err != nil {
				return err
			}
			answer, err := client.Do(q)
			if err == nil {
				answer.Body.Close()
			}
			return err
		}
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "GET", "HEAD", ""} {
		j := &judged{TB: t}
		_, err := Plan(j, send(Client(j, nil), method), tree(t))
		reads := method == "GET" || method == "HEAD" || method == ""
		if (err == nil) != reads || (len(j.failures) == 0) != reads || len(reached) > 0 != reads {
			t.Errorf("%q: %v, the suite said %q, %d requests came", method, err, j.failures, len(reached))
		}
		for len(reached) > 0 {
			<-reached
		}
	}
}
