package pipelines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const jobsFront = "---\ntitle: Jobs\ndescription: The club looks for a coach who likes beginners, on two evenings a week.\n---\n\n# Jobs"

func TestA11yAltText(t *testing.T) {
	t.Parallel()
	p := newProject(t, "site")
	// Headings that skip a level are of moderate impact.
	o := p.fails("a11y-alt-text", []string{"3 findings", "gallery.html:18: Images must have alternative text"}, "impact=moderate")
	p.finds(o, "a11y-alt-text", "image-alt gallery.html", "document-title jobs.html", "heading-order news.html")
	p.edit("src/pages/gallery.html", `sunrise.jpg" width`, `sunrise.jpg" alt="Four rowers" width`)
	p.edit("src/pages/jobs.md", "# Jobs", jobsFront)
	p.finds(p.succeeds("a11y-alt-text"), "a11y-alt-text")
}

// The words that are misspelt on purpose.
const (
	badOccurred = "occured" //nolint:misspell // this is the fault
	badReceive  = "recieve" //nolint:misspell // this is the fault
)

func TestContentQuality(t *testing.T) {
	t.Parallel()
	p := newProject(t, "site")
	o := p.fails("content-quality", []string{"4 findings", `"` + badOccurred + `" is not a word (occurred`})
	p.finds(o, "content-quality", "MD001 src/pages/news.md", "spelling src/pages/news.md", "stale src/pages/news.md", "spelling src/pages/training.md")
	if variants() {
		p.finds(p.succeeds("content-quality", "max-errors=4"), "content-quality")
	}
	p.edit("src/pages/news.md", badOccurred, "occurred", "#### A new roof", "## A new roof", "2021-03-31", "2999-12-31")
	p.edit("src/pages/training.md", badReceive, "receive")
	p.succeeds("content-quality")
}

func TestImageOptimizer(t *testing.T) {
	t.Parallel()
	p := newProject(t, "site")
	mine := []byte("not to be overwritten")
	if err := os.WriteFile(filepath.Join(p.dir, "src/images/boathouse.avif"), mine, 0o644); err != nil {
		t.Fatal(err)
	}
	// One that sharp cannot read is a finding, not a success, and of its name.
	o := p.fails("image-optimizer", []string{"harbour.png: 352.1 KiB is above 300.0 KiB, and it could be"})
	p.finds(o, "image-optimizer", "too-heavy src/images/harbour.png", "unreadable src/images/boathouse.avif")
	if got := p.read("src/images/boathouse.avif"); got != string(mine) {
		t.Errorf("what was there is now %.40q", got)
	}
	if err := os.Remove(filepath.Join(p.dir, "src/images/boathouse.avif")); err != nil {
		t.Fatal(err)
	}
	png := p.read("src/images/harbour.png")
	o = p.succeeds("image-optimizer", "ignore=src/images/harbour.png")
	if !strings.Contains(o.printed, "1 copy made, 5 were there") {
		t.Errorf("the second run made anew what was there:\n%s", o.printed)
	}
	if p.read("src/images/harbour.png") != png {
		t.Error("an original was changed")
	}
	if webp := p.read("src/images/harbour.webp"); !strings.HasPrefix(webp, "RIFF") || len(webp) >= len(png) {
		t.Errorf("the WebP begins with %.8q and has %d bytes, the original %d", webp, len(webp), len(png))
	}
	if !variants() {
		return
	}
	// An original that is another now: its copies are of the older one, and stay.
	p.write("src/images/sunrise.jpg", p.read("src/images/boathouse.jpg"))
	if o := p.succeeds("image-optimizer", "max-size=400KiB"); !strings.Contains(o.printed, "sunrise.webp was made of an older src/images/sunrise.jpg") {
		t.Errorf("copies of an older original are not named:\n%s", o.printed)
	}
}

func TestSEOAudit(t *testing.T) {
	t.Parallel()
	p := newProject(t, "site")
	o := p.fails("seo-audit", []string{"3 findings", "jobs.html: the page has no title"})
	p.finds(o, "seo-audit", "no-title jobs.html", "no-description jobs.html", "robots-sitemap sitemap.xml")
	p.edit("src/pages/jobs.md", "# Jobs", jobsFront)
	p.edit("src/static/sitemap.xml", "  <url><loc>https://harbour-rowing.example/members.html</loc></url>\n", "")
	p.succeeds("seo-audit")
	if !variants() {
		return
	}

	p.edit("src/pages/de/index.md", "languages: en=/, de=/de/\n", "")
	p.edit("src/pages/gallery.html", "https://harbour-rowing.example/gallery.html", "https://harbour-rowing.example/pictures.html", "<p>Before the start", "<p>Before<p id=\"a b\">the start")
	p.edit("src/static/robots.txt", "/sitemap.xml", "/sitemap-1.xml")
	p.edit("src/template.html", "{{head}}", `<script type="application/ld+json">{"@type": }</script>{{head}}`)
	p.edit("src/pages/news.md", "title: News", "title: Contact")
	o = p.fails("seo-audit", nil)
	rules := strings.Join(p.found(o, "seo-audit"), "\n")
	for _, want := range []string{
		"hreflang index.html", "canonical gallery.html", "robots-sitemap robots.txt", "structured-data boats.html", "same-title news.html", "valid-id gallery.html",
	} {
		if !strings.Contains(rules, want) {
			t.Errorf("%s is not found:\n%s", want, rules)
		}
	}
}
