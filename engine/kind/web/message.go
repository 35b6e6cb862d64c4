package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/answer"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// newRequest makes the request with its body and headers.
func (a *action) newRequest(ctx context.Context, s *pipeline.Scope) (*http.Request, error) {
	body, kindOf, size, err := a.body(s)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, a.Method, a.address.String(), body)
	if err != nil {
		return nil, fmt.Errorf("the request cannot be made: %w", err)
	}
	if size >= 0 {
		req.ContentLength = size
	}
	if kindOf != "" {
		req.Header.Set("Content-Type", kindOf)
	}
	req.Header.Set("User-Agent", "redundctl")
	for k, v := range a.Headers {
		if textproto.CanonicalMIMEHeaderKey(k) == "Host" {
			req.Host = answer.Text(v)
			continue
		}
		req.Header.Set(k, answer.Text(v))
	}
	switch {
	case a.Auth.Basic != nil:
		req.SetBasicAuth(a.Auth.Basic.Username, a.Auth.Basic.Password)
	case a.Auth.Bearer != nil:
		req.Header.Set("Authorization", "Bearer "+*a.Auth.Bearer)
	}
	return req, nil
}

// body gives the body, its type and its size (-1: as the reader says).
func (a *action) body(s *pipeline.Scope) (r io.Reader, kindOf string, size int64, err error) {
	switch {
	case a.JSON != nil:
		b, err := encode(a.JSON)
		if err != nil {
			return nil, "", 0, err
		}
		return bytes.NewReader(b), "application/json", -1, nil
	case a.Form != nil:
		return strings.NewReader(a.form().Encode()), "application/x-www-form-urlencoded", -1, nil
	case a.Body != nil:
		return strings.NewReader(*a.Body), "text/plain; charset=utf-8", -1, nil
	case a.File != "":
		path, err := s.Inside(a.File)
		if err != nil {
			return nil, "", 0, err
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, "", 0, fmt.Errorf("the body could not be read: %w", err)
		}
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			f.Close()
			return nil, "", 0, fmt.Errorf("the body could not be read: %s is not a regular file", a.File)
		}
		return f, "application/octet-stream", info.Size(), nil
	}
	return nil, "", -1, nil
}

func (a *action) form() url.Values {
	v := url.Values{}
	for k, x := range a.Form {
		v.Set(k, answer.Text(x))
	}
	return v
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("json cannot be written: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// handedOn is what the step hands on.
func handedOn(res *http.Response, body []byte) pipeline.Outputs {
	headers := map[string]any{}
	for k, v := range res.Header {
		headers[strings.ToLower(k)] = strings.Join(v, ", ")
	}
	truncated := len(body) == bodyLimit
	value, err := answer.Decode(body)
	if err != nil || truncated {
		value = nil
	}
	return pipeline.Outputs{Truncated: truncated, Values: map[string]any{
		"status": res.StatusCode, "headers": headers, "body": strings.ToValidUTF8(string(body[:min(len(body), bodyLimit-1)]), "\uFFFD"), "json": value,
	}}
}

// Plan says what would be sent: every header that authorises is masked,
// whether or not it came from a secret.
func (a *action) Plan(_ context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	out := []pipeline.Effect{pipeline.Effect(s.Mask(a.Method + " " + a.masked()))}
	for _, k := range slices.Sorted(maps.Keys(a.Headers)) {
		value := answer.Text(a.Headers[k])
		if private(k) {
			value = "***"
		}
		out = append(out, pipeline.Effect(s.Mask("header "+textproto.CanonicalMIMEHeaderKey(k)+": "+value)))
	}
	switch {
	case a.Auth.Basic != nil:
		out = append(out, "authorised by user name and password")
	case a.Auth.Bearer != nil:
		out = append(out, "header Authorization: Bearer ***")
	case a.Auth.OAuth1 != nil:
		out = append(out, "signed with OAuth 1.0a")
	}
	switch {
	case a.JSON != nil:
		b, err := encode(a.JSON)
		if err != nil {
			return nil, err
		}
		out = append(out, pipeline.Effect(s.Mask("json "+string(b))))
	case a.Form != nil:
		out = append(out, pipeline.Effect(s.Mask("form "+a.form().Encode())))
	case a.Body != nil:
		out = append(out, pipeline.Effect(s.Mask("body "+*a.Body)))
	case a.File != "":
		path, err := s.Inside(a.File)
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("the body could not be read: %w", err)
		}
		out = append(out, pipeline.Effect(fmt.Sprintf("the file %s as the body (%d bytes)", s.Mask(a.File), info.Size())))
	}
	return out, nil
}

// masked is the address without its password.
func (a *action) masked() string {
	u := *a.address
	if u.User != nil {
		u.User = url.User("***")
	}
	return u.String()
}

// private reports whether a header commonly carries a credential.
func private(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "signature"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
