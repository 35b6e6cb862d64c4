package monitor

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redundctl/redundctl/cmd/redundctl/monitor/screen"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/api/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seen is a screen that a feed tells, and that a test can look at.
type seen struct {
	t  *testing.T
	mu sync.Mutex
	s  *screen.Screen
	// changed has something in it when the screen may have changed.
	changed chan struct{}
}

func (x *seen) send(f tell) {
	x.mu.Lock()
	f(x.s)
	x.mu.Unlock()
	select {
	case x.changed <- struct{}{}:
	default:
	}
}

// shows waits until the screen shows something, or no more.
func (x *seen) shows(want string, so bool) {
	x.t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for {
		x.mu.Lock()
		got := x.s.View()
		x.mu.Unlock()
		if strings.Contains(got, want) == so {
			return
		}
		select {
		case <-x.changed:
		case <-limit.C:
			x.t.Fatalf("%q is shown is not %v:\n%s", want, so, got)
		}
	}
}

// key presses one, and asks for what is open then.
func (x *seen) key(f *feed, name string) {
	x.mu.Lock()
	ask := x.s.Key(name, name)
	w := x.s.Wants()
	x.mu.Unlock()
	f.want(w)
	if ask.Do != 0 {
		f.do(ask)
	}
}

// fake listens like an engine. It tells asked of each request, and answers none
// while it is held; asked may be nil.
func fake(t *testing.T, state string, asked chan<- string, held <-chan struct{}) (end func()) {
	t.Helper()
	l, err := net.Listen("unix", api.SocketPath(state))
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		work.Add(1)
		defer work.Done()
		_, _ = io.Copy(io.Discard, r.Body) // else nobody sees that the caller goes
		if asked != nil {
			asked <- r.URL.Path
		}
		select {
		case <-held:
		case <-r.Context().Done():
			return
		}
		answer(w, r)
	})}
	work.Go(func() { _ = s.Serve(l) })
	return func() { s.Close(); work.Wait() }
}

func answer(w http.ResponseWriter, r *http.Request) {
	parts := []api.Part{{Name: "a", System: "pm2", State: "running"}, {Name: "b", System: "pm2", State: "running"}}
	status, _ := json.Marshal(api.Status{Engine: api.EngineInfo{PID: 7}, Systems: []api.SystemStatus{{Name: "pm2", State: "running"}}, Parts: parts})
	switch r.URL.Path {
	case "/api/v1/events":
		fmt.Fprintf(w, "event: status\ndata: %s\n\nid: 5\nevent: event\ndata: {\"id\": 5, \"at\": \"2027-01-01T00:00:00Z\", \"what\": %q}\n\n", status, r.URL.RawQuery)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	case "/api/v1/logs":
		for i := range 3000 {
			fmt.Fprintf(w, "{\"at\": \"2027-01-01T00:00:00Z\", \"text\": \"%s %d\"}\n", r.URL.Query().Get("of"), i)
		}
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	case "/api/v1/health":
		fmt.Fprint(w, `{"status": "healthy", "systems": []}`)
	case "/api/v1/parts/pm2/a/stop":
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"error": "it is not\npossible", "hint": "wait"}`)
	case "/api/v1/parts/pm2/b/stop":
		fmt.Fprint(w, `{"name": "pm2/b", "state": "stopped"}`)
	default:
		fmt.Fprint(w, `[]`)
	}
}

// TestFeed holds that the screen hears of everything, of one log at a time, that
// it says when the engine is gone, and that nothing goes on after the end.
func TestFeed(t *testing.T) {
	state := t.TempDir()
	open := make(chan struct{})
	close(open)
	end := fake(t, state, nil, open)
	x := &seen{t: t, s: screen.New(screen.Options{Now: time.Now()}), changed: make(chan struct{}, 1)}
	f := newFeed(func() (*client.Client, error) { return client.Open(state) }, "", x.send)
	stop := f.begin(t.Context())
	x.shows("process 7", true)
	x.shows("last=100", true) // what happened before it was there
	x.shows("HEALTHY", true)
	x.key(f, "s")
	x.key(f, "y")
	x.shows("it is not possible: wait", true)
	x.key(f, "j")
	x.key(f, "s")
	x.key(f, "y")
	x.shows("pm2/b is stopped", true)

	x.key(f, "l")
	x.shows("| pm2/b 2999", true)
	x.shows("1000 more before", true)
	x.key(f, "esc")
	x.key(f, "k")
	x.key(f, "l")
	x.shows("| pm2/a 2999", true)
	x.key(f, "g")
	for range 2 {
		x.key(f, "pgdown")
		x.shows("pm2/b 2", false)
	}
	x.key(f, "esc")

	end()
	x.shows("NO ANSWER, was HEALTHY", true)
	x.shows("no engine is running here", true)
	x.shows("> pm2/a", true)
	held := make(chan struct{})
	end = fake(t, state, nil, held)
	defer end()
	close(held)
	x.shows("NO ANSWER", false)
	x.key(f, "l")
	x.shows("| pm2/a 2999", true)
	stop()
}

// TestFeedEndsWhileAnEngineHangs holds that the end waits for no answer.
func TestFeedEndsWhileAnEngineHangs(t *testing.T) {
	state := t.TempDir()
	asked := make(chan string, 100)
	end := fake(t, state, asked, nil)
	defer end()
	x := &seen{t: t, s: screen.New(screen.Options{Now: time.Now()}), changed: make(chan struct{}, 1)}
	f := newFeed(func() (*client.Client, error) { return client.Open(state) }, "pm2", x.send)
	stop := f.begin(t.Context())
	for <-asked != "/api/v1/events" {
	}
	f.want(screen.Wants{Log: "pm2/a"})
	for <-asked != "/api/v1/logs" {
	}
	f.want(screen.Wants{Run: 7})
	f.want(screen.Wants{Pipeline: "pm2/a"})
	f.do(screen.Ask{Do: screen.Cancel, Run: 7})
	for <-asked != "/api/v1/runs/7/cancel" {
	}
	began := time.Now()
	stop()
	if took := time.Since(began); took > answerTime/2 {
		t.Errorf("the end took %v", took)
	}
	f.do(screen.Ask{Do: screen.Retry, Run: 7}) // a key that was pressed too late
	f.work.Wait()
}
