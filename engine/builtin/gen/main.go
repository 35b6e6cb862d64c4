// Command gen writes what is derived from the schemas: those for editors and
// the reference pages. `go generate ./...` runs it.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/schema/reference"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen ROOT")
		os.Exit(2) //nolint:forbidigo // this is a main
	}
	if err := generate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // this is a main
	}
}

func generate(root string) error {
	set := builtin.Kinds().Schemas()
	pages := filepath.Join(root, "docs", "reference")
	if err := os.MkdirAll(pages, 0o755); err != nil {
		return err
	}
	for _, doc := range []string{"pipeline", "config", "action"} {
		text, err := set.Combined(doc)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(root, "schema", doc+".schema.json"), text, 0o644); err != nil {
			return err
		}
		page, err := reference.Page(set, doc)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(pages, doc+".md"), page, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(root, "docs", "problems.md"), []byte(diag.Page()), 0o644)
}
