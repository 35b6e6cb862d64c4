// Package rest speaks the REST API of GitHub, as far as workflows and their
// runs need it: one client for one API and one token, its errors, and what the
// answers hold. Field names, codes and headers are those of GitHub's OpenAPI
// description, version 2022-11-28.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	version   = "2022-11-28"
	bodyLimit = 32 << 20 // of an answer, in bytes; a page of 100 runs has about 2 MiB
	textLimit = 64 << 10 // of an answer that says no
	redirects = 5
	// together bounds the requests of one token that are under way: GitHub
	// refuses more than 100.
	together = 10
)

// Client asks one API with one token. It is safe for concurrent use.
type Client struct {
	http  http.Client
	base  *url.URL
	token string
	now   func() time.Time
	slots chan struct{}

	mu    sync.Mutex
	until time.Time // no request before; zero: none was refused
	left  budget
}

// budget is what the last answer said of the limit of requests.
type budget struct {
	remaining int
	reset     time.Time // by our clock; zero: nothing was said
}

// Options make a Client.
type Options struct {
	HTTP  *http.Client
	URL   string           // of the API: https://api.github.com or https://HOST/api/v3
	Token string           // "": anonymous
	Now   func() time.Time // nil: time.Now
}

// New makes a client. The error says what is wrong with the address or the
// token and holds neither.
func New(o Options) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(o.URL, "/"))
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("api-url is no address that begins with https://: GitHub's own is https://api.github.com, that of an Enterprise Server https://HOST/api/v3")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("api-url holds a user, a query or a fragment: write the address alone, and the token as token")
	}
	token := strings.TrimSpace(o.Token)
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the token holds characters that no token has: check how the secret is written")
	}
	c := &Client{http: *o.HTTP, base: u, token: token, now: o.Now, slots: make(chan struct{}, together)}
	if c.now == nil {
		c.now = time.Now
	}
	c.http.CheckRedirect = follow
	c.http.Jar = nil
	return c, nil
}

// follow lets a request follow its repository to another name, on the same
// host: another one is never shown the token.
func follow(next *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case next.URL.Host != first.URL.Host || next.URL.Scheme != first.URL.Scheme:
		return fmt.Errorf("the answer leads to %s://%s, which is not asked: check api-url", next.URL.Scheme, next.URL.Host)
	case next.Method != first.Method:
		return errors.New("the answer leads to another address: the repository may have another name now")
	case len(via) > redirects:
		return fmt.Errorf("more than %d redirects", redirects)
	}
	return nil
}

// Anonymous reports whether the client has no token.
func (c *Client) Anonymous() bool { return c.token == "" }

// Address is where a path of the API lies, for people.
func (c *Client) Address(path string) string { return c.base.String() + path }

// call is one request.
type call struct {
	method string
	path   string // escaped, below the base
	query  string
	etag   string // "": unconditional
	body   any    // as JSON; nil: none
	into   any    // a pointer that takes the answer; nil: it is not read
}

// Answer is what an answer said beside its body.
type Answer struct {
	Status   int
	ETag     string
	Next     bool // there are more pages
	Sent     time.Time
	Received time.Time
	Date     time.Time // by the clock of the API; zero: it did not say
}

// Unchanged reports that what was known by its ETag still holds.
func (a Answer) Unchanged() bool { return a.Status == http.StatusNotModified }

// Skew is how far the API's clock is ahead of ours; 0 when the time of the
// request explains the difference, or when the answer bore no date.
func (a Answer) Skew() time.Duration {
	switch {
	case a.Date.IsZero():
		return 0
	case a.Date.Before(a.Sent.Add(-time.Second)): // dates have whole seconds
		return a.Date.Sub(a.Sent)
	case a.Date.After(a.Received):
		return a.Date.Sub(a.Received)
	}
	return 0
}

