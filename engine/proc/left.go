package proc

import (
	"bytes"
	"errors"
	"os"
	"strconv"
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
		return s.adopted() // the circle may have closed
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

// adopted reports whether a child of ours may be there that leads no step which
// runs. Where orphans come home to us, all that a leader has left is one, or
// descends from one.
func (s *Spawner) adopted() bool {
	if s.self == 0 {
		return true
	}
	// Twice: one may have come home behind the back of the first look.
	for range 2 {
		children, err := childrenOf(s.self)
		if err != nil {
			return true
		}
		s.mu.Lock()
		for _, pid := range s.live {
			delete(children, pid)
		}
		s.mu.Unlock()
		if len(children) > 0 {
			return true
		}
	}
	return false
}

// childrenOf are the children of a process, ended ones too, by what the kernel
// says of each thread that has some. It says so where it was built with
// CONFIG_PROC_CHILDREN.
func childrenOf(pid int) (map[int]bool, error) {
	threads, err := os.ReadDir(procPath(pid, "task"))
	if err != nil {
		return nil, err
	}
	out := map[int]bool{}
	buf := make([]byte, 4<<10)
	for _, t := range threads {
		text, err := readFile(procPath(pid, "task/"+t.Name()+"/children"), buf)
		if errors.Is(err, unix.ENOENT) && len(threads) > 1 && !exists(procPath(pid, "task/"+t.Name())) {
			continue // the thread has ended
		}
		if err != nil {
			return nil, err
		}
		for word := range bytes.FieldsSeq(text) {
			child, err := strconv.Atoi(string(word))
			if err != nil {
				return nil, err
			}
			out[child] = true
		}
	}
	return out, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
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
	_, other := s.live[tag]
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
