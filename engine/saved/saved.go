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

// Files are the files of a project.
type Files struct {
	Log *slog.Logger

	mu    sync.Mutex
	now   *watch.Watcher // nil: none yet
	paths []string       // that it watches
}

// again is when a watch that broke is begun again.
const again = 5 * time.Second

// Watch calls changed whenever files were saved, and at the beginning of each
// watch if some may have been after the project in force was read. A watch that
// breaks is begun again. It ends with ctx. project is the one in force.
func (f *Files) Watch(ctx context.Context, project func() *config.Project, changed func()) {
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
func (f *Files) once(ctx context.Context, p *config.Project, changed func()) error {
	w, err := f.begin(p)
	if err != nil {
		return err
	}
	defer f.end(w)
	if w.Since(p.Read) {
		changed()
	}
	return w.Run(ctx, func(c watch.Change) {
		f.Log.Debug("files were saved", "files", len(c.Paths), "all", c.All)
		changed()
	})
}

func (f *Files) begin(p *config.Project) (*watch.Watcher, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, err := watch.New(watch.Options{
		Paths: paths(p), Log: f.Log, Hold: func() bool { return Held(p) },
		Ignore: func(path string) bool { return path == p.State },
	})
	f.now, f.paths = w, paths(p)
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
	if f.now != nil && !slices.Equal(f.paths, paths(p)) {
		f.end(f.now)
	}
}

// paths are the files and folders that say what a project is.
func paths(p *config.Project) []string {
	out := []string{filepath.Join(p.Root, p.ConfigFile)}
	for _, x := range p.Config.Pipelines {
		out = append(out, filepath.Join(p.Root, x))
	}
	return out
}

// Held reports whether git is changing the files of a project.
func Held(p *config.Project) bool {
	_, err := os.Lstat(filepath.Join(p.Root, ".git", "index.lock"))
	return err == nil
}
