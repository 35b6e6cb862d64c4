package tokens_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/tokens"
)

// TestMain is a process that makes tokens when it is told to.
func TestMain(m *testing.M) {
	if state := os.Getenv("TOKENS_OF"); state != "" {
		fmt.Println("ready")
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		s := tokens.New(state)
		for i := range 20 {
			token, err := s.Token(fmt.Sprintf("cron/p%d", i))
			fmt.Println(token, err)
		}
		return
	}
	m.Run()
}

func made(t *testing.T, s *tokens.Store, id string) string {
	t.Helper()
	token, err := s.Token(id)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestMadeAndKept(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	s := tokens.New(state)
	a, b := made(t, s, "cron/a"), made(t, s, "cron/b")
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`).MatchString(a) || a == b || made(t, s, "cron/a") != a || made(t, tokens.New(state), "cron/a") != a {
		t.Errorf("%q and %q", a, b)
	}
	for path, mode := range map[string]fs.FileMode{"tokens": 0o700 | fs.ModeDir, "tokens/cron": 0o700 | fs.ModeDir, "tokens/cron/a": 0o600} {
		if info, err := os.Lstat(filepath.Join(state, path)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if s.Path("cron/a") != filepath.Join(state, "tokens/cron/a") {
		t.Error(s.Path("cron/a"))
	}
	left, err := os.ReadDir(filepath.Join(state, "tokens/cron"))
	if err != nil || len(left) != 2 {
		t.Errorf("%v, %v", left, err)
	}
}

// TestReplaced holds that a token of the user's counts at once, in whatever way
// it comes, and that a new one is made for one that was removed.
func TestReplaced(t *testing.T) {
	t.Parallel()
	s := tokens.New(t.TempDir())
	first, path := made(t, s, "cron/a"), s.Path("cron/a")
	for _, text := range []string{strings.Repeat("x", 43) + "\n", strings.Repeat("y", 43) + "\n"} { // as long as the first
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := made(t, s, "cron/a"); got != strings.TrimSpace(text) {
			t.Errorf("%q after %q was written in its place", got, text)
		}
	}
	if err := os.WriteFile(path+".new", []byte(strings.Repeat("z", 43)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if got := made(t, s, "cron/a"); got != strings.Repeat("z", 43) {
		t.Errorf("%q after it was replaced", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := made(t, s, "cron/a"); len(got) != 43 || got == first || got == strings.Repeat("z", 43) {
		t.Errorf("%q after it was removed", got)
	}
}

func TestUnsafe(t *testing.T) {
	t.Parallel()
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("a-token-of-somebody-else\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, make := range map[string]func(path string) error{
		"is a link":             func(path string) error { return os.Symlink(other, path) },
		"is no file":            func(path string) error { return os.Mkdir(path, 0o700) },
		"is no file: ":          func(path string) error { return unix.Mkfifo(path, 0o600) },
		"can be read by others": func(path string) error { return os.WriteFile(path, []byte("a-token\n"), 0o640) },
		"is empty":              func(path string) error { return os.WriteFile(path, []byte(" \n"), 0o600) },
		"belongs to another user": func(path string) error {
			return errors.Join(os.WriteFile(path, []byte("a-token\n"), 0o600), os.Chown(path, 12345, 12345))
		},
	} {
		if os.Geteuid() != 0 && want == "belongs to another user" {
			continue // only root can give a file away
		}
		for _, before := range []bool{false, true} { // it was good, and known
			s := tokens.New(t.TempDir())
			made(t, s, "cron/a")
			path := s.Path("cron/a")
			if !before {
				s = tokens.New(filepath.Dir(filepath.Dir(filepath.Dir(path))))
			}
			if err := errors.Join(os.Remove(path), make(path)); err != nil {
				t.Fatal(err)
			}
			token, err := s.Token("cron/a")
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "cron/a") || token != "" || strings.Contains(err.Error(), "a-token") {
				t.Errorf("%s, known before: %t: %q, %v", want, before, token, err)
			}
		}
	}
}

// TestUnsafeFolders holds what stands where folders should.
func TestUnsafeFolders(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"tokens", "tokens/cron"} {
		for _, kind := range []string{"link", "file", "open"} {
			state, elsewhere := t.TempDir(), t.TempDir()
			path := filepath.Join(state, folder)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			var err error
			switch kind {
			case "link":
				err = os.Symlink(elsewhere, path)
			case "file":
				err = os.WriteFile(path, nil, 0o600)
			case "open":
				err = errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, 0o777))
			}
			if err != nil {
				t.Fatal(err)
			}
			token, err := tokens.New(state).Token("cron/a")
			if kind != "open" {
				if err == nil || token != "" {
					t.Errorf("%s is a %s: %q", folder, kind, token)
				}
			} else if info, _ := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s was open: %v, %v", folder, info, err)
			}
			if left, _ := os.ReadDir(elsewhere); len(left) > 0 {
				t.Errorf("a token was made elsewhere: %v", left)
			}
		}
	}
}

func TestBadNames(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	for _, id := range []string{"", "a", "a/", "/a", "a/b/c", "../a", "a/..", "./a", "a/.b", "A/b", "a/b\n", "a/b\x00", "a/" + strings.Repeat("b", 64)} {
		if token, err := tokens.New(state).Token(id); err == nil {
			t.Errorf("%q has the token %s", id, token)
		}
	}
	if left, _ := os.ReadDir(state); len(left) > 0 {
		t.Errorf("made: %v", left)
	}
}

// TestAtOnce has four processes and many goroutines make the same tokens.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	var printed sync.Map
	var all sync.WaitGroup
	var starts []func() error
	for n := range 4 {
		c := exec.Command(os.Args[0], "-test.run=^$")
		c.Env = append(os.Environ(), "TOKENS_OF="+state)
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() || lines.Text() != "ready" {
			t.Fatalf("process %d: %q", n, lines.Text())
		}
		starts = append(starts, in.Close)
		all.Go(func() {
			text := ""
			for lines.Scan() {
				text += lines.Text() + "\n"
			}
			printed.Store(n, text)
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, start := range starts {
		if err := start(); err != nil {
			t.Error(err)
		}
	}
	s := tokens.New(state)
	for range 4 {
		all.Go(func() {
			for i := range 20 {
				if _, err := s.Token(fmt.Sprintf("cron/p%d", i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	want := ""
	for i := range 20 {
		want += made(t, s, fmt.Sprintf("cron/p%d", i)) + " <nil>\n"
	}
	printed.Range(func(n, text any) bool {
		if text != want {
			t.Errorf("process %d printed\n%s\nand the tokens are\n%s", n, text, want)
		}
		return true
	})
	if left, err := os.ReadDir(filepath.Join(state, "tokens/cron")); err != nil || len(left) != 20 {
		t.Errorf("%v, %v", left, err)
	}
}

// known waits until a token costs one look at its file, which is when that is a
// second old.
func known(t *testing.T, s *tokens.Store, id string) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); ; {
		n := testing.AllocsPerRun(20, func() { made(t, s, id) })
		if n <= 6 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%v allocations", n)
		}
	}
}

// TestKnown holds that what is known is forgotten as soon as the file is another
// one, or cannot be trusted any more. It counts allocations, so nothing runs
// beside it.
func TestKnown(t *testing.T) {
	s := tokens.New(t.TempDir())
	for name, c := range map[string]struct {
		change func(path string) error
		good   bool
	}{
		"written": {func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("x", 43)+"\n"), 0o600) }, true},
		"removed": {os.Remove, true},
		"opened":  {func(path string) error { return os.Chmod(path, 0o644) }, false},
		"linked":  {func(path string) error { return errors.Join(os.Rename(path, path+"2"), os.Symlink(path+"2", path)) }, false},
	} {
		id := "cron/" + name
		first := made(t, s, id)
		known(t, s, id)
		if err := c.change(s.Path(id)); err != nil {
			t.Fatal(err)
		}
		if token, err := s.Token(id); token == first || (err == nil) != c.good {
			t.Errorf("%s: %q after %q, %v", name, token, first, err)
		}
	}
}
