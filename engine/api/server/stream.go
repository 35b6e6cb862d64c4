package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// stream is an answer that goes on. A caller who does not take a piece of it in
// time is let go.
type stream struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	write time.Duration
	until time.Time // the deadline that is set
}

// begin makes an answer a stream; end must be called. There is room for so many.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, kind string) (_ *stream, _ context.Context, end func(), err error) {
	if r.Method != http.MethodGet {
		return nil, nil, nil, &refusal{http.StatusMethodNotAllowed, brief(r.Method) + " is not possible here", "ask with GET"}
	}
	select {
	case s.streams <- struct{}{}:
	default:
		w.Header().Set("Retry-After", "5")
		return nil, nil, nil, &refusal{http.StatusServiceUnavailable, "too many follow logs and events already", "end one of them"}
	}
	ctx, cancel := context.WithCancel(r.Context())
	stop := make(chan struct{})
	s.going.Add(1)
	go func() {
		defer s.going.Done()
		select {
		case <-s.ending:
			cancel()
		case <-stop:
		}
	}()
	x := &stream{w: w, rc: http.NewResponseController(w), write: s.o.Limits.Write}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Accel-Buffering", "no") // proxies
	return x, ctx, func() { close(stop); cancel(); <-s.streams }, nil
}

// send writes a piece.
func (x *stream) send(b []byte) error {
	if now := time.Now(); x.until.Sub(now) < x.write/2 {
		x.until = now.Add(x.write)
		if err := x.rc.SetWriteDeadline(x.until); err != nil {
			return errGone
		}
	}
	if _, err := x.w.Write(b); err != nil {
		return errGone
	}
	return nil
}

func (x *stream) flush() error {
	if err := x.send(nil); err != nil {
		return err
	}
	if x.rc.Flush() != nil {
		return errGone
	}
	return nil
}

// ended drops the errors of streams that nobody reads any more.
func ended(err error) error {
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

func (s *Server) getLogs(w http.ResponseWriter, r *http.Request) (int, any, error) {
	q := r.URL.Query()
	if err := only(q, "of", "step", "n", "follow"); err != nil {
		return 0, nil, err
	}
	l := logs.Query{Step: q.Get("step")}
	if err := s.of(r.Context(), q.Get("of"), &l); err != nil {
		return 0, nil, err
	}
	none := int64(100)
	if l.Run != 0 {
		none = 0
	}
	n, err := number(q, "n", none, 1<<30)
	if err != nil {
		return 0, nil, err
	}
	l.Limit = int(n)
	if l.Follow, err = flag(q, "follow"); err != nil {
		return 0, nil, err
	}
	x, ctx, end, err := s.begin(w, r, "application/x-ndjson")
	if err != nil {
		return 0, nil, err
	}
	defer end()
	if l.Follow {
		// Who follows must know at once that it is so, also without lines.
		if err := x.flush(); err != nil {
			return 0, nil, ended(err)
		}
	}
	err = s.records.Logs.Read(ctx, l, func(line logs.Line) error {
		b, err := json.Marshal(api.LineOf(line))
		if err == nil {
			err = x.send(append(b, '\n'))
		}
		if err == nil && l.Follow {
			err = x.flush()
		}
		return err
	})
	if err != nil && !errors.Is(err, errGone) && !errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
		s.log.Warn("logs could not be read", "error", err)
		panic(http.ErrAbortHandler) // the answer has begun: only its break can tell
	}
	return 0, nil, nil
}

// of turns the argument of logs into whose lines to look for.
func (s *Server) of(ctx context.Context, arg string, q *logs.Query) error {
	if arg == "" {
		return nil
	}
	if id, err := strconv.ParseInt(arg, 10, 64); err == nil {
		q.Run = id
		_, err := s.records.Run(ctx, id)
		if errors.Is(err, history.ErrNoRun) {
			return &refusal{http.StatusNotFound, "there is no run " + brief(arg), "redundctl runs lists those that there are"}
		}
		return err
	}
	if _, ok := s.e.Project().Config.Systems[arg]; ok || arg == "engine" {
		q.Name = arg
		return nil
	}
	system, name, err := s.recorded(arg)
	if err != nil {
		return err
	}
	if system == "" {
		return unknown(name)
	}
	q.Name, q.Pipeline = system, system+"/"+name
	return nil
}

// snapshot is how things were at one time.
type snapshot struct {
	pulse   history.Pulse
	gauges  engine.Gauges
	version int64  // grows with the status
	status  []byte // as JSON
}

