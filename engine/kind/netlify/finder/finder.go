// Package finder finds the scheduled functions of a site on Netlify, and says
// how each would be backed up. It reads: nothing of the project is run.
//
// site.go finds the functions as Netlify does, toml.go reads netlify.toml,
// draft.go writes what backs a function up.
package finder

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/netlify/function"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Finder finds Netlify's functions.
func Finder() kind.Finder {
	return kind.Finder{Name: "netlify", System: "netlify-functions", Find: find, Backs: backs}
}

// backs compares the function's name; a page says nothing of which it is.
func backs(p *pipeline.Primary, f *kind.Found) bool {
	if p == nil || p.Kind != "netlify-function" {
		return false
	}
	name, _ := p.With["function"].(string)
	return name == f.Primary
}

func find(ctx context.Context, s kind.Search) ([]kind.Found, error) {
	x, err := open(s)
	if err != nil {
		return nil, err
	}
	found := make([]*kind.Found, len(x.files))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, file := range x.files {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			found[i] = x.one(file)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("looking for Netlify functions: %w", err)
	}
	out := x.broken
	for _, f := range found {
		if f != nil {
			out = append(out, *f)
		}
	}
	out = append(out, x.orphans()...)
	slices.SortStableFunc(out, func(a, b kind.Found) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Primary, b.Primary))
	})
	return out, nil
}

// one reads one function; nil: it has no schedule.
func (x *site) one(file candidate) *kind.Found {
	f := &kind.Found{Primary: file.name, Name: kind.Name(file.name, "function"), Source: file.rel}
	text, err := function.Load(filepath.Join(x.root, filepath.FromSlash(file.rel)))
	if err != nil {
		f.Broken = err.Error()
		return f
	}
	src, err := function.Read(file.rel, text)
	if err != nil {
		f.Broken = strings.TrimPrefix(err.Error(), path.Base(file.rel))
		f.Broken = file.rel + f.Broken
		return f
	}
	u := use{site: x, file: file, src: src}
	u.plan()
	if len(u.due) == 0 && u.wrong == "" && !file.asked {
		return nil
	}
	f.Line, f.Schedules, f.Script = u.line, u.due, src.Hash
	if f.Broken = u.wrong; f.Broken != "" {
		return f
	}
	f.Secrets = u.secrets()
	f.Constructs = u.constructs()
	f.Note = strings.Join(u.notes, "; ")
	f.Disabled = u.disabled()
	f.Draft = u.draft()
	return f
}

// orphans are the schedules in netlify.toml of functions that are not there.
func (x *site) orphans() []kind.Found {
	var out []kind.Found
	for _, s := range x.toml.schedules {
		if s.hit.Load() || strings.ContainsAny(s.function, "*?[") || x.only {
			continue
		}
		name := s.function
		if name == "" {
			name = "schedule-" + fmt.Sprint(s.line)
		}
		out = append(out, kind.Found{
			Primary: name, Name: kind.Name(name, "function"), Source: x.toml.rel, Line: s.line,
			Broken: fmt.Sprintf("%s:%d: there is no function %s in %s that node runs", x.toml.rel, s.line, name, x.dir),
		})
	}
	return out
}
