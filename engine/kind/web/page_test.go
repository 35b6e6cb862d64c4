package web

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// watch makes the probe of an address, as an engine does it.
func watch(t *testing.T, address string, more map[string]any, shared kind.Values) pipeline.Probe {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	with := map[string]any{"url": address, "expect": map[string]any{}}
	if more != nil {
		with["expect"] = more
	}
	p, err := Primary().Build(with, kind.PrimaryDeps{
		Deps: kind.Deps{HTTP: client}, Shared: shared,
		Pipeline: &pipeline.Pipeline{System: "cron", Name: "page", Primary: &pipeline.Primary{Every: pipeline.Duration(time.Minute), Failures: 2}},
		Mask:     func(s string) string { return strings.ReplaceAll(s, "s3cret-token", "***") },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func see(t *testing.T, p pipeline.Probe, w pipeline.Window) pipeline.Reading {
	t.Helper()
	r, err := p.Probe(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if r.Reason == "" || strings.Contains(r.Reason, "\n") || len(r.Evidence) == 0 || strings.Contains(fmt.Sprint(r), "s3cret-token") {
		t.Errorf("%+v", r)
	}
	return r
}

// hour is the slot of an hour ago, whose next one is in an hour.
func hour() pipeline.Window {
	now := time.Now().Truncate(time.Second)
	return pipeline.Window{Slot: now.Add(-time.Hour), Next: now.Add(time.Hour)}
}

func ago(d time.Duration) string { return time.Now().Add(-d).UTC().Format(http.TimeFormat) }

// TestPage is the table of what an answer means, for a slot and of a service.
func TestPage(t *testing.T) {
	t.Parallel()
	w := hour()
	for name, c := range map[string]struct {
		status     int
		header     string // "Name: value", several by "|"
		body       string
		expect     map[string]any
		slot, live pipeline.Verdict
		refused    bool
	}{
		"expected":                {200, "", "", nil, pipeline.Delivered, pipeline.Up, false},
		"another status":          {204, "", "", map[string]any{"status": int64(200)}, pipeline.Nothing, pipeline.Down, false},
		"a field":                 {200, "", `{"state":"done"}`, map[string]any{"json": map[string]any{"state": "done"}}, pipeline.Delivered, pipeline.Up, false},
		"another field":           {200, "", `{"state":"building"}`, map[string]any{"json": map[string]any{"state": "done"}}, pipeline.Nothing, pipeline.Down, false},
		"no JSON":                 {200, "", "<html>", map[string]any{"json": map[string]any{"state": "done"}}, pipeline.Nothing, pipeline.Down, false},
		"a body":                  {200, "", "built 3", map[string]any{"body-matches": `built \d`}, pipeline.Delivered, pipeline.Up, false},
		"400":                     {400, "", `{"message": "no\nsuch"}`, nil, pipeline.Nothing, pipeline.Down, false},
		"401":                     {401, "", "", nil, pipeline.Unknown, pipeline.Unknown, true},
		"403":                     {403, "", "", nil, pipeline.Unknown, pipeline.Unknown, true},
		"404":                     {404, "", "", nil, pipeline.Unknown, pipeline.Unknown, true},
		"404, expected":           {404, "", "", map[string]any{"status": int64(404)}, pipeline.Delivered, pipeline.Up, false},
		"429":                     {429, "", "", nil, pipeline.Unknown, pipeline.Unknown, false},
		"500":                     {500, "", "", nil, pipeline.Unknown, pipeline.Down, false},
		"503":                     {503, "", "", nil, pipeline.Unknown, pipeline.Down, false},
		"503, expected":           {503, "", "", map[string]any{"status": "5xx"}, pipeline.Delivered, pipeline.Up, false},
		"302":                     {302, "Location: http://example.invalid/s3cret-token", "", nil, pipeline.Unknown, pipeline.Unknown, true},
		"302, expected":           {302, "Location: /else", "", map[string]any{"status": int64(302)}, pipeline.Delivered, pipeline.Up, false},
		"302, nowhere":            {302, "", "", nil, pipeline.Unknown, pipeline.Unknown, true},
		"modified":                {200, "Last-Modified: " + ago(time.Minute), "", nil, pipeline.Delivered, pipeline.Up, false},
		"modified at the slot":    {200, "Last-Modified: " + w.Slot.UTC().Format(http.TimeFormat), "", nil, pipeline.Delivered, pipeline.Up, false},
		"modified before":         {200, "Last-Modified: " + ago(2*time.Hour), "", nil, pipeline.Nothing, pipeline.Up, false},
		"modified after":          {200, "Last-Modified: " + ago(-2*time.Hour), "", nil, pipeline.Unknown, pipeline.Up, false},
		"modified, but wrong":     {500, "Last-Modified: " + ago(time.Minute), "", nil, pipeline.Unknown, pipeline.Down, false},
		"modified, nobody knows":  {200, "Last-Modified: yesterday", "", nil, pipeline.Delivered, pipeline.Up, false},
		"its clock is behind":     {200, "Date: " + ago(90*time.Minute) + "|Last-Modified: " + ago(100*time.Minute), "", nil, pipeline.Unknown, pipeline.Up, false},
		"its clock runs before":   {200, "Date: " + ago(-time.Hour) + "|Last-Modified: " + ago(-time.Minute), "", nil, pipeline.Unknown, pipeline.Up, false},
		"its clock does not care": {200, "Date: " + ago(time.Hour), "", nil, pipeline.Delivered, pipeline.Up, false},
		"cached":                  {200, "Age: 60", "", nil, pipeline.Delivered, pipeline.Up, false},
		"cached for long":         {200, "Age: 7200|Date: " + ago(2*time.Hour), "", nil, pipeline.Nothing, pipeline.Unknown, false},
		"cached, and modified":    {200, "Age: 600|Date: " + ago(10*time.Minute) + "|Last-Modified: " + ago(30*time.Minute), "", nil, pipeline.Delivered, pipeline.Unknown, false},
		"an age that is none":     {200, "Age: -3e99", "", nil, pipeline.Delivered, pipeline.Up, false},
		"a secret in the words":   {400, "", `{"message": "no right: s3cret-token"}`, nil, pipeline.Nothing, pipeline.Down, false},
	} {
		s := serve(t, func(out http.ResponseWriter, r *http.Request) {
			for kv := range strings.SplitSeq(c.header, "|") {
				if k, v, ok := strings.Cut(kv, ": "); ok {
					out.Header().Set(k, v)
				}
			}
			out.WriteHeader(c.status)
			_, _ = io.WriteString(out, c.body)
		})
		for w, want := range map[pipeline.Window]pipeline.Verdict{w: c.slot, {}: c.live} {
			r := see(t, watch(t, s.URL+"/build.json", c.expect, nil), w)
			if r.Verdict != want || r.Refused != c.refused {
				t.Errorf("%s, slot %s: %+v", name, w.Slot, r)
			}
		}
	}
}

// TestPageOfLaterSlot holds that content of a later slot delivers no earlier one.
func TestPageOfLaterSlot(t *testing.T) {
	t.Parallel()
	s := serve(t, func(out http.ResponseWriter, _ *http.Request) { out.Header().Set("Last-Modified", ago(time.Minute)) })
	w := hour()
	if r := see(t, watch(t, s.URL, nil, nil), pipeline.Window{Slot: w.Slot.Add(-time.Hour), Next: w.Slot}); r.Verdict != pipeline.Nothing {
		t.Errorf("%+v", r)
	}
	if r := see(t, watch(t, s.URL, nil, nil), w); r.Verdict != pipeline.Delivered || r.Ended.IsZero() {
		t.Errorf("%+v", r)
	}
}

// TestAstray holds that a 404 says something once the address has answered
// otherwise, also over an edit of the pipeline.
func TestAstray(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	s := serve(t, func(out http.ResponseWriter, _ *http.Request) { out.WriteHeader(int(status.Load())) })
	shared := &kind.Shared{}
	p := watch(t, s.URL, nil, shared)
	for _, x := range []struct {
		status     int64
		slot, live pipeline.Verdict
	}{
		{404, pipeline.Unknown, pipeline.Unknown},
		{503, pipeline.Unknown, pipeline.Down},
		{403, pipeline.Unknown, pipeline.Unknown},
		{200, pipeline.Delivered, pipeline.Up},
		{404, pipeline.Nothing, pipeline.Down},
		{401, pipeline.Nothing, pipeline.Down},
	} {
		status.Store(x.status)
		for w, want := range map[pipeline.Window]pipeline.Verdict{hour(): x.slot, {}: x.live} {
			if r := see(t, p, w); r.Verdict != want {
				t.Errorf("%d: %+v", x.status, r)
			}
		}
	}
	if r := see(t, watch(t, s.URL, nil, shared), hour()); r.Verdict != pipeline.Nothing {
		t.Errorf("after an edit: %+v", r)
	}
	if r := see(t, watch(t, s.URL+"/other", nil, shared), hour()); !r.Refused {
		t.Errorf("another address: %+v", r)
	}
}

// TestPageWithoutAnswer gives nothing, garbage and pieces.
func TestPageWithoutAnswer(t *testing.T) {
	t.Parallel()
	refuses, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refuses.Close()
	raw := func(answer string, stay bool) string {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		t.Cleanup(func() { l.Close(); <-done })
		go func() {
			defer close(done)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, answer)
				if stay {
					defer c.Close()
				} else {
					c.Close()
				}
			}
		}()
		return "http://" + l.Addr().String()
	}
	for name, c := range map[string]struct {
		url  string
		live pipeline.Verdict
	}{
		"turned away":        {"http://" + refuses.Addr().String(), pipeline.Down},
		"no such host":       {"http://nobody.invalid/", pipeline.Unknown},
		"accepts and closes": {raw("", false), pipeline.Down},
		"garbage":            {raw("\x00\x01\x02 not HTTP\r\n\r\n", false), pipeline.Down},
		"half a head":        {raw("HTTP/1.1 200 OK\r\nContent-Le", false), pipeline.Down},
		"half a body":        {raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", false), pipeline.Down},
		"silence":            {raw("", true), pipeline.Down},
		"a body without end": {raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", true), pipeline.Down},
	} {
		for w, want := range map[pipeline.Window]pipeline.Verdict{hour(): pipeline.Unknown, {}: c.live} {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			began := time.Now()
			r, err := watch(t, c.url, nil, nil).Probe(ctx, w)
			cancel()
			if err != nil || r.Verdict != want || r.Refused || r.Reason == "" || time.Since(began) > 20*time.Second {
				t.Errorf("%s: %+v, %v, after %s", name, r, err, time.Since(began))
			}
		}
	}
}

// TestNoWayThere has a proxy that is gone: that says nothing of the service.
func TestNoWayThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	proxy, err := url.Parse("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p := watch(t, "http://example.invalid/", nil, nil).(*page)
	p.client.Transport = &http.Transport{Proxy: http.ProxyURL(proxy)}
	if r := see(t, p, pipeline.Window{}); r.Verdict != pipeline.Unknown {
		t.Errorf("%+v", r)
	}
}

// TestRedirects holds where an answer may lead, and what is told on the way.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var other atomic.Int64
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { other.Add(1) })
	var headers atomic.Value
	s := serve(t, func(out http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/here":
			http.Redirect(out, r, "/done", http.StatusFound)
		case "/there":
			http.Redirect(out, r, elsewhere.URL+"/login", http.StatusFound)
		case "/round":
			http.Redirect(out, r, "/round", http.StatusFound)
		case "/done":
			headers.Store(r.Header.Clone())
		}
	})
	for path, want := range map[string]pipeline.Verdict{"/here": pipeline.Delivered, "/there": pipeline.Unknown, "/round": pipeline.Unknown} {
		if r := see(t, watch(t, s.URL+path+"?key=s3cret-token", nil, nil), hour()); r.Verdict != want {
			t.Errorf("%s: %+v", path, r)
		}
	}
	if r := see(t, watch(t, s.URL+"/here", map[string]any{"status": int64(302)}, nil), hour()); r.Verdict != pipeline.Delivered {
		t.Errorf("a redirect that is expected: %+v", r)
	}
	if n := other.Load(); n != 0 {
		t.Errorf("another host was asked %d times", n)
	}
	if h, _ := headers.Load().(http.Header); h == nil || h.Get("Referer") != "" {
		t.Errorf("the second request told where it came from: %q", h)
	}
	p := watch(t, "https://example.com/", nil, nil).(*page)
	for _, x := range []struct {
		from, to string
		follow   bool
	}{
		{"http://a.example/", "https://a.example/x", true},
		{"http://a.example:80/", "https://a.example:8443/x", true},
		{"https://a.example/", "http://a.example/x", false},
		{"https://a.example/", "https://b.example/x", false},
		{"https://a.example/", "https://a.example:8443/x", false},
		{"https://a.example/", "https://a.example/y", true},
	} {
		from := httptest.NewRequest(http.MethodGet, x.from, nil)
		if err := p.follow(httptest.NewRequest(http.MethodGet, x.to, nil), []*http.Request{from}); (err == nil) != x.follow {
			t.Errorf("from %s to %s: %v", x.from, x.to, err)
		}
	}
}

// TestConditional holds that unchanged content is sent once, and that content
// which has just changed is asked for again in full.
func TestConditional(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		age  time.Duration // of the content; 0: it does not say
		etag string
		sent int64 // bodies of five answers
	}{
		"settled":            {10 * time.Minute, "", 1},
		"settled, with etag": {10 * time.Minute, `"a"`, 1},
		"etag alone":         {0, `"a"`, 1},
		"just now":           {5 * time.Second, "", 5},
		"just now, etag":     {5 * time.Second, `"a"`, 5},
		"neither":            {0, "", 5},
	} {
		var sent atomic.Int64
		at := time.Now().Add(-c.age)
		s := serve(t, func(out http.ResponseWriter, r *http.Request) {
			if c.etag != "" {
				out.Header().Set("ETag", c.etag)
			}
			if c.age == 0 {
				at = time.Time{}
			}
			if r.Header.Get("If-None-Match") == "" && r.Header.Get("If-Modified-Since") == "" {
				sent.Add(1)
			}
			http.ServeContent(out, r, "x.json", at, strings.NewReader(`{"state":"done"}`))
		})
		for state, want := range map[string]pipeline.Verdict{"done": pipeline.Delivered, "never": pipeline.Nothing} {
			p := watch(t, s.URL, map[string]any{"json": map[string]any{"state": state}}, nil)
			sent.Store(0)
			for range 5 {
				if r := see(t, p, hour()); r.Verdict != want {
					t.Errorf("%s: %+v", name, r)
				}
			}
			if got := sent.Load(); got != c.sent {
				t.Errorf("%s: the content was sent %d times", name, got)
			}
		}
	}
}

