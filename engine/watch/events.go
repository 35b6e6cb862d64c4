package watch

import (
	"errors"
	"io/fs"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// hooks are replaced in tests; nil: those of fsnotify.
type hooks struct {
	open func() (*fsnotify.Watcher, error)
	add  func(*fsnotify.Watcher, string) error
}

// system is the events of the operating system, as far as it gives them.
type system struct {
	hooks

	watched map[string]id // the folders that are watched, by the path that they were added by
	paths   map[id]string // the same, the other way round
	short   bool          // something that should be watched is not
	told    bool          // that was logged
	cause   error         // why

	mu     sync.Mutex // of what Close needs
	events *fsnotify.Watcher
	closed bool
}

// channels are nil, and never ready, where there are no events. Both must be read:
// with unread errors fsnotify gives no more events after an overflow.
func (s *system) channels() (<-chan fsnotify.Event, <-chan error) {
	if s.events == nil {
		return nil, nil
	}
	return s.events.Events, s.events.Errors
}

// begin prepares for a look: what the system dropped by itself, as it does when a
// folder is moved or removed, is forgotten.
func (s *system) begin() {
	s.short, s.cause = false, nil
	if s.watched == nil {
		s.watched, s.paths = map[string]id{}, map[id]string{}
	}
	if s.events == nil && !s.create() {
		return
	}
	live := map[string]bool{}
	for _, p := range s.events.WatchList() {
		live[p] = true
	}
	for p := range s.watched {
		if !live[p] {
			s.forget(p)
		}
	}
}

// create asks the system for events.
func (s *system) create() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	open := fsnotify.NewWatcher
	if s.open != nil {
		open = s.open
	}
	w, err := open()
	if err != nil {
		s.fail(err)
		return false
	}
	s.events = w
	return true
}

// watch asks for the events of a folder. Adding again what is watched costs a
// system call, and renews a watch that was lost since begin.
func (s *system) watch(path string, dir id) {
	if s.events == nil {
		return
	}
	// fsnotify knows one path for each folder: a second one would replace it.
	if p, ok := s.paths[dir]; ok && p != path {
		return
	}
	if old, ok := s.watched[path]; ok && old != dir {
		_ = s.events.Remove(path)
		s.forget(path)
	}
	add := (*fsnotify.Watcher).Add
	if s.add != nil {
		add = s.add
	}
	switch err := add(s.events, path); {
	case err == nil:
		s.watched[path], s.paths[dir] = dir, path
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		// Gone meanwhile, which its parent tells; or not to be read, so nothing in it counts.
	case errors.Is(err, fsnotify.ErrClosed):
	default:
		s.fail(err)
	}
}

func (s *system) forget(path string) {
	delete(s.paths, s.watched[path])
	delete(s.watched, path)
}

func (s *system) fail(err error) {
	if s.cause == nil {
		s.cause = err
	}
	s.short = true
}

// keep ends the watches that nobody wants any more.
func (s *system) keep(wanted map[id]*want) {
	for p, dir := range s.watched {
		if wanted[dir] == nil {
			_ = s.events.Remove(p)
			s.forget(p)
		}
	}
}

func (s *system) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.events == nil {
		return nil
	}
	return s.events.Close()
}
