package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/redundctl/redundctl/"

// The limits of docs/architecture.md. A package's lines are those of code: no
// blank ones, comments or tests.
const (
	fileLines, functionLines, packageLines = 500, 100, 1500
	interfaceMethods, parameters           = 3, 4
)

// table reads which packages may import which from docs/architecture.md.
func table(t *testing.T) map[string][]string {
	t.Helper()
	src, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `([a-z/<>]+)` \\|.*\\| ([^|]*) \\|$")
	out := map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(string(src), -1) {
		out[m[1]] = regexp.MustCompile("[a-z/<>]+").FindAllString(m[2], -1)
	}
	if len(out) < 10 {
		t.Fatalf("the table of packages in architecture.md has %d rows", len(out))
	}
	return out
}

// row gives the row that a package belongs to: its own, or that of its folder.
func row(rows map[string][]string, pkg string) (string, bool) {
	if _, ok := rows[pkg]; ok {
		return pkg, true
	}
	if strings.HasPrefix(pkg, "engine/kind/") {
		return "engine/kind/<system>", true
	}
	for parent := filepath.Dir(pkg); parent != "."; parent = filepath.Dir(parent) {
		if _, ok := rows[parent]; ok && parent != "engine" {
			return parent, true
		}
	}
	return "", false
}

func allowed(names []string, imported string) bool {
	for _, n := range names {
		if n == "all" || n == imported || "engine/"+n == imported || strings.HasPrefix(imported, "engine/"+n+"/") && n != "kind" ||
			strings.HasSuffix(n, "<system>") && strings.HasPrefix(imported, "engine/kind/") {
			return true
		}
	}
	return false
}

// within reports whether a package lies in the same row's folder as the one
// that imports it: of a kind, the kind's own folder.
func within(imported, row, importer string) bool {
	folder := row
	if parts := strings.Split(importer, "/"); strings.HasPrefix(importer, "engine/kind/") && len(parts) > 2 {
		folder = strings.Join(parts[:3], "/")
	}
	return folder != "engine" && (imported == folder || strings.HasPrefix(imported, folder+"/"))
}

// TestHouse holds the limits and the import table over every file.
func TestHouse(t *testing.T) {
	rows := table(t)
	code := map[string]int{}
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if filepath.Ext(p) == ".go" {
			file(t, rows, code, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg, n := range code {
		if n > packageLines {
			t.Errorf("package %s has %d lines of code; %d is the limit", pkg, n, packageLines)
		}
	}
}

func file(t *testing.T, rows map[string][]string, code map[string]int, p string) {
	t.Helper()
	src, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, p, src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	name, pkg := strings.TrimPrefix(p, "../"), filepath.ToSlash(filepath.Dir(strings.TrimPrefix(p, "../")))
	if n := strings.Count(string(src), "\n"); n > fileLines {
		t.Errorf("%s has %d lines; %d is the limit", name, n, fileLines)
	}
	test := strings.HasSuffix(p, "_test.go")
	if !test {
		code[pkg] += codeLines(string(src))
		imports(t, rows, name, pkg, f)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.FuncDecl:
			if n := set.Position(x.End()).Line - set.Position(x.Pos()).Line + 1; n > functionLines {
				t.Errorf("%s: function %s has %d lines; %d is the limit", name, x.Name.Name, n, functionLines)
			}
			if n := x.Type.Params.NumFields(); n > parameters && !test {
				t.Errorf("%s: function %s has %d parameters; %d is the limit", name, x.Name.Name, n, parameters)
			}
		case *ast.InterfaceType:
			if n := x.Methods.NumFields(); n > interfaceMethods && !test {
				t.Errorf("%s: an interface has %d methods; %d is the limit", name, n, interfaceMethods)
			}
		}
		return true
	})
}

func imports(t *testing.T, rows map[string][]string, name, pkg string, f *ast.File) {
	t.Helper()
	if f.Name.Name == "main" && pkg != "cmd/redundctl" {
		return // a generator or a benchmark joins what it needs
	}
	r, ok := row(rows, pkg)
	if !ok {
		t.Errorf("%s: package %s is not in the table of architecture.md", name, pkg)
		return
	}
	for _, i := range f.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if own, ok := strings.CutPrefix(path, module); ok && !within(own, r, pkg) && !allowed(rows[r], own) {
			t.Errorf("%s imports %s, which the table of architecture.md does not allow for %s", name, own, r)
		}
	}
}

func codeLines(src string) int {
	n, comment := 0, false
	for _, line := range strings.Split(src, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "/*"):
			comment = !strings.Contains(line, "*/")
		case comment:
			comment = !strings.Contains(line, "*/")
		case line != "" && !strings.HasPrefix(line, "//"):
			n++
		}
	}
	return n
}
