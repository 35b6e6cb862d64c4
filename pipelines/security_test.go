package pipelines

import (
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// advisories makes a registry of npm that knows of vulnerable packages: the
// bulk endpoint that `npm audit` asks, and the packages themselves
// (docs.npmjs.com/about-audit-reports, @npmcli/metavuln-calculator).
func advisories(t *testing.T, severity string) *pages {
	t.Helper()
	p := newPages(t)
	p.on("/-/npm/v1/security/advisories/bulk", func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				answer(w, 400, `{"error":"not gzip"}`)
				return
			}
			body = z
		}
		var asked map[string][]string
		if err := json.NewDecoder(body).Decode(&asked); err != nil || r.Method != http.MethodPost {
			answer(w, 400, `{"error":"not a list of packages"}`)
			return
		}
		out := "{}"
		if len(asked["minimist"]) > 0 {
			out = `{"minimist":[{"id":1097677` + strconv.Itoa(int(severity[0])) + `,"url":"https://github.com/advisories/GHSA-xvch-5gv4-984h","title":"Prototype Pollution in minimist","severity":"` + severity +
				`","vulnerable_versions":">=1.0.0 <1.2.6","cwe":["CWE-1321"],"cvss":{"score":9.8,"vectorString":null}}]}`
		}
		answer(w, 200, out)
	})
	p.say("/minimist", 200, `{"name":"minimist","dist-tags":{"latest":"1.2.8"},"versions":{"1.2.5":{"name":"minimist","version":"1.2.5","dist":{}},"1.2.8":{"name":"minimist","version":"1.2.8","dist":{}}}}`)
	return p
}

const packageWithMinimist = `{"name":"site","version":"1.0.0","private":true,"dependencies":{"minimist":"1.2.5"}}`

const lockWithMinimist = `{"name":"site","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{"":{"name":"site","version":"1.0.0","dependencies":{"minimist":"1.2.5"}},` +
	`"node_modules/minimist":{"version":"1.2.5","license":"MIT","integrity":"sha512-FM9nNUYrRBAELZQT3xeZQ7fmMOBg6nWNmJKTcgsJeaLstP/UODVpGsr5OhXhhXg6f+qtJ8uiZ+PUxkDWcgIXLw=="}}}`

// TestSecurityScanNPM: a vulnerability at the bar fails, one below it or in the
// allow list does not, and a registry that cannot be asked never passes.
func TestSecurityScanNPM(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"functions/package.json": packageWithMinimist, "functions/package-lock.json": lockWithMinimist}, "github-actions/security-scan")
	if err := os.RemoveAll(filepath.Join(r.dir, "pipelines/tools/code/package-lock.json")); err != nil {
		t.Fatal(err)
	}
	r.commitAll("First")
	bad := advisories(t, "critical")
	run := func(p *pages, params ...string) ended {
		return r.run("security-scan", append(params, "checks=npm", "registry="+p.URL)...)
	}
	e := run(bad)
	e.found("1 vulnerabilities of severity high or above in npm packages, as minimist in functions: Prototype Pollution in minimist (GHSA-xvch-5gv4-984h)")
	for _, id := range []string{"secrets", "go"} {
		if state, text, _ := e.step(t, id); state != "skipped" {
			t.Errorf("%s: %s %s", id, state, text)
		}
	}
	run(bad, "allow=GHSA-xvch-5gv4-984h").clean()
	if !variants() {
		return
	}
	mild := advisories(t, "moderate")
	run(mild).clean()
	run(mild, "severity=low").found("minimist")
	mild.say("/-/npm/v1/security/advisories/bulk", 405, `{"code":"MethodNotAllowed"}`)
	run(mild).found("npm audit in functions got no answer to go by", "405")
}

// TestSecurityScanSecrets: a secret in the history fails until it is allowed, and
// what was scanned without a finding is not scanned again.
func TestSecurityScanSecrets(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"deploy.js": "const token = process.env.TOKEN\n"}, "github-actions/security-scan")
	r.commitAll("First")
	scan := func(params ...string) (e ended, commits int, prints []string) {
		e = r.run("security-scan", append(params, "checks=secrets")...)
		var report struct {
			Commits  int
			Findings []struct{ Fingerprint string }
		}
		e.report("secrets.json", &report)
		for _, f := range report.Findings {
			prints = append(prints, f.Fingerprint)
		}
		return e, report.Commits, prints
	}
	e, commits, _ := scan()
	e.clean()
	if commits != 1 {
		t.Errorf("%d commits were looked through", commits)
	}
	token := "ghp_" + "x9VbKq27LmZ4tRw8cNfJ3hYs6PdA1uEg5oXi" // in two parts, so that nobody takes it for one
	r.write("deploy.js", "const token = '"+token+"'\n")
	r.commitAll("Deploy")
	r.write("deploy.js", "const token = process.env.TOKEN\n")
	r.commitAll("Take it out of the file, which takes it out of no history")
	e, commits, prints := scan()
	e.found("1 secrets in the history, as github-pat in deploy.js:1 of commit ")
	if commits != 2 || len(prints) != 1 {
		t.Errorf("%d commits, findings %v", commits, prints)
	}
	if strings.Contains(e.printed+e.report("secrets.json", nil)+e.report("secrets.md", nil), token) {
		t.Error("the secret itself was told")
	}
	if !variants() {
		return
	}
	if e, _, _ := scan(); e.State != "failed" {
		t.Error("what was found once is not found again")
	}
	e, _, _ = scan("allow=" + prints[0])
	e.clean()
	e, commits, _ = scan()
	e.clean()
	if commits != 0 {
		t.Errorf("%d commits were looked through again", commits)
	}
	e, commits, _ = scan("full=true")
	e.found("github-pat")
	if commits != 3 {
		t.Errorf("of the whole history %d commits were looked through", commits)
	}
}