// TestChangeWithinASecond has a file change twice within the second of its
// Last-Modified: the second change is seen.
func TestChangeWithinASecond(t *testing.T) {
	t.Parallel()
	at, body := time.Now(), `{"state":"building"}`
	s := serve(t, func(out http.ResponseWriter, r *http.Request) {
		http.ServeContent(out, r, "x.json", at, strings.NewReader(body))
	})
	p := watch(t, s.URL, map[string]any{"json": map[string]any{"state": "done"}}, nil)
	if r := see(t, p, hour()); r.Verdict != pipeline.Nothing {
		t.Errorf("%+v", r)
	}
	body = `{"state":"done"}`
	if r := see(t, p, hour()); r.Verdict != pipeline.Delivered {
		t.Errorf("%+v", r)
	}
}

// TestBigBody holds that a body is read to a limit, also one that grows when it
// is unpacked.
func TestBigBody(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	s := serve(t, func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(out)
		zeros := make([]byte, 1<<20)
		for sent.Load() < 1<<10 {
			if _, err := z.Write(zeros); err != nil || r.Context().Err() != nil {
				return
			}
			sent.Add(1)
		}
		_ = z.Close()
	})
	r := see(t, watch(t, s.URL, map[string]any{"body-matches": "never"}, nil), hour())
	if r.Verdict != pipeline.Nothing || sent.Load() == 1<<10 {
		t.Errorf("%+v, %d MiB", r, sent.Load())
	}
}

func TestPageOfBadAddress(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"ftp://example.com", "http://", "http://s3cret-token host/", "file:///etc/passwd"} {
		_, err := Primary().Build(map[string]any{"url": bad}, kind.PrimaryDeps{Deps: kind.Deps{HTTP: &http.Client{}}, Pipeline: &pipeline.Pipeline{}})
		if err == nil || strings.Contains(err.Error(), "s3cret-token") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
