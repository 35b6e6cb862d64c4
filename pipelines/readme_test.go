package pipelines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// TestReadme: the table has each pipeline once, with what its file says.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*/*.yaml")
	if err != nil || len(files) < 15 {
		t.Fatalf("%v, %v", files, err)
	}
	rows := strings.Count(string(readme), ".yaml) | ")
	if rows != len(files) {
		t.Errorf("README.md has %d rows of %d pipelines", rows, len(files))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var p struct {
			Name, System, Category string
			Schedule               struct{ Cron string }
			Params                 map[string]any
		}
		if err := yaml.Unmarshal(text, &p); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		schedule := "`" + p.Schedule.Cron + "`"
		if p.Schedule.Cron == "" {
			schedule = "a service"
		}
		_, row, found := strings.Cut(string(readme), "| ["+p.Name+"]("+file+") | "+p.System+" · "+p.Category+" | "+schedule+" | ")
		if !found {
			t.Errorf("%s has no row with its name, system, category and schedule", file)
			continue
		}
		row, _, _ = strings.Cut(row, "\n")
		for name := range p.Params {
			if !strings.Contains(row, "`"+name+"`") {
				t.Errorf("the row of %s does not name its param %s", file, name)
			}
		}
	}
}
