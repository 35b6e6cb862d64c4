package proc

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
	// sinkLimit is how much output waits for a slow writer, in bytes.
	sinkLimit = 1 << 20
	readSize  = 64 << 10
	// drainRate is what a program may always write, in bytes a second.
	drainRate = 12 << 20
)

// sink carries a program's output from its pipe to a writer. It holds at most
// sinkLimit bytes, twice. When the writer is slower than drainRate the rest is
// left out and the gap said: the program never waits for its log.
type sink struct {
	fd   int      // the pipe, until r has it
	r    *os.File // nil while a quick look may still see the program's end
	w    io.Writer
	pool *sync.Pool    // of *[readSize]byte
	done chan struct{} // closed when all was read and written

	mu      sync.Mutex
	pending []byte
	spare   []byte // the buffer that is not pending
	writing bool   // a goroutine carries pending to w
	dropped int64  // since the last byte that was kept
	room    chan struct{}
	writers sync.WaitGroup
}

func newSink(fd int, w io.Writer, pool *sync.Pool) *sink {
	return &sink{fd: fd, w: w, pool: pool, done: make(chan struct{}), room: make(chan struct{}, 1)}
}

// start reads until the pipe's other ends are closed.
func (k *sink) start() {
	k.r = os.NewFile(uintptr(k.fd), "output")
	go func() {
		defer close(k.done)
		buf := k.pool.Get().(*[readSize]byte)
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

// finish waits for all output, though no longer than drainAfter for a process
// that is not the step's and holds the pipe.
func (k *sink) finish() {
	_ = k.r.SetReadDeadline(time.Now().Add(drainAfter))
	<-k.done
}

// abandon closes a sink that was never started.
func (k *sink) abandon() { unix.Close(k.fd) }

// available takes what can be read at once, a megabyte at most; open is false
// when the pipe's other ends are closed.
func (k *sink) available(buf []byte) (open bool) {
	for range sinkLimit / readSize {
		n, err := unix.Read(k.fd, buf)
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

// end waits for the writer of a sink that was read to its end and never
// started.
func (k *sink) end() {
	k.gap()
	k.writers.Wait()
	unix.Close(k.fd)
}

// put hands b to the writer's buffer, waiting for room as long as drainRate
// allows.
func (k *sink) put(b []byte) {
	if len(b) == 0 {
		return
	}
	k.mu.Lock()
	if len(k.pending)+len(b) > sinkLimit {
		k.mu.Unlock()
		k.await(len(b))
		k.mu.Lock()
	}
	defer k.mu.Unlock()
	if len(k.pending)+len(b) > sinkLimit {
		k.dropped += int64(len(b))
		return
	}
	k.sayGap()
	k.append(b)
}

// await waits until there is room for n bytes or their time is over.
func (k *sink) await(n int) {
	timer := time.NewTimer(time.Duration(n) * time.Second / drainRate)
	defer timer.Stop()
	for {
		select {
		case <-k.room:
			k.mu.Lock()
			fits := len(k.pending)+n <= sinkLimit
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
func (k *sink) append(b []byte) {
	k.pending = append(k.pending, b...)
	if !k.writing {
		k.writing = true
		k.writers.Go(k.write)
	}
}

// sayGap needs mu.
func (k *sink) sayGap() {
	if k.dropped > 0 {
		k.append(fmt.Appendf(nil, "\n[%d bytes of output left out: they came faster than they could be stored]\n", k.dropped))
		k.dropped = 0
	}
}

// gap says what was left out at the very end.
func (k *sink) gap() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sayGap()
}

// write carries what is pending until nothing is.
func (k *sink) write() {
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
