package secret

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBrokenEnvFile holds that what is wrong with an env file is told with its
// line, and that no value is.
func TestBrokenEnvFile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"A=1\n# a comment\n\nwhat is this hush\n":     "line 4 is not of the form NAME=value",
		"A=1\r\nhush\r\n":                             "line 2 is not of the form NAME=value",
		"A='1\n2'\nB=\"hush\n\nC=2\n":                 "the quote that opens in line 3 is never closed",
		"export A=\"a \\\" b\"\nexport B='$hush\nC=2": "the quote that opens in line 2 is never closed",
	} {
		path := filepath.Join(t.TempDir(), ".env")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := Sources{EnvFiles: []string{path}}
		_, _, err := s.Lookup("TOKEN")
		if err == nil || !strings.HasSuffix(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v; want %s", text, err, want)
		}
	}
}