// watcher looks whether something has happened, once for all who want to know.
type watcher struct {
	s      *Server
	mu     sync.Mutex
	looked time.Time // when it was last looked
	made   time.Time // when the status was last made
	stale  bool      // something has happened since
	now    snapshot
}

// How often the status is made: when something has happened, and at any rate.
const (
	statusEvery  = time.Second
	refreshEvery = 2 * time.Second
)

func (x *watcher) look(ctx context.Context) (snapshot, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now()
	if now.Sub(x.looked) < x.s.o.Limits.Poll/2 {
		return x.now, nil
	}
	p, err := x.s.records.Pulse(ctx)
	if err != nil {
		return x.now, err
	}
	g, ok := x.s.e.Gauges()
	if !ok {
		return x.now, engine.NotServing
	}
	x.stale = x.stale || p != x.now.pulse || g.Generation != x.now.gauges.Generation
	x.looked, x.now.pulse, x.now.gauges = now, p, g
	if age := now.Sub(x.made); x.stale && age >= statusEvery || age >= refreshEvery {
		st, err := x.s.e.Status(ctx)
		if err != nil {
			return x.now, err
		}
		b, err := json.Marshal(st)
		if err != nil {
			return x.now, err
		}
		x.made, x.stale = now, false
		if !bytes.Equal(b, x.now.status) {
			x.now.status = b
			x.now.version++
		}
	}
	return x.now, nil
}

// aliveEvery is how often a stream of events says that it is there.
const aliveEvery = 15 * time.Second

// mostEvents is how many events are read at a time.
const mostEvents = 500

func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) (int, any, error) {
	q := r.URL.Query()
	if err := only(q, "after", "last"); err != nil {
		return 0, nil, err
	}
	last, err := number(q, "last", 0, mostEvents)
	if err != nil {
		return 0, nil, err
	}
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		q.Set("after", id) // a browser that comes again
	}
	after, err := number(q, "after", 0, 1<<62)
	if err != nil {
		return 0, nil, err
	}
	now, err := s.events.look(r.Context())
	if err != nil {
		return 0, nil, err
	}
	if !q.Has("after") {
		after = max(now.pulse.Event-last, 0)
	}
	x, ctx, end, err := s.begin(w, r, "text/event-stream")
	if err != nil {
		return 0, nil, err
	}
	defer end()
	err = s.follow(ctx, x, now, after)
	if err != nil && !errors.Is(err, errGone) && ctx.Err() == nil && !errors.Is(err, engine.NotServing) {
		s.log.Warn("events could not be read", "error", err)
	}
	return 0, nil, nil
}

// follow tells what happens until ctx is done.
func (s *Server) follow(ctx context.Context, x *stream, now snapshot, after int64) error {
	if err := x.send([]byte("retry: 1000\n\n")); err != nil {
		return err
	}
	tick := time.NewTicker(s.o.Limits.Poll)
	defer tick.Stop()
	version, spoke := int64(0), time.Now()
	for {
		var b bytes.Buffer
		if now.version != version {
			fmt.Fprintf(&b, "event: status\ndata: %s\n\n", now.status)
			version = now.version
		}
		if now.pulse.Event > after {
			var err error
			if after, err = s.tell(ctx, &b, after); err != nil {
				return err
			}
		}
		if b.Len() == 0 && time.Since(spoke) > aliveEvery {
			b.WriteString(":\n\n")
		}
		if b.Len() > 0 {
			spoke = time.Now()
			if err := errors.Join(x.send(b.Bytes()), x.flush()); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		var err error
		if now, err = s.events.look(ctx); err != nil {
			return err
		}
	}
}

// tell writes the events after one, and gives the id of the last.
func (s *Server) tell(ctx context.Context, w io.Writer, after int64) (int64, error) {
	list, err := s.records.EventsAfter(ctx, after, mostEvents)
	if err != nil {
		return after, err
	}
	for _, n := range list {
		e := api.Event{ID: n.ID, At: pipeline.Time(n.At), Pipeline: api.Present(n.Pipeline), What: n.What, Detail: n.Detail}
		if n.Run != 0 {
			e.Run = &n.Run
		}
		b, err := json.Marshal(e)
		if err != nil {
			return after, err
		}
		fmt.Fprintf(w, "id: %d\nevent: event\ndata: %s\n\n", n.ID, b)
		after = n.ID
	}
	return after, nil
}
