package builtin_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/kind"
)

// TestDraftsOfWorkflows holds that the pipeline of each workflow is valid at
// once, also where git names no repository.
func TestDraftsOfWorkflows(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	folder := filepath.Join(root, ".github", "workflows")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a.yml":      "on: {schedule: [{cron: \"*/15 * * * *\", timezone: Europe/Berlin}, {cron: \"0 3 * * *\"}]}\njobs: {a: {runs-on: ubuntu-latest, timeout-minutes: 7.5, steps: [{run: \"echo ${{ secrets.key }}\"}]}}\n",
		"b c.yaml":   "name: 'A: \"name\" # of its own'\non: {schedule: [{cron: \"0 3 * * 7\"}, {cron: nonsense}]}\njobs: {a: {runs-on: windows-latest, steps: [{run: dir}]}}\n",
		"never.yml":  "on: {schedule: [{cron: \"0 0 31 2 *\"}]}\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: x}]}}\n",
		"broken.yml": "a: [",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	set := builtin.Kinds()
	var f *kind.Finder
	for i := range set.Finders {
		if set.Finders[i].Name == "actions" {
			f = &set.Finders[i]
		}
	}
	if f == nil {
		t.Fatal("nothing finds workflows")
	}
	all, err := f.Find(t.Context(), kind.Search{Root: root})
	if err != nil || len(all) != 4 {
		t.Fatalf("%d found, %v", len(all), err)
	}
	for _, x := range all {
		if x.Broken != "" {
			continue
		}
		v := plain(x.Draft).(map[string]any)
		v["version"], v["name"], v["system"] = int64(1), x.Name, f.System
		if x.Disabled != "" {
			v["enabled"] = false
		}
		for _, i := range set.Schemas().Pipeline(v) {
			t.Errorf("%s: %v: %s", x.Name, i.Path, i.Message)
		}
	}
}

// plain is a draft as YAML would be read.
func plain(v any) any {
	switch x := v.(type) {
	case kind.Map:
		out := map[string]any{}
		for _, f := range x {
			out[f.Key] = plain(f.Value)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = plain(e)
		}
		return out
	}
	return v
}
