package proc

import (
	"cmp"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/proc/drain"
)

// Left keeps what commands leave running, as servers that later ones ask, until
// End. The zero value keeps nothing yet. It is safe for concurrent use; a
// command that is given it must end before End is called.
type Left struct {
	mu   sync.Mutex
	kept []kept
}

// kept is what one command has left.
type kept struct {
	spawner *Spawner
	tree    *tree
	sinks   []*drain.Sink // that were started
}

// take keeps what a program has left, whose end was not taken yet. It reports
// false when the program cannot be told from later ones.
func (l *Left) take(s *Spawner, t *tree, st *start) bool {
	if t.identify() != nil {
		return false
	}
	k := kept{spawner: s, tree: t}
	for _, sink := range st.sinks {
		if sink.Started() {
			k.sinks = append(k.sinks, sink)
		}
	}
	// The leader's pid is free once its end is taken: its group is no longer
	// surely its own, and what it left is known by its marks alone.
	t.ours = false
	st.kept = true
	s.running.Add(1)
	l.mu.Lock()
	l.kept = append(l.kept, k)
	l.mu.Unlock()
	return true
}

// End ends all that is kept, as a step's processes are ended: SIGTERM, grace (0:
// 5 s), SIGKILL. It returns when all of it has ended and what it wrote was handed
// on.
func (l *Left) End(grace time.Duration) {
	grace = cmp.Or(grace, defaultGrace)
	l.mu.Lock()
	all := l.kept
	l.kept = nil
	l.mu.Unlock()
	var group sync.WaitGroup
	for _, k := range all {
		group.Go(func() {
			defer k.spawner.running.Done()
			_ = k.tree.end(unix.SIGTERM, grace)
			for _, sink := range k.sinks {
				sink.Finish()
			}
			k.spawner.forget(k.tree.tag)
		})
	}
	group.Wait()
}
