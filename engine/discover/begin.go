// Package discover is where a project begins. It will ask the kinds what a
// project holds: for now it makes an empty one.
package discover

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const emptyProject = `# yaml-language-server: $schema=https://raw.githubusercontent.com/redundctl/redundctl/main/schema/config.schema.json
version: 1

# Nothing runs by itself while the project observes: every decision is taken and
# recorded, and you can run each pipeline by hand. Take this line out when you
# trust what you see.
observe: true

# redundctl explain config lists what else can stand here; every key has a default.
`

// Begin makes an empty project in dir: redund.yaml, which observes, and a
// folder for the pipelines of each system. What is there stays as it is; out
// is told what was done and what comes next.
func Begin(dir string, out io.Writer) error {
	for _, d := range []string{"pm2", "github-actions", "netlify-functions"} {
		if err := os.MkdirAll(filepath.Join(dir, "pipelines", d), 0o755); err != nil {
			return fmt.Errorf("making the folder of pipelines: %w", err)
		}
	}
	file := filepath.Join(dir, "redund.yaml")
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		fmt.Fprintf(out, "%s is there already and stays as it is\n", file)
		return nil
	}
	if err != nil {
		return fmt.Errorf("writing the project file: %w", err)
	}
	_, err = f.WriteString(emptyProject)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing the project file: %w", err)
	}
	fmt.Fprintf(out, `wrote %s, which observes: nothing runs by itself
Write a first pipeline into pipelines/<system>/<name>.yaml, for example

  version: 1
  name: hello
  schedule: {cron: "0 6 * * *"}
  steps:
    - run: echo hello

then: redundctl validate, redundctl run hello
`, file)
	return nil
}
