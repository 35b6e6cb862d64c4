package netlify

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/adhocore/gronx"
	"github.com/evanw/esbuild/pkg/api"

	"github.com/redundctl/redundctl/engine/kind/netlify/function"
)

// source is what is known of a function without running it.
type source struct {
	file     string // absolute
	esm      bool   // an ES module, as node is to load it
	build    bool   // node cannot run it as it is
	contract string // v1, v2, or "" where it cannot be told
	schedule string // its own cron, or ""
}

// typed are the endings that node 18 and 20 cannot run.
var typed = []string{".ts", ".mts", ".cts", ".tsx", ".jsx"}

// look reads a function's source; nothing of it is run. What a bundler made, too
// large to be a source, is known when it is loaded.
func look(file string) (source, error) {
	s := source{file: file}
	text, err := function.Load(file)
	large := errors.Is(err, function.ErrLarge)
	if err != nil && !large {
		return s, fmt.Errorf("the function cannot be read: %w", err)
	}
	var read function.Source
	if !large {
		if read, err = function.Read(file, text); err != nil {
			return s, err
		}
	}
	s.contract = read.Contract
	for _, x := range read.Schedules {
		if s.schedule == "" {
			s.schedule = x.Cron
		}
	}
	ext := filepath.Ext(file)
	s.build = slices.Contains(typed, ext) || ext == ".js" && read.Module && !typeModule(file)
	s.esm = !s.build && (ext == ".mjs" || ext == ".js" && typeModule(file))
	return s, nil
}

// typeModule reports whether node takes a .js file for an ES module: the next
// package.json upwards says so.
func typeModule(file string) bool {
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		if text, err := os.ReadFile(filepath.Join(dir, "package.json")); err == nil {
			var p struct{ Type string }
			return json.Unmarshal(text, &p) == nil && p.Type == "module"
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

// made writes what node can run of a source that it cannot, and returns it with
// what removes it. It lies beside the source, where relative requires and
// node_modules are found; where nothing can be written there, in temp.
func (s *source) made(temp string) (source, func(), error) {
	out := *s
	formats := []api.Format{api.FormatCommonJS, api.FormatESModule}
	if s.contract == "v2" {
		formats = formats[1:]
	}
	var first error
	for _, format := range formats {
		ext := ".cjs"
		if format == api.FormatESModule {
			ext = ".mjs"
		}
		for _, dir := range []string{filepath.Dir(s.file), temp} {
			f, err := os.CreateTemp(dir, ".redundctl-*"+ext)
			if err != nil {
				if dir == temp {
					return out, nil, fmt.Errorf("the function cannot be translated: %w", err)
				}
				continue
			}
			done := func() { os.Remove(f.Name()) }
			text, err := translate(s.file, f.Name(), format)
			if err == nil {
				_, err = f.Write(text)
			}
			f.Close()
			if err != nil {
				done()
				if first == nil {
					first = err
				}
				break
			}
			out.file, out.esm = f.Name(), format == api.FormatESModule
			return out, done, nil
		}
	}
	return out, nil, first
}

func translate(file, to string, format api.Format) ([]byte, error) {
	r := api.Build(api.BuildOptions{
		EntryPoints: []string{file}, Outfile: to, Bundle: true, Packages: api.PackagesExternal, Platform: api.PlatformNode,
		Target: api.ES2022, Format: format, Sourcemap: api.SourceMapInline, SourcesContent: api.SourcesContentExclude, LogLevel: api.LogLevelSilent,
	})
	if err := function.Problem(r.Errors); err != nil {
		return nil, err
	}
	if len(r.OutputFiles) != 1 {
		return nil, errors.New("the function cannot be translated into one file")
	}
	return r.OutputFiles[0].Contents, nil
}

// next is when the function's own schedule is due after a time; an hour later,
// where its source names none.
func (s *source) next(after time.Time) time.Time {
	if s.schedule != "" && gronx.IsValid(s.schedule) {
		if t, err := gronx.NextTickAfter(s.schedule, after.UTC(), false); err == nil {
			return t.UTC()
		}
	}
	return after.UTC().Truncate(time.Hour).Add(time.Hour)
}