// do sends one request and reads its answer. The error is *Error.
func (c *Client) do(ctx context.Context, q call) (Answer, error) {
	if wait := c.Wait(); wait > 0 {
		return Answer{}, &Error{Text: fmt.Sprintf("%s is not asked: it said that its limit of requests is reached, and to wait until %s", c.base.Host, c.now().Add(wait).UTC().Format(time.RFC3339)), After: wait}
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return Answer{}, c.lost(q, ctx.Err())
	}
	req, err := c.request(ctx, q)
	if err != nil {
		return Answer{}, c.lost(q, err)
	}
	a := Answer{Sent: c.now()}
	res, err := c.http.Do(req)
	if err != nil {
		return a, c.lost(q, err)
	}
	defer res.Body.Close()
	a.Status, a.ETag, a.Received = res.StatusCode, res.Header.Get("ETag"), c.now()
	a.Date, _ = http.ParseTime(res.Header.Get("Date"))
	a.Next = strings.Contains(res.Header.Get("Link"), `rel="next"`)
	c.count(res.Header, a)
	switch {
	case a.Unchanged() && q.etag != "":
		return a, nil
	case res.StatusCode/100 != 2:
		return a, c.refused(q, res, a)
	case q.into == nil || res.StatusCode == http.StatusNoContent:
		return a, nil
	}
	return a, c.read(q, res.Body)
}

func (c *Client) request(ctx context.Context, q call) (*http.Request, error) {
	var body io.Reader
	if q.body != nil {
		text, err := json.Marshal(q.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	address := c.base.String() + q.path
	if q.query != "" {
		address += "?" + q.query
	}
	req, err := http.NewRequestWithContext(ctx, q.method, address, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", version)
	req.Header.Set("User-Agent", "redundctl")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if q.etag != "" {
		req.Header.Set("If-None-Match", q.etag)
	}
	return req, nil
}

// read decodes an answer. Whatever else it holds is passed over.
func (c *Client) read(q call, body io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(body, bodyLimit+1))
	switch {
	case err != nil:
		return c.lost(q, err)
	case len(text) > bodyLimit:
		return &Error{Text: fmt.Sprintf("%s: the answer is longer than %d MiB", c.doing(q), bodyLimit>>20)}
	case json.Unmarshal(text, q.into) != nil:
		return c.garbage(q)
	}
	return nil
}

// doing is a request as people read it.
func (c *Client) doing(q call) string { return q.method + " " + c.base.Host + c.base.Path + q.path }

// lost is the error of a request without an answer. The client's own words
// repeat the whole address.
func (c *Client) lost(q call, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var dns *net.DNSError
	text := c.clean(err.Error())
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		text = "no answer in time"
	case errors.As(err, &dns) && dns.IsNotFound:
		text = "the host " + dns.Name + " is not known"
	}
	return &Error{Text: c.doing(q) + ": " + text, cause: err}
}

// count keeps what an answer says of the limit.
func (c *Client) count(h http.Header, a Answer) {
	n, err := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	reset, ok := until(h, a)
	if err != nil || !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = budget{n, c.now().Add(reset)}
}

// until is how long it takes from an answer until the limit is reset, as the
// API's own clock counts.
func until(h http.Header, a Answer) (time.Duration, bool) {
	at, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil {
		return 0, false
	}
	now := a.Date
	if now.IsZero() {
		now = a.Received
	}
	return min(max(time.Unix(at, 0).Sub(now), 0), longest), true
}

// Pace is how far requests must lie apart so that the limit is not reached; 0
// as long as much of it is left.
func (c *Client) Pace() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := c.left.reset.Sub(c.now())
	if c.left.reset.IsZero() || c.left.remaining >= plenty || wait <= 0 {
		return 0
	}
	return wait / time.Duration(max(c.left.remaining, 1))
}

// plenty is how many requests are so many that they need no pace: more than
// the 60 an hour of who has no token.
const plenty = 100

// Wait is how long the API must not be asked; 0: it may.
func (c *Client) Wait() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.until.Sub(c.now()), 0)
}

// hold keeps the client from asking for a while.
func (c *Client) hold(wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.now().Add(wait); at.After(c.until) {
		c.until = at
	}
}

// clean is a text of others as one short line without the token.
func (c *Client) clean(text string) string {
	if c.token != "" {
		text = strings.ReplaceAll(text, c.token, "***")
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if len(text) > lineLimit {
		text = strings.ToValidUTF8(text[:lineLimit], "") + "…"
	}
	return text
}

const lineLimit = 300
