package console

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/log"
	"github.com/muesli/termenv"
)

// LogOptions configure a logger.
type LogOptions struct {
	Level slog.Leveler // nil: info; a *slog.LevelVar may change while the logger is used
	Color bool         // as Color decides it for the file behind the writer
	JSON  bool         // one JSON object a line instead of text
}

// NewLogger makes the engine's logger. It writes each record with one call, of
// one logger and its children at a time.
//
// The library below it asks a terminal for its background and waits ten
// seconds for an answer when it is given one, writes a LogValuer in clear, and
// lets control characters of messages and keys through: so it never sees the
// file itself, and every record passes a guard first.
func NewLogger(w io.Writer, o LogOptions) *slog.Logger {
	format, stamp := log.TextFormatter, time.TimeOnly
	if !o.Color {
		stamp = time.RFC3339
	}
	if o.JSON {
		format, stamp = log.JSONFormatter, time.RFC3339Nano
	}
	l := log.NewWithOptions(&sink{w: w}, log.Options{
		Formatter: format, Level: log.DebugLevel, ReportTimestamp: true, TimeFormat: stamp,
		TimeFunction: func(t time.Time) time.Time {
			if o.Color && !o.JSON {
				return t
			}
			return t.UTC()
		},
	})
	profile := termenv.Ascii
	if o.Color {
		profile = termenv.ANSI256
	}
	l.SetColorProfile(profile)
	if o.Level == nil {
		o.Level = slog.LevelInfo
	}
	return slog.New(guard{next: l, level: o.Level})
}

// sink hides what the writer is, and is the one lock of a logger and all its
// children.
type sink struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}

// guard makes records harmless before they reach the next handler. It joins
// the names of groups to keys itself, so that all formats agree.
type guard struct {
	next   slog.Handler
	level  slog.Leveler
	prefix string // the open groups, with their dots
}

func (g guard) Enabled(_ context.Context, l slog.Level) bool { return l >= g.level.Level() }

func (g guard) Handle(ctx context.Context, r slog.Record) error {
	// Levels between the four have no name: they are written as the one below.
	level := slog.Level(math.Floor(float64(r.Level)/4) * 4)
	out := slog.NewRecord(r.Time, level, Clean(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(flat(nil, g.prefix, a)...)
		return true
	})
	return g.next.Handle(ctx, out)
}

func (g guard) WithAttrs(attrs []slog.Attr) slog.Handler {
	var list []slog.Attr
	for _, a := range attrs {
		list = flat(list, g.prefix, a)
	}
	return guard{g.next.WithAttrs(list), g.level, g.prefix}
}

func (g guard) WithGroup(name string) slog.Handler {
	if name == "" {
		return g
	}
	return guard{g.next, g.level, g.prefix + Clean(name) + "."}
}

// flat appends an attribute as it may be written: groups spread out, values
// resolved, text cleaned.
func flat(list []slog.Attr, prefix string, a slog.Attr) []slog.Attr {
	v := a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return list
	}
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += Clean(a.Key) + "."
		}
		for _, x := range v.Group() {
			list = flat(list, prefix, x)
		}
		return list
	}
	key := prefix + Clean(a.Key)
	switch key {
	case log.TimestampKey, log.MessageKey, log.LevelKey, log.CallerKey, log.PrefixKey:
		key = "_" + key // these are the record's own
	}
	switch v.Kind() {
	case slog.KindString:
		v = slog.StringValue(Clean(v.String()))
	case slog.KindFloat64:
		if f := v.Float64(); math.IsNaN(f) || math.IsInf(f, 0) {
			v = slog.StringValue(fmt.Sprint(f))
		}
	case slog.KindAny:
		v = slog.StringValue(Clean(text(v.Any(), 0)))
	}
	return append(list, slog.Attr{Key: key, Value: v})
}

// deepest is how far text looks into a value.
const deepest = 8

// text writes any value, with every LogValuer inside it resolved.
func text(v any, depth int) string {
	if depth > deepest {
		return "…"
	}
	switch x := v.(type) {
	case nil:
		return "<nil>"
	case slog.LogValuer:
		return text(slog.AnyValue(x).Resolve().Any(), depth+1)
	case []slog.Attr:
		var parts []string
		for _, a := range flat(nil, "", slog.Attr{Value: slog.GroupValue(x...)}) {
			parts = append(parts, a.String())
		}
		return "[" + strings.Join(parts, " ") + "]"
	case error, fmt.Stringer:
		return fmt.Sprint(x) // which survives a panic of theirs
	case []byte:
		return string(x)
	}
	r := reflect.ValueOf(v)
	var parts []string
	switch r.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range r.Len() {
			parts = append(parts, text(r.Index(i).Interface(), depth+1))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case reflect.Map:
		for _, k := range r.MapKeys() {
			parts = append(parts, text(k.Interface(), depth+1)+":"+text(r.MapIndex(k).Interface(), depth+1))
		}
		slices.Sort(parts)
		return "map[" + strings.Join(parts, " ") + "]"
	case reflect.Pointer:
		if r.IsNil() {
			return "<nil>"
		}
		return "&" + text(r.Elem().Interface(), depth+1)
	case reflect.Struct:
		for i := range r.NumField() {
			if f := r.Type().Field(i); f.IsExported() { // the others have no methods that could be asked
				parts = append(parts, f.Name+":"+text(r.Field(i).Interface(), depth+1))
			}
		}
		return "{" + strings.Join(parts, " ") + "}"
	}
	return fmt.Sprint(v)
}
