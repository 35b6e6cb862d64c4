package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/api/client"
	"github.com/redundctl/redundctl/engine/api/server"
)

func TestSocketIsOfTheUserAlone(t *testing.T) {
	p := project(t, t.TempDir(), map[string]string{"pipelines/quick.yaml": quick})
	e := open(t, p, engine.Serve{})
	// A dead engine has left a socket, and one that it had not finished.
	for _, name := range []string{"redund.sock", "redund.sock.new"} {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(p.State, name), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	s := start(t, p, server.Limits{})
	info, err := os.Lstat(filepath.Join(p.State, "redund.sock"))
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// A second server finds that somebody listens, and leaves that alone.
	other, err := server.New(s.engine, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var running *engine.Running
	if err := other.Run(t.Context()); !errors.As(err, &running) || running.PID != os.Getpid() {
		t.Errorf("%v", err)
	}
	if _, err := s.client().Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLongPaths(t *testing.T) {
	for _, dir := range []string{t.TempDir(), ""} {
		t.Setenv("XDG_RUNTIME_DIR", dir)
		p := project(t, filepath.Join(t.TempDir(), strings.Repeat("long", 25)), map[string]string{"pipelines/quick.yaml": quick})
		s := start(t, p, server.Limits{})
		at := api.SocketPath(p.State)
		if len(at) > 100 || strings.HasPrefix(at, p.State) || dir != "" && !strings.HasPrefix(at, dir) {
			t.Errorf("the socket is at %s", at)
		}
		if info, err := os.Stat(filepath.Dir(at)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v, %v", info, err)
		}
		// A shell with another runtime directory finds it nevertheless.
		t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
		if _, err := s.client().Status(t.Context()); err != nil {
			t.Error(err)
		}
		s.end()
		if _, err := os.Lstat(at); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", at, err)
		}
	}
}

func TestFoldersOfOthersAreNotUsed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	if err := os.Symlink(t.TempDir(), filepath.Join(dir, "redundctl")); err != nil {
		t.Fatal(err)
	}
	e := open(t, project(t, filepath.Join(t.TempDir(), strings.Repeat("long", 25)), map[string]string{"pipelines/quick.yaml": quick}), engine.Serve{})
	s, err := server.New(e, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no folder of this user alone") {
		t.Errorf("%v", err)
	}
}

// closed waits until the other end has closed a connection.
func closed(t *testing.T, c net.Conn) string {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	b, err := io.ReadAll(c)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("the connection is still open after %q", b)
	}
	return string(b)
}

func dial(t *testing.T, s *standing, first string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, first); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSlowAndEndless sends what never ends, in every part of a request.
func TestSlowAndEndless(t *testing.T) {
	short := 150 * time.Millisecond
	s := tcp(t, given, server.Limits{Header: short, Read: 2 * short, Write: short, Idle: short, Conns: 4, Body: 1000})
	head := "POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\n" + bearer + "\r\nContent-Type: application/json\r\n"
	for name, first := range map[string]string{
		"nothing":          "",
		"half a head":      "GET /api/v1/status HTTP/1.1\r\nHost: local",
		"no body":          head + "Content-Length: 500\r\n\r\n",
		"half a body":      head + "Content-Length: 500\r\n\r\n{",
		"no chunk":         head + "Transfer-Encoding: chunked\r\n\r\n",
		"no token, a body": "POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n",
		"get with a body":  "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n" + bearer + "\r\nContent-Length: 500\r\n\r\n",
		"idle":             "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		got := closed(t, dial(t, s, first))
		if strings.Contains(name, "body") && !strings.HasPrefix(got, "HTTP/1.1 4") {
			t.Errorf("%s: %q", name, got)
		}
	}
	for name, first := range map[string]string{
		"nonsense":      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"no host":       "GET /healthz HTTP/1.1\r\n\r\n",
		"a huge head":   "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 100<<10) + "\r\n\r\n",
		"two lengths":   head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
		"both lengths":  head + "Content-Length: 2\r\nTransfer-Encoding: gzip\r\n\r\n{}",
		"a bad path":    "GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"a big body":    head + "Content-Length: 5000\r\n\r\n" + strings.Repeat("x", 2000),
		"a bad version": "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
	} {
		if got := closed(t, dial(t, s, first)); !strings.HasPrefix(got, "HTTP/1.1 4") && !strings.HasPrefix(got, "HTTP/1.1 505") && !strings.HasPrefix(got, "HTTP/1.1 501") {
			t.Errorf("%s: %q", name, got)
		}
	}
	// An endless body is left after its limit, and a flood of connections is
	// only let in as there is room: the socket serves all the time.
	c := dial(t, s, head+"Transfer-Encoding: chunked\r\n\r\n")
	go func() {
		chunk := fmt.Sprintf("%x\r\n%s\r\n", 4096, strings.Repeat(" ", 4096))
		for {
			if _, err := io.WriteString(c, chunk); err != nil {
				return
			}
		}
	}()
	if got := closed(t, c); !strings.HasPrefix(got, "HTTP/1.1 413") && got != "" { // a reset may overtake the answer
		t.Errorf("%q", got)
	}
	for range 30 {
		dial(t, s, "GET /healthz HTTP/1.1\r\n")
	}
	if _, err := s.client().Status(t.Context()); err != nil {
		t.Error(err)
	}
	until(t, "room for another connection", func() bool {
		resp, err := http.Get("http://" + s.server.Addr().String() + "/healthz")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil && resp.StatusCode == 200
	})
	http.DefaultClient.CloseIdleConnections()
}

