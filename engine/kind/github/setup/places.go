package setup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/kind"
)

// found is an installed tool.
type found struct {
	path    string // of the program
	version string
	parsed  version
	loose   bool // its folder holds other programs too
}

// search looks for versions of one tool.
type search struct {
	ctx     context.Context
	tool    string
	env     []string
	version func(path string) string // runs the program

	seen []found // all whose version is known
	done bool
	runs int
}

// mostRuns is how many programs are asked for their version.
const mostRuns = 64

// choose finds the tool for a range: the one in PATH if it serves, else the
// newest of those that are installed elsewhere.
func (s *search) choose(w wish) (choice, bool) {
	first, has := s.first()
	if has && w.is(first.parsed) {
		return choice{first, true, s.tool == "python" && s.both(first)}, true
	}
	s.all()
	var best *found
	for i := range s.seen {
		if x := &s.seen[i]; w.is(x.parsed) && (best == nil || x.parsed.compare(best.parsed) > 0) {
			best = x
		}
	}
	if best == nil {
		return choice{}, false
	}
	return choice{found: *best}, true
}

// both reports whether both names of Python in PATH are of one version.
func (s *search) both(f found) bool {
	for _, name := range []string{"python", "python3"} {
		path, ok := inPath(s.env, name)
		if !ok {
			return false
		}
		if x, ok := s.ask(path, true); !ok || x.version != f.version {
			return false
		}
	}
	return true
}

// first is the tool that PATH finds.
func (s *search) first() (found, bool) {
	names := []string{s.tool}
	if s.tool == "python" {
		names = []string{"python", "python3"}
	}
	for _, n := range names {
		if path, ok := inPath(s.env, n); ok {
			if f, ok := s.ask(path, true); ok {
				return f, true
			}
		}
	}
	return found{}, false
}

// ask runs a program once for its version.
func (s *search) ask(path string, loose bool) (found, bool) {
	if i := slices.IndexFunc(s.seen, func(f found) bool { return f.path == path }); i >= 0 {
		return s.seen[i], true
	}
	if s.runs++; s.runs > mostRuns || s.ctx.Err() != nil {
		return found{}, false
	}
	text := s.version(path)
	v, ok := read(text)
	if !ok {
		return found{}, false
	}
	f := found{path, text, v, loose}
	s.seen = append(s.seen, f)
	return f, true
}

// all looks wherever tools usually lie.
func (s *search) all() {
	if s.done {
		return
	}
	s.done = true
	for _, dir := range s.folders() { // the newest first, should there be many
		for _, name := range s.names() {
			if p := filepath.Join(dir, name); program(p) {
				s.ask(p, false)
				break
			}
		}
	}
	for _, dir := range filepath.SplitList(kind.Variable(s.env, "PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if p := filepath.Join(dir, s.tool); program(p) {
			s.ask(p, true)
		}
		if s.tool != "python" {
			continue
		}
		list, _ := filepath.Glob(filepath.Join(escape(dir), "python3*"))
		for _, p := range list {
			if rest := strings.TrimPrefix(filepath.Base(p), "python3"); strings.Trim(rest, ".0123456789") == "" && program(p) {
				s.ask(p, true)
			}
		}
	}
}

func (s *search) names() []string {
	if s.tool == "python" {
		return []string{"python3", "python"}
	}
	return []string{s.tool}
}

// folders are those that managers of versions put a tool into, the newest
// version first: nvm, fnm, Volta, n, nodenv, asdf, mise, pyenv, uv, and the tool
// cache of GitHub's runners.
func (s *search) folders() []string {
	home := kind.Variable(s.env, "HOME")
	base := func(name, usual string) string {
		if v := kind.Variable(s.env, name); v != "" {
			return v
		}
		if home == "" && !filepath.IsAbs(usual) {
			return ""
		}
		if filepath.IsAbs(usual) {
			return usual
		}
		return filepath.Join(home, usual)
	}
	data := base("XDG_DATA_HOME", ".local/share")
	tools := base("RUNNER_TOOL_CACHE", base("AGENT_TOOLSDIRECTORY", "/opt/hostedtoolcache"))
	at := func(base, below string) string {
		if base == "" {
			return ""
		}
		return escape(base) + "/" + below
	}
	var globs []string
	switch s.tool {
	case "node":
		globs = []string{
			at(base("NVM_DIR", ".nvm"), "versions/node/*/bin"), at(base("FNM_DIR", filepath.Join(data, "fnm")), "node-versions/*/installation/bin"),
			at(base("VOLTA_HOME", ".volta"), "tools/image/node/*/bin"), at(base("N_PREFIX", "/usr/local"), "n/versions/node/*/bin"),
			at(base("NODENV_ROOT", ".nodenv"), "versions/*/bin"), at(base("ASDF_DATA_DIR", ".asdf"), "installs/nodejs/*/bin"),
			at(data, "mise/installs/node/*/bin"), at(tools, "node/*/*/bin"),
		}
	case "python":
		globs = []string{
			at(base("PYENV_ROOT", ".pyenv"), "versions/*/bin"), at(base("ASDF_DATA_DIR", ".asdf"), "installs/python/*/bin"),
			at(data, "mise/installs/python/*/bin"), at(data, "uv/python/cpython-*/bin"), at(tools, "Python/*/*/bin"),
		}
	default:
		globs = []string{at(base("ASDF_DATA_DIR", ".asdf"), "installs/"+escape(s.tool)+"/*/bin"), at(data, "mise/installs/"+escape(s.tool)+"/*/bin")}
	}
	var out []string
	for _, g := range globs {
		if filepath.IsAbs(g) {
			list, _ := filepath.Glob(g)
			out = append(out, list...)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return guess(b).compare(guess(a)) })
	return out
}

// guess is the version that the name of a folder tells of what is in it.
func guess(dir string) version {
	for range 3 {
		dir = filepath.Dir(dir)
		if v, ok := read(versionIn(filepath.Base(dir))); ok {
			return v
		}
	}
	return version{}
}

// escape writes a path so that a glob takes it for what it is.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

func program(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// inPath finds a program in PATH. Entries that are not absolute are passed over.
func inPath(env []string, name string) (string, bool) {
	for _, dir := range filepath.SplitList(kind.Variable(env, "PATH")) {
		if p := filepath.Join(dir, name); filepath.IsAbs(dir) && program(p) {
			return p, true
		}
	}
	return "", false
}

// missing is the error when nothing serves.
func (s *search) missing(w wish, where string) error {
	var have []string
	list := slices.Clone(s.seen)
	slices.SortFunc(list, func(a, b found) int { return b.parsed.compare(a.parsed) })
	for _, f := range list {
		if text := f.version + " at " + f.path; len(have) < 8 {
			have = append(have, text)
		}
	}
	here := "none is installed"
	if len(have) > 0 {
		here = "installed here: " + strings.Join(have, ", ")
	}
	wanted := w.text
	if wanted == "" {
		wanted = "any version"
	}
	return fmt.Errorf("%s %s%s is wanted, and %s; %s", s.tool, wanted, where, here, s.way(w))
}

// way is how to get what is missing.
func (s *search) way(w wish) string {
	switch s.tool {
	case "node":
		if w.text == "" || strings.ContainsAny(w.text, " <>|^~") {
			return "install one, as with nvm install --lts, or put its folder into PATH"
		}
		return "install it, as with nvm install " + strings.TrimSpace(w.text) + ", or put its folder into PATH"
	case "python":
		return "install it, as with pyenv install or uv python install, or put its folder into PATH"
	}
	return "install it, or put its folder into PATH"
}
