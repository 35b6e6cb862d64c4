// Package discover asks the kinds which automations a project has elsewhere, its
// primaries, and writes the pipelines that back them up. It knows no system:
// what there is to find, and how it is read, the Finders of the kinds say.
//
// Start with Find; Plan makes files of what was found, and Write writes them,
// over nothing that is there. Begin makes the project itself.
package discover

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Primary is one primary with the Finder that found it.
type Primary struct {
	kind.Found
	Finder *kind.Finder
}

// Backed reports whether a pipeline with that primary backs it up.
func (p *Primary) Backed(by *pipeline.Primary) bool {
	return p.Broken == "" && p.Finder.Backs != nil && p.Finder.Backs(by, &p.Found)
}

// Find asks Finders side by side, and gives what they found, in their order. The
// error says which of them could not look at anything; what the others found is
// there all the same.
func Find(ctx context.Context, finders []kind.Finder, s kind.Search) ([]Primary, error) {
	found, errs := make([][]kind.Found, len(finders)), make([]error, len(finders))
	var wg sync.WaitGroup
	for i := range finders {
		wg.Go(func() {
			f := &finders[i]
			if found[i], errs[i] = f.Find(ctx, s); errs[i] != nil {
				errs[i] = fmt.Errorf("looking for what %s holds: %w", f.Name, errs[i])
			}
		})
	}
	wg.Wait()
	var out []Primary
	for i, list := range found {
		for _, x := range list {
			placed(&x)
			out = append(out, Primary{Found: x, Finder: &finders[i]})
		}
	}
	return out, errors.Join(errs...)
}

// placed takes the place out of the words that say why a source is broken: it is
// told beside them.
func placed(f *kind.Found) {
	rest, ok := strings.CutPrefix(f.Broken, f.Source+":")
	if !ok {
		return
	}
	for i := range 2 { // line and column
		number, words, ok := strings.Cut(rest, ":")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n < 1 {
			break
		}
		if rest = words; i == 0 {
			f.Line = n
		}
	}
	if rest = strings.TrimSpace(rest); rest != "" {
		f.Broken = rest
	}
}

// Sum is the SHA-256 of a file in hex; "": it cannot be read.
func Sum(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Named finds the Finder that `import` takes by a name.
func Named(finders []kind.Finder, name string) (kind.Finder, bool) {
	for _, f := range finders {
		if f.Name == name {
			return f, true
		}
	}
	return kind.Finder{}, false
}

// Backers are the pipelines of a project by what they back up.
type Backers struct {
	list  []*pipeline.Pipeline // those with a primary
	named map[string][]*pipeline.Pipeline
}

// NewBackers sorts pipelines.
func NewBackers(list []*pipeline.Pipeline) *Backers {
	b := &Backers{named: map[string][]*pipeline.Pipeline{}}
	for _, p := range list {
		if p.Primary != nil {
			b.list = append(b.list, p)
			b.named[p.Name] = append(b.named[p.Name], p)
		}
	}
	return b
}

// Of gives the pipelines that back up a primary, in order.
func (b *Backers) Of(p *Primary) []*pipeline.Pipeline {
	var out []*pipeline.Pipeline
	for _, x := range b.list {
		if p.Backed(x.Primary) {
			out = append(out, x)
		}
	}
	return out
}

// Any gives one of them, or nil. It looks first where `import` would have put
// it: of thousands of pipelines all need not be asked.
func (b *Backers) Any(p *Primary) *pipeline.Pipeline {
	for _, list := range [][]*pipeline.Pipeline{b.named[p.Name], b.list} {
		for _, x := range list {
			if p.Backed(x.Primary) {
				return x
			}
		}
	}
	return nil
}
