package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/answer"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

func scope(t *testing.T, out io.Writer) *pipeline.Scope {
	dir := t.TempDir()
	return &pipeline.Scope{
		Root: dir, Dir: dir, Out: out,
		Mask:   func(s string) string { return strings.ReplaceAll(s, "s3cret-token", "***") },
		Inside: func(p string) (string, error) { return filepath.Join(dir, p), nil },
	}
}

// built builds the action as the runner does it, defaults included.
func built(t *testing.T, client *http.Client, with map[string]any) (pipeline.Action, error) {
	t.Helper()
	for k, v := range map[string]any{"method": "GET", "timeout": "30s", "follow-redirects": true} {
		if _, ok := with[k]; !ok {
			with[k] = v
		}
	}
	return Kind().Build(with, kind.Deps{HTTP: client})
}

func do(t *testing.T, client *http.Client, with map[string]any) (pipeline.Outputs, error) {
	t.Helper()
	a, err := built(t, client, with)
	if err != nil {
		t.Fatal(err)
	}
	return a.Run(t.Context(), scope(t, io.Discard))
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestBodies(t *testing.T) {
	t.Parallel()
	var got, kindOf string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, kindOf = string(b), r.Header.Get("Content-Type")
	})
	for name, c := range map[string]struct {
		with         map[string]any
		body, kindOf string
	}{
		"json": {map[string]any{"json": map[string]any{"a": "<b>", "n": int64(3)}}, `{"a":"<b>","n":3}`, "application/json"},
		"form": {map[string]any{"form": map[string]any{"q": "a b&c", "n": 1.5}}, "n=1.5&q=a+b%26c", "application/x-www-form-urlencoded"},
		"body": {map[string]any{"body": "plain"}, "plain", "text/plain; charset=utf-8"},
	} {
		c.with["url"], c.with["method"] = s.URL, "POST"
		if _, err := do(t, s.Client(), c.with); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got != c.body || kindOf != c.kindOf {
			t.Errorf("%s: sent %q as %q", name, got, kindOf)
		}
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	var got string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = string(b)
	})
	a, err := built(t, s.Client(), map[string]any{"url": s.URL, "method": "PUT", "file": "report.txt"})
	if err != nil {
		t.Fatal(err)
	}
	sc := scope(t, io.Discard)
	if _, err := a.Run(t.Context(), sc); err == nil || !strings.Contains(err.Error(), "report.txt") {
		t.Errorf("a file that is missing: %v", err)
	}
	if err := os.WriteFile(filepath.Join(sc.Dir, "report.txt"), []byte("lines"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(t.Context(), sc); err != nil || got != "lines" {
		t.Errorf("sent %q, %v", got, err)
	}
	sc.Inside = func(string) (string, error) { return "", errors.New("it lies outside of the project") }
	if _, err := a.Run(t.Context(), sc); err == nil {
		t.Error("a file outside of the project was sent")
	}
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Restli-Id", "urn:1")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id": 12345678901234567890}`)
	})
	out, err := do(t, s.Client(), map[string]any{"url": s.URL})
	if err != nil {
		t.Fatal(err)
	}
	headers, _ := out.Values["headers"].(map[string]any)
	body, _ := out.Values["json"].(map[string]any)
	if out.Values["status"] != 201 || headers["x-restli-id"] != "urn:1" || body["id"] == nil || answer.Text(body["id"]) != "12345678901234567890" {
		t.Errorf("outputs are %v", out.Values)
	}
}

func TestExpectations(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"state":"ready","n":1,"list":[1,2],"deep":{"a":true,"b":null}}`)
	})
	for name, c := range map[string]struct {
		expect map[string]any
		wrong  string // a part of the error, "" for success
	}{
		"default":         {map[string]any{}, ""},
		"number":          {map[string]any{"status": int64(202)}, ""},
		"list":            {map[string]any{"status": []any{int64(200), "2xx"}}, ""},
		"other status":    {map[string]any{"status": int64(200)}, "answered 202 Accepted"},
		"header":          {map[string]any{"header": map[string]any{"content-type": "application/json"}}, ""},
		"other header":    {map[string]any{"header": map[string]any{"Content-Type": "text/html"}}, "the header Content-Type"},
		"part of json":    {map[string]any{"json": map[string]any{"state": "ready", "deep": map[string]any{"a": true}}}, ""},
		"number in json":  {map[string]any{"json": map[string]any{"n": 1.0}}, ""},
		"list in json":    {map[string]any{"json": map[string]any{"list": []any{int64(1)}}}, `".list"`},
		"other in json":   {map[string]any{"json": map[string]any{"deep": map[string]any{"a": false}}}, `".deep.a"`},
		"missing in json": {map[string]any{"json": map[string]any{"deep": map[string]any{"c": nil}}}, `".deep.c"`},
		"matches":         {map[string]any{"body-matches": `"state":"r.*y"`}, ""},
		"matches not":     {map[string]any{"body-matches": "^ready$"}, "does not match"},
	} {
		_, err := do(t, s.Client(), map[string]any{"url": s.URL, "expect": c.expect})
		if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBodyThatIsNotJSON(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, `{"id": `) })
	out, err := do(t, s.Client(), map[string]any{"url": s.URL, "expect": map[string]any{"json": map[string]any{}}})
	if err == nil || !strings.Contains(err.Error(), "not JSON") || out.Values["json"] != nil {
		t.Errorf("%v, %v", out.Values, err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	answers := map[string]func(w http.ResponseWriter){
		"/401": func(w http.ResponseWriter) {
			w.WriteHeader(401)
			_, _ = io.WriteString(w, `{"error":{"message":"Session has expired\n","code":190}}`)
		},
		"/429": func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "17")
			w.WriteHeader(429)
		},
		"/503": func(w http.ResponseWriter) {
			w.Header().Set("Date", "Tue, 24 Nov 2026 08:00:00 GMT")
			w.Header().Set("Retry-After", "Tue, 24 Nov 2026 08:01:00 GMT")
			w.WriteHeader(503)
		},
		"/302": func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://127.0.0.2:1/elsewhere")
			w.WriteHeader(302)
		},
	}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { answers[r.URL.Path](w) })
	fails := func(path string, with map[string]any) error {
		with["url"] = s.URL + path
		_, err := do(t, s.Client(), with)
		if err == nil {
			t.Fatalf("%s succeeded", path)
		}
		return err
	}
	if err := fails("/401", map[string]any{}); !strings.HasSuffix(err.Error(), "answered 401 Unauthorized: Session has expired") {
		t.Errorf("401: %v", err)
	}
	var later *pipeline.Later
	if err := fails("/429", map[string]any{}); !errors.As(err, &later) || later.After != 17*time.Second {
		t.Errorf("429: %v", err)
	}
	if err := fails("/503", map[string]any{}); !errors.As(err, &later) || later.After != time.Minute {
		t.Errorf("503: %v", err)
	}
	if err := fails("/302", map[string]any{"auth": map[string]any{"bearer": "s3cret-token"}}); !strings.Contains(err.Error(), "another host") {
		t.Errorf("302 with credentials: %v", err)
	}
	if err := fails("/302", map[string]any{"follow-redirects": false}); !strings.Contains(err.Error(), "302") {
		t.Errorf("302 that is not followed: %v", err)
	}
}

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	release := context.Background()
	release, free := context.WithCancel(release)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { <-release.Done() })
	defer free()
	if _, err := do(t, s.Client(), map[string]any{"url": s.URL + "/slow?key=s3cret-token", "timeout": "20ms"}); err == nil ||
		!strings.Contains(err.Error(), "no answer within 20ms") || strings.Contains(err.Error(), "s3cret-token") {
		t.Errorf("a slow server: %v", err)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	if _, err := do(t, http.DefaultClient, map[string]any{"url": gone.URL}); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestEndlessBody(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		chunk := bytes.Repeat([]byte("x"), 1<<16)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	out, err := do(t, s.Client(), map[string]any{"url": s.URL})
	body, _ := out.Values["body"].(string)
	if err != nil || len(body) != 1<<20 || !out.Truncated {
		t.Errorf("%d bytes, truncated %v, %v", len(body), out.Truncated, err)
	}
}

func TestBuildErrors(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]map[string]any{
		"ftp":       {"url": "ftp://example.com"},
		"no host":   {"url": "https://"},
		"spaces":    {"url": "https://exa mple.com/s3cret-token"},
		"two":       {"url": "https://example.com", "body": "a", "json": "b"},
		"no regexp": {"url": "https://example.com", "expect": map[string]any{"body-matches": "("}},
	} {
		if _, err := built(t, http.DefaultClient, with); err == nil || strings.Contains(err.Error(), "s3cret-token") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request with a broken header was sent") })
	if _, err := do(t, s.Client(), map[string]any{"url": s.URL, "headers": map[string]any{"X-Key": "s3cret-token\r\nX-Evil: 1"}}); err == nil ||
		strings.Contains(err.Error(), "s3cret-token") {
		t.Errorf("a header with a line break: %v", err)
	}
}

func TestPlanMasksAndSendsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a dry run sent a request") })
	a, err := built(t, s.Client(), map[string]any{
		"method": "POST", "url": "http://user:pa55word@" + strings.TrimPrefix(s.URL, "http://") + "/a?k=s3cret-token",
		"headers": map[string]any{"Authorization": "Bearer abc", "X-Plain": "shown"}, "json": map[string]any{"t": "s3cret-token"},
	})
	if err != nil {
		t.Fatal(err)
	}
	effects, err := a.Plan(t.Context(), scope(t, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, e := range effects {
		all.WriteString(string(e) + "\n")
	}
	for _, secret := range []string{"s3cret-token", "pa55word", "Bearer abc"} {
		if strings.Contains(all.String(), secret) {
			t.Errorf("the plan shows %q:\n%s", secret, &all)
		}
	}
	for _, want := range []string{"POST http://", "header X-Plain: shown", `json {"t":"***"}`} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("the plan lacks %q:\n%s", want, &all)
		}
	}
}
