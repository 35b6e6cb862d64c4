// Package web is what is known of HTTP: the step kind `http`, one request
// whose answer is held against expectations, and the primary kind of the same
// name, one address that is asked again and again.
//
// http.go and message.go have the step, and page.go the probe; what an answer
// must be like is engine/answer's.
package web

import (
	"context"
	_ "embed" // the schema fragments
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dghubble/oauth1"

	"github.com/redundctl/redundctl/engine/answer"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

//go:embed http.json
var fragment []byte

//go:embed primary.json
var primary []byte

// bodyLimit is how much of an answer is read, in bytes. It lies above what an
// output may hold, so that a longer body is told from one that fits.
const bodyLimit = 1<<20 + 1

// request is `with` of the kind.
type request struct {
	Method          string            `json:"method"`
	URL             string            `json:"url"`
	Query           map[string]any    `json:"query"`
	Headers         map[string]any    `json:"headers"`
	JSON            any               `json:"json"`
	Form            map[string]any    `json:"form"`
	Body            *string           `json:"body"`
	File            string            `json:"file"`
	Auth            auth              `json:"auth"`
	Timeout         pipeline.Duration `json:"timeout"`
	FollowRedirects bool              `json:"follow-redirects"`
	Expect          answer.Expect     `json:"expect"`
}

type auth struct {
	Basic  *basic  `json:"basic"`
	Bearer *string `json:"bearer"`
	OAuth1 *oauth  `json:"oauth1"`
}

type basic struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

type oauth struct {
	ConsumerKey    string `json:"consumer-key"`
	ConsumerSecret string `json:"consumer-secret"`
	Token          string `json:"token"`
	TokenSecret    string `json:"token-secret"`
}

// Kind is the step kind `http`.
func Kind() kind.Action {
	k := kind.Define("http", fragment, build)
	k.Check = check
	return k
}

// Primary is the primary kind `http`.
func Primary() kind.Primary {
	return kind.Primary{Name: "http", Fragment: primary, Build: buildPage}
}

// action is one request, ready to be sent.
type action struct {
	request
	client  *http.Client
	address *url.URL
	expect  *answer.Expectation
}

func build(r request, d kind.Deps) (pipeline.Action, error) {
	u, err := address(r.URL, r.Query)
	if err != nil {
		return nil, err
	}
	if bodies := r.bodies(); len(bodies) > 1 {
		return nil, fmt.Errorf("%s cannot stand beside each other: one request has one body", strings.Join(bodies, " and "))
	}
	a := &action{request: r, client: d.HTTP, address: u}
	a.expect, err = r.Expect.Compile()
	return a, err
}

// bodies lists the keys that give the request a body.
func (r *request) bodies() []string {
	var out []string
	for _, b := range []struct {
		key string
		set bool
	}{{"json", r.JSON != nil}, {"form", r.Form != nil}, {"body", r.Body != nil}, {"file", r.File != ""}} {
		if b.set {
			out = append(out, b.key)
		}
	}
	return out
}

// address is the URL with its query parameters. The error does not repeat the
// URL, which may hold a secret.
func address(raw string, query map[string]any) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("the url cannot be read: check it for spaces and unescaped characters")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the url does not begin with http:// or https://")
	case u.Host == "":
		return nil, errors.New("the url has no host")
	}
	if len(query) > 0 {
		q := u.Query()
		for k, v := range query {
			q.Set(k, answer.Text(v))
		}
		u.RawQuery = q.Encode()
	}
	return u, nil
}

// check finds what the schema cannot say.
func check(with map[string]any, _ kind.Place) []kind.Finding {
	if u, ok := with["url"].(string); ok && !strings.Contains(u, "${{") {
		if _, err := address(u, nil); err != nil {
			return []kind.Finding{{Key: []string{"url"}, Severity: diag.Error, Rule: "http-url", Message: err.Error()}}
		}
	}
	return nil
}

// Run sends the request and holds the answer against what is expected.
func (a *action) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, a.Timeout.Std(), fmt.Errorf("no answer within %s", a.Timeout))
	defer cancel()
	req, err := a.newRequest(ctx, s)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	res, err := a.clientFor().Do(req)
	if err != nil {
		return pipeline.Outputs{}, a.failed(ctx, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, bodyLimit))
	if err != nil {
		return pipeline.Outputs{}, a.failed(ctx, err)
	}
	out := handedOn(res, body)
	_, _ = fmt.Fprintf(s.Out, "%s: %s\n", a.asked(), res.Status)
	if err := a.expect.Hold(a.asked(), res, body); err != nil {
		return out, later(res, err)
	}
	return out, nil
}

// failed says why there is no answer.
func (a *action) failed(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && ctx.Err() != nil {
		return fmt.Errorf("%s: %w", a.asked(), cause)
	}
	return fmt.Errorf("%s: %w", a.asked(), reason(err))
}

// reason is the part of a client's error that people need: its own words repeat
// the whole address, which is the reader's to know but may be long.
func reason(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return fmt.Errorf("the host %s is not known", dns.Name)
	}
	return err
}

// asked is the request as people may see it.
func (a *action) asked() string { return a.Method + " " + shown(a.address) }

// shown is an address as people may see it: without user, password and query.
func shown(address *url.URL) string {
	u := *address
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// clientFor is the shared client with this step's redirects and signature.
func (a *action) clientFor() *http.Client {
	c := *a.client
	if o := a.Auth.OAuth1; o != nil {
		ctx := context.WithValue(context.Background(), oauth1.HTTPClient, &c)
		signing := oauth1.NewConfig(o.ConsumerKey, o.ConsumerSecret).Client(ctx, oauth1.NewToken(o.Token, o.TokenSecret))
		c.Transport = signing.Transport
	}
	c.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		first := via[0]
		switch {
		case !a.FollowRedirects:
			return http.ErrUseLastResponse
		case len(via) >= 10:
			return errors.New("more than ten redirects")
		case a.Auth != (auth{}) && next.URL.Host != first.URL.Host:
			return fmt.Errorf("the answer leads to another host, %s, which is not given the credentials: ask it directly", next.URL.Host)
		case first.URL.Scheme == "https" && next.URL.Scheme != "https":
			return fmt.Errorf("the answer leads from https to %s", next.URL.Scheme)
		}
		return nil
	}
	return &c
}

// later adds to the failure how long the answer asks to wait.
func later(res *http.Response, err error) error {
	if res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable {
		return err
	}
	wait := retryAfter(res.Header.Get("Retry-After"), res.Header.Get("Date"))
	if wait <= 0 {
		return err
	}
	return &pipeline.Later{Err: fmt.Errorf("%w; asked to wait %s", err, wait), After: wait}
}

// retryAfter reads the header of that name (RFC 9110, 10.2.3): seconds, or an
// instant, which is compared with the sender's own clock.
func retryAfter(value, date string) time.Duration {
	if value == "" {
		return 0
	}
	if n, err := time.ParseDuration(value + "s"); err == nil {
		return min(n, 24*time.Hour)
	}
	at, err := http.ParseTime(value)
	now, err2 := http.ParseTime(date)
	if err != nil || err2 != nil {
		return 0
	}
	return min(at.Sub(now), 24*time.Hour)
}
