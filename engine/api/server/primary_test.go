package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/api/server"
	"github.com/redundctl/redundctl/engine/pipeline"
)

const own = "the-token-of-pm2-quick-alone"

// primaries stands in for the ledger of an engine: it keeps what it is told.
type primaries struct {
	mu     sync.Mutex
	heard  []string // the pipeline, state, id, slot and body of each
	at     time.Time
	claims []api.ClaimAsk
	broken bool     // the token cannot be read
	more   []string // pipelines with the token own
}

func (p *primaries) Heartbeat(_ context.Context, id string, b pipeline.Heartbeat) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.Slot.Minute() == 59 {
		return fmt.Errorf("%w: the schedule is hourly", api.ErrBadSlot)
	}
	p.at = b.At
	x := fmt.Sprint(id, " ", b.State, " ", b.Run, " ", pipeline.Time(b.Slot), " ", b.Body)
	if b.Run == "" || !slices.Contains(p.heard, x) {
		p.heard = append(p.heard, x)
	}
	return nil
}

func (p *primaries) Claim(_ context.Context, id string, a api.ClaimAsk) (api.Claim, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.Slot.Minute() == 59 {
		return api.Claim{}, fmt.Errorf("%w: the schedule is hourly", api.ErrBadSlot)
	}
	p.claims = append(p.claims, a)
	slot := a.Slot
	if slot.IsZero() {
		slot = a.Created.Truncate(time.Hour)
	}
	out := api.Claim{Slot: pipeline.Time(slot), Fence: int64(len(p.claims)), Why: "the backup of " + id + " runs"}
	if a.Run != "late" {
		out.Granted, out.Until = true, api.When(slot.Add(time.Hour))
	}
	return out, nil
}

func (p *primaries) PrimaryToken(id string) (string, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.broken:
		return own, true, errors.New("/state/tokens/pm2/quick is a link")
	case id == "pm2/quick", slices.Contains(p.more, id):
		return own, true, nil
	case id == "pm2/slow":
		return "the-token-of-pm2-slow-alone", true, nil
	case id == "pm2/none":
		return "", true, nil
	}
	return own, false, nil
}

func (p *primaries) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.heard)
}

const (
	beats  = "POST /api/v1/heartbeats/pm2/quick"
	claims = "POST /api/v1/claims/pm2/quick"
)

