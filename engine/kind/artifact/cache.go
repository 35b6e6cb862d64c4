package artifact

import (
	"context"
	_ "embed" // the schema fragment
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/artifact/files"
	"github.com/redundctl/redundctl/engine/kind/artifact/kept"
	"github.com/redundctl/redundctl/engine/pipeline"
)

//go:embed cache.json
var cacheFragment []byte

// Cache is the step kind `cache`. What it builds is a Saver.
func Cache() kind.Action {
	k := kind.Define("cache", cacheFragment, func(w cacheWith, _ kind.Deps) (pipeline.Action, error) {
		if w.Name != "" {
			if err := component(w.Name); err != nil {
				return nil, err
			}
		}
		for _, key := range append([]string{w.Key}, words(w.RestoreKeys)...) {
			if err := keyed(key); err != nil {
				return nil, err
			}
		}
		if w.Name == "" && w.Key == "" {
			return nil, errors.New("it says neither name nor key: one of them names what is kept")
		}
		return &cache{with: w, patterns: lines(w.Path), now: time.Now}, nil
	})
	return k
}

// Saver is an action that has something to do after the steps that follow it:
// `cache` saves then. A pipeline says `save: true` in a step of its own; a runner
// that has a place for it, as that of workflows, calls Save when the job has
// succeeded.
type Saver interface {
	// Save keeps the files, unless Run found this very key. It may be called
	// after Run has ended, once.
	Save(ctx context.Context, s *pipeline.Scope) error
}

// cacheWith is `with` of cache.
type cacheWith struct {
	Name        string `json:"name"`
	Path        any    `json:"path"`
	Key         string `json:"key"`
	RestoreKeys any    `json:"restore-keys"`
	Store       bool   `json:"save"`
	Fail        bool   `json:"fail-on-cache-miss"`
	Look        bool   `json:"lookup-only"`
}

type cache struct {
	with     cacheWith
	patterns []string
	now      func() time.Time
	exact    bool // Run found this very key
}

// maxKey is how long a key may be, as at GitHub.
const maxKey = 512

func keyed(key string) error {
	switch {
	case len(key) > maxKey:
		return fmt.Errorf("a key of %d letters is longer than %d", len(key), maxKey)
	case strings.ContainsAny(key, ",\x00\r\n"):
		return fmt.Errorf("the key %q holds a comma or the end of a line", key)
	}
	return nil
}

// words are the lines of a text, or a list.
func words(v any) []string {
	var out []string
	for _, text := range lines(v) {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				out = append(out, line)
			}
		}
	}
	return out
}

// key is what the files are kept under. Names and keys do not meet.
func (a *cache) key() string {
	if a.with.Key == "" {
		return "name " + a.with.Name
	}
	return "key " + a.with.Key
}

// prefixes are what a key that serves in place of this one begins with, in order.
func (a *cache) prefixes() []string {
	if a.with.Key == "" {
		return nil
	}
	out := []string{a.key()}
	for _, p := range words(a.with.RestoreKeys) {
		out = append(out, "key "+p)
	}
	return out
}

// open is where caches of the project are kept.
func (a *cache) open(s *pipeline.Scope) (*kept.Dir, error) {
	if s.Mask(a.key()) != a.key() {
		return nil, errors.New("the key holds a secret, and keys are kept and shown: make it of something else")
	}
	scope := ""
	if a.with.Key == "" {
		scope = s.Run.System + "/" + s.Run.Pipeline // a name is the pipeline's own
	}
	return kept.Open(kept.Options{Env: s.Env, Root: s.Root, Group: scope, Paths: a.patterns, Now: a.now})
}

// Run restores the files, or saves them when the step is there for that. A cache
// that cannot be read is none: what it spares is done anew.
func (a *cache) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	if a.with.Store {
		return pipeline.Outputs{Values: a.outputs("")}, a.Save(ctx, s)
	}
	got, err := a.restore(ctx, s)
	if ctx.Err() != nil {
		return pipeline.Outputs{}, context.Cause(ctx)
	}
	if err != nil {
		say(s, "warning: the cache is not used: %v", err)
	}
	if got == "" && a.with.Fail {
		return pipeline.Outputs{Values: a.outputs("")}, fmt.Errorf("there is no cache for %s: a run that saves it must come first", a.shown())
	}
	return pipeline.Outputs{Values: a.outputs(got)}, nil
}

// shown is the key for people.
func (a *cache) shown() string {
	_, text, _ := strings.Cut(a.key(), " ")
	return text
}

