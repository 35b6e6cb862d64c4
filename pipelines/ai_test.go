package pipelines

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// completions answers as an OpenAI-compatible endpoint does
// (platform.openai.com/docs/api-reference/chat); text makes the answer of what
// was asked.
func completions(t *testing.T, p *pages, text func(asked string) string) {
	t.Helper()
	p.on("/v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Model    string
			Messages []struct{ Role, Content string }
		}
		body, _ := io.ReadAll(r.Body)
		if json.Unmarshal(body, &q) != nil || r.Method != http.MethodPost || len(q.Messages) != 2 {
			answer(w, 400, `{"error":{"message":"you must provide messages","type":"invalid_request_error"}}`)
			return
		}
		if r.Header.Get("Authorization") != "Bearer sk-not-a-real-key-1" {
			answer(w, 401, `{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}`)
			return
		}
		content, _ := json.Marshal(text(q.Messages[1].Content))
		answer(w, 200, fmt.Sprintf(`{"id":"chatcmpl-1","object":"chat.completion","created":1764500000,"model":%q,"choices":[{"index":0,"message":{"role":"assistant","content":%s},"finish_reason":"stop"}]}`, q.Model, content))
	})
}

// TestAIChangelog: the list of what is new, with and without an endpoint; a
// refusal and an entry for a commit that does not exist fail.
func TestAIChangelog(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"a.txt": "a"}, "netlify-functions/ai-changelog")
	r.commitAll("feat(search): find pages by their title")
	r.write("a.txt", "b")
	r.commitAll("fix!: links to the old addresses are gone")
	hash := r.command("git", "rev-parse", "--short", "HEAD")
	e := r.run("ai-changelog")
	e.clean()
	entry := e.report("changelog-entry.md", nil)
	for _, want := range []string{"### Breaking\n\n- links to the old addresses are gone (" + hash + ")", "### New\n\n- search: find pages by their title ("} {
		if !strings.Contains(entry, want) {
			t.Errorf("the entry lacks %q:\n%s", want, entry)
		}
	}
	if text := e.report("ai-changelog.md", nil); !strings.Contains(text, "the grouped list alone: no base-url is set") {
		t.Errorf("it does not say that nobody wrote it:\n%s", text)
	}

	ai := newPages(t)
	params := []string{"base-url=" + ai.URL + "/v1", "model=small"}
	completions(t, ai, func(string) string { return "- Pages can be found (" + hash + ")" })
	r.run("ai-changelog", params...).found("refused", "401 Incorrect API key")
	if !variants() {
		return
	}
	r.env = append(r.env, "OPENAI_API_KEY=sk-not-a-real-key-1")
	if text := r.run("ai-changelog", params...).report("changelog-entry.md", nil); !strings.Contains(text, "- Pages can be found ("+hash+")") {
		t.Errorf("%s", text)
	}
	for text, why := range map[string]string{
		"- Pages can be found (0badc0de)": "an entry for commit 0badc0de",
		"- Pages can be found":            "names no commit",
		"Nothing much.":                   "it has no entry",
		" ":                               "answered without a text",
	} {
		completions(t, ai, func(string) string { return text })
		r.run("ai-changelog", params...).found(why)
	}
	completions(t, ai, func(asked string) string { return "- All of it (" + strings.Fields(asked)[0] + ")" })
	r.run("ai-changelog", append(params, "apply=true")...).clean()
	r.run("ai-changelog").clean()
	if text := r.read("CHANGELOG.md"); !strings.HasPrefix(text, "# Changelog\n\n## ") || !strings.Contains(text, "- All of it ("+hash+")") {
		t.Errorf("%s", text)
	}
	r.write("CHANGELOG.md", strings.ReplaceAll(r.read("CHANGELOG.md"), hash, "0badc0de"))
	r.run("ai-changelog").found("CHANGELOG.md has an entry for commit 0badc0de, which does not exist")
}

// TestAITrendsRadar: items are told once; what cannot be read is named, and
// fails when it is all.
func TestAITrendsRadar(t *testing.T) {
	t.Parallel()
	r := newRepo(t, nil, "netlify-functions/ai-trends-radar")
	s := newPages(t)
	rss := func(items ...string) string {
		text := ""
		for _, i := range items {
			text += "<item><title>" + i + "</title><link>https://example.com/" + i + "</link><guid>" + i + "</guid><description>&lt;p&gt;About it&lt;/p&gt;</description></item>"
		}
		return `<?xml version="1.0"?><rss version="2.0"><channel><title>News</title><link>https://example.com/</link><description>All</description>` + text + `</channel></rss>`
	}
	s.say("/rss", 200, rss("one", "two"))
	s.say("/atom", 200, `<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Posts</title><id>urn:f</id><updated>2026-11-30T00:00:00Z</updated>`+
		`<entry><title>Post</title><id>urn:1</id><link href="https://example.com/post"/><updated>2026-11-30T00:00:00Z</updated></entry></feed>`)
	feeds := "feeds=" + s.URL + "/rss, " + s.URL + "/atom, " + s.URL + "/gone"
	fresh := func(e ended) (titles string) {
		var report struct {
			New []struct{ Title, Link string }
		}
		e.clean()
		e.report("ai-trends-radar.json", &report)
		for _, i := range report.New {
			titles += i.Title + " " + i.Link + "\n"
		}
		return titles
	}
	e := r.run("ai-trends-radar", feeds)
	if got := fresh(e); got != "one https://example.com/one\ntwo https://example.com/two\nPost https://example.com/post\n" {
		t.Errorf("%q", got)
	}
	if text := e.report("ai-trends-radar.md", nil); !strings.Contains(text, "/gone answers 404") {
		t.Errorf("the feed that is gone is not named:\n%s", text)
	}
	s.say("/rss", 200, rss("three", "one", "two"))
	ai := []string{feeds, "base-url=" + s.URL + "/v1", "model=small"}
	completions(t, s, func(asked string) string { return "Read " + strings.Fields(asked)[0] })
	r.run("ai-trends-radar", ai...).found("401 Incorrect API key")
	if !variants() {
		return
	}
	r.env = append(r.env, "OPENAI_API_KEY=sk-not-a-real-key-1")
	e = r.run("ai-trends-radar", ai...)
	if got := fresh(e); got != "three https://example.com/three\n" {
		t.Errorf("after a run that failed: %q", got)
	}
	if text := e.report("ai-trends-radar.md", nil); !strings.Contains(text, "Read three") {
		t.Errorf("%s", text)
	}
	if got := fresh(r.run("ai-trends-radar", ai...)); got != "" {
		t.Errorf("nothing is new, and it told %q", got)
	}
	s.say("/rss", 200, "<html>moved</html>")
	r.run("ai-trends-radar", "feeds="+s.URL+"/rss "+s.URL+"/gone").found("no feed could be read", "/gone answers 404", "/rss is no feed")
}
