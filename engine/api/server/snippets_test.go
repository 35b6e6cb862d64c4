package server_test

import (
	"bytes"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhysd/actionlint"
	"gopkg.in/yaml.v3"

	"github.com/redundctl/redundctl/engine/api/server"
)

// snippet gives the block of docs/heartbeats.md whose fence has this word.
func snippet(t *testing.T, word string) string {
	t.Helper()
	src, err := os.ReadFile("../../../docs/heartbeats.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?ms)^```[a-z]+ " + word + "\n(.*?)^```$").FindSubmatch(src)
	if m == nil {
		t.Fatalf("docs/heartbeats.md has no block %s", word)
	}
	return string(m[1])
}

// callee is an engine whose primaries may be called, over TCP with the token own
// and over its socket.
type callee struct {
	*standing
	url string
	dir string // for the files of a snippet
	bin string // stands first in PATH
}

func called(t *testing.T, ids ...string) *callee {
	t.Helper()
	s := tcp(t, given, server.Limits{})
	s.calls.mu.Lock()
	s.calls.more = ids
	s.calls.mu.Unlock()
	c := &callee{standing: s, url: "http://" + s.server.Addr().String(), dir: t.TempDir(), bin: t.TempDir()}
	// Whoever may list processes sees what a program is called with.
	c.program("curl", `echo "$@" >> `+c.bin+"/seen\nexec "+found(t, "curl")+` "$@"`)
	c.program("gh", "echo 2026-11-24T03:17:00Z")
	t.Cleanup(func() {
		if seen, _ := os.ReadFile(c.bin + "/seen"); bytes.Contains(seen, []byte(own)) {
			t.Errorf("the token stands in the arguments of curl:\n%s", seen)
		}
	})
	return c
}

func found(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func (c *callee) program(name, script string) {
	c.t.Helper()
	c.file(filepath.Join(c.bin, name), "#!/bin/sh\n"+script+"\n")
}

func (c *callee) file(path, text string) {
	c.t.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.dir, path)
	}
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		c.t.Fatal(err)
	}
}

// run runs a program to its end and gives what it printed. It must succeed.
func (c *callee) run(env []string, argv ...string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), found(c.t, argv[0]), argv[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append([]string{"PATH=" + c.bin + ":" + os.Getenv("PATH"), "REDUND_URL=" + c.url, "REDUND_TOKEN=" + own}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Errorf("%q: %v\n%s", argv, err, out)
	}
	return string(out)
}

// heard holds what was called since it was held last; X stands for any word.
func (c *callee) heard(want ...string) {
	c.t.Helper()
	c.calls.mu.Lock()
	got := c.calls.heard
	c.calls.heard = nil
	c.calls.mu.Unlock()
	re := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(strings.Join(want, "\n")), "X", `\S+`) + "$")
	if !re.MatchString(strings.Join(got, "\n")) {
		c.t.Errorf("heard %q, not %q", got, want)
	}
}

// gone is the address of an engine that is away.
func gone(t *testing.T) string { return "http://" + free(t, "127.0.0.1") }

// silent is one that takes connections and says nothing.
func silent(t *testing.T) string {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String()
}

func TestShellSnippet(t *testing.T) {
	c := called(t, "pm2/digest")
	c.file("snippet.sh", snippet(t, "heartbeat"))
	c.file("digest.sh", "#!/bin/sh\nexit 0\n")
	c.run(nil, "sh", "snippet.sh")
	c.heard("pm2/digest started X  ", "pm2/digest succeeded X  ")
	c.file("digest.sh", "#!/bin/sh\nexit 3\n")
	c.run(nil, "sh", "snippet.sh")
	c.heard("pm2/digest started X  ", "pm2/digest failed X  exit code 3")
	for _, url := range []string{gone(t), c.url + "/wrong"} {
		c.file("digest.sh", "#!/bin/sh\necho the work was done\n")
		if out := c.run([]string{"REDUND_URL=" + url}, "sh", "snippet.sh"); !strings.Contains(out, "the work was done") || strings.Count(out, "no heartbeat") != 2 {
			t.Errorf("without an engine at %s:\n%s", url, out)
		}
	}
	c.heard()
}

