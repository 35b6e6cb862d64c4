package builtin_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"gopkg.in/yaml.v3"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/schema"
)

const corpora = "../../schema/testdata"

// document is one YAML document of the corpora.
type document struct {
	name string // file and number
	doc  string // pipeline, action or config
	want string // of a bad one: keyword, path and names of its only issue
	v    any
}

func read(t *testing.T, folder string) []document {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpora, folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus in %s: %v", folder, err)
	}
	var out []document
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".yaml"), "-")
		for i, part := range strings.Split(string(text), "---\n") {
			d := document{name: fmt.Sprintf("%s#%d", filepath.Base(file), i+1), doc: doc}
			if line, _, _ := strings.Cut(part, "\n"); folder == "bad" {
				d.want = strings.TrimPrefix(line, "# ")
				d.name += " " + strings.Join(strings.Split(strings.TrimSpace(part), "\n")[1:], "; ")
			}
			if err := yaml.Unmarshal([]byte(part), &d.v); err != nil {
				t.Fatalf("%s: %v", d.name, err)
			}
			out = append(out, d)
		}
	}
	return out
}

func check(s *schema.Set, doc string, v any) []schema.Issue {
	switch doc {
	case "pipeline":
		return s.Pipeline(v)
	case "action":
		return s.Action(v)
	}
	return s.Config(v)
}

// editors compiles the schemas that editors get.
func editors(t *testing.T, s *schema.Set) map[string]*jsonschema.Schema {
	t.Helper()
	out := map[string]*jsonschema.Schema{}
	for _, doc := range []string{"pipeline", "action", "config"} {
		text, err := s.Combined(doc)
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		c.LoadURL = func(string) (io.ReadCloser, error) { return nil, errors.New("not self-contained") }
		if err := c.AddResource("test://"+doc, bytes.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		if out[doc], err = c.Compile("test://" + doc); err != nil {
			t.Fatalf("%s: %#v", doc, err)
		}
	}
	return out
}

func dotted(path []any) string {
	if len(path) == 0 {
		return "."
	}
	parts := make([]string, len(path))
	for i, p := range path {
		parts[i] = fmt.Sprint(p)
	}
	return strings.Join(parts, ".")
}

func TestGood(t *testing.T) {
	s := builtin.Kinds().Schemas()
	editor := editors(t, s)
	for _, d := range read(t, "good") {
		for _, i := range check(s, d.doc, d.v) {
			t.Errorf("%s: %s: %s", d.name, dotted(i.Path), i.Message)
		}
		if err := editor[d.doc].Validate(d.v); err != nil {
			t.Errorf("%s: the schema of editors refuses it: %#v", d.name, err)
		}
	}
}

// TestBad holds that each mistake gives one issue, the right one, and that the
// schema of editors refuses it as well.
func TestBad(t *testing.T) {
	s := builtin.Kinds().Schemas()
	editor := editors(t, s)
	for _, d := range read(t, "bad") {
		var got []string
		for _, i := range check(s, d.doc, d.v) {
			line := i.Keyword + " " + dotted(i.Path)
			for _, n := range i.Names {
				if strings.Contains(n, " ") {
					n = strconv.Quote(n)
				}
				line += " " + n
			}
			got = append(got, line)
			if i.Message == "" || strings.HasSuffix(i.Message, ".") {
				t.Errorf("%s: the message is %q", d.name, i.Message)
			}
		}
		if strings.Join(got, "\n") != d.want {
			t.Errorf("%s\n got %q\nwant %q", d.name, got, d.want)
		}
		if editor[d.doc].Validate(d.v) == nil {
			t.Errorf("%s: the schema of editors accepts it", d.name)
		}
	}
}

// TestAgreement puts all sorts of values in every place of the good corpus:
// the check and the schema of editors must both take them or both refuse.
func TestAgreement(t *testing.T) {
	t.Parallel()
	s := builtin.Kinds().Schemas()
	editor := editors(t, s)
	n := 0
	seen := map[string]bool{}
	for _, d := range read(t, "good") {
		mutate(d.doc, d.v, seen, func(path string, replaced any) {
			n++
			issues, err := check(s, d.doc, d.v), editor[d.doc].Validate(d.v)
			if (len(issues) == 0) != (err == nil) {
				t.Errorf("%s with %#v at %s:\nissues %v\neditor %v", d.name, replaced, path, issues, err)
			}
		})
	}
	if n < 1500 {
		t.Errorf("only %d values were tried", n)
	}
}

// mutate calls try with each value below v replaced by others in turn, taken
// away, and with a new key beside it; a place like one that was seen is left out.
func mutate(doc string, v any, seen map[string]bool, try func(path string, replaced any)) {
	values := func() []any {
		return []any{nil, true, 0, 3.5, "", "text", "a ${{ x }} b", []any{"a", "a"}, map[string]any{"a": "b", "x-own": 1}}
	}
	var walk func(v any, path string)
	walk = func(v any, path string) {
		switch v := v.(type) {
		case map[string]any:
			for key, old := range v {
				if strings.HasPrefix(key, "x-own") || free[key] {
					continue
				}
				if uses := fmt.Sprint(v["uses"]); seen[path+uses+key] {
					walk(old, path+"."+key)
					continue
				} else {
					seen[path+uses+key] = true
				}
				for _, x := range values() {
					v[key] = x
					try(path+"."+key, x)
				}
				delete(v, key)
				try(path+"."+key, "(nothing)")
				v[key] = old
				walk(old, path+"."+key)
			}
			for _, key := range []string{"x-new", "colour", "A b"} {
				v[key] = "text"
				try(path+"."+key, "text")
				delete(v, key)
			}
		case []any:
			for i, old := range v {
				for _, x := range values() {
					v[i] = x
					if !seen[path+"[]"] {
						try(fmt.Sprintf("%s[%d]", path, i), x)
					}
				}
				seen[path+"[]"] = true
				v[i] = old
				walk(old, path+"[]")
			}
		}
	}
	walk(v, doc)
}

// free are keys below which no schema says anything, so that editors cannot
// know that an expression there is not evaluated.
var free = map[string]bool{"deep": true, "list": true}