// TestReaderThatTakesNothing holds that who does not read is let go.
func TestReaderThatTakesNothing(t *testing.T) {
	s := tcp(t, given, server.Limits{Write: 2 * time.Second, Streams: 1})
	w := s.engine.Records().Logs.Writer("pm2")
	line := []byte(strings.Repeat("x", 1000) + "\n")
	for range 20000 {
		_, _ = w.Write(line)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	dial(t, s, "GET /api/v1/logs?of=pm2&n=0&follow=true HTTP/1.1\r\nHost: localhost\r\n"+bearer+"\r\n\r\n")
	c := over(t, "tcp", s.server.Addr().String())
	until(t, "the refusal of a second stream", func() bool {
		status, body := ask(t, c, "GET /api/v1/logs?of=pm2&n=1", "", bearer)
		return status == 503 && strings.Contains(body, "too many")
	})
	until(t, "room for another stream", func() bool {
		status, _ := ask(t, c, "GET /api/v1/logs?of=pm2&n=1", "", bearer)
		return status == 200
	})
}

// TestEndWithStreams holds that callers who follow do not hold up the end.
func TestEndWithStreams(t *testing.T) {
	s := start(t, project(t, t.TempDir(), map[string]string{"pipelines/quick.yaml": quick}), server.Limits{Grace: time.Minute, Poll: 10 * time.Millisecond})
	ended := make(chan error, 2)
	begun := make(chan struct{}, 1)
	c := s.client()
	go func() {
		ended <- c.Events(context.Background(), 0, func(m api.Message) error {
			select {
			case begun <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	<-begun
	l, err := net.Dial("unix", api.SocketPath(s.project.State))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fmt.Fprint(l, "GET /api/v1/logs?follow=true HTTP/1.1\r\nHost: x\r\n\r\n")
	if line, err := bufio.NewReader(l).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("%q, %v", line, err)
	}
	before := time.Now()
	s.end()
	if err := <-ended; err == nil || time.Since(before) > 30*time.Second {
		t.Errorf("%v after %s", err, time.Since(before))
	}
}

// TestIdleConnections holds that a thousand callers who say nothing cost little,
// and that neither the socket nor what is due waits for them.
func TestIdleConnections(t *testing.T) {
	s := start(t, project(t, t.TempDir(), map[string]string{
		"pipelines/quick.yaml": strings.Replace(quick, `{cron: "0 5 * * *"}`, "{every: 1s}", 1),
		"redund.yaml":          "version: 1\nserver:\n  listen: " + free(t, "127.0.0.1") + "\n" + given,
	}), server.Limits{})
	goroutines, heap := runtime.NumGoroutine(), inUse()
	for range 1000 {
		dial(t, s, "GET /healthz HTTP/1.1\r\n")
	}
	if n := runtime.NumGoroutine() - goroutines; n > 200 {
		t.Errorf("they cost %d goroutines", n)
	}
	if n := inUse() - heap; n > 16<<20 {
		t.Errorf("they cost %d bytes", n)
	}
	c, from := s.client(), time.Now()
	until(t, "three slots on time", func() bool {
		runs, err := c.Runs(t.Context(), client.RunsQuery{State: "succeeded"})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, r := range runs {
			if r.Reason != nil && *r.Reason == "scheduled" {
				n++
			}
		}
		return n >= 3
	})
	if took := time.Since(from); took > 15*time.Second {
		t.Errorf("three slots of a second each took %s", took)
	}
}

// inUse is how much memory is held, in bytes.
func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
