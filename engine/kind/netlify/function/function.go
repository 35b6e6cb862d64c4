// Package function reads a Netlify function's source without running it: its
// contract, its schedules, the variables that it wants and the scripts that it
// starts. esbuild takes the types and the comments out and writes what is left
// in one way, so that the same thing always looks the same (tokens.go); what it
// means is looked up in the words that are left (exports.go, uses.go).
package function

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/redundctl/redundctl/engine/kind"
)

// Limit is how many bytes of source are read at the most: a function that is
// larger is the output of a bundler, not its source.
const Limit = 512 << 10

// ErrLarge says that a source is larger than Limit.
var ErrLarge = errors.New("too large for the source of a function")

// Source is what a function's source says. The zero value says nothing.
type Source struct {
	Contract  string // v1, v2, or "" where it cannot be told
	Module    bool   // written as an ES module
	Schedules []Schedule
	Variables []Mark // of its environment, each once, sorted by name
	Packages  []Mark // what it imports that is no file of its own, each once
	Scripts   []Mark // JavaScript files that it names besides: what it has node run
	Uses      []Mark // of Netlify's own, as context.geo, each once, by line
	// Hash is a SHA-256, in hex, of its words without comments, spaces, types
	// and schedules.
	Hash string
}

// Schedule is one that stands in the source.
type Schedule struct {
	Mark
	Cron  string // "": it is computed, which neither Netlify nor we can read
	Fires bool   // Netlify takes it for a schedule
}

// Mark is something in the source and where it stands first.
type Mark struct {
	Name         string
	Line, Column int // from 1; 0: not known
}

// Extensions are those of functions, the first before the others where two
// files have the same name.
func Extensions() []string {
	return []string{".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx"}
}

// Read reads a source; name is its file's, for its ending and for the error,
// which says in one line where the source is no JavaScript or TypeScript.
func Read(name string, text []byte) (Source, error) {
	base := filepath.Base(name)
	if len(text) > Limit {
		return Source{}, fmt.Errorf("%s: %w: %d bytes, where %d are the most", base, ErrLarge, len(text), Limit)
	}
	if line := deep(text); line > 0 {
		return Source{}, fmt.Errorf("%s:%d: it is nested too deeply", base, line)
	}
	r := api.Transform(string(text), api.TransformOptions{
		Loader: loader(name), Sourcefile: base, Target: api.ESNext, LegalComments: api.LegalCommentsNone,
		Sourcemap: api.SourceMapExternal, SourcesContent: api.SourcesContentExclude, LogLevel: api.LogLevelSilent, LogLimit: 1,
	})
	if len(r.Errors) > 0 {
		if line := kind.Conflict(text); line > 0 {
			return Source{}, fmt.Errorf("%s:%d: a merge conflict was left in it", base, line)
		}
		return Source{}, Problem(r.Errors)
	}
	w := words{list: tokens(r.Code), places: mappings(r.Map)}
	return w.read(), nil
}

// Problem is the first of what esbuild did not like, with its place, in one
// line; nil for none.
func Problem(list []api.Message) error {
	if len(list) == 0 {
		return nil
	}
	m := list[0]
	text := strings.Join(strings.Fields(m.Text), " ")
	if m.Location == nil {
		return errors.New(text)
	}
	return fmt.Errorf("%s:%d:%d: %s", filepath.Base(m.Location.File), m.Location.Line, m.Location.Column+1, text)
}

func loader(name string) api.Loader {
	switch filepath.Ext(name) {
	case ".ts", ".mts", ".cts":
		return api.LoaderTS
	case ".tsx":
		return api.LoaderTSX
	case ".jsx":
		return api.LoaderJSX
	}
	return api.LoaderJS
}

// read looks all up.
func (w *words) read() Source {
	var s Source
	w.declare()
	e := w.exports()
	s.Module = e.module
	_, v1 := e.at["handler"]
	_, v2 := e.at["default"]
	switch {
	case v1:
		s.Contract = "v1"
	case v2:
		s.Contract = "v2"
	}
	s.Schedules = w.schedules(e, s.Contract)
	s.Variables, s.Packages, s.Scripts, s.Uses = w.variables(), w.packages(), w.scripts(), w.uses()
	if at, ok := e.at["config"]; ok {
		for k, i := range w.object(at) {
			if k != "schedule" {
				s.Uses = append(s.Uses, w.mark("config."+k, i))
			}
		}
	}
	slices.SortFunc(s.Uses, func(a, b Mark) int { return slices.Compare([]int{a.Line, a.Column}, []int{b.Line, b.Column}) })
	s.Hash = w.hash()
	return s
}

// schedules are those of the config and of the wrapper.
func (w *words) schedules(e exported, contract string) []Schedule {
	var out []Schedule
	add := func(key string, i int, fires bool) {
		at := w.resolve(i)
		cron, _ := w.text(at)
		w.crons = append(w.crons, at)
		out = append(out, Schedule{Mark: w.mark(key, i), Cron: cron, Fires: fires})
	}
	if at, ok := e.at["config"]; ok {
		if i, ok := w.object(at)["schedule"]; ok {
			key := "config.schedule"
			if !e.module {
				key = "exports.config.schedule"
			}
			add(key, i, contract == "v2")
		}
	}
	for _, i := range w.wrapped() {
		add("schedule()", i, contract != "v2")
	}
	return out
}

func (w *words) hash() string {
	h := sha256.New()
	for i, t := range w.list {
		if !slices.Contains(w.crons, i) {
			h.Write([]byte(t.text))
		}
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}