// vulnerabilities writes a database of Go's vulnerabilities with one entry
// (go.dev/security/vuln/database), of a function of the standard library.
func vulnerabilities(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"index/db.json":      `{"modified":"2026-11-01T00:00:00Z"}`,
		"index/modules.json": `[{"path":"stdlib","vulns":[{"id":"GO-2026-9999","modified":"2026-11-01T00:00:00Z"}]}]`,
		"index/vulns.json":   `[{"id":"GO-2026-9999","modified":"2026-11-01T00:00:00Z","aliases":[]}]`,
		"ID/GO-2026-9999.json": `{"schema_version":"1.3.1","id":"GO-2026-9999","modified":"2026-11-01T00:00:00Z","published":"2026-11-01T00:00:00Z","summary":"Tables that never end in text/tabwriter",` +
			`"details":"x","affected":[{"package":{"name":"stdlib","ecosystem":"Go"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}],` +
			`"ecosystem_specific":{"imports":[{"path":"text/tabwriter","symbols":["NewWriter"]}]}}]}`,
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return "file://" + dir
}

// TestSecurityScanGo: a vulnerable function that the code calls fails, one that
// it does not call does not.
func TestSecurityScanGo(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{
		"tool/go.mod":  "module example.com/tool\n\ngo 1.24\n",
		"tool/main.go": "package main\n\nfunc main() { println(\"hello\") }\n",
	}, "github-actions/security-scan")
	r.commitAll("First")
	params := []string{"vuln-db=" + vulnerabilities(t), "checks=go"}
	r.run("security-scan", params...).clean()
	r.write("tool/main.go", "package main\n\nimport (\n\t\"os\"\n\t\"text/tabwriter\"\n)\n\nfunc main() { _ = tabwriter.NewWriter(os.Stdout, 0, 1, 1, ' ', 0).Flush() }\n")
	r.run("security-scan", params...).found("1 vulnerabilities that Go code can reach, as GO-2026-9999 by", "Tables that never end")
	if !variants() {
		return
	}
	r.run("security-scan", append(params, "allow=GO-2026-9999")...).clean()
	params[0] = "vuln-db=file://" + filepath.Join(r.dir, "none")
	r.run("security-scan", params...).found("govulncheck in tool ended with exit code")
	// Without the tools there is no result, and that is no success.
	bin := t.TempDir()
	for _, name := range []string{"node", "npm", "git", "sh", "bash", "env"} {
		if err := os.Symlink(r.command("sh", "-c", "command -v "+name), filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	r.env[0] = "PATH=" + bin
	e := r.run("security-scan")
	e.found("gitleaks is not installed, and neither is Go")
	if state, text, _ := e.step(t, "go"); state != "failed" || !strings.Contains(text, "Go is not installed") {
		t.Errorf("%s %s", state, text)
	}
}

// secureSite serves pages with TLS and headers, with a certificate that lasts so
// long, and gives the file of who signed it.
func secureSite(t *testing.T, lasts time.Duration, page func(w http.ResponseWriter)) (address, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "loopback"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lasts),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { page(w) }))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return s.URL, ca
}

// TestSecurityAudit: headers, the end of the certificate, parts without TLS, and
// the packages of the functions.
func TestSecurityAudit(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"netlify/package.json": packageWithMinimist, "netlify/package-lock.json": lockWithMinimist}, "netlify-functions/security-audit")
	good := map[string]string{
		"Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'", "Strict-Transport-Security": "max-age=31536000",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
	}
	page := func(headers map[string]string, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			for k, v := range headers {
				w.Header().Set(k, v)
			}
			_, _ = io.WriteString(w, "<!doctype html><title>Site</title>"+body)
		}
	}
	audit := func(registry *pages, lasts time.Duration, serve func(http.ResponseWriter), params ...string) ended {
		address, ca := secureSite(t, lasts, serve)
		env := r.env
		defer func() { r.env = env }()
		r.env = append(r.env[:len(r.env):len(r.env)], "NODE_EXTRA_CA_CERTS="+ca)
		return r.run("security-audit", append(params, "url="+address, "registry="+registry.URL)...)
	}
	mild, bad := advisories(t, "low"), advisories(t, "critical")
	const year = 365 * 24 * time.Hour
	audit(mild, year, page(good, `<a href="http://example.com/">a link is no part of the page</a>`)).clean()
	e := audit(bad, year, page(good, ""))
	e.found("minimist in netlify: Prototype Pollution")
	if state, text, _ := e.step(t, "site"); state != "succeeded" {
		t.Errorf("the site: %s %s", state, text)
	}
	without := map[string]string{"Referrer-Policy": "same-origin", "Content-Security-Policy": "default-src 'self'"}
	audit(mild, year, page(without, "")).found("has no strict-transport-security, x-content-type-options, x-frame-options")
	if !variants() {
		return
	}
	audit(mild, 10*24*time.Hour, page(good, "")).found("the certificate of 127.0.0.1", "less than 14")
	audit(mild, 10*24*time.Hour, page(good, ""), "min-days=5").clean()
	audit(mild, -time.Minute, page(good, "")).found("the certificate of 127.0.0.1", "less than 14")
	audit(mild, year, page(good, `<img src="http://example.com/a.png"><link rel="stylesheet" href="http://example.com/a.css">`)).
		found("loads without TLS: <img> http://example.com/a.png, <link> http://example.com/a.css")
}
