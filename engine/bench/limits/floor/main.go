// Command floor is the least that a program with redundctl's libraries can
// do: it imports the five libraries that the language asks for and the
// database driver, prints one line and leaves.
package main

import (
	"os"

	_ "github.com/adhocore/gronx"
	_ "github.com/charmbracelet/log"
	_ "github.com/fsnotify/fsnotify"
	_ "github.com/ncruces/go-sqlite3/driver"
	_ "github.com/santhosh-tekuri/jsonschema/v5"
	_ "gopkg.in/yaml.v3"
)

func main() { _, _ = os.Stdout.WriteString("floor\n") }
