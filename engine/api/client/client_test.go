package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/api/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine is something that listens like an engine and answers as f says.
func engine(t *testing.T, f http.HandlerFunc) (*client.Client, string) {
	t.Helper()
	state := t.TempDir()
	l, err := net.Listen("unix", api.SocketPath(state))
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: f}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Serve(l)
	}()
	c, err := client.Open(state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		s.Close()
		<-ended
	})
	return c, state
}

func TestNoEngine(t *testing.T) {
	state := t.TempDir()
	open := func(why string) {
		t.Helper()
		if _, err := client.Open(state); !errors.Is(err, client.ErrNoEngine) || !strings.Contains(err.Error(), "redundctl serve") {
			t.Errorf("%s: %v", why, err)
		}
	}
	open("nothing is there")
	path := api.SocketPath(state)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	open("a dead one has left its socket")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open("it is a file")
	state = filepath.Join(state, "nowhere")
	open("there is no state directory")
	if os.Getuid() == 0 {
		return // root may connect to all
	}
	state = t.TempDir()
	if l, err = net.ListenUnix("unix", &net.UnixAddr{Name: api.SocketPath(state), Net: "unix"}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(api.SocketPath(state), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Open(state); err == nil || !strings.Contains(err.Error(), "another user's") {
		t.Errorf("%v", err)
	}
}

func TestRefusals(t *testing.T) {
	var status int
	var body string
	c, _ := engine(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
	for _, x := range []struct {
		status int
		body   string
		usage  bool
		says   string
	}{
		{400, `{"error": "it is wrong", "hint": "mend it"}`, true, "it is wrong"},
		{404, `{"error": "it is not there"}`, true, "it is not there"},
		{409, `{"error": "it is taken", "hint": "wait"}`, false, "it is taken: wait"},
		{503, `{"error": "it ends"}`, false, "it ends"},
		{500, "<html>", false, "the engine answered 500"},
		{404, strings.Repeat("x", 1<<20), true, "the engine answered 404"},
	} {
		status, body = x.status, x.body
		_, err := c.Status(t.Context())
		var usage *client.UsageError
		var other *client.StatusError
		if errors.As(err, &usage) != x.usage || errors.As(err, &other) == x.usage || !strings.HasPrefix(err.Error(), x.says) {
			t.Errorf("%d %.50s: %v", x.status, x.body, err)
		}
		if x.usage && x.status == 400 && usage.Hint != "mend it" {
			t.Errorf("the hint is %q", usage.Hint)
		}
	}
	status, body = 200, `{"engine": {`
	if _, err := c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "the engine ended before") {
		t.Errorf("half an answer: %v", err)
	}
}

func TestContextEndsARequest(t *testing.T) {
	asked, leave := make(chan struct{}, 1), make(chan struct{})
	c, _ := engine(t, func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-leave:
		}
	})
	defer close(leave)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.Status(ctx)
		ended <- err
	}()
	<-asked
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := c.Gone(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// TestStreamsThatBreak holds that a stream that ends is told from its end.
func TestStreamsThatBreak(t *testing.T) {
	var text string
	var path string
	c, _ := engine(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.String()
		_, _ = w.Write([]byte(text))
	})
	text = ":\n\nretry: 1000\n\nid: 7\nevent: event\ndata: {\"id\": 7,\ndata: \"what\": \"cancel\"}\n\nevent: newer\ndata: ?\n\nevent: status\r\ndata: {}\r\n\r\nevent: event\ndata: {\"id\": 8}\n"
	var got []api.Message
	err := c.Events(t.Context(), 6, func(m api.Message) error { got = append(got, m); return nil })
	if err == nil || len(got) != 2 || got[0].Event.ID != 7 || got[1].Status == nil || path != "/api/v1/events?after=6" {
		t.Errorf("%+v, %v of %s", got, err, path)
	}
	text = "event: event\ndata: {\n\n"
	if err := c.Events(t.Context(), 0, func(api.Message) error { return nil }); err == nil || !strings.Contains(err.Error(), "reading the engine's events") {
		t.Errorf("%v", err)
	}
	text = "{\"text\": \"a\"}\n\n{\"text\": \"b\"}\n"
	n := 0
	line := func(api.Line) error { n++; return nil }
	if err := c.Logs(t.Context(), client.LogsQuery{Of: "pm2/a b"}, line); err != nil || n != 2 || path != "/api/v1/logs?of=pm2%2Fa+b" {
		t.Errorf("%d, %v of %s", n, err, path)
	}
	if err := c.Logs(t.Context(), client.LogsQuery{Follow: true}, line); err == nil {
		t.Error("the end of what is followed is no error")
	}
	text = "{}"
	if _, err := c.StopPart(t.Context(), "pm2/x?y"); err != nil || path != "/api/v1/parts/pm2/x%3Fy/stop" {
		t.Errorf("%v of %s", err, path)
	}
}