// workflow is what is run of a workflow file.
type workflow struct {
	Jobs map[string]struct {
		If    string
		Env   map[string]string
		Steps []struct {
			Name, Run string
			Env       map[string]string
		}
	}
}

// linted reads a workflow that GitHub's checker has nothing to say of.
func linted(t *testing.T, word string) (w workflow) {
	t.Helper()
	text := []byte(snippet(t, word))
	l, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := l.Lint("workflow.yml", text, nil)
	if err != nil || len(wrong) > 0 {
		t.Errorf("%s: %v, %v", word, wrong, err)
	}
	if err := yaml.Unmarshal(text, &w); err != nil {
		t.Fatal(err)
	}
	return w
}

// step runs a step as GitHub does: bash -e, with its environment after
// expressions.
func (c *callee) step(script string, values map[string]string, envs ...map[string]string) string {
	c.t.Helper()
	env := []string{"GITHUB_RUN_ID=" + values["run"], "GITHUB_REPOSITORY=acme/site", "GITHUB_OUTPUT=" + filepath.Join(c.dir, "output")}
	for _, vars := range envs {
		for k, v := range vars {
			for from, to := range values {
				v = strings.ReplaceAll(v, "${{ "+from+" }}", to)
			}
			if strings.Contains(v, "${{") {
				c.t.Errorf("nobody knows %s", v)
			}
			env = append(env, k+"="+v)
		}
	}
	c.file("output", "")
	c.file("script", script)
	return c.run(env, "bash", "-e", "script")
}

func TestGitHubHeartbeatSnippet(t *testing.T) {
	c := called(t, "github-actions/marketing-sync")
	w := linted(t, "github-heartbeat")
	job := w.Jobs["sync"]
	values := map[string]string{"run": "77", "vars.REDUND_URL": c.url, "secrets.REDUND_TOKEN": own}
	play := func() (out string) {
		for _, s := range job.Steps {
			if strings.HasPrefix(s.Name, "Say") {
				out += c.step(s.Run, values, job.Env, s.Env)
			}
		}
		return out
	}
	for status, state := range map[string]string{"success": "succeeded", "failure": "failed", "cancelled": "failed"} {
		values["job.status"] = status
		play()
		c.heard("github-actions/marketing-sync started 77  ", "github-actions/marketing-sync "+state+" 77  ")
	}
	values["vars.REDUND_URL"] = gone(t)
	if out := play(); strings.Count(out, "::warning::") != 2 {
		t.Errorf("without an engine:\n%s", out)
	}
}

// TestGitHubClaimSnippet holds that a late run stands down when it is told to,
// and only then.
func TestGitHubClaimSnippet(t *testing.T) {
	c := called(t, "github-actions/marketing-sync")
	w := linted(t, "github-claim")
	if got := w.Jobs["sync"].If; got != "needs.ask.outputs.go != 'false'" {
		t.Errorf("the work runs if %s", got)
	}
	s := w.Jobs["ask"].Steps[0]
	ask := func(run, url string) (out string, outputs map[string]string) {
		out = c.step(s.Run, map[string]string{"run": run, "vars.REDUND_URL": url, "secrets.REDUND_TOKEN": own, "github.token": "x"}, s.Env)
		text, err := os.ReadFile(filepath.Join(c.dir, "output"))
		if err != nil {
			t.Fatal(err)
		}
		outputs = map[string]string{}
		for line := range strings.Lines(string(text)) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
			outputs[k] = v
		}
		return out, outputs
	}
	if out, got := ask("78", c.url); !maps.Equal(got, map[string]string{"fence": "1"}) || strings.Contains(out, "::") {
		t.Errorf("granted: %v\n%s", got, out)
	}
	if out, got := ask("late", c.url); !maps.Equal(got, map[string]string{"fence": "2", "go": "false"}) || !strings.Contains(out, "stands down") {
		t.Errorf("refused: %v\n%s", got, out)
	}
	c.program("gh", "exit 1")
	before := time.Now()
	if out, got := ask("79", c.url); !maps.Equal(got, map[string]string{"fence": "3"}) {
		t.Errorf("without GitHub: %v\n%s", got, out)
	}
	claims := c.calls.claims
	if first := claims[0]; first.Run != "78" || !first.Created.Equal(time.Date(2026, 11, 24, 3, 17, 0, 0, time.UTC)) {
		t.Errorf("%+v", first)
	}
	if last := claims[2]; last.Created.Sub(before).Abs() > 40*time.Second {
		t.Errorf("%+v", last)
	}
	for what, url := range map[string]string{"gone": gone(t), "silent": silent(t), "wrong": c.url + "/wrong"} {
		began := time.Now()
		if out, got := ask("80", url); !maps.Equal(got, map[string]string{"fence": ""}) || !strings.Contains(out, "this run goes on") || time.Since(began) > 30*time.Second {
			t.Errorf("%s: %v after %s\n%s", what, got, time.Since(began), out)
		}
	}
}

