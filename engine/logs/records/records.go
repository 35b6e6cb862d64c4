// Package records writes what the engine has to say into its log files:
// engine.log, and for what concerns one system that system's file too. From
// which level on may change while they are written.
package records

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/redundctl/redundctl/engine/logs"
)

// Levels say from which level on records are written.
type Levels struct {
	Engine  slog.Level            // to engine.log
	Systems map[string]slog.Level // to the files of systems, which are those that there are
}

// Handler writes records to the files. A record concerns the system that its
// attribute `system` names, or the one of its `pipeline`, system/name. It may
// be used from several goroutines.
type Handler struct {
	files  *files
	engine slog.Handler
	system string                            // of a bound attribute
	bound  []func(slog.Handler) slog.Handler // what WithAttrs and WithGroup did
}

type files struct {
	dir    *logs.Dir
	levels atomic.Pointer[Levels]
	lowest atomic.Int64
}

// New gives the handler of the files in a directory; it writes all from info on
// to engine.log until Set is called.
func New(d *logs.Dir) *Handler {
	f := &files{dir: d}
	h := &Handler{files: f, engine: f.text("engine")}
	h.Set(Levels{})
	return h
}

// Set changes the levels, for all handlers that came of this one too.
func (h *Handler) Set(l Levels) {
	lowest := l.Engine
	for _, x := range l.Systems {
		lowest = min(lowest, x)
	}
	h.files.levels.Store(&l)
	h.files.lowest.Store(int64(lowest))
}

// text writes to one file, which stamps its lines itself.
func (f *files) text(name string) slog.Handler {
	return slog.NewTextHandler(f.dir.Writer(name), &slog.HandlerOptions{Level: slog.LevelDebug - 100, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
}

// Enabled reports whether any file takes the level.
func (h *Handler) Enabled(_ context.Context, l slog.Level) bool {
	return int64(l) >= h.files.lowest.Load()
}

// Handle writes a record to the files that take it.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	levels := h.files.levels.Load()
	system := h.system
	r.Attrs(func(a slog.Attr) bool {
		if s := systemOf(a); s != "" {
			system = s
		}
		return true
	})
	if level, ok := levels.Systems[system]; ok && r.Level >= level {
		to := h.files.text(system)
		for _, f := range h.bound {
			to = f(to)
		}
		_ = to.Handle(ctx, r.Clone()) // a log file never fails: it counts what it lost
	}
	if r.Level < levels.Engine {
		return nil
	}
	return h.engine.Handle(ctx, r)
}

// systemOf is the system that an attribute names, or "".
func systemOf(a slog.Attr) string {
	switch a.Key {
	case "system":
		return a.Value.String()
	case "pipeline":
		if system, _, ok := strings.Cut(a.Value.String(), "/"); ok {
			return system
		}
	}
	return ""
}

// WithAttrs gives a handler for records with these attributes besides.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := h.with(func(to slog.Handler) slog.Handler { return to.WithAttrs(attrs) })
	for _, a := range attrs {
		if s := systemOf(a); s != "" {
			out.system = s
		}
	}
	return out
}

// WithGroup gives a handler for records whose attributes lie in a group.
func (h *Handler) WithGroup(name string) slog.Handler {
	return h.with(func(to slog.Handler) slog.Handler { return to.WithGroup(name) })
}

func (h *Handler) with(f func(slog.Handler) slog.Handler) *Handler {
	return &Handler{h.files, f(h.engine), h.system, append(slices.Clip(h.bound), f)}
}
