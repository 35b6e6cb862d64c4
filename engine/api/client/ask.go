package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/lock"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Status says what the engine does now.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return get[api.Status](ctx, c, "status", nil)
}

// Health has the engine check itself, or one system of it.
func (c *Client) Health(ctx context.Context, system string) (api.Health, error) {
	return get[api.Health](ctx, c, "health", values("system", system))
}

// Plan says what the files on disk would change in the engine.
func (c *Client) Plan(ctx context.Context) (api.Plan, error) {
	return get[api.Plan](ctx, c, "plan", nil)
}

// List gives the pipelines in force.
func (c *Client) List(ctx context.Context) ([]api.Listed, error) {
	return get[[]api.Listed](ctx, c, "list", nil)
}

// RunsQuery picks runs; zero fields pick all.
type RunsQuery struct {
	Name   string // a system, system/name or a name
	Since  time.Time
	State  string
	Before int64 // id below, for the next page
	N      int   // 0: 50
}

// Runs gives runs, newest first.
func (c *Client) Runs(ctx context.Context, q RunsQuery) ([]api.Run, error) {
	return get[[]api.Run](ctx, c, "runs",
		values("name", q.Name, "since", pipeline.Time(q.Since), "state", q.State, "before", number(q.Before), "n", number(int64(q.N))))
}

// Run gives one run with its steps.
func (c *Client) Run(ctx context.Context, id int64) (api.Shown, error) {
	return get[api.Shown](ctx, c, "runs/"+strconv.FormatInt(id, 10), nil)
}

// Trigger asks for a run and does not wait for it.
func (c *Client) Trigger(ctx context.Context, r api.RunRequest) (api.Run, error) {
	return post[api.Run](ctx, c, "runs", r)
}

// Cancel asks that a run end.
func (c *Client) Cancel(ctx context.Context, id int64) (api.Cancelled, error) {
	return post[api.Cancelled](ctx, c, "runs/"+strconv.FormatInt(id, 10)+"/cancel", nil)
}

// Retry asks for a run again that has ended, as a run of its own.
func (c *Client) Retry(ctx context.Context, id int64) (api.Run, error) {
	return post[api.Run](ctx, c, "runs/"+strconv.FormatInt(id, 10)+"/retry", nil)
}

// StopPart stops a system or a pipeline until StartPart; its runs may end.
func (c *Client) StopPart(ctx context.Context, name string) (api.Turned, error) {
	return post[api.Turned](ctx, c, "parts/"+escape(name)+"/stop", nil)
}

// StartPart takes back what StopPart did.
func (c *Client) StartPart(ctx context.Context, name string) (api.Turned, error) {
	return post[api.Turned](ctx, c, "parts/"+escape(name)+"/start", nil)
}

// RestartPart stops a system or a pipeline and starts it.
func (c *Client) RestartPart(ctx context.Context, name string) (api.Turned, error) {
	return post[api.Turned](ctx, c, "parts/"+escape(name)+"/restart", nil)
}

// Takeover has the service of a pipeline run here until Failback.
func (c *Client) Takeover(ctx context.Context, name string) (api.Turned, error) {
	return post[api.Turned](ctx, c, "parts/"+escape(name)+"/takeover", nil)
}

// Failback gives the service of a pipeline back to its primary.
func (c *Client) Failback(ctx context.Context, name string) (api.Turned, error) {
	return post[api.Turned](ctx, c, "parts/"+escape(name)+"/failback", nil)
}

// StopEngine asks the engine to end, and says which one it is. Gone waits for
// the end.
func (c *Client) StopEngine(ctx context.Context, r api.StopRequest) (api.EngineInfo, error) {
	return post[api.EngineInfo](ctx, c, "engine/stop", r)
}

// Reload has the engine read its files now, and says what is in force then.
func (c *Client) Reload(ctx context.Context) (api.Reload, error) {
	return post[api.Reload](ctx, c, "engine/reload", nil)
}

