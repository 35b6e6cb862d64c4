package console

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// The queue holds capacity bytes of lines. A writer waits for room, but only
// wait long, and only once until somebody has read: then lines are dropped.
const (
	capacity = 1 << 20
	wait     = 100 * time.Millisecond
)

// queue brings lines from many writers to one reader.
type queue struct {
	ready, room chan struct{} // signals: something is there, something was taken

	mu      sync.Mutex
	lines   []string
	bytes   int
	dropped int
	stalled bool // a writer has waited in vain since the last take
}

func newQueue() queue {
	return queue{ready: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// push adds a line. One that must be kept may go over the capacity, up to its
// double.
func (q *queue) push(line string, keep bool, stop <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.full(keep) && !q.stalled {
		q.mu.Unlock()
		q.await(stop)
		q.mu.Lock()
	}
	if q.full(keep) {
		q.stalled = true
		q.dropped++
		return
	}
	if q.dropped > 0 {
		q.add(note(q.dropped))
		q.dropped = 0
	}
	q.add(line)
	signal(q.ready)
	if !q.full(false) {
		signal(q.room) // for the next who waits
	}
}

func (q *queue) full(keep bool) bool {
	if keep {
		return q.bytes >= 2*capacity
	}
	return q.bytes >= capacity
}

func (q *queue) add(line string) {
	q.lines = append(q.lines, line)
	q.bytes += len(line)
}

func (q *queue) await(stop <-chan struct{}) {
	t := time.NewTimer(wait)
	defer t.Stop()
	for {
		select {
		case <-q.room:
			q.mu.Lock()
			full := q.full(false)
			q.mu.Unlock()
			if !full {
				return
			}
		case <-t.C:
			return
		case <-stop:
			return
		}
	}
}

// take gives all lines that are there.
func (q *queue) take() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.dropped > 0 { // after all that there was room for
		q.add(note(q.dropped))
		q.dropped = 0
	}
	text := strings.Join(q.lines, "")
	q.lines, q.bytes, q.stalled = q.lines[:0], 0, false
	signal(q.room)
	return text
}

func note(dropped int) string {
	if dropped == 1 {
		return "… 1 line is not shown: it came faster than it was read\n"
	}
	return fmt.Sprintf("… %d lines are not shown: they came faster than they were read\n", dropped)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
