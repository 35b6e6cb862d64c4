package proc

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/proc/drain"
)

const (
	// quickFor is how long a program may take to be seen to its end by the
	// thread that waits for it. Most steps are over by then, and to park and
	// wake goroutines for one costs as much as a third of starting it.
	quickFor = 30 * time.Millisecond
	// quickLook is how late the end of the context may be seen meanwhile. For
	// the first such while, only the end of the program is waited for: its
	// pipes are closed just before, and to be woken for those too would cost a
	// change of threads. What it writes until then fits into the pipes, or
	// waits for this moment once.
	quickLook = 10 * time.Millisecond
)

// quick watches a program that has just been started, in this thread, and
// reports whether it has ended and its output was read to the end. If not, it
// has only read some of the output, and whoever called goes on from there.
func (s *Spawner) quick(ctx context.Context, c *Command, st *start) bool {
	if c.MemoryLimit > 0 || c.Bounds != nil {
		return false
	}
	buf := s.buffers.Get().(*[drain.ReadSize]byte)
	defer s.buffers.Put(buf)
	var room [4]unix.PollFd
	fds := append(room[:0], unix.PollFd{Fd: int32(st.pidfd), Events: unix.POLLIN})
	for _, k := range st.sinks {
		fds = append(fds, unix.PollFd{Fd: int32(k.FD), Events: unix.POLLIN})
	}
	open := len(st.sinks)
	watched := fds[:1]
	for began := time.Now(); ctx.Err() == nil && time.Since(began) < quickFor; {
		_, err := unix.Poll(watched, int(quickLook/time.Millisecond))
		if errors.Is(err, unix.EINTR) {
			continue // Go's scheduler interrupts what seems to run for long
		}
		if err != nil {
			return false
		}
		ended := fds[0].Revents != 0
		for i, k := range st.sinks {
			p := &fds[i+1]
			if p.Fd >= 0 && (ended || len(watched) == 1 || p.Revents != 0) && !k.Available(buf[:]) {
				p.Fd = -1 // passed over from now on
				open--
			}
		}
		if ended && open > 0 {
			return false // something else holds a pipe
		}
		if ended {
			for _, k := range st.sinks {
				k.End()
			}
			return true
		}
		watched = fds
	}
	return false
}
