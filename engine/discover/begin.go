package discover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/redundctl/redundctl/engine/config"
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
// folder for the pipelines of each system. What is there stays as it is; made is
// false when that holds for the project file.
func Begin(dir string, systems []string) (file string, made bool, err error) {
	file = filepath.Join(dir, config.FileName)
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		// One that is there says itself where its pipelines lie.
		for _, s := range slices.Compact(slices.Sorted(slices.Values(systems))) {
			if err := os.MkdirAll(filepath.Join(dir, "pipelines", s), 0o755); err != nil {
				return file, false, fmt.Errorf("making the folder of pipelines: %w", err)
			}
		}
	}
	err = writeNew(file, []byte(emptyProject))
	if errors.Is(err, fs.ErrExist) {
		return file, false, nil
	}
	if err != nil {
		return file, false, fmt.Errorf("writing the project file: %w", err)
	}
	return file, true, nil
}

// writeNew writes a file that is not there yet; fs.ErrExist: it is. Half a file
// is not left behind.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
