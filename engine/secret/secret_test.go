package secret

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env, secrets := filepath.Join(dir, ".env"), filepath.Join(dir, "secrets")
	write(t, env, "\uFEFF# a comment\nexport PLAIN=value # why\nSINGLE='a b$C'\nDOUBLE=\"x\\ny\"\nDOLLAR=pa$WORD\\$5\nEMPTY=\nHASH=a#b\r\nBOTH=from env\n")
	write(t, filepath.Join(secrets, "FILED"), "in a file\r\n")
	write(t, filepath.Join(secrets, "BOTH"), "from directory")
	write(t, filepath.Join(secrets, "..2026", "KUBE"), "linked\n\n")
	write(t, filepath.Join(secrets, "HUGE"), strings.Repeat("x", maxFile+1))
	write(t, filepath.Join(dir, "outside"), "outside")
	for link, to := range map[string]string{"..data": "..2026", "KUBE": "..data/KUBE", "OUT": "../outside"} {
		if err := os.Symlink(to, filepath.Join(secrets, link)); err != nil {
			t.Fatal(err)
		}
	}
	s := &Sources{
		Environ:  func(n string) (string, bool) { return "", n == "SET_EMPTY" },
		EnvFiles: []string{filepath.Join(dir, "none"), env}, Directories: []string{filepath.Join(dir, "nowhere"), secrets},
	}
	for name, want := range map[string]string{
		"PLAIN": "value", "SINGLE": "a b$C", "DOUBLE": "x\ny", "DOLLAR": "pa$WORD$5", "EMPTY": "", "HASH": "a#b", "BOTH": "from env", "FILED": "in a file", "KUBE": "linked\n", "SET_EMPTY": "",
	} {
		if got, ok, err := s.Lookup(name); got != want || !ok || err != nil {
			t.Errorf("%s = %q, %v, %v", name, got, ok, err)
		}
	}
	if v, ok, err := s.Lookup("NOWHERE"); v != "" || ok || err != nil {
		t.Errorf("NOWHERE = %q, %v, %v", v, ok, err)
	}
	for name, says := range map[string]string{"HUGE": "larger than 1 MiB", "OUT": "escapes", "../outside": "cannot be the name", "a/b": "cannot be the name", "": "cannot be", ".": "cannot be", "..data": "cannot be", "a\x00": "cannot be"} {
		if v, ok, err := s.Lookup(name); v != "" || ok || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %q, %v, %v", name, v, ok, err)
		}
	}
}

func TestEnvFileChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	s := &Sources{EnvFiles: []string{path}}
	for _, want := range []string{"one", "another", "three"} {
		write(t, path, "A="+want)
		if got, _, err := s.Lookup("A"); got != want || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	for _, bad := range []string{"A='hidden-value", "hidden-value = 1", "A=\"hidden"} {
		write(t, path, bad)
		if _, _, err := s.Lookup("A"); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
