// Package logs keeps the log files of a project: one for the engine and one
// for each system, appended to by several processes at once, rotated, kept
// for a while, and read back by run, pipeline and step.
//
// A line stands whole in exactly one file, whatever happens to the processes:
// each write is made under a lock that all of them take, and what a killed one
// left of a line is cut away by the next. While a file is written it can be
// followed with `tail -F`.
//
// Start with Open, then Dir.Writer (writer.go) and Dir.Read (read.go).
package logs

import (
	"errors"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options bounds the files. Zero fields: 10 MiB, not compressed, kept for ever.
type Options struct {
	MaxSize  int64         // a file about to grow beyond it is rotated
	Compress bool          // rotated files are kept as .gz
	MaxAge   time.Duration // rotated files older than it are removed; 0: never
}

// defaultMaxSize is MaxSize where none is given.
const defaultMaxSize = 10 << 20

// Dir is a directory of log files.
type Dir struct {
	path    string
	options atomic.Pointer[Options]

	mu      sync.Mutex
	writers map[string]*Writer
	tidying sync.WaitGroup
}

// Open gives the log files in dir. It makes nothing until something is written.
func Open(dir string, o Options) (*Dir, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, writers: map[string]*Writer{}}
	d.Bound(o)
	return d, nil
}

// Bound changes the bounds of the files from now on.
func (d *Dir) Bound(o Options) {
	if o.MaxSize <= 0 {
		o.MaxSize = defaultMaxSize
	}
	d.options.Store(&o)
}

// Failing is why lines are lost now, as on a full disk, or nil. A file is well
// again when lines can be written to it.
func (d *Dir) Failing() error {
	d.mu.Lock()
	writers := slices.SortedFunc(maps.Values(d.writers), func(a, b *Writer) int { return strings.Compare(a.name, b.name) })
	d.mu.Unlock()
	var errs []error
	for _, w := range writers {
		w.mu.Lock()
		if w.lost > 0 {
			errs = append(errs, w.why)
		}
		w.mu.Unlock()
	}
	return errors.Join(errs...)
}

// Writer gives the writer of one file; the same for the same name, which is
// "engine" or a system's.
func (d *Dir) Writer(name string) *Writer {
	name = fileName(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.writers[name]
	if w == nil {
		w = &Writer{dir: d, name: name, path: filepath.Join(d.path, name+".log")}
		d.writers[name] = w
	}
	return w
}

// Close flushes every writer and waits until rotated files are compressed.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, w := range d.writers {
		errs = append(errs, w.close())
	}
	d.tidying.Wait()
	return errors.Join(errs...)
}

var notInName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^A-Za-z0-9_.-]|^[.-]`) })

// fileName makes a name that stays in the directory.
func fileName(name string) string {
	if name == "" {
		return "engine"
	}
	return notInName().ReplaceAllString(name, "_")
}
