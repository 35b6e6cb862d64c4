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
// words, or which of them when, and names tests that are there: functions, and
// behind a slash one of their cases.
func TestCompatibility(t *testing.T) {
	page, err := os.ReadFile("compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	files := tests(t)
	row := regexp.MustCompile(`^\| (.*) \| (.*) \|(?: (.*))? \| (.*) \|$`)
	named := regexp.MustCompile("^`(Test[A-Za-z0-9]+)(?:/(.+))?`$")
	word := regexp.MustCompile(`^(exact|approximated|unsupported)(; (approximated|unsupported))?$`)
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
		if !word.MatchString(m[2]) {
			t.Errorf("line %d: %q is none of the three words", i+1, m[2])
		}
		if m[2] != "exact" && strings.TrimSpace(m[3]) == "" {
			t.Errorf("line %d does not say what differs", i+1)
		}
		for test := range strings.SplitSeq(m[4], ", ") {
			if f := named.FindStringSubmatch(test); f == nil || !shown(files, f[1], f[2]) {
				t.Errorf("line %d: there is no test %s", i+1, test)
			}
		}
	}
	if n < 150 {
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
