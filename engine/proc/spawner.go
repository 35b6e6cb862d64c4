package proc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/proc/drain"
)

const (
	defaultGrace = 5 * time.Second
	// sampleEvery is how often the memory of a tree with a limit is read.
	sampleEvery = 100 * time.Millisecond
	// boundEvery is sampleEvery where the limit may change.
	boundEvery = 3 * time.Second
)

// bearing is held while this process bears the tag of one step, and for reading
// by who forks without a tag. The limit that is the tag belongs to the process,
// not to a Spawner, so the lock does too: what another Spawner forks meanwhile
// would be taken for that step's, and be ended with it.
var bearing sync.RWMutex

// Spawner starts processes from one thread that lives as long as it does,
// because the kernel ties the death signal of a child to the thread that
// forked it. It is safe for concurrent use.
type Spawner struct {
	starts chan *start
	null   *os.File
	cursor *cursor // nil: what a step left is always searched for
	self   int     // our pid when orphans come home to us, else 0
	engine string  // the name in every mark of ours
	tag    uint64  // the engine's own
	hard   uint64  // up to where what we start may be tagged
	tagged bool    // this process bears tag
	bare   bool    // what we start may be without any tag
	before uint64  // our soft limit before it was the tag
	seq    atomic.Uint64

	buffers sync.Pool // of *[drain.ReadSize]byte

	mu     sync.Mutex
	closed bool
	live   map[uint64]int // the leaders of the steps that run now, by their tags

	running sync.WaitGroup
	done    chan struct{} // closed when the starting thread is free again
}

// New makes a Spawner and its thread; Close ends them.
func New(o Options) (*Spawner, error) {
	if fd, err := unix.PidfdOpen(os.Getpid(), 0); err != nil {
		return nil, fmt.Errorf("starting processes needs Linux 5.4 or newer (pidfd_open): %w", err)
	} else if err := unix.Close(fd); err != nil {
		return nil, err
	}
	if _, err := StartTime(os.Getpid()); err != nil {
		return nil, fmt.Errorf("starting processes needs /proc: %w", err)
	}
	if o.Subreaper {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return nil, fmt.Errorf("becoming the parent of orphans: %w", err)
		}
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	s := &Spawner{
		starts: make(chan *start),
		null:   null,
		cursor: newCursor(),
		engine: o.Engine,
		live:   map[uint64]int{},
		done:   make(chan struct{}),
	}
	s.buffers.New = func() any { return new([drain.ReadSize]byte) }
	if o.Subreaper || os.Getpid() == 1 {
		s.self = os.Getpid()
	}
	if s.engine == "" {
		s.engine = rand.Text()[:16]
	}
	s.tag = engineTag(s.engine)
	s.tagSelf(o.Subreaper)
	go s.thread()
	return s, nil
}

// tagSelf tags this process, if it is a program of our own: what a host starts
// besides must bear no mark of ours. One that runs within a step keeps that
// step's tag, to be found by the engine around it.
func (s *Spawner) tagSelf(own bool) {
	bearing.Lock()
	defer bearing.Unlock()
	limit := ownLimit()
	s.hard, s.before = limit.Max, limit.Cur
	s.bare = !own || limit.Max < s.tag
	s.tagged = !s.bare && tagOf(limit) == 0
	if s.tagged {
		setTag(0, s.tag, s.hard)
	}
}

// untagSelf undoes tagSelf.
func (s *Spawner) untagSelf() {
	bearing.Lock()
	defer bearing.Unlock()
	if s.tagged && tagOf(ownLimit()) == s.tag {
		_ = unix.Prlimit(0, unix.RLIMIT_LOCKS, &unix.Rlimit{Cur: s.before, Max: s.hard}, nil)
	}
}

// thread starts what it is sent, always from the same thread.
func (s *Spawner) thread() {
	runtime.LockOSThread()
	// Unlocked at the end, so that the thread itself never ends and takes
	// nobody's children with it.
	defer runtime.UnlockOSThread()
	defer close(s.done)
	for st := range s.starts {
		s.launch(st)
		st.ready <- struct{}{}
	}
}

// fork starts the program. In a program of our own, any thread will do: Go's
// threads end only with a goroutine that is locked to one, and none of ours
// ends so. That spares a change of threads there and back, which costs a tenth
// of a start.
func (s *Spawner) fork(st *start) {
	if s.self != 0 {
		s.launch(st)
		return
	}
	s.starts <- st
	<-st.ready
}

// launch starts and tags the program: before it can fork, if this process may
// bear the tag for it; else a moment after its exec.
func (s *Spawner) launch(st *start) {
	if !s.tagged {
		bearing.RLock()
		st.fork()
		bearing.RUnlock()
		st.hold()
		switch {
		case st.err != nil:
		case !st.bare:
			setTag(st.pid, st.tag, s.hard)
		case os.Getenv(TokenVariable) == "": // the tag that we bear is another engine's of this process
			setTag(st.pid, s.hard, s.hard)
		}
		return
	}
	tag := st.tag
	if st.bare {
		tag = s.before
	}
	bearing.Lock()
	setTag(0, tag, s.hard)
	st.fork()
	setTag(0, s.tag, s.hard)
	bearing.Unlock()
	st.hold()
}

// Close waits until every Run has returned and ends the thread.
func (s *Spawner) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
	close(s.starts)
	<-s.done
	s.untagSelf()
	if s.cursor != nil {
		unix.Close(s.cursor.fd)
	}
	return s.null.Close()
}

var errClosed = errors.New("the engine is closed")

// enter counts a Run, unless the Spawner is closed.
func (s *Spawner) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.running.Add(1)
	}
	return !s.closed
}

