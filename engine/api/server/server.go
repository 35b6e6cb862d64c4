// Package server gives an engine's state to other programs, and lets them
// control it: HTTP over a socket of the user's own, and over TCP where
// redund.yaml asks for that. docs/reference/openapi.yaml describes it.
//
// Start with New and Run; route.go has the table of what is served, the package
// door the sockets and who may ask.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api/server/door"
)

// Options say how a Server works.
type Options struct {
	// Stop ends the engine; it is called when somebody asked for that, after
	// the answer. It must not wait for the end. nil: the engine cannot be
	// stopped from here.
	Stop func()
	Log  *slog.Logger // nil: none
	// Primaries gives who takes heartbeats and claims; nil, or nil from it: nobody
	// does.
	Primaries func() Primaries
	Limits    Limits
}

// Limits bound what callers can cost. Zero fields have a default.
type Limits struct {
	Body    int64         // bytes of a request; 1 MiB
	Header  time.Duration // to send the head of a request; 5 s
	Read    time.Duration // to send a request; 10 s
	Write   time.Duration // to take an answer, or one piece of a stream; 30 s
	Idle    time.Duration // of a connection between requests; 1 min
	Grace   time.Duration // for requests that go on when the server ends; 2 s
	Conns   int           // connections of the socket, and of TCP; 64 each
	Streams int           // of them, those that follow logs or events; 24 in all
	Poll    time.Duration // between two looks for events while somebody follows; 250 ms
}

func (l *Limits) defaults() {
	or(&l.Body, 1<<20)
	or(&l.Header, 5*time.Second)
	or(&l.Read, 10*time.Second)
	or(&l.Write, 30*time.Second)
	or(&l.Idle, time.Minute)
	or(&l.Grace, 2*time.Second)
	or(&l.Conns, 64)
	or(&l.Streams, 24)
	or(&l.Poll, 250*time.Millisecond)
}

func or[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

type peerKey struct{}

// peerOf is who makes a request.
func peerOf(ctx context.Context) door.Peer {
	p, _ := ctx.Value(peerKey{}).(door.Peer)
	return p
}

// Server serves one engine.
type Server struct {
	e       *engine.Engine
	records *engine.History
	o       Options
	state   string
	log     *slog.Logger
	mux     *http.ServeMux
	tcp     *door.Guard // nil: the local socket alone
	streams chan struct{}
	ending  chan struct{}  // closed when streams must end
	going   sync.WaitGroup // requests
	events  watcher
	alive   verdict
	refused quiet
	calls   flood           // of primaries
	base    context.Context // ends when requests must, a while after Run was told to

	mu   sync.Mutex
	addr net.Addr // of TCP, once it listens
}

// New prepares a server of e as redund.yaml in force says; what its `server`
// says later counts from the next start. The error says what is not safe or not
// possible.
func New(e *engine.Engine, o Options) (*Server, error) {
	o.Limits.defaults()
	s := &Server{e: e, o: o, records: e.Records(), state: e.Project().State, log: o.Log, ending: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.streams = make(chan struct{}, o.Limits.Streams)
	s.events.s = s
	s.alive.s = s
	var err error
	if e.Project().Config.Server.Listen != "" {
		s.tcp, err = door.NewGuard(e)
	}
	s.mux = s.routes()
	return s, err
}

// Addr is where the server listens by TCP; nil: it does not, or not yet.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Run serves until ctx is done and everything that it began has ended. It may be
// called once. Begin it when the engine keeps its schedules
// (engine.Serve.Ready), and end it after Engine.Run has returned and before Close: then
// who waits until nobody listens knows that the engine has ended. A *engine.Running says
// that another engine listens here.
func (s *Server) Run(ctx context.Context) (err error) {
	local, err := door.Local(ctx, s.state, s.o.Limits.Conns)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, local.Remove()) }()
	listeners := []net.Listener{local}
	if s.tcp != nil {
		l, err := s.tcp.Listen(ctx, s.o.Limits.Conns)
		if err != nil {
			return errors.Join(err, local.Close())
		}
		listeners = append(listeners, l)
		s.mu.Lock()
		s.addr = l.Addr()
		s.mu.Unlock()
		s.log.Info("listening", "address", l.Addr().String())
	}
	return s.serve(ctx, listeners)
}

func (s *Server) serve(ctx context.Context, listeners []net.Listener) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	s.base = base
	l := s.o.Limits
	h := &http.Server{
		Handler: s, ReadHeaderTimeout: l.Header, ReadTimeout: l.Read, WriteTimeout: l.Write, IdleTimeout: l.Idle, MaxHeaderBytes: 64 << 10,
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return base },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, door.Of(c))
		},
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		g.Go(func() error {
			if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	g.Go(func() error {
		<-ctx.Done()
		close(s.ending)
		grace, done := context.WithTimeout(base, l.Grace)
		defer done()
		_ = h.Shutdown(grace) // who is not done by then is cut off
		cancel()
		return h.Close()
	})
	err := g.Wait()
	s.going.Wait()
	return err
}
