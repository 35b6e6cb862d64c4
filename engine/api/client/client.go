// Package client speaks to the engine that serves a state directory.
//
// Start with Open. All methods may be used from several goroutines.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/lock"
)

// ErrNoEngine says that no engine listens where it should.
var ErrNoEngine = errors.New("no engine is running here: redundctl serve starts one, redundctl start does so in the background")

// UsageError is a request that the engine found wrong, or about something that
// it does not have.
type UsageError struct {
	Message string
	Hint    string // the way out, or ""
}

// Error is the message.
func (e *UsageError) Error() string { return e.Message }

// StatusError is any other refusal of the engine.
type StatusError struct {
	Code    int // of HTTP
	Message string
	Hint    string
}

// Error is the message with its hint.
func (e *StatusError) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + ": " + e.Hint
}

// Client speaks to one engine.
type Client struct {
	path string
	lock string // what the engine has until it has ended
	http *http.Client
}

// dialTime is how long a socket of this machine may take to answer.
const dialTime = 5 * time.Second

// Open finds the engine of a state directory. The error is ErrNoEngine when
// there is none. The Client must be closed.
func Open(state string) (*Client, error) {
	c := &Client{path: api.SocketPath(state), lock: lock.Engine(state)}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
		DisableCompression: true, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second,
	}}
	conn, err := c.dial(context.Background())
	if err != nil {
		return nil, err
	}
	return c, conn.Close()
}

// Close gives back the connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// dial connects to the engine, and makes sure that it is one of this user.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTime}
	conn, err := d.DialContext(ctx, "unix", c.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return nil, ErrNoEngine
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("the engine that listens at %s is another user's: ask as that user", c.path)
	case err != nil:
		return nil, fmt.Errorf("reaching the engine: %w", err)
	}
	uid, err := owner(conn)
	if me := os.Getuid(); err == nil && uid != me && uid != 0 && me != 0 {
		err = fmt.Errorf("what listens at %s belongs to the user %d: remove it", c.path, uid)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// owner is the user who listens at the other end.
func owner(conn net.Conn) (int, error) {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var bad error
	err = raw.Control(func(fd uintptr) { cred, bad = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, bad); err != nil {
		return 0, fmt.Errorf("asking who listens: %w", err)
	}
	return int(cred.Uid), nil
}

// send makes a request and gives the answer if it is a success; the body must
// be closed.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("asking the engine: %w", err)
		}
		r = bytes.NewReader(b)
	}
	q, err := http.NewRequestWithContext(ctx, method, "http://redundctl"+path, r)
	if err != nil {
		return nil, fmt.Errorf("asking the engine: %w", err)
	}
	if body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(q)
	if err != nil {
		return nil, c.broken(ctx, err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refusal(resp)
}

// broken says why there was no answer, or no more of one.
func (c *Client) broken(ctx context.Context, err error) error {
	var inner *url.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrNoEngine):
		return ErrNoEngine
	case errors.As(err, &inner):
		err = inner.Err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("the engine ended before it had answered: %w", err)
	}
	return fmt.Errorf("asking the engine: %w", err)
}

// maxError is how much of a refusal is read.
const maxError = 64 << 10

func refusal(resp *http.Response) error {
	var e api.Error
	b, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
	if json.Unmarshal(b, &e) != nil || e.Error == "" {
		e.Error = "the engine answered " + resp.Status
	}
	if resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusNotFound {
		return &UsageError{Message: e.Error, Hint: e.Hint}
	}
	return &StatusError{Code: resp.StatusCode, Message: e.Error, Hint: e.Hint}
}

// get asks for a value; post for an action.
func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return answer[T](ctx, c, path, nil)
}

func post[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	if body == nil {
		body = struct{}{}
	}
	return answer[T](ctx, c, path, body)
}

func answer[T any](ctx context.Context, c *Client, path string, body any) (out T, err error) {
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	resp, err := c.send(ctx, method, "/api/v1/"+path, body)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return out, c.broken(ctx, err)
	}
	return out, nil
}

// escape makes the path of a part out of its name.
func escape(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}
