// Package kept is where caches lie between runs: one file each in the user's
// cache directory, outside of the project, its git and the state directory.
//
// A file is a tar in gzip, whose header names the key. It is written beside its
// place and renamed, so that nobody reads a half; its sum is checked before
// anything of it is restored. The time of a file is when it was last used, by
// which old ones go.
package kept

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
)

const (
	// Limit is how many bytes the caches of one project may have together.
	Limit = 10 << 30
	// Unused is how long one stays that nobody uses.
	Unused = 30 * 24 * time.Hour

	suffix = ".tar.gz"
	temp   = ".new-"
)

// Options say whose caches are meant.
type Options struct {
	Env   []string // KEY=VALUE; XDG_CACHE_HOME, else HOME says where
	Root  string   // the project
	Group string   // whose alone they are; "": the whole project's
	Paths []string // of the files: another list of paths is another cache
	Limit int64    // 0: Limit
	Now   func() time.Time
}

// Dir is the caches of one project. It may be used by several processes.
type Dir struct {
	Options
	path string
}

// Entry is one cache.
type Entry struct {
	Key   string
	Saved time.Time
	file  string
}

// header is what the header of a file says.
type header struct {
	Key   string    `json:"key"`
	Group string    `json:"group"`
	Paths string    `json:"paths"` // their sum
	Saved time.Time `json:"saved"`
}

// Corrupt is the error of a cache that is not as it was saved; it is removed.
type Corrupt struct{ Err error }

// Error is one line.
func (c *Corrupt) Error() string { return "it is damaged and was removed: " + c.Err.Error() }

// Unwrap gives the error.
func (c *Corrupt) Unwrap() error { return c.Err }

// Open finds the directory. It makes none.
func Open(o Options) (*Dir, error) {
	base := kind.Variable(o.Env, "XDG_CACHE_HOME")
	if home := kind.Variable(o.Env, "HOME"); base == "" && home != "" {
		base = filepath.Join(home, ".cache")
	}
	if !filepath.IsAbs(base) {
		return nil, errors.New("neither XDG_CACHE_HOME nor HOME names a directory to keep it in")
	}
	root, err := filepath.EvalSymlinks(o.Root)
	if err != nil {
		root = o.Root
	}
	if o.Limit == 0 {
		o.Limit = Limit
	}
	return &Dir{o, filepath.Join(base, "redundctl", "caches", sum(root)[:32])}, nil
}

func sum(text string) string {
	x := sha256.Sum256([]byte(text))
	return hex.EncodeToString(x[:])
}

// paths is the sum of the list of paths.
func (d *Dir) paths() string { return sum(strings.Join(d.Paths, "\x00")) }

// file is where a key lies.
func (d *Dir) file(key string) string {
	return filepath.Join(d.path, sum(d.Group+"\x00"+d.paths()+"\x00"+key)+suffix)
}

// Find gives the cache of a key, or the newest whose key begins with one of
// prefixes, the first of them that any does; nil: there is none.
func (d *Dir) Find(key string, prefixes []string) (*Entry, error) {
	switch h, err := read(d.file(key)); {
	case err == nil && h.Key == key:
		return &Entry{h.Key, h.Saved, d.file(key)}, nil
	case !errors.Is(err, fs.ErrNotExist):
		return &Entry{Key: key, file: d.file(key)}, nil // its header is damaged; Restore sees whether the rest is
	}
	if len(prefixes) == 0 {
		return nil, nil
	}
	names, err := os.ReadDir(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the caches cannot be listed: %w", err)
	}
	var all []Entry
	for _, n := range names {
		file := filepath.Join(d.path, n.Name())
		if !strings.HasSuffix(n.Name(), suffix) || !n.Type().IsRegular() {
			continue
		}
		if h, err := read(file); err == nil && h.Group == d.Group && h.Paths == d.paths() {
			all = append(all, Entry{h.Key, h.Saved, file})
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return b.Saved.Compare(a.Saved) })
	for _, p := range prefixes {
		for i := range all {
			if strings.HasPrefix(all[i].Key, p) {
				return &all[i], nil
			}
		}
	}
	return nil, nil
}

// read reads the header of a file.
func read(file string) (*header, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 4096))
	if err != nil {
		return nil, err
	}
	h := &header{}
	return h, json.Unmarshal(z.Extra, h)
}

// thin removes what nobody has used for long, and the longest unused while all
// together are too large. What a dead process began is removed after a day.
func (d *Dir) thin(ctx context.Context) {
	type old struct {
		path string
		size int64
		used time.Time
	}
	var all []old
	total := int64(0)
	names, _ := os.ReadDir(d.path)
	for _, n := range names {
		info, err := n.Info()
		if err != nil || !info.Mode().IsRegular() || ctx.Err() != nil {
			continue
		}
		x := old{filepath.Join(d.path, n.Name()), info.Size(), info.ModTime()}
		age := d.Now().Sub(x.used)
		switch {
		case strings.HasPrefix(n.Name(), temp) && age > 24*time.Hour, strings.HasSuffix(n.Name(), suffix) && age > Unused:
			_ = os.Remove(x.path)
		case strings.HasSuffix(n.Name(), suffix):
			all = append(all, x)
			total += x.size
		}
	}
	slices.SortFunc(all, func(a, b old) int { return a.used.Compare(b.used) })
	for _, x := range all {
		if total <= d.Limit {
			return
		}
		if os.Remove(x.path) == nil {
			total -= x.size
		}
	}
}
