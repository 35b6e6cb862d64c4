package pm2

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/agext/levenshtein"

	"github.com/redundctl/redundctl/engine/proc"
)

// homeOf is the directory of the daemon that is meant: the one that is named,
// relative to dir, else PM2's own default. env looks up a variable.
func homeOf(named, dir string, env func(string) (string, bool)) (string, error) {
	user, _ := env("HOME")
	if named == "" {
		named, _ = env("PM2_HOME")
	}
	if rest, ok := strings.CutPrefix(named, "~/"); ok || named == "~" {
		named = filepath.Join(user, rest)
		if user == "" {
			named = ""
		}
	}
	switch {
	case named == "" && user == "":
		return "", errors.New("where PM2 lives cannot be told, for neither PM2_HOME nor HOME is set: give its home")
	case named == "":
		return filepath.Join(user, ".pm2"), nil
	case filepath.IsAbs(named):
		return filepath.Clean(named), nil
	}
	return filepath.Join(dir, named), nil
}

// home is one daemon's directory, which several probes look at. It is safe for
// concurrent use.
type home struct {
	dir  string
	turn chan struct{} // held by who looks

	asked   time.Time // when the last look began
	seen    seen
	last    map[string][]application // what was last listed of each application
	scanned time.Time                // of the look that marked belongs to
	marked  []marked
}

// seen is what came of one look at a daemon.
type seen struct {
	all []application
	err error
}

func newHome(dir string) *home {
	return &home{dir: dir, turn: make(chan struct{}, 1), last: map[string][]application{}}
}

// look asks the daemon what it runs, unless somebody has since this call began or
// less than fresh before. The second value is what was known of the application
// before.
func (h *home) look(ctx context.Context, name string, fresh time.Duration) (seen, []application) {
	began := time.Now()
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return seen{err: fmt.Errorf("the PM2 daemon in %s: no answer in time", h.dir)}, nil
	}
	if h.asked.IsZero() || h.asked.Add(fresh).Before(began) {
		asked := time.Now()
		all, err := list(ctx, h.dir, lookLimit)
		if ctx.Err() != nil && err != nil {
			return seen{err: err}, h.last[name] // others have more time
		}
		h.asked, h.seen = asked, seen{all, err}
	}
	before := h.last[name]
	if now := called(name, h.seen.all); len(now) > 0 {
		h.last[name] = now
	}
	return h.seen, before
}

// lives finds processes of an application that its daemon, if any, does not
// count as running. now is what it lists, before what it did at an earlier look.
// The error says that nobody looked.
func (h *home) lives(ctx context.Context, name string, now, before []application) ([]int, error) {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("whether a process of %s lives without the PM2 daemon in %s: no answer in time", name, h.dir)
	}
	if !h.scanned.Equal(h.asked) || h.asked.IsZero() {
		h.marked, h.scanned = scan(h.dir), h.asked
	}
	known := slices.Concat(now, before, h.last[name], called(name, dumped(h.dir)))
	return slices.DeleteFunc(living(h.dir, name, known, h.marked), func(pid int) bool {
		return slices.ContainsFunc(now, func(a application) bool { return a.up() && a.pid == pid })
	}), nil
}

// others says which applications there are, the nearest names first, for a name
// that is not among them.
func others(name string, all []application) string {
	const most = 5
	var names []string
	for _, a := range all {
		if !slices.Contains(names, a.name) {
			names = append(names, a.name)
		}
	}
	if len(names) == 0 {
		return "it lists none"
	}
	slices.SortStableFunc(names, func(a, b string) int {
		return levenshtein.Distance(name, a, nil) - levenshtein.Distance(name, b, nil)
	})
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	return "it lists " + line(strings.Join(names, ", ")) + more
}

// environment looks up the last value of a variable in KEY=VALUE lines, and in
// those of this process.
func environment(env []string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if value, ok := proc.Variable(env, name); ok {
			return value, true
		}
		return os.LookupEnv(name)
	}
}
