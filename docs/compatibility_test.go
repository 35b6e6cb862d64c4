package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCompatibility holds that each row of compatibility.md says one of three
// words, and names a test that is there: a function, and behind a slash one of
// its cases.
func TestCompatibility(t *testing.T) {
	page, err := os.ReadFile("compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	files := tests(t)
	row := regexp.MustCompile("^\\| (.*) \\| (.*) \\| (.*) \\| `(Test[A-Za-z0-9]+)(?:/(.+))?` \\|$")
	n := 0
	for i, line := range strings.Split(string(page), "\n") {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		m := row.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("line %d is no row of a key, a word, what differs and a test: %s", i+1, line)
			continue
		}
		n++
		switch here, differs := m[2], m[3]; {
		case here != "exact" && here != "approximated" && here != "unsupported":
			t.Errorf("line %d: %q is none of the three words", i+1, here)
		case here != "exact" && strings.TrimSpace(differs) == "":
			t.Errorf("line %d does not say what differs", i+1)
		}
		if !shown(files, m[4], m[5]) {
			t.Errorf("line %d: there is no test %s %s", i+1, m[4], m[5])
		}
	}
	if n < 60 {
		t.Errorf("there are only %d rows", n)
	}
}

func shown(files []string, function, part string) bool {
	for _, text := range files {
		if strings.Contains(text, "func "+function+"(t *testing.T)") && (part == "" || strings.Contains(text, `"`+part+`"`)) {
			return true
		}
	}
	return false
}

// tests are the texts of all test files.
func tests(t *testing.T) (out []string) {
	t.Helper()
	for _, top := range []string{"../engine", "../cmd", "../pipelines", "."} {
		err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil || d.IsDir() || !strings.HasSuffix(p, "_test.go") {
				return err
			}
			text, err := os.ReadFile(p)
			out = append(out, string(text))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}