// outputs are those of a cache that was found under a key; "": none was.
func (a *cache) outputs(got string) map[string]any {
	hit := ""
	switch {
	case got == a.key():
		hit = "true"
	case got != "":
		hit = "false"
	}
	_, matched, _ := strings.Cut(got, " ")
	return map[string]any{"cache-hit": hit, "cache-primary-key": a.shown(), "cache-matched-key": matched}
}

// restore brings the files back and says under which key they were kept.
func (a *cache) restore(ctx context.Context, s *pipeline.Scope) (string, error) {
	dir, err := a.open(s)
	if err != nil {
		return "", err
	}
	for range 100 {
		e, err := dir.Find(a.key(), a.prefixes())
		if err != nil || e == nil {
			if err == nil {
				say(s, "there is no cache for %s", a.shown())
			}
			return "", err
		}
		_, found, _ := strings.Cut(e.Key, " ")
		if !a.with.Look {
			n, err := dir.Restore(ctx, e, kept.Target{Dir: s.Dir, Root: s.Root, Closed: func(p string) bool { return closed(s, p) }})
			var bad *kept.Corrupt
			if errors.As(err, &bad) && ctx.Err() == nil {
				say(s, "warning: the cache %s is left out: %v", found, err)
				continue // it is gone: another may serve
			}
			if err != nil {
				return "", err
			}
			say(s, "restored %s of the cache %s, saved %s", diag.Count(n, "file"), found, e.Saved.UTC().Format(time.RFC3339))
		} else {
			say(s, "there is a cache %s, saved %s", found, e.Saved.UTC().Format(time.RFC3339))
		}
		a.exact = e.Key == a.key()
		return e.Key, nil
	}
	return "", errors.New("all that are there are damaged")
}

// Save keeps the files for later runs. It is no failure that they cannot be kept.
func (a *cache) Save(ctx context.Context, s *pipeline.Scope) error {
	err := a.save(ctx, s)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		say(s, "warning: the cache %s is not saved: %v", a.shown(), err)
	}
	return nil
}

func (a *cache) save(ctx context.Context, s *pipeline.Scope) error {
	if a.with.Look {
		return nil
	}
	if a.exact && a.with.Key != "" {
		say(s, "the cache %s is there already: it is not saved again", a.shown())
		return nil
	}
	dir, err := a.open(s)
	if err != nil {
		return err
	}
	got, err := a.pick(ctx, s)
	if err != nil {
		return err
	}
	if len(got.Files) == 0 {
		say(s, "nothing is there to be kept as the cache %s", a.shown())
		return nil
	}
	done, err := dir.Save(ctx, kept.Content{Key: a.key(), Replace: a.with.Key == "", Dir: s.Dir, Picked: got})
	switch {
	case err != nil:
		return err
	case !done:
		say(s, "the cache %s is there already: it is not saved again", a.shown())
	default:
		say(s, "saved %s as the cache %s", diag.Count(len(got.Files), "file"), a.shown())
	}
	return nil
}

// pick finds the files. What lies outside of the project is this machine's own
// and stays from run to run by itself.
func (a *cache) pick(ctx context.Context, s *pipeline.Scope) (*files.Picked, error) {
	return files.Pick(ctx, s, files.Options{Patterns: a.patterns, Hidden: true, Links: true, Outside: func(p string) {
		say(s, "%s lies outside of the project and stays on this machine by itself: it is neither saved nor restored", p)
	}})
}

// Plan says what is kept now.
func (a *cache) Plan(ctx context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	if a.with.Store {
		got, err := files.Pick(ctx, s, files.Options{Patterns: a.patterns, Hidden: true, Links: true, Outside: func(string) {}})
		if err != nil {
			return nil, err
		}
		return []pipeline.Effect{pipeline.Effect(s.Mask(fmt.Sprintf("would save %s, as they are now, as the cache %s", diag.Count(len(got.Files), "file"), a.shown())))}, nil
	}
	dir, err := a.open(s)
	if err != nil {
		return nil, err
	}
	e, err := dir.Find(a.key(), a.prefixes())
	switch {
	case err != nil:
		return nil, err
	case e == nil:
		return []pipeline.Effect{pipeline.Effect(s.Mask("would restore nothing: there is no cache for " + a.shown()))}, nil
	}
	_, found, _ := strings.Cut(e.Key, " ")
	return []pipeline.Effect{pipeline.Effect(s.Mask(fmt.Sprintf("would restore the cache %s, saved %s", found, e.Saved.UTC().Format(time.RFC3339))))}, nil
}
