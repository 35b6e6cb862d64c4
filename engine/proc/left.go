package proc

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// nearPids is how many pids are asked one by one, rather than all of /proc.
	nearPids = 4096
	// forkRate is how many pids a second no machine gives out.
	forkRate = 100_000
)

// left reports whether anything of a tree whose leader has ended may still be
// there, living or to be reaped. The kernel gives out pids in a circle, so what
// the leader started lies between its own pid and the last one: most often
// nothing, or the leaders of other steps. That costs microseconds where
// reading all of /proc costs milliseconds.
func (s *Spawner) left(t *tree, took time.Duration) bool {
	if s.cursor == nil || took >= time.Second*time.Duration(s.cursor.pidMax)/forkRate {
		return true // the circle may have closed
	}
	next := t.pid + 1
	for {
		last := s.cursor.last()
		if last < next-1 || last-t.pid > nearPids {
			return true // turned over, or too many to ask
		}
		if last == next-1 {
			return false // nothing new while the others were asked
		}
		for ; next <= last; next++ {
			if s.marked(t, next) {
				return true
			}
		}
	}
}

// marked reports whether a process carries a mark of the tree; one that only
// descends from such a process comes after it.
func (s *Spawner) marked(t *tree, pid int) bool {
	tag, err := readTag(pid)
	if errors.Is(err, unix.ESRCH) {
		return false
	}
	if tag == t.tag {
		return true
	}
	s.mu.Lock()
	other := s.live[tag]
	s.mu.Unlock()
	if other {
		return false
	}
	if t.identify() != nil {
		return true // whoever looks for all of the tree tells why
	}
	p, err := readStat(pid)
	return err == nil && t.belongs(p)
}
