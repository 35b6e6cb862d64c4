package pipelines

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// elsewhere is what the site links to, outside of it.
type elsewhere struct {
	*httptest.Server
	status, asked atomic.Int64
}

func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	e := &elsewhere{}
	e.status.Store(http.StatusOK)
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		e.asked.Add(1)
		w.WriteHeader(int(e.status.Load()))
	}))
	t.Cleanup(e.Close)
	return e
}

// repairLinks mends what link-health finds, but for links to elsewhere.
func repairLinks(p *project) {
	p.edit("src/pages/boats.md", "/rules.html", "/contact.html")
	p.edit("src/pages/index.md", "#opening-hour)", "#opening-hours)")
	p.edit("src/pages/training.md", "#umbrella-collection", "#lost-and-found")
}

func TestLinkHealth(t *testing.T) {
	t.Parallel()
	p, e := newProject(t, "site"), newElsewhere(t)
	p.edit("src/pages/news.md", "https://example.com/", e.URL+"/club")
	o := p.fails("link-health", []string{"3 findings", "/rules.html leads nowhere (status 404)", `has no id "opening-hour"`})
	p.finds(o, "link-health", "broken-link boats.html", "broken-anchor index.html", "broken-anchor training.html")

	repairLinks(p)
	asked := e.asked.Load()
	p.succeeds("link-health")
	if got := e.asked.Load(); asked == 0 || got != asked {
		t.Errorf("the link to elsewhere was asked %d times, then %d more: it had answered lately", asked, got-asked)
	}
	if !variants() {
		return
	}

	// Gone once may be an accident; twice in a row it is not.
	e.status.Store(http.StatusNotFound)
	params := []string{"build=false", "cache-hours=0", "retries=0"}
	if o := p.succeeds("link-health", params...); !strings.Contains(p.artifact(o, "link-health.md"), "did not answer (status 404), for the first time") {
		t.Errorf("that it did not answer is not told:\n%s", o.printed)
	}
	e.status.Store(http.StatusOK)
	p.succeeds("link-health", params...)
	e.Close() // nobody listens any more
	p.succeeds("link-health", params...)
	o = p.fails("link-health", []string{"/club did not answer 2 times in a row (ECONNREFUSED)"}, params...)
	p.finds(o, "link-health", "broken-external-link news.html")
}

func TestAnchorLinksAutoFixer(t *testing.T) {
	t.Parallel()
	p := newProject(t, "site")
	o := p.fails("anchor-links-auto-fixer", []string{"1 finding", "umbrella-collection", "none that is near enough"})
	p.finds(o, "anchor-links-auto-fixer", "broken-anchor training.html")

	p.edit("src/pages/training.md", "#umbrella-collection", "#lost-and-found")
	// A template's link stands on every page, and is changed once.
	p.edit("src/template.html", "/boats.html\"", "/boats.html#storag\"")
	before := p.read("src/pages/index.md")
	o = p.succeeds("anchor-links-auto-fixer")
	if p.read("src/pages/index.md") != before {
		t.Error("a source was changed without apply")
	}
	apply := exec.CommandContext(t.Context(), "git", "apply", "-")
	apply.Dir, apply.Stdin = p.dir, strings.NewReader(p.artifact(o, "anchors.patch"))
	if said, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("the patch does not apply: %v\n%s", err, said)
	}
	patched := p.read("src/pages/index.md") + p.read("src/template.html")
	if !strings.Contains(patched, "/contact.html#opening-hours)") || !strings.Contains(patched, `/boats.html#storage"`) {
		t.Errorf("the patch gives\n%s", patched)
	}
	if !variants() {
		return
	}

	p.write("src/pages/index.md", before)
	if o := p.succeeds("anchor-links-auto-fixer", "apply=true"); !strings.Contains(o.printed, "1 file was changed, and the site built with it has none left") {
		t.Errorf("what was changed is not told:\n%s", o.printed)
	}
	if !strings.Contains(p.read("src/pages/index.md"), "/contact.html#opening-hours)") {
		t.Error("apply=true did not change the source")
	}
}

func TestSiteCrawler(t *testing.T) {
	t.Parallel()
	p := newProject(t, "site")
	o := p.fails("site-crawler", []string{"1 finding: /old-timetable.html: no link leads to it"})
	p.finds(o, "site-crawler", "orphan /old-timetable.html")
	p.edit("src/pages/training.md", "## Indoors", "There is [a timetable of last summer](/old-timetable.html).\n\n## Indoors")
	p.succeeds("site-crawler")
	if !variants() {
		return
	}

	// The deployed site, whose page for members is broken.
	var broken atomic.Bool
	files := http.FileServer(http.Dir(filepath.Join(p.dir, "dist")))
	live := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() && r.URL.Path == "/members.html" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		files.ServeHTTP(w, r)
	}))
	defer live.Close()
	p.write("dist/sitemap.xml", `<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>https://x.example/news.html</loc></url></urlset>`)
	p.succeeds("site-crawler", "address="+live.URL)
	broken.Store(true)
	o = p.fails("site-crawler", []string{"/members.html: status 502, linked from /"}, "address="+live.URL)
	p.finds(o, "site-crawler", "server-error /members.html")
	live.Close()
	p.fails("site-crawler", []string{"could not be done"}, "address="+live.URL)
}

func TestSitemapGenerator(t *testing.T) {
	t.Parallel()
	p := newProject(t, "site")
	p.git("2024-03-01T10:00:00Z", "init", "-q")
	p.git("2024-03-01T10:00:00Z", "add", "-A")
	p.git("2024-03-01T10:00:00Z", "commit", "-qm", "all")
	o := p.fails("sitemap-generator", []string{"1 finding", "it lists /regatta-2019.html, which does not exist"})
	p.finds(o, "sitemap-generator", "no-such-page sitemap.xml of the build")

	p.edit("src/pages/boats.md", "nineteen", "twenty")
	p.edit("src/static/sitemap.xml", "  <url><loc>https://harbour-rowing.example/regatta-2019.html</loc></url>\n", "")
	p.git("2025-06-07T08:09:10+02:00", "commit", "-qam", "another boat")
	p.edit("src/pages/contact.md", "right in front", "in front")
	p.succeeds("sitemap-generator")
	got := p.read("dist/sitemap.xml")
	for _, want := range []string{
		"/boats.html</loc><lastmod>2025-06-07T06:09:10.000Z</lastmod>", "/news.html</loc><lastmod>2024-03-01T10:00:00.000Z</lastmod>",
		"/contact.html</loc></url>", "<loc>https://harbour-rowing.example/</loc>",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the sitemap does not hold %s:\n%s", want, got)
		}
	}
	for _, no := range []string{"404", "members"} {
		if strings.Contains(got, no) {
			t.Errorf("the sitemap lists %s:\n%s", no, got)
		}
	}
	if !variants() {
		return
	}

	p.edit("src/static/sitemap.xml", "</loc></url>\n  <url><loc>https://harbour-rowing.example/boats", "</loc><priority>7</priority></url>\n  <url><loc>https://harbour-rowing.example/boats")
	o = p.fails("sitemap-generator", []string{`priority is "7"`})
	p.finds(o, "sitemap-generator", "schema sitemap.xml of the build")
	if err := os.RemoveAll(filepath.Join(p.dir, ".git")); err != nil {
		t.Fatal(err)
	}
	p.fails("sitemap-generator", []string{"could not be done", "git"}, "build=false")
}
