// Package door is where callers of an engine come in: its socket and TCP, who
// is at the other end, and who is let in.
//
// local.go has the socket, guard.go who may ask over TCP.
package door

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
)

// Peer is who is at the other end of a connection.
type Peer struct {
	Local bool
	UID   int    // of a local one
	Addr  string // of another
}

// Of gives the peer of a connection that a listener of this package accepted.
func Of(c net.Conn) Peer {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if x, ok := c.(*conn); ok {
		return x.peer
	}
	return Peer{}
}

// Name says who it is, for the account of what was done.
func (p Peer) Name() string {
	if !p.Local {
		return "token from " + p.Addr
	}
	id := strconv.Itoa(p.UID)
	if u, err := user.LookupId(id); err == nil && u.Username != "" {
		return u.Username
	}
	return "uid " + id
}

// bounded accepts so many connections at a time; more wait in the kernel.
type bounded struct {
	net.Listener
	room  chan struct{}
	local bool
	done  chan struct{}
	once  sync.Once
}

func bound(l net.Listener, conns int, local bool) *bounded {
	return &bounded{Listener: l, room: make(chan struct{}, conns), local: local, done: make(chan struct{})}
}

// Accept waits for room, then for the next connection.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.room <- struct{}{}:
	case <-b.done:
		return nil, net.ErrClosed
	}
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			<-b.room
			return nil, err
		}
		p := Peer{Local: b.local, Addr: c.RemoteAddr().String()}
		if b.local {
			if p.UID, err = caller(c); err != nil || p.UID != os.Getuid() && p.UID != 0 {
				c.Close()
				continue
			}
		}
		return &conn{Conn: c, peer: p, free: sync.OnceFunc(func() { <-b.room })}, nil
	}
}

// Close ends Accept, also one that waits for room.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.done) })
	return b.Listener.Close()
}

type conn struct {
	net.Conn
	peer Peer
	free func()
}

// Close makes room for another connection.
func (c *conn) Close() error {
	c.free()
	return c.Conn.Close()
}

// caller is the user at the other end of a local connection.
func caller(c net.Conn) (int, error) {
	cred, err := credentials(c)
	if err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}

func credentials(c net.Conn) (cred *unix.Ucred, err error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.New("no local connection")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, err
	}
	var bad error
	err = raw.Control(func(fd uintptr) { cred, bad = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return cred, errors.Join(err, bad)
}

// Socket is the local listener with its place in the file system.
type Socket struct {
	*bounded
	lock *os.File
	path string
	link string // in the state directory; "": the socket is there itself
}

// lockWait is how long an engine that is about to end is waited for.
const lockWait = 2 * time.Second

// Local makes the socket in place of one that a dead engine has left. The
// lock makes sure that there is nobody who has made one meanwhile; the kernel
// gives it back however the process ends. A *engine.Running says that somebody
// listens there.
func Local(ctx context.Context, state string, conns int) (_ *Socket, err error) {
	s := &Socket{}
	if s.lock, err = lock(ctx, state); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.lock.Close()
		}
	}()
	own := filepath.Join(state, "redund.sock")
	if info, err := os.Lstat(own); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if err := os.Remove(own); err != nil {
			return nil, fmt.Errorf("removing what an earlier engine has left: %w", err)
		}
	}
	if s.path = api.SocketPath(state); s.path != own {
		s.link = own
		if err := private(filepath.Dir(s.path)); err != nil {
			return nil, err
		}
	}
	// It gets its name when it is complete: whoever finds it can connect, and
	// nobody else could before its mode was set.
	made := s.path + ".new"
	if err := os.Remove(made); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("making the socket: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", made)
	if err != nil {
		return nil, fmt.Errorf("making the socket: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	s.bounded = bound(l, conns, true)
	if err = os.Chmod(made, 0o600); err == nil {
		err = os.Rename(made, s.path)
	}
	if err == nil && s.link != "" {
		err = os.Symlink(s.path, s.link)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making the socket: %w", err), l.Close())
	}
	return s, nil
}

// Remove takes the socket away, then lets another engine make one.
func (s *Socket) Remove() error {
	var errs []error
	for _, p := range []string{s.link, s.path} {
		if p == "" {
			continue
		}
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// lock waits a while for the lock of the socket.
func lock(ctx context.Context, state string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(state, "server.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the lock of the socket: %w", err)
	}
	end := time.NewTimer(lockWait)
	defer end.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return f, nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			return nil, errors.Join(fmt.Errorf("locking %s: %w", f.Name(), err), f.Close())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-end.C:
			return nil, errors.Join(&engine.Running{PID: listening(ctx, state)}, f.Close())
		}
	}
}

// listening is the process that serves the socket, or 0.
func listening(ctx context.Context, state string) int {
	c, err := (&net.Dialer{Timeout: lockWait}).DialContext(ctx, "unix", api.SocketPath(state))
	if err != nil {
		return 0
	}
	defer c.Close()
	if cred, err := credentials(c); err == nil {
		return int(cred.Pid)
	}
	return 0
}

// private makes a folder that is of this user alone, or makes sure that it is.
func private(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("a folder for the socket: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return fmt.Errorf("a folder for the socket: %s: %w", dir, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Getuid() || st.Mode&0o077 != 0 {
		return fmt.Errorf("%s is no folder of this user alone, so that no socket can be there: remove it", dir)
	}
	return nil
}
