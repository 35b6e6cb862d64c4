// Command yamlnode is the limit of reading YAML: it decodes the files below a
// folder to nodes, on so many goroutines, and does nothing with them.
package main

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"gopkg.in/yaml.v3"
)

func main() {
	width := flag.Int("j", 1, "goroutines")
	flag.Parse()
	var files []string
	err := filepath.WalkDir(flag.Arg(0), func(p string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(p) == ".yaml" {
			files = append(files, p)
		}
		return err
	})
	var next atomic.Int64
	var bad atomic.Int64
	var wg sync.WaitGroup
	for range *width {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				var n yaml.Node
				b, err := os.ReadFile(files[i])
				if err != nil || yaml.Unmarshal(b, &n) != nil {
					bad.Add(1)
				}
			}
		})
	}
	wg.Wait()
	fmt.Println(len(files), "files,", bad.Load(), "bad,", err)
}