func TestPM2Snippet(t *testing.T) {
	c := called(t, "pm2/nightly", "pm2/auto-sync")
	c.file("redund.js", snippet(t, "pm2"))
	c.file("work.js", `const { reported } = require('./redund');
(async () => {
  console.log(await reported('pm2/nightly', async () => 'result'));
  await reported('pm2/nightly', async () => { throw new Error('no room'); }).catch((e) => console.log('threw', e.message));
})();`)
	socket := "REDUND_SOCKET=" + filepath.Join(c.project.State, "redund.sock")
	for _, x := range []struct {
		env   string
		heard []string
	}{
		{socket, []string{"pm2/nightly started X  ", "pm2/nightly succeeded X  ", "pm2/nightly started X  ", "pm2/nightly failed X  Error: no room"}},
		{"REDUND_SOCKET=/nowhere", nil},
	} {
		if out := c.run([]string{x.env}, "node", "work.js"); out != "result\nthrew no room\n" {
			t.Errorf("%s: %s", x.env, out)
		}
		c.heard(x.heard...)
	}
	c.file("service.js", `require('./redund').alive('pm2/auto-sync', 20); process.stdin.resume();`)
	cmd := exec.CommandContext(t.Context(), found(t, "node"), "service.js")
	cmd.Dir, cmd.Env = c.dir, []string{"PATH=" + os.Getenv("PATH"), socket}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "signs of life", func() bool { return len(c.calls.all()) >= 3 })
	in.Close() // the timer alone keeps it no longer
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if got := c.calls.all(); slices.ContainsFunc(got, func(s string) bool { return s != "pm2/auto-sync started   " }) {
		t.Errorf("%q", got)
	}
}

func TestNetlifySnippets(t *testing.T) {
	const id = "netlify-functions/digest "
	c := called(t, "netlify-functions/digest")
	for word, x := range map[string]struct{ file, good, bad, call string }{
		"netlify-v1": {
			"digest.js", "return { statusCode: 200, body: 'sent' };", "return { statusCode: 500, body: 'no room' };",
			`require('./digest.js').handler({}, { awsRequestId: 'r1' }).then((a) => console.log(a.body)`,
		},
		"netlify-v2": {
			"digest.mjs", "return new Response('sent');", "return new Response('no room', { status: 500 });",
			`import('./digest.mjs').then((m) => m.default(new Request('http://x/'), { requestId: 'r1' })).then(async (a) => console.log(await a.text())`,
		},
	} {
		text := snippet(t, word)
		if strings.Count(text, x.good) != 1 {
			t.Fatalf("%s does no work:\n%s", word, text)
		}
		c.file("call.js", x.call+`, (e) => console.log('threw', e.message)).finally(() => process.exit(0));`)
		for work, want := range map[string]struct{ printed, heard string }{
			x.good:                        {"sent\n", "succeeded r1  sent"},
			x.bad:                         {"no room\n", "failed r1  no room"},
			"throw new Error('no room');": {"threw no room\n", "failed r1  Error: no room"},
		} {
			c.file(x.file, strings.Replace(text, x.good, work, 1))
			if out := c.run(nil, "node", "call.js"); out != want.printed {
				t.Errorf("%s, %s: %s", word, work, out)
			}
			c.heard(id+"started r1  ", id+want.heard)
			for _, url := range []string{gone(t), c.url + "/wrong"} {
				if out := c.run([]string{"REDUND_URL=" + url}, "node", "call.js"); !strings.HasSuffix(out, want.printed) || strings.Count(out, "no heartbeat") != 2 {
					t.Errorf("%s, %s, without an engine: %s", word, work, out)
				}
			}
		}
	}
}
