// Package saved tells when files of a project were saved. What is watched may
// change with what they say.
package saved

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/watch"
)

// Change says what was saved.
type Change struct {
	Seen    time.Time // when the first sign of it was
	Paths   []string  // absolute
	Any     bool      // other files may differ too
	Outside bool      // so may what files name: programs, scripts, folders
}

// Add takes in another change that has not been taken up either. Each path stands
// there once, however often it is saved.
func (c *Change) Add(o Change) {
	if c.Seen.IsZero() {
		c.Seen = o.Seen
	}
	c.Paths = slices.Compact(slices.Sorted(slices.Values(slices.Concat(c.Paths, o.Paths))))
	c.Any, c.Outside = c.Any || o.Any, c.Outside || o.Outside
}

// Of is the change as a load of the project is told of it.
func (c *Change) Of() config.Change {
	out := config.Change{Outside: c.Outside}
	if !c.Any {
		out.Paths = append([]string{}, c.Paths...)
	}
	return out
}

// Files are the files of a project.
type Files struct {
	Log    *slog.Logger
	Rescan time.Duration // how often all is looked at without any event; 0: as often as watch does

	mu    sync.Mutex
	now   *watch.Watcher // nil: none yet
	paths []string       // that it watches
}

// again is when a watch that broke is begun again.
const again = 5 * time.Second

// Watch calls changed whenever files were saved, and at the beginning of each
// watch if some may have been after the project in force was read. A watch that
// breaks is begun again. It ends with ctx. project is the one in force.
func (f *Files) Watch(ctx context.Context, project func() *config.Project, changed func(Change)) {
	broken := false
	for ctx.Err() == nil {
		err := f.once(ctx, project(), changed)
		if err == nil || ctx.Err() != nil {
			broken = false
			continue
		}
		if !broken {
			f.Log.Error("the files cannot be watched; that is tried again, and redundctl reads them on SIGHUP", "error", err)
		}
		broken = true
		wait := time.NewTimer(again)
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
	}
}

// once is one watch, until it breaks or other files are to be watched.
func (f *Files) once(ctx context.Context, p *config.Project, changed func(Change)) error {
	w, err := f.begin(p)
	if err != nil {
		return err
	}
	defer f.end(w)
	if w.Since(p.Read) {
		changed(Change{Seen: time.Now(), Any: true})
	}
	return w.Run(ctx, func(c watch.Change) {
		f.Log.Debug("files were saved", "files", len(c.Paths), "all", c.All)
		changed(Change{Seen: c.First, Paths: c.Paths, Any: c.All})
	})
}

func (f *Files) begin(p *config.Project) (*watch.Watcher, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, err := watch.New(watch.Options{
		Paths: p.Watched(), Log: f.Log, Rescan: f.Rescan, Hold: func() bool { return Held(p) },
		Ignore: func(path string) bool { return path == p.State },
	})
	f.now, f.paths = w, p.Watched()
	return w, err
}

func (f *Files) end(w *watch.Watcher) {
	if err := w.Close(); err != nil {
		f.Log.Warn("a watch of files did not end well", "error", err)
	}
}

// Follow begins another watch when a project has other files than those that
// are watched.
func (f *Files) Follow(p *config.Project) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now != nil && !slices.Equal(f.paths, p.Watched()) {
		f.end(f.now)
	}
}

// Held reports whether git is changing the files of a project.
func Held(p *config.Project) bool {
	_, err := os.Lstat(filepath.Join(p.Root, ".git", "index.lock"))
	return err == nil
}
