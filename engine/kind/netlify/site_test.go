package netlify_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/netlify/finder"
)

// TestSite calls every function of the example site, on a copy of it.
func TestSite(t *testing.T) {
	t.Parallel()
	x := newSite(t, nil)
	if err := os.CopyFS(filepath.Join(x.root, "site"), os.DirFS("../../../examples/site")); err != nil {
		t.Fatal(err)
	}
	x.root = filepath.Join(x.root, "site")
	x.s.Root, x.s.Dir = x.root, x.root
	if err := os.MkdirAll(filepath.Join(x.root, "src", "pages"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(x.root, "src", "pages", "x-needle.md"), []byte("a haystack with one Needle"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		with        map[string]any
		body, wrong string
	}{
		"boats.js":               {map[string]any{"query": map[string]any{"kind": "eight"}}, "Gannet", ""},
		"contact.js":             {map[string]any{"method": "POST", "body": `{"mail": "ann@example.com"}`}, `"taken":true`, ""},
		"ping.mjs":               {nil, `"ok":true`, ""},
		"search/index.mjs":       {map[string]any{"query": map[string]any{"q": "needle"}}, "x-needle.md", ""},
		"tide.ts":                {map[string]any{"event": "schedule"}, `"ok":true`, ""},
		"boat-report.mts":        {map[string]any{"event": "schedule"}, `"due":["Heron"`, ""},
		"newsletter.js":          {map[string]any{"event": "schedule", "env": map[string]any{"NEWSLETTER_KEY": "x"}}, `"ok":true`, ""},
		"sponsors-background.js": {map[string]any{"event": "background", "expect": map[string]any{"log-matches": "Harbour Bakery: 2"}}, "", ""},
		"link-report.js":         {map[string]any{"event": "schedule", "expect": map[string]any{"log-matches": "broken links"}}, "", ""},
		"regatta.js":             {nil, "", "regatta.js:3: a merge conflict was left in it"},
	} {
		with := map[string]any{"file": "netlify/functions/" + name}
		for k, v := range c.with {
			with[k] = v
		}
		out, err := x.action(t, with).Run(t.Context(), x.s)
		if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s: %v", name, err)
		} else if err == nil && !strings.Contains(out.Values["body"].(string), c.body) {
			t.Errorf("%s: %v", name, out.Values)
		}
	}
	if _, err := x.action(t, map[string]any{"file": "netlify/functions/newsletter.js", "event": "schedule"}).Run(t.Context(), x.s); err == nil || !strings.Contains(err.Error(), "NEWSLETTER_KEY is not set") {
		t.Errorf("without its key: %v", err)
	}
	found, err := finder.Finder().Find(t.Context(), kind.Search{Root: x.root})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		verdict := "scheduled"
		switch {
		case f.Broken != "":
			verdict = "broken"
		case strings.Contains(f.Note, "never fires"):
			verdict = "never"
		}
		got = append(got, f.Primary+" "+verdict)
	}
	if want := "boat-report scheduled, boats never, link-report never, newsletter scheduled, regatta broken, sponsors-background scheduled, tide scheduled"; strings.Join(got, ", ") != want {
		t.Errorf("found %s, want %s", strings.Join(got, ", "), want)
	}
}
