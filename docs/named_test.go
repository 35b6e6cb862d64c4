package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestNamedTests holds that each test which compatibility.md names is there.
func TestNamedTests(t *testing.T) {
	page, err := os.ReadFile("compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	err = filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, "_test.go") {
			return err
		}
		text, err := os.ReadFile(p)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	code := all.String()
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)(?:/([^`]+))?`").FindAllStringSubmatch(string(page), -1)
	for _, m := range named {
		if !strings.Contains(code, "func "+m[1]+"(") {
			t.Errorf("compatibility.md names %s, which is not there", m[1])
		}
		if m[2] != "" && !strings.Contains(code, `"`+m[2]+`"`) && !strings.Contains(code, m[2]+" ") {
			t.Errorf("compatibility.md names %s of %s, which is not there", m[2], m[1])
		}
	}
	if len(named) == 0 {
		t.Error("compatibility.md names no test")
	}
}
