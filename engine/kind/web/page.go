package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redundctl/redundctl/engine/answer"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/schema"
)

// skew is how far the clock of a server may be from ours before its times say
// nothing of our slots.
const skew = time.Minute

// settled is how long before an answer its content must have changed last, so
// that a change in the same second cannot hide behind the same Last-Modified or
// an ETag made of it (RFC 9110, 8.8.2.2).
const settled = time.Minute

// page is the probe of an address.
type page struct {
	client  *http.Client
	address *url.URL
	expect  *answer.Expectation
	mask    func(string) string
	recent  time.Duration // how old the answer of a cache may be for a service
	// right is set once the address has given an answer that does not merely say
	// that we ask in the wrong place or without the right.
	right *atomic.Bool
	kept  *kept // nil: none
}

// kept is what is known of an answer that the server can confirm by 304.
type kept struct {
	etag, modified string
	status         int
	wrong          error
}

func buildPage(with map[string]any, d kind.PrimaryDeps) (pipeline.Probe, error) {
	var c struct {
		URL    string        `json:"url"`
		Expect answer.Expect `json:"expect"`
	}
	if err := schema.Decode(with, &c); err != nil {
		return nil, err
	}
	u, err := address(c.URL, nil)
	if err != nil {
		return nil, err
	}
	p := &page{address: u, mask: d.Mask, recent: 2 * time.Minute, right: &atomic.Bool{}}
	if x := d.Pipeline.Primary; x != nil && x.Every > 0 && x.Failures > 0 {
		p.recent = x.Every.Std() * time.Duration(x.Failures)
	}
	if d.Shared != nil { // an edit of the pipeline makes a new probe, and does not forget
		p.right = d.Shared.Get("http "+d.Pipeline.ID()+" "+c.URL, func() any { return &atomic.Bool{} }).(*atomic.Bool)
	}
	if p.expect, err = c.Expect.Compile(); err != nil {
		return nil, err
	}
	client := *d.HTTP
	client.CheckRedirect = p.follow
	client.Jar = nil
	p.client = &client
	return p, nil
}

// follow lets an answer lead elsewhere on the same host, and from http to https
// there. Any other host may answer anything, as a login page does with 200; and
// it is told nothing of where we came from, which may hold a secret.
func (p *page) follow(next *http.Request, via []*http.Request) error {
	next.Header.Del("Referer")
	from, to := via[len(via)-1].URL, next.URL
	same := from.Scheme == to.Scheme && from.Host == to.Host
	safer := from.Scheme == "http" && to.Scheme == "https" && from.Hostname() == to.Hostname()
	if len(via) >= 10 || !same && !safer || next.Response != nil && p.expect.Allows(next.Response.StatusCode) {
		return http.ErrUseLastResponse
	}
	return nil
}

// Probe asks once. The answer costs its head alone when the server says that
// nothing has changed.
func (p *page) Probe(ctx context.Context, w pipeline.Window) (pipeline.Reading, error) {
	fresh := false // a connection was made for this question
	trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { fresh = !c.Reused }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodGet, p.address.String(), nil)
	if err != nil {
		return pipeline.Reading{}, errors.New("the request cannot be made")
	}
	req.Header.Set("User-Agent", "redundctl")
	req.Header.Set("Cache-Control", "no-cache")
	if k := p.kept; k != nil {
		setUnlessEmpty(req.Header, "If-None-Match", k.etag)
		setUnlessEmpty(req.Header, "If-Modified-Since", k.modified)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return p.silent(ctx, w, err, fresh), nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, bodyLimit))
	if err != nil {
		return p.silent(ctx, w, err, fresh), nil
	}
	return p.read(w, p.take(res, body), time.Now()), nil
}

func setUnlessEmpty(h http.Header, key, value string) {
	if value != "" {
		h.Set(key, value)
	}
}

// said is what an answer says.
type said struct {
	status   int
	wrong    error         // why it is not as expected; nil: it is
	modified time.Time     // zero: it does not say
	age      time.Duration // since a cache has taken it from its server
	clock    time.Time     // of the server, when it answered; zero: it does not say
}

// take holds an answer against what is expected, and keeps what a 304 can
// confirm.
func (p *page) take(res *http.Response, body []byte) said {
	x := said{status: res.StatusCode}
	modified := res.Header.Get("Last-Modified")
	if seconds, err := strconv.ParseUint(strings.TrimSpace(res.Header.Get("Age")), 10, 31); err == nil {
		x.age = time.Duration(seconds) * time.Second
	}
	date, err := http.ParseTime(res.Header.Get("Date"))
	if err == nil {
		x.clock = date.Add(x.age)
	}
	if k := p.kept; k != nil && res.StatusCode == http.StatusNotModified {
		x.status, x.wrong, modified = k.status, k.wrong, k.modified
	} else {
		x.wrong, p.kept = p.expect.Hold(shown(p.address), res, body), nil
		if to, err := res.Location(); err == nil && res.StatusCode/100 == 3 && x.wrong != nil {
			x.wrong = fmt.Errorf("%w: it leads to %s, which is not asked", x.wrong, shown(to))
		}
	}
	x.modified, _ = http.ParseTime(modified)
	etag := res.Header.Get("ETag")
	unsettled := !x.modified.IsZero() && (err != nil || date.Sub(x.modified) < settled)
	if res.StatusCode == http.StatusOK && (etag != "" || !x.modified.IsZero()) && !unsettled {
		p.kept = &kept{etag: etag, modified: modified, status: x.status, wrong: x.wrong}
	}
	return x
}

