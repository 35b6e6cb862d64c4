package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

func run(t *testing.T, ctx context.Context, d kind.Deps, with map[string]any) (pipeline.Outputs, error) {
	t.Helper()
	a, err := Kind().Build(with, d)
	if err != nil {
		t.Fatal(err)
	}
	return a.Run(ctx, &pipeline.Scope{Out: io.Discard, Mask: func(s string) string { return s }})
}

// webhook is a loopback server and its service URL.
func webhook(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return "generic+" + s.URL + "/hook/0123456789abcdef?template=json"
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	var got map[string]string
	target := webhook(t, func(w http.ResponseWriter, r *http.Request) { _ = json.NewDecoder(r.Body).Decode(&got) })
	out, err := run(t, t.Context(), kind.Deps{}, map[string]any{"services": []any{target}, "title": "Backup", "message": "it failed"})
	if err != nil || out.Values["sent"] != 1 || got["message"] != "it failed" || got["title"] != "Backup" {
		t.Errorf("received %v; %v, %v", got, out.Values, err)
	}
}

func TestEveryServiceIsTried(t *testing.T) {
	t.Parallel()
	var taken atomic.Int32
	bad := webhook(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })
	good := webhook(t, func(w http.ResponseWriter, r *http.Request) { taken.Add(1) })
	out, err := run(t, t.Context(), kind.Deps{}, map[string]any{"services": []any{bad, good}, "message": "m"})
	if err == nil || taken.Load() != 1 || out.Values["sent"] != 1 {
		t.Errorf("%v, %v", out.Values, err)
	}
	if err != nil && (strings.Contains(err.Error(), "0123456789abcdef") || strings.Contains(err.Error(), "\n")) {
		t.Errorf("the error shows the address or has several lines: %v", err)
	}
}

func TestDefaultsAndNone(t *testing.T) {
	t.Parallel()
	var taken atomic.Int32
	target := webhook(t, func(w http.ResponseWriter, r *http.Request) { taken.Add(1) })
	if _, err := run(t, t.Context(), kind.Deps{Notify: []string{target, ""}}, map[string]any{"message": "m"}); err != nil || taken.Load() != 1 {
		t.Errorf("the project's services: %v", err)
	}
	var skip *pipeline.Skip
	if _, err := run(t, t.Context(), kind.Deps{}, map[string]any{"message": "m", "services": []any{""}}); !errors.As(err, &skip) {
		t.Errorf("no service: %v", err)
	}
}

func TestAHangingServiceDoesNotHoldTheStep(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	asked := make(chan struct{})
	target := webhook(t, func(w http.ResponseWriter, r *http.Request) { close(asked); <-release })
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := run(t, ctx, kind.Deps{}, map[string]any{"services": []any{target}, "message": "m"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"slack://hook:T00000000-B00000000-XXXXXXXXXXXXXXXXXXXXXXXX@webhook": "",
		"${{ secrets.SLACK_URL }}":      "",
		"slak://x":                      `did you mean "slack"?`,
		"https://example.com/hook":      "generic+https://",
		"mailto://a@example.com":        "smtp://",
		"no url":                        "cannot be read",
		"discord://":                    "not complete",
		"generic+https://example.com/x": "",
	} {
		got := check(map[string]any{"services": []any{url}}, kind.Place{})
		if want == "" && len(got) != 0 || want != "" && (len(got) != 1 || !strings.Contains(got[0].Message, want)) {
			t.Errorf("%s: %+v", url, got)
		}
	}
}

func TestPlanHidesTheAddress(t *testing.T) {
	t.Parallel()
	a, err := Kind().Build(map[string]any{"message": "two\nlines", "services": []any{"generic+https://example.com/hook/0123456789abcdef"}}, kind.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Plan(t.Context(), &pipeline.Scope{Mask: func(s string) string { return s }})
	if err != nil || len(got) != 1 || got[0] != "to generic://example.com: two lines" {
		t.Errorf("%q, %v", got, err)
	}
}
