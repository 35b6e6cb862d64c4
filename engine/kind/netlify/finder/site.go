package finder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/netlify/function"
)

// usual is where functions lie when netlify.toml names no folder.
const usual = "netlify/functions"

// site is one site: where its functions lie, and what netlify.toml says of them.
type site struct {
	root   string // of the project
	dir    string // of the functions, relative to the root, with forward slashes
	id     string // of the site at Netlify, where the folder is linked to it; ""
	only   bool   // only what a person named was asked for
	toml   settings
	files  []candidate
	broken []kind.Found // what is wrong with the site itself
}

// candidate is a file that is a function.
type candidate struct {
	name, rel string
	asked     bool // a person named this very file
}

// open finds the functions of a site.
func open(s kind.Search) (*site, error) {
	x := &site{root: s.Root, dir: usual}
	base, only := s.Root, ""
	if s.Path != "" {
		info, err := os.Stat(s.Path)
		switch {
		case err != nil:
			return nil, fmt.Errorf("looking for Netlify functions: %w", err)
		case !inside(s.Root, s.Path):
			return nil, fmt.Errorf("looking for Netlify functions: %s lies outside of the project at %s: give -C its root", s.Path, s.Root)
		case filepath.Base(s.Path) == "netlify.toml":
			base = filepath.Dir(s.Path)
		case info.IsDir() && exists(filepath.Join(s.Path, "netlify.toml")):
			base = s.Path
		case info.IsDir():
			only = s.Path
		default:
			base, only = above(s.Root, s.Path), s.Path
		}
		if info.IsDir() && only != "" {
			base = above(s.Root, s.Path)
		}
	}
	x.settle(base)
	x.id = linked(base)
	x.only = only != ""
	if x.only {
		return x, x.named(only)
	}
	dir := filepath.Join(s.Root, filepath.FromSlash(x.dir))
	if !inside(s.Root, dir) {
		x.broken = append(x.broken, x.fault(x.toml.line("directory"), "the folder of its functions, "+x.dir+", lies outside of the project"))
		return x, nil
	}
	files, err := list(s.Root, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("looking for Netlify functions: %w", err)
	}
	x.files = files
	return x, nil
}

// settle reads netlify.toml in base, and says where its functions lie.
func (x *site) settle(base string) {
	file := filepath.Join(base, "netlify.toml")
	rel, err := filepath.Rel(x.root, base)
	if err != nil {
		rel = "."
	}
	rel = filepath.ToSlash(rel)
	x.dir = path.Join(rel, usual)
	text, err := function.Load(file)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	x.toml.rel = path.Join(rel, "netlify.toml")
	if err != nil {
		x.broken = append(x.broken, x.fault(0, err.Error()))
		return
	}
	var line int
	if x.toml, line, err = parse(x.toml.rel, text); err != nil {
		x.broken = append(x.broken, x.fault(line, err.Error()))
		return
	}
	if x.toml.base != "" {
		x.dir = path.Join(rel, strings.TrimPrefix(x.toml.base, "/"), usual)
	}
	if x.toml.dir != "" {
		x.dir = path.Join(rel, strings.TrimPrefix(x.toml.base, "/"), strings.TrimPrefix(x.toml.dir, "/"))
	}
}

// fault is what is wrong with netlify.toml, as something found.
func (x *site) fault(line int, text string) kind.Found {
	place := x.toml.rel
	if line > 0 {
		place = fmt.Sprintf("%s:%d", x.toml.rel, line)
	}
	return kind.Found{Primary: "netlify.toml", Name: "netlify-toml", Source: x.toml.rel, Line: line, Broken: place + ": " + text}
}

// named takes the one file or folder that a person named.
func (x *site) named(p string) error {
	if info, err := os.Stat(p); err == nil && info.IsDir() {
		files, err := list(x.root, p)
		x.files = files
		if err != nil {
			return fmt.Errorf("looking for Netlify functions: %w", err)
		}
		return nil
	}
	if !slices.Contains(function.Extensions(), filepath.Ext(p)) {
		return fmt.Errorf("looking for Netlify functions: %s is none: functions end in %s", filepath.Base(p), strings.Join(function.Extensions(), ", "))
	}
	rel, err := filepath.Rel(x.root, p)
	if err != nil {
		return fmt.Errorf("looking for Netlify functions: %w", err)
	}
	x.files = []candidate{{name: Name(p), rel: filepath.ToSlash(rel), asked: true}}
	return nil
}

// Name is a function's, by its file's path.
func Name(file string) string {
	base := filepath.Base(file)
	base = strings.TrimSuffix(base, filepath.Ext(base))
	if base == "index" {
		if dir := filepath.Base(filepath.Dir(file)); dir != "functions" && dir != "." && dir != "/" {
			return dir
		}
	}
	return base
}

// list gives the functions in a folder by Netlify's rules
// (@netlify/zip-it-and-ship-it 14): name.ext, name/name.ext and name/index.ext;
// other files in folders are parts of functions. Of one name the first of
// function.Extensions counts.
func list(root, dir string) ([]candidate, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(root, dir)
	if err != nil {
		return nil, err
	}
	rel = filepath.ToSlash(rel)
	best := map[string]candidate{}
	rank := map[string]int{}
	take := func(name, file string) {
		r := slices.Index(function.Extensions(), path.Ext(file))
		if r < 0 || name == "" || strings.HasPrefix(name, ".") || strings.HasSuffix(file, ".d.ts") || strings.HasSuffix(file, ".d.mts") || strings.HasSuffix(file, ".d.cts") {
			return
		}
		if was, ok := rank[name]; !ok || r < was {
			best[name], rank[name] = candidate{name: name, rel: path.Join(rel, file)}, r
		}
	}
	for _, e := range entries {
		name := e.Name()
		info, err := os.Stat(filepath.Join(dir, name)) // a link counts as what it leads to
		switch {
		case err != nil || name == "node_modules" || !inside(root, filepath.Join(dir, name)):
		case info.Mode().IsRegular():
			take(strings.TrimSuffix(name, path.Ext(name)), name)
		case info.IsDir():
			within, err := os.ReadDir(filepath.Join(dir, name))
			if err != nil {
				continue
			}
			for _, f := range within {
				stem := strings.TrimSuffix(f.Name(), path.Ext(f.Name()))
				if !f.IsDir() && (stem == name || stem == "index") && inside(root, filepath.Join(dir, name, f.Name())) {
					take(name, name+"/"+f.Name())
				}
			}
		}
	}
	out := make([]candidate, 0, len(best))
	for _, c := range best {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b candidate) int { return strings.Compare(a.rel, b.rel) })
	return out, nil
}

// above is the nearest folder with a netlify.toml from a file up to the root,
// or the root.
func above(root, p string) string {
	for dir := filepath.Dir(p); inside(root, dir); dir = filepath.Dir(dir) {
		if exists(filepath.Join(dir, "netlify.toml")) {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return root
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// inside reports whether a path lies in the root, also where links lead.
func inside(root, p string) bool {
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	if real, err := filepath.EvalSymlinks(p); err == nil {
		p = real
	} else if rel, err := filepath.Rel(root, p); err == nil {
		p = filepath.Join(root, rel)
	}
	return kind.Within(root, p)
}

// linked is the site's id where Netlify's own program has linked the folder.
func linked(base string) string {
	text, err := function.Load(filepath.Join(base, ".netlify", "state.json"))
	if err != nil {
		return ""
	}
	var s struct {
		SiteID string `json:"siteId"`
	}
	if json.Unmarshal(text, &s) != nil {
		return ""
	}
	return s.SiteID
}