// read says what an answer means.
func (p *page) read(w pipeline.Window, x said, now time.Time) pipeline.Reading {
	out := pipeline.Reading{URL: shown(p.address), Evidence: map[string]any{"status": x.status}}
	if !x.modified.IsZero() {
		out.Evidence["last-modified"] = x.modified.UTC().Format(time.RFC3339)
	}
	if x.age > 0 {
		out.Evidence["age"] = x.age.String()
	}
	if !x.clock.IsZero() {
		if off := now.Sub(x.clock).Round(time.Second); off.Abs() > skew {
			out.Evidence["clock"] = off.String()
		}
	}
	astray := x.status == 401 || x.status == 403 || x.status == 404 || x.status/100 == 3
	if x.wrong == nil || !astray && x.status/100 != 5 && x.status != http.StatusTooManyRequests {
		p.right.Store(true)
	}
	var reason string
	switch {
	case x.wrong == nil && w.Slot.IsZero():
		out.Verdict, reason = p.service(x)
	case x.wrong == nil:
		out.Verdict, reason = slot(w, x, now)
		if out.Verdict == pipeline.Delivered {
			out.Ended = x.modified
		}
	case astray && !p.right.Load():
		out.Verdict, out.Refused, reason = pipeline.Unknown, true, fmt.Sprintf("%v, and it never answered otherwise: check the address and who may read it", x.wrong)
	case x.status == http.StatusTooManyRequests, x.status/100 == 5 && !w.Slot.IsZero():
		out.Verdict, reason = pipeline.Unknown, x.wrong.Error()
	case w.Slot.IsZero():
		out.Verdict, reason = pipeline.Down, x.wrong.Error()
	default:
		out.Verdict, reason = pipeline.Nothing, x.wrong.Error()
	}
	out.Reason = p.line(reason)
	return out
}

// service is the verdict of an answer that is as expected. One that a cache has
// kept says how the service was.
func (p *page) service(x said) (pipeline.Verdict, string) {
	if x.age > p.recent {
		return pipeline.Unknown, fmt.Sprintf("a cache answered, with what it took %s ago", x.age)
	}
	return pipeline.Up, "it answered as expected"
}

// slot is the verdict of an answer that is as expected, as far as it can be
// known of which slot it is.
func slot(w pipeline.Window, x said, now time.Time) (pipeline.Verdict, string) {
	modified := x.modified.UTC().Format(time.RFC3339)
	switch {
	case x.modified.IsZero() && now.Add(-x.age).Before(w.Slot):
		return pipeline.Nothing, fmt.Sprintf("a cache answered, with what it took %s ago, before the slot", x.age)
	case x.modified.IsZero():
		return pipeline.Delivered, "it answered as expected"
	case !x.clock.IsZero() && now.Sub(x.clock).Abs() > skew, x.modified.Sub(now) > skew:
		return pipeline.Unknown, fmt.Sprintf("its clock and ours differ, and it says that its content is of %s", modified)
	case x.modified.Before(w.Slot.Truncate(time.Second)):
		return pipeline.Nothing, "it answers as expected, but with what was last modified before the slot, at " + modified
	case !w.Next.IsZero() && !x.modified.Before(w.Next):
		return pipeline.Nothing, "it answers as expected, but with what was last modified for a later slot, at " + modified
	}
	return pipeline.Delivered, "it answered as expected, with what was last modified at " + modified
}

// silent is the reading where there is no answer. A service whose machine took
// or turned away the connection is down; where nobody knows how far the
// question came, it may be our network.
func (p *page) silent(ctx context.Context, w pipeline.Window, err error, fresh bool) pipeline.Reading {
	why := reason(err)
	if ctx.Err() != nil {
		why = errors.New("no answer in time")
	}
	out := pipeline.Reading{
		Verdict: pipeline.Unknown, URL: shown(p.address), Reason: p.line(fmt.Sprintf("%s: %v", shown(p.address), why)),
		Evidence: map[string]any{"answer": nil},
	}
	var op *net.OpError
	proxy := errors.As(err, &op) && op.Op == "proxyconnect"
	if w.Slot.IsZero() && !proxy && (fresh || errors.Is(err, syscall.ECONNREFUSED)) {
		out.Verdict = pipeline.Down
	}
	return out
}

// line is a text as one line of bounded length, without halves of secrets.
func (p *page) line(s string) string {
	s = strings.Join(strings.Fields(p.mask(s)), " ")
	if r := []rune(s); len(r) > 500 {
		s = string(r[:500]) + "…"
	}
	return s
}
