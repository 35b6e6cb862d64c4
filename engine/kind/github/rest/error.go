package rest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longest is the longest wait that is believed.
const longest = 24 * time.Hour

// Error is what went wrong with one request. It holds no token.
type Error struct {
	Status int    // of the answer; 0: there was none, or it could not be read
	Text   string // one line: what was asked, what became of it, a way out
	// Refused reports that the answer says that the asker is not set up: 401,
	// 403 and 404.
	Refused bool
	After   time.Duration // how long GitHub wants not to be asked; 0: it did not say

	cause error
}

// Error is the line.
func (e *Error) Error() string { return e.Text }

// Unwrap gives why there was no answer, or nil.
func (e *Error) Unwrap() error { return e.cause }

// refused is the error of an answer that is no success.
func (c *Client) refused(q call, res *http.Response, a Answer) error {
	var said struct {
		Message string `json:"message"`
	}
	text, _ := io.ReadAll(io.LimitReader(res.Body, textLimit))
	_ = json.Unmarshal(text, &said) // a proxy may answer in its own words
	e := &Error{Status: res.StatusCode, Text: fmt.Sprintf("%s: %d", c.doing(q), res.StatusCode)}
	if said.Message = c.clean(said.Message); said.Message != "" {
		e.Text += " (" + said.Message + ")"
	}
	if wait, limited := limit(res, said.Message, a); limited {
		c.hold(wait)
		e.After = wait
		e.Text += fmt.Sprintf(": the limit of requests is reached, it is asked again in %s", wait.Round(time.Second))
		if c.token == "" {
			e.Text += "; with a token the limit is higher: declare the secret GITHUB_TOKEN"
		}
		return e
	}
	right := "read"
	if q.method != http.MethodGet {
		right = "write"
	}
	switch {
	case res.StatusCode == http.StatusUnauthorized && c.token != "":
		e.Refused = true
		e.Text += ": the token is not accepted: make a new one with the permission Actions: " + right
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden:
		e.Refused = true
		e.Text += ": " + c.wanted(right)
	case res.StatusCode == http.StatusNotFound:
		e.Refused = true
		e.Text += ": it is not there, or hidden: check the names; " + c.wanted(right)
	case res.StatusCode == http.StatusServiceUnavailable:
		e.After = retryAfter(res.Header, a)
	}
	return e
}

// wanted says what the asker must have.
func (c *Client) wanted(right string) string {
	if c.token == "" {
		return "there is no token: declare the secret GITHUB_TOKEN, or set token, with the permission Actions: " + right
	}
	return "the token needs the permission Actions: " + right + " for this repository"
}

// limit reports whether an answer means that there were too many requests, and
// how long to wait. GitHub says so with 403 or 429: by a header, or for its
// secondary limits by words alone, after which a minute is asked for.
func limit(res *http.Response, message string, a Answer) (time.Duration, bool) {
	if res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusTooManyRequests {
		return 0, false
	}
	if wait := retryAfter(res.Header, a); wait > 0 {
		return wait, true
	}
	if res.Header.Get("X-RateLimit-Remaining") == "0" {
		wait, ok := until(res.Header, a)
		if !ok {
			wait = time.Minute
		}
		return max(wait, time.Second), true
	}
	message = strings.ToLower(message)
	return time.Minute, res.StatusCode == http.StatusTooManyRequests || strings.Contains(message, "rate limit") || strings.Contains(message, "abuse detection")
}

// retryAfter reads the header of that name (RFC 9110, 10.2.3): seconds, or an
// instant by the sender's clock.
func retryAfter(h http.Header, a Answer) time.Duration {
	value := h.Get("Retry-After")
	if n, err := strconv.Atoi(value); err == nil {
		return min(max(time.Duration(n), 0)*time.Second, longest)
	}
	at, err := http.ParseTime(value)
	if err != nil || a.Date.IsZero() {
		return 0
	}
	return min(max(at.Sub(a.Date), 0), longest)
}