// Run starts c and waits until it, and everything that it started, has ended
// and all output was handed to Out and Err. When ctx ends before, the whole
// tree gets c.Signal, and after c.Grace SIGKILL. What a program leaves running
// after its own end is ended the same way. The error is a *StartError when
// the program did not run; every other end is a Result, unless something else
// in this process took the program's exit code.
//
// A slow Out never holds the program up beyond 10 MB/s; what a slower one
// cannot take is left out and the gap said. Errors of Out are ignored.
func (s *Spawner) Run(ctx context.Context, c Command) (Result, error) {
	if !s.enter() {
		return Result{}, &StartError{Path: c.name(), Err: errClosed}
	}
	defer s.running.Done()
	if err := ctx.Err(); err != nil {
		return Result{}, &StartError{Path: c.name(), Err: err}
	}
	c.bounds()
	st, err := s.prepare(&c)
	if err != nil {
		return Result{}, err
	}
	// Before it is there: others that look at it must know it.
	s.mu.Lock()
	s.live[st.tag] = 0 // nobody knows its pid yet
	s.mu.Unlock()
	defer func() {
		if !st.kept {
			s.forget(st.tag)
		}
	}()
	s.fork(st)
	st.closeChildEnds()
	if st.err != nil {
		st.abandon()
		return Result{}, c.diagnose(st.path, st.err)
	}
	return s.supervise(ctx, &c, st)
}

func (s *Spawner) forget(tag uint64) {
	s.mu.Lock()
	delete(s.live, tag)
	s.mu.Unlock()
}

// bounds takes up those that hold now, and gives how long the tree may be over
// its limit.
func (c *Command) bounds() (over time.Duration) {
	if c.Bounds != nil {
		b := c.Bounds()
		c.Signal, c.Grace, c.MemoryLimit, over = b.Signal, b.Grace, b.MemoryLimit, b.MemoryFor
	}
	if c.Grace <= 0 {
		c.Grace = defaultGrace
	}
	if c.Signal == 0 {
		c.Signal = unix.SIGTERM
	}
	return over
}

// supervise sees a started program to its end.
func (s *Spawner) supervise(ctx context.Context, c *Command, st *start) (Result, error) {
	t := &tree{pid: st.pid, tag: st.tag, token: st.token, ours: true, self: s.self}
	s.mu.Lock()
	s.live[t.tag] = t.pid
	s.mu.Unlock()
	began := time.Now()
	if c.Started != nil {
		if err := t.identify(); err != nil {
			return s.unwatched(c, st, err)
		}
		c.Started(st.pid, t.start)
	}
	if s.quick(ctx, c, st) {
		switch left := s.left(t, time.Since(began)); {
		case left && c.Left != nil:
			c.Left.take(s, t, st)
		case left:
			_ = t.end(c.Signal, c.Grace)
		}
		var r Result
		unix.Close(st.pidfd)
		err := reap(st.pid, &r)
		return r, err
	}
	if err := t.identify(); err != nil {
		return s.unwatched(c, st, err)
	}
	leader, err := newHandle(stat{pid: t.pid, start: t.start}, st.pidfd)
	if err != nil { // cannot happen to a descriptor that was just made
		return s.unwatched(c, st, err)
	}
	for _, k := range st.sinks {
		k.Start()
	}
	defer leader.close()
	var r Result
	r.Killed, r.OverMemory = watch(ctx, c, t, leader)
	c.bounds()
	// The step has ended, and its end is what Run tells, also where what it left
	// could not be looked for; its group is killed then too.
	switch {
	case r.OverMemory && c.Bounds == nil:
		_ = t.end(c.Signal, 0)
	case r.Killed:
		_ = t.end(c.Signal, c.Grace)
	case !s.left(t, time.Since(began)):
	case c.Left != nil && c.Left.take(s, t, st):
		for _, k := range st.sinks {
			k.Settle()
		}
		err = reap(st.pid, &r)
		return r, err
	default:
		_ = t.end(c.Signal, c.Grace)
	}
	for _, k := range st.sinks {
		k.Finish()
	}
	err = reap(st.pid, &r)
	return r, err
}

// unwatched ends a program that cannot be told from others: without knowing when
// it started nothing can be done safely.
func (s *Spawner) unwatched(c *Command, st *start, err error) (Result, error) {
	st.undo()
	st.abandon()
	return Result{}, c.diagnose(st.path, err)
}

// watch waits for the leader's end; killed says that it is time to end it.
func watch(ctx context.Context, c *Command, t *tree, leader *handle) (killed, overMemory bool) {
	stop := context.AfterFunc(ctx, func() { leader.until(time.Unix(1, 0)) })
	defer stop()
	var over time.Time // since when it is
	for {
		may, every := c.bounds(), sampleEvery
		if c.MemoryLimit <= 0 || t.memory(c.MemoryLimit) <= c.MemoryLimit {
			over = time.Time{}
		} else if over.IsZero() {
			over = time.Now()
		}
		if !over.IsZero() && time.Since(over) >= may {
			return true, true
		}
		if c.Bounds != nil {
			every = boundEvery
		}
		if c.MemoryLimit > 0 || c.Bounds != nil {
			leader.until(time.Now().Add(every))
		}
		// Asked after the deadline was set, or that would undo the one of the
		// context's end.
		if ctx.Err() != nil {
			return true, false
		}
		if leader.wait() {
			return false, false
		}
	}
}

// reap takes the end of the leader, and with it its pid.
func reap(pid int, r *Result) error {
	var ws syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &ws, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			r.Code = -1
			return fmt.Errorf("the exit code of process %d was taken by another part of this program: %w", pid, err)
		}
		r.Code = ws.ExitStatus()
		if ws.Signaled() {
			r.Code, r.Signal = -1, unix.SignalName(ws.Signal())
		}
		return nil
	}
}
