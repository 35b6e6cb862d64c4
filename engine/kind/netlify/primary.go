package netlify

import (
	_ "embed" // the schema fragment
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/schema"
)

//go:embed primary.json
var primary []byte

// Primary is the primary kind `netlify-function`: page is the kind that looks at
// an address, beats the one that listens to calls. Netlify tells nobody whether
// a scheduled function ran, nor how.
func Primary(page, beats kind.Primary) kind.Primary {
	return kind.Primary{Name: "netlify-function", Fragment: primary, Usual: 2 * time.Minute, Build: func(with map[string]any, d kind.PrimaryDeps) (pipeline.Probe, error) {
		var c struct {
			URL string `json:"url"`
		}
		if err := schema.Decode(with, &c); err != nil {
			return nil, err
		}
		if c.URL == "" {
			return beats.Build(map[string]any{}, d)
		}
		if u, err := url.Parse(c.URL); err == nil && runs(u) {
			return nil, errRuns
		}
		client := http.Client{}
		if d.HTTP != nil {
			client = *d.HTTP
		}
		client.Transport = looking{client.Transport}
		d.HTTP = &client
		return page.Build(map[string]any{"url": c.URL}, d)
	}}
}

var errRuns = errors.New("the address is a function's own, and asking it would run it: name a page that shows its result")

// runs reports whether to ask an address is to run a function.
func runs(u *url.URL) bool {
	return strings.Contains(strings.ToLower(path.Clean("/"+u.Path)+"/"), "/.netlify/functions/")
}

// looking refuses to run a function, also where a page leads to one.
type looking struct{ next http.RoundTripper }

// RoundTrip asks unless it would run a function.
func (l looking) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case runs(r.URL):
		return nil, errRuns
	case l.next == nil:
		return http.DefaultTransport.RoundTrip(r)
	}
	return l.next.RoundTrip(r)
}