// goneEvery is how often Gone looks.
const goneEvery = 20 * time.Millisecond

// Gone returns when no engine listens any more, and none has the state directory.
func (c *Client) Gone(ctx context.Context) error {
	tick := time.NewTicker(goneEvery)
	defer tick.Stop()
	for {
		conn, err := c.dial(ctx)
		switch {
		case ctx.Err() != nil:
			if conn != nil {
				conn.Close()
			}
			return ctx.Err()
		case errors.Is(err, ErrNoEngine):
			return lock.Free(ctx, c.lock)
		case err == nil:
			conn.Close()
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// Alive says what `/healthz` does: whether somebody should be worried.
func (c *Client) Alive(ctx context.Context) (out api.Alive, err error) {
	resp, err := c.send(ctx, http.MethodGet, "/healthz", nil)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	return out, json.NewDecoder(resp.Body).Decode(&out)
}

// Metrics copies the engine's metrics, as Prometheus reads them.
func (c *Client) Metrics(ctx context.Context, w io.Writer) error {
	resp, err := c.send(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(w, resp.Body)
	return err
}

// LogsQuery picks lines of the logs.
type LogsQuery struct {
	Of     string // engine, a system, a pipeline or the number of a run; "": of all
	Step   string
	N      *int // only the last so many, 0: all; nil: 100, or all of a run
	Follow bool // then go on with what is appended
}

// Logs calls f with each line, oldest first, until f fails. With Follow it goes
// on until ctx is done; the error is then that of ctx.
func (c *Client) Logs(ctx context.Context, q LogsQuery, f func(api.Line) error) error {
	v := values("of", q.Of, "step", q.Step)
	if q.N != nil {
		v.Set("n", strconv.Itoa(*q.N))
	}
	if q.Follow {
		v.Set("follow", "true")
	}
	resp, err := c.send(ctx, http.MethodGet, "/api/v1/logs?"+v.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	d := json.NewDecoder(resp.Body)
	for {
		var l api.Line
		if err := d.Decode(&l); errors.Is(err, io.EOF) && !q.Follow {
			return nil
		} else if err != nil {
			return c.broken(ctx, err)
		}
		if err := f(l); err != nil {
			return err
		}
	}
}

// Events calls f with the status, and again whenever it has changed, and with
// each event as it happens, until f fails or ctx is done. after is the id of
// the event that was seen last, 0: only what is to come, -n: the last n first.
// An error that is neither of f nor of ctx says that the engine is gone: call
// again with the newest id to miss nothing.
func (c *Client) Events(ctx context.Context, after int64, f func(api.Message) error) error {
	key := "after"
	if after < 0 {
		key, after = "last", -after
	}
	resp, err := c.send(ctx, http.MethodGet, "/api/v1/events?"+values(key, number(after)).Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var kind string
	var data strings.Builder
	r := bufio.NewReader(resp.Body)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return c.broken(ctx, err)
		}
		line = strings.TrimRight(line, "\r\n")
		switch key, value, _ := strings.Cut(line, ":"); key {
		case "event":
			kind = strings.TrimPrefix(value, " ")
		case "data":
			data.WriteString(strings.TrimPrefix(value, " "))
		case "":
			if line != "" || data.Len() == 0 {
				continue // a comment that keeps the connection open
			}
			if err := message(kind, data.String(), f); err != nil {
				return err
			}
			kind = ""
			data.Reset()
		}
	}
}

func message(kind, data string, f func(api.Message) error) error {
	var m api.Message
	var err error
	switch kind {
	case "event":
		err = json.Unmarshal([]byte(data), &m.Event)
	case "status":
		err = json.Unmarshal([]byte(data), &m.Status)
	default:
		return nil // of a newer engine
	}
	if err != nil {
		return fmt.Errorf("reading the engine's events: %w", err)
	}
	return f(m)
}

// values makes a query out of keys and values, without the empty ones.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}
