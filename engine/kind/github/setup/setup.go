// Package setup is the step kind `github/setup`: what actions/setup-node and
// actions/setup-python become on a machine where tools are installed already.
//
// Nothing is installed. The tool in PATH serves if its version is wanted; else
// one is looked for where managers of versions put them (places.go) and comes
// first in PATH for the steps that follow; else the step fails and says what is
// here, what is wanted and how to get it.
package setup

import (
	"bytes"
	"context"
	_ "embed" // the schema fragment
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/answer"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

//go:embed setup.json
var fragment []byte

// Kind is the step kind `github/setup`.
func Kind() kind.Action {
	k := kind.Define("github/setup", fragment, func(w with, d kind.Deps) (pipeline.Action, error) {
		if strings.ContainsAny(w.Tool, "/\\\x00") || strings.HasPrefix(w.Tool, "-") {
			return nil, fmt.Errorf("tool: %q is not the name of a program", w.Tool)
		}
		for _, v := range w.versions() {
			if _, err := parse(w.Tool, v); err != nil {
				return nil, err
			}
		}
		return &action{w, d}, nil
	})
	k.Check = check
	return k
}

// with is `with` of the kind.
type with struct {
	Tool        string `json:"tool"`
	Version     any    `json:"version"` // a text, or a whole number
	VersionFile string `json:"version-file"`
	Registry    string `json:"registry-url"`
	Scope       string `json:"scope"`

	// Read for the sake of the actions that this stands for: they are about
	// what is downloaded, and nothing is.
	Latest       any `json:"check-latest"`
	Cache        any `json:"cache"`
	CachePath    any `json:"cache-dependency-path"`
	Architecture any `json:"architecture"`
	Prereleases  any `json:"allow-prereleases"`
	Always       any `json:"always-auth"`
	Token        any `json:"token"`
}

// versions are those that are asked for, one a line.
func (w *with) versions() []string {
	var out []string
	for line := range strings.Lines(answer.Text(w.Version)) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// check finds versions that no machine has, and files that are not there.
func check(with map[string]any, at kind.Place) []kind.Finding {
	tool, _ := with["tool"].(string)
	var out []kind.Finding
	if v := answer.Text(with["version"]); !strings.Contains(v, "${{") {
		for line := range strings.Lines(v) {
			if _, err := parse(tool, strings.TrimSpace(line)); err != nil && strings.TrimSpace(line) != "" {
				out = append(out, kind.Finding{Key: []string{"version"}, Severity: diag.Error, Rule: "form", Message: err.Error()})
			}
		}
	}
	file, _ := with["version-file"].(string)
	if file == "" || strings.Contains(file, "${{") || at.Dir == "" {
		return out
	}
	path := file
	if !filepath.IsAbs(path) {
		path = filepath.Join(at.Dir, path)
	}
	if rel, err := filepath.Rel(at.Root, path); err != nil || !filepath.IsLocal(rel) {
		return out // what lies outside is not read while files are loaded
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return append(out, kind.Finding{Key: []string{"version-file"}, Severity: diag.Warning, Rule: "missing-script", Message: "there is no file " + file,
			Hint: "write the version into it, or under version"})
	}
	if wanted, err := fromFile(tool, path); err != nil {
		out = append(out, kind.Finding{Key: []string{"version-file"}, Severity: diag.Warning, Rule: "missing-script", Message: err.Error()})
	} else if _, err := parse(tool, wanted); err != nil {
		out = append(out, kind.Finding{Key: []string{"version-file"}, Severity: diag.Warning, Rule: "missing-script", Message: file + ": " + err.Error()})
	}
	return out
}

type action struct {
	with
	deps kind.Deps
}

// choice is a tool that serves.
type choice struct {
	found
	first bool // it is the one in PATH already
	both  bool // of python: `python` and `python3` in PATH are both of this version
}

// wanted are the ranges that are asked for and where they stand. Without any, each
// version will do.
func (a *action) wanted(s *pipeline.Scope) (list []wish, where string, err error) {
	texts := a.versions()
	if len(texts) == 0 {
		file := a.VersionFile
		if file == "" && a.Tool == "python" && exists(filepath.Join(s.Dir, ".python-version")) {
			file = ".python-version" // as setup-python does it
		}
		if file != "" {
			path, err := s.Inside(file)
			if err != nil {
				return nil, "", err
			}
			text, err := fromFile(a.Tool, path)
			if err != nil {
				return nil, "", err
			}
			texts, where = []string{text}, " ("+file+")"
		}
	}
	if len(texts) == 0 {
		texts = []string{""}
	}
	for _, t := range texts {
		w, err := parse(a.Tool, t)
		if err != nil {
			return nil, "", err
		}
		list = append(list, w)
	}
	return list, where, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// choose finds a tool for each range.
func (a *action) choose(ctx context.Context, s *pipeline.Scope) ([]choice, error) {
	list, where, err := a.wanted(s)
	if err != nil {
		return nil, err
	}
	search := &search{ctx: ctx, tool: a.Tool, env: s.Env, version: func(path string) string { return a.ask(ctx, s, path) }}
	var out []choice
	for _, w := range list {
		c, ok := search.choose(w)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if !ok {
			return nil, search.missing(w, where)
		}
		out = append(out, c)
	}
	return out, nil
}

// askLimit is how long a tool may take to tell its version.
const askLimit = 20 * time.Second

// ask asks a tool for its version; "": it does not tell.
func (a *action) ask(ctx context.Context, s *pipeline.Scope, path string) string {
	limited, stop := context.WithTimeout(ctx, askLimit)
	defer stop()
	var out bytes.Buffer
	argument := "--version"
	if a.Tool == "go" {
		argument = "version"
	}
	dir := s.Temp // away from files of the project that a manager of versions would obey
	if dir == "" {
		dir = "/"
	}
	res, err := a.deps.Proc.Run(limited, proc.Command{Argv: []string{a.Tool, argument}, Path: path, Dir: dir, Env: s.Env, Out: &out})
	if err != nil || res.Code != 0 || res.Signal != "" {
		return ""
	}
	return versionIn(out.String())
}

// Run checks the tool and puts it first in PATH.
func (a *action) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	list, err := a.choose(ctx, s)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	out := pipeline.Outputs{Env: map[string]string{}}
	path := kind.Variable(s.Env, "PATH")
	for _, c := range list { // the last of several comes first
		dir, err := a.folder(s, c)
		if err != nil {
			return pipeline.Outputs{}, err
		}
		if dir != "" {
			path = dir + string(os.PathListSeparator) + path
			out.Env["PATH"] = path
		}
		fmt.Fprintln(s.Out, s.Mask(a.account(c)))
	}
	c := list[len(list)-1]
	out.Values = map[string]any{"version": c.version, "path": c.path, a.Tool + "-version": c.version, "cache-hit": ""}
	if a.Tool == "python" {
		out.Values["python-path"] = c.path
		out.Env["pythonLocation"] = filepath.Dir(filepath.Dir(c.path))
	}
	return out, a.registry(s, out.Env)
}

func (a *action) account(c choice) string {
	if c.first {
		return fmt.Sprintf("%s %s is the one in PATH, at %s", a.Tool, c.version, c.path)
	}
	return fmt.Sprintf("%s %s, at %s, comes first in PATH from here on", a.Tool, c.version, c.path)
}

// folder is what must come first in PATH for a tool; "": nothing. Python that is
// not called both `python` and `python3` there gets a folder of links, which goes
// with the run.
func (a *action) folder(s *pipeline.Scope, c choice) (string, error) {
	dir := filepath.Dir(c.path)
	switch {
	case c.first && (a.Tool != "python" || c.both):
		return "", nil
	case a.Tool != "python", !c.first && !c.loose && exists(filepath.Join(dir, "python")) && exists(filepath.Join(dir, "python3")):
		return dir, nil
	}
	links := map[string]string{"python": c.path, "python3": c.path}
	// Its own pip is called by the same number, as python3.11 and pip3.11.
	if pip := filepath.Join(dir, "pip"+strings.TrimPrefix(filepath.Base(c.path), "python")); exists(pip) && filepath.Base(pip) != "pip" {
		links["pip"], links["pip3"] = pip, pip
	}
	own := filepath.Join(s.Temp, "tools", "python-"+c.version)
	if err := os.MkdirAll(own, 0o700); err != nil {
		return "", err
	}
	for name, to := range links {
		if err := os.Symlink(to, filepath.Join(own, name)); err != nil && !errors.Is(err, os.ErrExist) {
			return "", err
		}
	}
	return own, nil
}

// registry writes the file that npm reads for another registry, as setup-node
// does it: the token is named in it and stands in NODE_AUTH_TOKEN.
func (a *action) registry(s *pipeline.Scope, env map[string]string) error {
	if a.Registry == "" || a.Tool != "node" {
		return nil
	}
	url := strings.TrimSuffix(a.Registry, "/") + "/"
	_, host, ok := strings.Cut(url, ":")
	if !ok || strings.ContainsAny(url, "\r\n") || strings.ContainsAny(a.Scope, "\r\n=") {
		return fmt.Errorf("registry-url: %q is no address", a.Registry)
	}
	scope := a.Scope
	if scope != "" {
		scope = "@" + strings.TrimPrefix(strings.ToLower(scope), "@") + ":"
	}
	text := host + ":_authToken=${NODE_AUTH_TOKEN}\n" + scope + "registry=" + url + "\n"
	// Not named after the step: the id of a workflow's step may hold anything.
	f, err := os.CreateTemp(s.Temp, "npmrc-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	env["NPM_CONFIG_USERCONFIG"] = f.Name()
	if kind.Variable(s.Env, "NODE_AUTH_TOKEN") == "" {
		env["NODE_AUTH_TOKEN"] = "XXXXX-XXXXX-XXXXX-XXXXX" // npm refuses a file that names a variable which is not set
	}
	return nil
}

// Plan tells which tool would serve.
func (a *action) Plan(ctx context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	list, err := a.choose(ctx, s)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return []pipeline.Effect{pipeline.Effect("would fail: " + s.Mask(err.Error()))}, nil
	}
	var out []pipeline.Effect
	for _, c := range list {
		out = append(out, pipeline.Effect(s.Mask(a.account(c))))
	}
	return out, nil
}
