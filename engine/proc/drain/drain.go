// Package drain carries what a program writes from its pipe to a writer, however
// slow that is: the program never waits for its log.
package drain

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// Limit is how much output waits for a slow writer, in bytes.
	Limit = 1 << 20
	// ReadSize is how much is read at once.
	ReadSize = 64 << 10
	// after is how long output is still read when every process of the tree has
	// ended and one that is not the step's holds the pipe.
	after = 2 * time.Second
	// rate is what a program may always write, in bytes a second.
	rate = 12 << 20
)

// Sink carries a program's output from its pipe to a writer. It holds at most
// Limit bytes, twice. When the writer is slower than rate the rest is
// left out and the gap said: the program never waits for its log.
type Sink struct {
	FD   int      // the pipe, until r has it
	r    *os.File // nil while a quick look may still see the program's end
	w    io.Writer
	pool *sync.Pool    // of *[ReadSize]byte
	done chan struct{} // closed when all was read and written

	mu      sync.Mutex
	pending []byte
	spare   []byte // the buffer that is not pending
	writing bool   // a goroutine carries pending to w
	dropped int64  // since the last byte that was kept
	room    chan struct{}
	writers sync.WaitGroup
}

// New makes a Sink of the end of a pipe that is read, which does not block. pool
// has buffers, of *[ReadSize]byte.
func New(fd int, w io.Writer, pool *sync.Pool) *Sink {
	return &Sink{FD: fd, w: w, pool: pool, done: make(chan struct{}), room: make(chan struct{}, 1)}
}

// Start reads until the pipe's other ends are closed.
func (k *Sink) Start() {
	k.r = os.NewFile(uintptr(k.FD), "output")
	go func() {
		defer close(k.done)
		buf := k.pool.Get().(*[ReadSize]byte)
		for {
			n, err := k.r.Read(buf[:])
			k.put(buf[:n])
			if err != nil {
				break
			}
		}
		k.pool.Put(buf)
		k.gap()
		k.writers.Wait()
		k.r.Close()
	}()
}

// Finish waits for all output, though no longer than after for a process
// that is not the step's and holds the pipe.
func (k *Sink) Finish() {
	_ = k.r.SetReadDeadline(time.Now().Add(after))
	<-k.done
}

// Started reports whether Start was called.
func (k *Sink) Started() bool { return k.r != nil }

// settleMost bounds Settle, and settleLook is how often it looks.
const (
	settleMost = 200 * time.Millisecond
	settleLook = time.Millisecond
)

// Settle waits, for a moment at most, until what was written so far is read and
// handed on, while something else still holds the pipe.
func (k *Sink) Settle() {
	quiet := 0
	for end := time.Now().Add(settleMost); quiet < 2 && time.Now().Before(end); <-time.After(settleLook) { // no event tells that a pipe is empty
		select {
		case <-k.done:
			return
		default:
		}
		if k.idle() {
			quiet++ // twice: what was just read may not be pending yet
		} else {
			quiet = 0
		}
	}
}

// idle reports whether nothing is in the pipe or on its way.
func (k *Sink) idle() bool {
	raw, err := k.r.SyscallConn()
	if err != nil {
		return true
	}
	n := 0
	if raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }) != nil || err != nil {
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return n == 0 && len(k.pending) == 0 && !k.writing
}

// Abandon closes a sink that was never started.
func (k *Sink) Abandon() { unix.Close(k.FD) }

// Available takes what can be read at once, a megabyte at most; open is false
// when the pipe's other ends are closed.
func (k *Sink) Available(buf []byte) (open bool) {
	for range Limit / ReadSize {
		n, err := unix.Read(k.FD, buf)
		switch {
		case n > 0:
			k.put(buf[:n])
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return true
		default:
			return false
		}
	}
	return true
}

// End waits for the writer of a sink that was read to its end and never
// started.
func (k *Sink) End() {
	k.gap()
	k.writers.Wait()
	unix.Close(k.FD)
}

// put hands b to the writer's buffer, waiting for room as long as rate
// allows.
func (k *Sink) put(b []byte) {
	if len(b) == 0 {
		return
	}
	k.mu.Lock()
	if len(k.pending)+len(b) > Limit {
		k.mu.Unlock()
		k.await(len(b))
		k.mu.Lock()
	}
	defer k.mu.Unlock()
	if len(k.pending)+len(b) > Limit {
		k.dropped += int64(len(b))
		return
	}
	k.sayGap()
	k.append(b)
}

// await waits until there is room for n bytes or their time is over.
func (k *Sink) await(n int) {
	timer := time.NewTimer(time.Duration(n) * time.Second / rate)
	defer timer.Stop()
	for {
		select {
		case <-k.room:
			k.mu.Lock()
			fits := len(k.pending)+n <= Limit
			k.mu.Unlock()
			if fits {
				return
			}
		case <-timer.C:
			return
		}
	}
}

// append needs mu.
func (k *Sink) append(b []byte) {
	k.pending = append(k.pending, b...)
	if !k.writing {
		k.writing = true
		k.writers.Go(k.write)
	}
}

// sayGap needs mu.
func (k *Sink) sayGap() {
	if k.dropped > 0 {
		k.append(fmt.Appendf(nil, "\n[%d bytes of output left out: they came faster than they could be stored]\n", k.dropped))
		k.dropped = 0
	}
}

// gap says what was left out at the very end.
func (k *Sink) gap() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sayGap()
}

// write carries what is pending until nothing is.
func (k *Sink) write() {
	for {
		k.mu.Lock()
		b := k.pending
		if len(b) == 0 {
			k.writing = false
			k.mu.Unlock()
			return
		}
		k.pending, k.spare = k.spare[:0], nil
		k.mu.Unlock()
		select {
		case k.room <- struct{}{}:
		default:
		}
		// A writer that fails keeps its reasons; the program goes on.
		_, _ = k.w.Write(b)
		k.mu.Lock()
		k.spare = b[:0]
		k.mu.Unlock()
	}
}
