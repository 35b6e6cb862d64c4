package proc

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// quickFor is how long a program may take to be seen to its end by the
	// thread that waits for it. Most steps are over by then, and to park and
	// wake goroutines for one costs as much as a third of starting it.
	quickFor = 30 * time.Millisecond
	// quickLook is how late the end of the context may be seen meanwhile.
	quickLook = 10 * time.Millisecond
)

// quick watches a program that has just been started, in this thread, and
// reports whether it has ended and its output was read to the end. If not, it
// has only read some of the output, and whoever called goes on from there.
func (s *Spawner) quick(ctx context.Context, c *Command, st *start) bool {
	if len(st.sinks) > 1 || c.MemoryLimit > 0 {
		return false
	}
	buf := s.buffers.Get().(*[readSize]byte)
	defer s.buffers.Put(buf)
	var output *sink
	fds := []unix.PollFd{{Fd: int32(st.pidfd), Events: unix.POLLIN}}
	if len(st.sinks) == 1 {
		output = st.sinks[0]
		fds = append(fds, unix.PollFd{Fd: int32(output.fd), Events: unix.POLLIN})
	}
	for began := time.Now(); ctx.Err() == nil && time.Since(began) < quickFor; {
		if _, err := unix.Poll(fds, int(quickLook/time.Millisecond)); err != nil && !errors.Is(err, unix.EINTR) {
			return false
		}
		ended := fds[0].Revents != 0
		if len(fds) > 1 && (ended || fds[1].Revents != 0) && !output.available(buf[:]) {
			fds = fds[:1]
		}
		switch {
		case !ended:
		case len(fds) > 1:
			return false // something else holds the pipe
		default:
			if output != nil {
				output.end()
			}
			return true
		}
	}
	return false
}
