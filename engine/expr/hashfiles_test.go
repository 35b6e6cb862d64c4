package expr

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// digest is what hashFiles gives for files with these contents, in order.
func digest(contents ...string) string {
	if len(contents) == 0 {
		return ""
	}
	all := sha256.New()
	for _, c := range contents {
		sum := sha256.Sum256([]byte(c))
		all.Write(sum[:])
	}
	return hex.EncodeToString(all.Sum(nil))
}

func TestHashFiles(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	root := filepath.Join(outside, "root")
	write := func(name string) {
		t.Helper()
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(name), 0o644); err != nil { // each file holds its name
			t.Fatal(err)
		}
	}
	for _, f := range []string{"go.sum", "a/x.lock", "a/b/y.lock", "a-c/z.lock", "a/.hidden/w.lock", "{x,y}.txt", "src/main.go", "src/lib/util.go", "[q].txt"} {
		write(f)
	}
	if err := os.WriteFile(filepath.Join(outside, "secret.lock"), []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"out.lock": "../secret.lock", "in.link": "go.sum", "dangling.lock": "nowhere", "away": ".."} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(root, "pipe.lock"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := world()
	e.Root = root
	e.Contexts["root"] = root
	for args, want := range map[string]string{
		`'go.sum'`:                          digest("go.sum"),
		`'nothing'`:                         "",
		`'**/*.lock'`:                       digest("a/.hidden/w.lock", "a/b/y.lock", "a/x.lock", "a-c/z.lock"),
		`'a/*.lock'`:                        digest("a/x.lock"),
		`'a'`:                               digest("a/.hidden/w.lock", "a/b/y.lock", "a/x.lock"),
		`'src/'`:                            digest("src/lib/util.go", "src/main.go"),
		`'src/**'`:                          digest("src/lib/util.go", "src/main.go"),
		`'src/**/*.go', 'go.sum'`:           digest("src/lib/util.go", "src/main.go", "go.sum"),
		`'go.sum', 'src/**/*.go'`:           digest("go.sum", "src/lib/util.go", "src/main.go"),
		`'go.sum', 'go.sum'`:                digest("go.sum"),
		`'src', 'src/main.go'`:              digest("src/lib/util.go", "src/main.go"),
		`'**/*.lock', '!a/b/**'`:            digest("a/.hidden/w.lock", "a/x.lock", "a-c/z.lock"),
		`'a', '!a', 'a/x.lock'`:             digest("a/x.lock"),
		`'!a'`:                              "",
		`'{x,y}.txt'`:                       digest("{x,y}.txt"),
		`'{go.sum,src}'`:                    "",
		`'[[]q].txt'`:                       digest("[q].txt"),
		`'in.link'`:                         digest("go.sum"),
		`'out.lock'`:                        "",
		`'pipe.lock'`:                       "",
		`'away/secret.lock'`:                "",
		`'../secret.lock'`:                  "",
		`'a/../../secret.lock'`:             "",
		`'/etc/passwd'`:                     "",
		`format('{0}/go.sum', root)`:        digest("go.sum"),
		`fromJSON('"# no\n\n  go.sum\n"')`:  digest("go.sum"),
		`fromJSON('"a/x.lock\n!a/x.lock"')`: "",
	} {
		got, err := evalBody(t, "hashFiles("+args+")", e)
		if err != nil || got != want {
			t.Errorf("hashFiles(%s) = %v, %v", args, got, err)
		}
	}
	var bad *Error
	if _, err := evalBody(t, "hashFiles('go.sum', 'a/[')", e); !errors.As(err, &bad) || bad.Message != "the pattern of hashFiles is not valid" || bad.Offset != len("${{hashFiles('go.sum', ") || bad.Width != len("'a/['") {
		t.Errorf("a bad pattern: %#v", err)
	}
	if os.Getuid() != 0 {
		if err := os.Chmod(filepath.Join(root, "go.sum"), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := evalBody(t, "hashFiles('go.sum')", e); err == nil || !strings.Contains(err.Error(), "go.sum: permission denied") || strings.Contains(err.Error(), outside) {
			t.Errorf("an unreadable file: %v", err)
		}
	}
}