func TestHeartbeat(t *testing.T) {
	s := start(t, project(t, t.TempDir(), map[string]string{"pipelines/quick.yaml": quick}), server.Limits{})
	c := s.local()
	before := time.Now().UTC()
	for _, x := range []struct {
		query, body, want string
	}{
		{"?state=started&rid=7", "", `{"pipeline":"pm2/quick","state":"started","rid":"7","slot":null}`},
		{"?state=started&rid=7", "", `{"pipeline":"pm2/quick","state":"started","rid":"7","slot":null}`},
		{"?state=succeeded&rid=7&slot=2026-11-24T04:00:00%2B01:00", `{"posts": 3}`, `{"pipeline":"pm2/quick","state":"succeeded","rid":"7","slot":"2026-11-24T03:00:00Z"}`},
		{"?state=failed&slot=", "no \xff room", `{"pipeline":"pm2/quick","state":"failed","rid":null,"slot":null}`},
	} {
		if status, body := ask(t, c, beats+x.query, x.body); status != 200 || strings.TrimSpace(body) != x.want {
			t.Errorf("%s: %d %s", x.query, status, body)
		}
	}
	want := []string{"pm2/quick started 7  ", `pm2/quick succeeded 7 2026-11-24T03:00:00Z {"posts": 3}`, "pm2/quick failed   no \uFFFD room"}
	if got := s.calls.all(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if s.calls.at.Before(before) || s.calls.at.After(time.Now()) || s.calls.at.Location() != time.UTC {
		t.Errorf("heard at %s", s.calls.at)
	}
}

func TestClaim(t *testing.T) {
	s := start(t, project(t, t.TempDir(), map[string]string{"pipelines/quick.yaml": quick}), server.Limits{})
	for body, want := range map[string]string{
		`{"slot": "2026-11-24T04:00:00+01:00", "rid": "7"}`:       `{"slot":"2026-11-24T03:00:00Z","granted":true,"fence":N,"until":"2026-11-24T04:00:00Z","why":"the backup of pm2/quick runs"}`,
		`{"created-at": "2026-11-24T03:17:00.5Z", "rid": "late"}`: `{"slot":"2026-11-24T03:00:00Z","granted":false,"fence":N,"until":null,"why":"the backup of pm2/quick runs"}`,
		`{"slot": "2026-11-24T03:00:00Z"}`:                        `{"slot":"2026-11-24T03:00:00Z","granted":true,"fence":N,"until":"2026-11-24T04:00:00Z","why":"the backup of pm2/quick runs"}`,
		`{"slot": null, "created-at": "2026-11-24T03:17:00.5Z"}`:  `{"slot":"2026-11-24T03:00:00Z","granted":true,"fence":N,"until":"2026-11-24T04:00:00Z","why":"the backup of pm2/quick runs"}`,
	} {
		status, got := ask(t, s.local(), claims, body)
		var x api.Claim
		if err := json.Unmarshal([]byte(got), &x); err != nil || status != 200 || strings.TrimSpace(got) != strings.Replace(want, "N", strconv.FormatInt(x.Fence, 10), 1) {
			t.Errorf("%s: %d %s, %v", body, status, got, err)
		}
	}
	// As `curl -d` sends it.
	if status, got := ask(t, s.local(), claims, `{"slot": "2026-11-24T03:00:00Z"}`, "Content-Type: application/x-www-form-urlencoded"); status != 200 {
		t.Errorf("a body that is called a form: %d %s", status, got)
	}
}

// TestBadCalls gives what is wrong, from the socket, where nobody needs a token.
func TestBadCalls(t *testing.T) {
	s := start(t, project(t, t.TempDir(), map[string]string{"pipelines/quick.yaml": quick}), server.Limits{})
	c := s.local()
	for _, x := range []struct {
		what, body string
		status     int
		says       string
	}{
		{beats, "", 400, "state: \\\"\\\" is none"},
		{beats + "?state=", "", 400, "state"},
		{beats + "?state=done", "", 400, "state: \\\"done\\\" is none"},
		{beats + "?state=started&state=failed", "", 400, "more than once"},
		{beats + "?state=started&token=x", "", 400, "nothing is known of \\\"token\\\""},
		{beats + "?state=started&slot=yesterday", "", 400, "slot: \\\"yesterday\\\" is no time"},
		{beats + "?state=started&slot=0001-01-01T00:00:00Z", "", 400, "is no time"},
		{beats + "?state=started&slot=2026-11-24T03:59:00Z", "", 400, "there is no such slot: the schedule is hourly"},
		{beats + "?state=started&rid=" + strings.Repeat("x", 201), "", 400, "rid"},
		{beats + "?state=started&rid=a%0Ab", "", 400, "rid"},
		{beats + "?state=started&rid=%ff", "", 400, "rid"},
		{beats + "?state=started", strings.Repeat("x", server.BodyOfPrimary+1), 413, "65536 bytes"},
		{"POST /api/v1/heartbeats/pm2/other?state=started", "", 404, "pm2/other"},
		{"POST /api/v1/heartbeats/quick?state=started", "", 404, ""},
		{"POST /api/v1/heartbeats/pm2/qu%2Fick?state=started", "", 404, ""},
		{"GET /api/v1/heartbeats/pm2/quick?state=started", "", 405, "POST"},
		{claims, "", 400, "one of slot and created-at"},
		{claims, "{}", 400, "one of slot and created-at"},
		{claims, `{"slot": "2026-11-24T03:00:00Z", "created-at": "2026-11-24T03:00:00Z"}`, 400, "not both"},
		{claims, `{"slot": "2026-11-24 03:00"}`, 400, "is no time"},
		{claims, `{"slot": 3}`, 400, "cannot be read"},
		{claims, `{"slot": "2026-11-24T03:59:00Z"}`, 400, "the schedule is hourly"},
		{claims, `{"slot": "2026-11-24T03:00:00Z", "rid": "a\u0000b"}`, 400, "rid"},
		{claims, `{"slot": "2026-11-24T03:00:00Z", "run": "7"}`, 400, "cannot be read"},
		{claims, `[`, 400, "cannot be read"},
		{claims + "?rid=7", `{"slot": "2026-11-24T03:00:00Z"}`, 400, "nothing is known of"},
		{claims, `{"rid": "` + strings.Repeat("x", server.BodyOfPrimary) + `"}`, 413, "65536 bytes"},
		{"POST /api/v1/claims/pm2/other", `{"slot": "2026-11-24T03:00:00Z"}`, 404, "pm2/other"},
	} {
		if status, body := ask(t, c, x.what, x.body); status != x.status || !strings.Contains(body, x.says) {
			t.Errorf("%s %.80s: %d %s", x.what, x.body, status, body)
		}
	}
	if got := s.calls.all(); len(got) > 0 {
		t.Errorf("%q", got)
	}
	s.calls.mu.Lock()
	s.calls.broken = true
	s.calls.mu.Unlock()
	if status, body := ask(t, c, beats+"?state=started", ""); status != 200 {
		t.Errorf("a token that cannot be read, where none is needed: %d %s", status, body)
	}
}

// TestBodyWithoutLength sends more than may be sent without having said how much
// it is.
func TestBodyWithoutLength(t *testing.T) {
	s := start(t, project(t, t.TempDir(), map[string]string{"pipelines/quick.yaml": quick}), server.Limits{})
	for _, size := range []int{server.BodyOfPrimary, server.BodyOfPrimary + 1} {
		q, err := http.NewRequest(http.MethodPost, "http://localhost/api/v1/heartbeats/pm2/quick?state=started", io.MultiReader(strings.NewReader(strings.Repeat("x", size))))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.local().Do(q)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if want := map[bool]int{true: 200, false: 413}[size == server.BodyOfPrimary]; resp.StatusCode != want {
			t.Errorf("%d bytes: %d", size, resp.StatusCode)
		}
	}
	if got := s.calls.all(); len(got) != 1 || len(got[0]) < server.BodyOfPrimary {
		t.Errorf("%d calls", len(got))
	}
}

// TestPrimaryTokens holds what opens what over TCP.
func TestPrimaryTokens(t *testing.T) {
	s := tcp(t, given, server.Limits{})
	c := over(t, "tcp", s.server.Addr().String())
	const mine, slot = "Authorization: Bearer " + own, `{"slot": "2026-11-24T03:00:00Z"}`
	for _, x := range []struct {
		what, body string
		headers    []string
		status     int
	}{
		{beats + "?state=started&rid=1", "", []string{mine}, 200},
		{beats + "?state=started&rid=2", "", []string{bearer}, 200},
		{claims, slot, []string{mine}, 200},
		{claims, slot, []string{bearer}, 200},
		{beats + "?state=started", "", nil, 401},
		{beats + "?state=started", "", []string{"Authorization: Bearer "}, 401},
		{beats + "?state=started", "", []string{mine + "x"}, 401},
		{beats + "?state=started", "", []string{mine[:len(mine)-1]}, 401},
		{beats + "?state=started", "", []string{"Authorization: Basic " + own}, 401},
		{beats + "?state=started&token=" + own, "", nil, 401},
		{claims, slot, []string{mine + "x"}, 401},
		{claims, slot, nil, 401},
		{"POST /api/v1/heartbeats/pm2/slow?state=started", "", []string{mine}, 401}, // another's
		{"POST /api/v1/heartbeats/pm2/none?state=started", "", []string{"Authorization: Bearer "}, 401},
		{"POST /api/v1/heartbeats/pm2/none?state=started", "", nil, 401},
		{"POST /api/v1/heartbeats/pm2/other?state=started", "", []string{mine}, 404}, // a name is no secret
		{"POST /api/v1/heartbeats/pm2/other?state=started", "", []string{bearer}, 404},
		{"POST /api/v1/heartbeats/pm2/quick/?state=started", "", []string{mine}, 401},
		{"POST /api/v1/heartbeats/pm2%2Fquick?state=started", "", []string{mine}, 401},
		{"GET /api/v1/heartbeats/pm2/quick?state=started", "", []string{mine}, 401},
		{"GET /api/v1/status", "", []string{mine}, 401},
		{"GET /api/v1/list", "", []string{mine}, 401},
		{"GET /metrics", "", []string{mine}, 401},
		{"POST /api/v1/runs", `{"pipeline": "quick"}`, []string{mine}, 401},
		{"POST /api/v1/engine/stop", "", []string{mine}, 401},
		{"POST /api/v1/parts/pm2/quick/stop", "", []string{mine}, 401},
		{"POST /api/v1/heartbeats/../engine/stop", "", []string{mine}, 401},
		{"POST /api/v1/heartbeats/pm2/..%2F..%2Fruns", `{"pipeline": "quick"}`, []string{mine}, 404},
		{beats + "?state=started", "", []string{mine, "Host: evil.example"}, 421},
		{beats + "?state=started", "", []string{mine, "Origin: http://evil.example"}, 403},
		{beats + "?state=started", strings.Repeat("x", server.BodyOfPrimary+1), []string{mine}, 413},
		{beats + "?state=nothing", "", []string{mine}, 400},
	} {
		if status, body := ask(t, c, x.what, x.body, x.headers...); status != x.status || strings.Contains(body, own) {
			t.Errorf("%s %q: %d %s", x.what, x.headers, status, body)
		}
	}
	s.calls.mu.Lock()
	s.calls.broken = true
	s.calls.mu.Unlock()
	for _, headers := range [][]string{{mine}, nil, {"Authorization: Bearer "}} {
		if status, body := ask(t, c, beats+"?state=started", "", headers...); status != 401 || strings.Contains(body, "/state") {
			t.Errorf("a token that cannot be read: %d %s", status, body)
		}
	}
	if log := s.logged.String(); strings.Contains(log, own) || !strings.Contains(log, "a token cannot be read") {
		t.Errorf("the log:\n%s", log)
	}
	if got := s.calls.all(); len(got) != 2 {
		t.Errorf("%q", got)
	}
}

// TestStrangersSendNothing holds that the body of somebody who may not ask is
// not read.
func TestStrangersSendNothing(t *testing.T) {
	s := tcp(t, given, server.Limits{})
	c, err := net.Dial("tcp", s.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(40 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "POST /api/v1/heartbeats/pm2/quick?state=started HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 401 || !resp.Close || resp.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

// TestFlood holds that a primary that calls too often is told when to come
// again, and that the others are heard meanwhile.
func TestFlood(t *testing.T) {
	s := start(t, project(t, t.TempDir(), map[string]string{"pipelines/quick.yaml": quick}), server.Limits{})
	c := s.local()
	var codes []int
	for range 50 {
		q, err := http.NewRequest(http.MethodPost, "http://localhost/api/v1/heartbeats/pm2/quick?state=started", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		codes = append(codes, resp.StatusCode)
		if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); resp.StatusCode == 429 && (err != nil || n < 1 || n > 60) {
			t.Errorf("Retry-After: %q", resp.Header.Get("Retry-After"))
		}
	}
	heard := len(s.calls.all())
	if heard < 30 || heard > 45 || codes[0] != 200 || codes[49] != 429 {
		t.Errorf("%d were heard: %v", heard, codes)
	}
	if status, _ := ask(t, c, claims, `{"slot": "2026-11-24T03:00:00Z"}`); status != 429 {
		t.Errorf("a claim of the same primary: %d", status)
	}
	if status, body := ask(t, c, "POST /api/v1/heartbeats/pm2/slow?state=started", ""); status != 200 {
		t.Errorf("another primary: %d %s", status, body)
	}
}

// TestCallsOverTime counts calls on a clock of its own.
func TestCallsOverTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f server.Flood
		took := func(id string, n int) (out int) {
			for range n {
				if f.Wait(id, time.Now()) == 0 {
					out++
				}
			}
			return out
		}
		if n := took("a", 100); n != 30 {
			t.Errorf("%d at once", n)
		}
		if wait := f.Wait("a", time.Now()); wait <= 0 || wait > time.Second {
			t.Errorf("to wait %s", wait)
		}
		<-time.After(f.Wait("a", time.Now()))
		if n := took("a", 100); n != 1 {
			t.Errorf("%d after the wait", n)
		}
		<-time.After(10 * time.Second)
		if n := took("a", 100); n != 10 {
			t.Errorf("%d after ten seconds", n)
		}
		for i := range 5000 {
			f.Wait(fmt.Sprint(i), time.Now())
			<-time.After(time.Second)
		}
		if n := f.Len(); n > 1001 {
			t.Errorf("%d limiters are kept", n)
		}
		if n := took("a", 100); n != 30 {
			t.Errorf("%d after an hour", n)
		}
		for i := range 2000 {
			f.Wait(fmt.Sprint("other ", i), time.Now())
		}
		if n := took("a", 100); n != 0 {
			t.Errorf("%d while others call", n)
		}
	})
}
