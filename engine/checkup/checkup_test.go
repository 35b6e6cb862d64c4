package checkup

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestIntervals holds that each system has its interval, that a change is seen at
// once by all, and that many changes are one look.
func TestIntervals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var from time.Time
		is := map[string]string{"fast": health.Healthy, "slow": health.Healthy}
		var told []string
		checks, beats := 0, 0
		var mu sync.Mutex // guards these
		c := New(Options{
			Every: func() Intervals {
				return Intervals{All: 2 * time.Minute, Systems: map[string]time.Duration{"fast": time.Minute, "slow": 10 * time.Minute}}
			},
			Check: func(context.Context) (api.Status, api.Health) {
				mu.Lock()
				defer mu.Unlock()
				checks++
				h := api.Health{Status: health.Worse(is["fast"], is["slow"])}
				for _, name := range []string{"fast", "slow"} {
					h.Systems = append(h.Systems, api.SystemHealth{Name: name, Status: is[name]})
				}
				return api.Status{}, h
			},
			Verdict: func(_ context.Context, v Verdict) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, time.Since(from).String()+" "+v.System+" "+v.Is)
			},
			Checked: func(context.Context, api.Status, api.Health) {},
			Beat:    func(context.Context, api.Health) { mu.Lock(); defer mu.Unlock(); beats++ },
		})
		ended := make(chan struct{})
		from = time.Now()
		go func() { defer close(ended); c.Run(ctx) }()
		<-time.After(30 * time.Second)
		synctest.Wait()
		if checks != 1 || beats != 1 {
			t.Errorf("%d checks, %d beats at first", checks, beats)
		}
		mu.Lock()
		told = nil
		is["fast"], is["slow"] = health.Degraded, health.Unhealthy
		mu.Unlock()
		<-time.After(11 * time.Minute)
		synctest.Wait()
		want := []string{"1m0s fast degraded", "1m0s  degraded", "10m0s slow unhealthy", "10m0s  unhealthy"}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, not %q", told, want)
		}
		if checks != 12 || beats != 6 {
			t.Errorf("%d checks, %d beats in 11 minutes and a half", checks, beats)
		}
		mu.Lock()
		told, is["fast"], is["slow"] = nil, health.Healthy, health.Healthy
		mu.Unlock()
		for range 100 {
			c.Wake()
			<-time.After(time.Millisecond)
		}
		<-time.After(time.Second)
		synctest.Wait()
		if checks > 14 || len(told) != 3 || !strings.HasPrefix(told[0], "11m30.0") {
			t.Errorf("%d checks, told %q", checks, told)
		}
		if h, ok := c.Last(); !ok || h.Status != health.Healthy {
			t.Errorf("%+v", h)
		}
		cancel()
		<-ended
	})
}

// TestPing holds that an error is logged once, without the address, and that a
// watcher who hangs is not waited for.
func TestPing(t *testing.T) {
	t.Parallel()
	bad, asked := true, 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if bad {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	client := s.Client()
	var log bytes.Buffer
	address := s.URL + "/0123456789"
	p := NewPing(client, func() (string, error) { return address, nil }, slog.New(slog.NewTextHandler(&log, nil)))
	for range 3 {
		p.Send(t.Context())
	}
	bad = false
	p.Send(t.Context())
	p.Send(t.Context())
	if asked != 5 || strings.Count(log.String(), "could not be called") != 1 || strings.Count(log.String(), "called again") != 1 {
		t.Errorf("asked %d times: %s", asked, &log)
	}
	s.Close()
	p.Send(t.Context())
	address = "http://bad host/0123456789"
	p.failed = false
	p.Send(t.Context())
	if text := log.String(); strings.Count(text, "could not be called") != 3 || strings.Contains(text, "0123456789") {
		t.Error(text)
	}
	address = ""
	p.Send(t.Context())
	if asked != 5 {
		t.Error("an empty address was called")
	}
	p.URL = func() (string, error) { return "", errors.New("no secret") }
	p.Send(t.Context())
	if !strings.Contains(log.String(), "no secret") {
		t.Error(&log)
	}
}
