// Package trouble holds why an engine cannot keep its history, read it or write
// its reports, by who tried: several try side by side, and one that succeeds
// says nothing of the others.
package trouble

import (
	"maps"
	"slices"
	"sync"
)

// What fails, as the log says it.
const (
	keeping   = "the history cannot be kept"
	reading   = "the history cannot be read"
	reporting = "reports cannot be written"
)

// of says what fails when who tries cannot.
func of(who string) string {
	switch who {
	case "health", "look", "queue":
		return reading
	case "reports":
		return reporting
	}
	return keeping
}

// List is what troubles one engine. The zero value is none; its methods may be
// called from several goroutines.
type List struct {
	mu  sync.Mutex
	all map[string]error // by who tried
}

// Set says how it went when who tried. It gives what fails, and whether that
// began or is over with this: then changed is true.
func (l *List) Set(who string, err error) (what string, changed bool) {
	what = of(who)
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.first(what)
	if err == nil {
		delete(l.all, who)
	} else {
		if l.all == nil {
			l.all = map[string]error{}
		}
		l.all[who] = err
	}
	return what, (before == nil) != (l.first(what) == nil)
}

func (l *List) first(what ...string) error {
	for _, who := range slices.Sorted(maps.Keys(l.all)) {
		if slices.Contains(what, of(who)) {
			return l.all[who]
		}
	}
	return nil
}

// Writing is why the state directory cannot be written, or nil.
func (l *List) Writing() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first(keeping, reporting)
}

// Reading is why the history cannot be read, or nil.
func (l *List) Reading() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first(reading)
}
