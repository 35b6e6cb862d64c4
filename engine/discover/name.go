package discover

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/kind"
)

// names are those that pipelines have or get, and the files that lie where new
// ones would.
type names struct {
	project *config.Project
	root    string          // the folder of new pipelines
	taken   map[string]bool // system/name
	tried   map[string]int  // how many names were taken that begin as system/name
}

func newNames(p *config.Project, root string) *names {
	n := &names{project: p, root: root, taken: map[string]bool{}, tried: map[string]int{}}
	for _, x := range p.Pipelines {
		n.taken[x.ID()] = true
	}
	return n
}

// invalid is a file that nobody can read, and that looks as if it were the
// pipeline of a primary; "": there is none. Beside it no second one is made.
func (n *names) invalid(p *Primary) string {
	name := clean(p.Name)
	if files := n.project.Rejected(p.Finder.System + "/" + name); len(files) > 0 {
		return files[0]
	}
	return ""
}

// take gives a primary's pipeline a name that no other has, and its file.
func (n *names) take(p *Primary) (name, file string) {
	system, first := p.Finder.System, clean(p.Name)
	for i := n.tried[system+"/"+first] + 1; ; i++ {
		name = numbered(first, i)
		at := path.Join(n.root, system, name)
		files := []string{at + ".yaml", at + ".yml"}
		there := slices.ContainsFunc(files, func(file string) bool {
			_, err := os.Lstat(filepath.Join(n.project.Root, filepath.FromSlash(file)))
			return err == nil
		})
		if !there && !n.taken[system+"/"+name] {
			n.taken[system+"/"+name], n.tried[system+"/"+first] = true, i
			return name, files[0]
		}
	}
}

// clean makes a name of the language of any text.
func clean(s string) string { return kind.Name(s, "primary") }

// numbered is a name with a number behind it, which makes it another one; the
// first has none.
func numbered(name string, n int) string {
	if n < 2 {
		return name
	}
	suffix := "-" + strconv.Itoa(n)
	if len(name)+len(suffix) > kind.LongestName {
		name = strings.TrimRight(name[:kind.LongestName-len(suffix)], "-")
	}
	return name + suffix
}
