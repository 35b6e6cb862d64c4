package netlify_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/heartbeat"
	"github.com/redundctl/redundctl/engine/kind/netlify"
	"github.com/redundctl/redundctl/engine/kind/web"
	"github.com/redundctl/redundctl/engine/pipeline"
)

func build(with map[string]any, beats ...pipeline.Heartbeat) (pipeline.Probe, error) {
	return netlify.Primary(web.Primary(), heartbeat.Primary()).Build(with, kind.PrimaryDeps{
		Deps: kind.Deps{HTTP: &http.Client{}}, Mask: func(s string) string { return s },
		Pipeline: &pipeline.Pipeline{System: "netlify-functions", Name: "digest", Primary: &pipeline.Primary{}},
		Heartbeats: func(context.Context, time.Time) ([]pipeline.Heartbeat, error) {
			return beats, nil
		},
	})
}

// TestPrimary looks at a page, or listens where there is none.
func TestPrimary(t *testing.T) {
	t.Parallel()
	var ran atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "functions"):
			ran.Add(1)
		case r.URL.Path == "/leads":
			http.Redirect(w, r, "/.netlify/functions/digest", http.StatusFound)
		case r.URL.Path == "/old":
			w.Header().Set("Last-Modified", time.Now().Add(-2*time.Hour).UTC().Format(http.TimeFormat))
		}
	}))
	t.Cleanup(s.Close)
	now := time.Now()
	w := pipeline.Window{Slot: now.Add(-time.Hour), Next: now.Add(time.Hour)}
	for name, c := range map[string]struct {
		with    map[string]any
		beats   []pipeline.Heartbeat
		verdict pipeline.Verdict
	}{
		"page":            {map[string]any{"url": s.URL + "/digest.html"}, nil, pipeline.Delivered},
		"old page":        {map[string]any{"url": s.URL + "/old"}, nil, pipeline.Nothing},
		"leads to it":     {map[string]any{"url": s.URL + "/leads"}, nil, pipeline.Unknown},
		"never heard":     {map[string]any{"site": "acme", "function": "digest"}, nil, pipeline.Unknown},
		"heard":           {map[string]any{"function": "digest"}, []pipeline.Heartbeat{{At: now, State: "succeeded"}}, pipeline.Delivered},
		"heard a failure": {map[string]any{"function": "digest"}, []pipeline.Heartbeat{{At: now, State: "failed"}}, pipeline.NotDelivered},
	} {
		p, err := build(c.with, c.beats...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r, err := p.Probe(t.Context(), w)
		if err != nil || r.Verdict != c.verdict || r.Reason == "" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	for _, bad := range []string{
		"/.netlify/functions/digest", "/%2enetlify/functions/digest", "/x/../.netlify//functions/digest", "/.Netlify/Functions/digest", "/.netlify/functions",
	} {
		if _, err := build(map[string]any{"url": s.URL + bad}); err == nil || !strings.Contains(err.Error(), "would run it") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if n := ran.Load(); n != 0 {
		t.Errorf("the function was run %d times", n)
	}
}
