package server_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api/server"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
)

const bearer = "Authorization: Bearer " + token

// free is an address with a port that nobody listens at: redund.yaml must name
// one.
func free(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp4", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func tcp(t *testing.T, more string, l server.Limits) *standing {
	return start(t, project(t, t.TempDir(), map[string]string{
		"pipelines/quick.yaml": quick,
		"redund.yaml":          "version: 1\nserver:\n  listen: " + free(t, "127.0.0.1") + "\n" + more,
	}), l)
}

const given = "  token: ${{ secrets.REDUND_TOKEN }}\n"

func TestTokenHostAndOrigin(t *testing.T) {
	s := tcp(t, given, server.Limits{})
	at := s.server.Addr().String()
	_, port, _ := net.SplitHostPort(at)
	c := over(t, "tcp", at)
	for _, x := range []struct {
		what    string
		headers []string
		status  int
	}{
		{"GET /api/v1/status", nil, 401},
		{"GET /metrics", nil, 401},
		{"GET /nothing", nil, 401},
		{"POST /api/v1/engine/stop", nil, 401},
		{"GET /api/v1/status", []string{"Authorization: Bearer "}, 401},
		{"GET /api/v1/status", []string{"Authorization: Bearer " + token + "x"}, 401},
		{"GET /api/v1/status", []string{"Authorization: Bearer " + token[1:]}, 401},
		{"GET /api/v1/status", []string{"Authorization: Basic " + token}, 401},
		{"GET /api/v1/status?token=" + token, nil, 401},
		{"GET /api/v1/status", []string{bearer}, 200},
		{"GET /api/v1/status", []string{"Authorization: bearer " + token}, 200},
		{"GET /healthz", nil, 200},
		{"GET /api/v1/status", []string{bearer, "Host: localhost:" + port}, 200},
		{"GET /api/v1/status", []string{bearer, "Host: 127.0.0.1:" + port}, 200},
		{"GET /api/v1/status", []string{bearer, "Host: [::1]:" + port}, 200},
		{"GET /api/v1/status", []string{bearer, "Host: evil.example"}, 421},
		{"GET /api/v1/status", []string{bearer, "Host: evil.example:" + port}, 421},
		{"GET /api/v1/status", []string{bearer, "Host: 127.0.0.1.evil.example"}, 421},
		{"GET /healthz", []string{"Host: evil.example"}, 421},
		{"GET /api/v1/status", []string{bearer, "Host: localhost:" + port, "Origin: http://localhost:" + port}, 200},
		{"GET /api/v1/status", []string{bearer, "Origin: http://evil.example"}, 403},
		{"GET /api/v1/status", []string{bearer, "Origin: null"}, 403},
		{"GET /api/v1/status", []string{bearer, "Host: localhost:" + port, "Origin: http://localhost:1"}, 403},
		{"GET /healthz", []string{"Sec-Fetch-Site: cross-site"}, 403},
	} {
		if status, body := ask(t, c, x.what, "", x.headers...); status != x.status {
			t.Errorf("%s %q: %d %s", x.what, x.headers, status, body)
		}
	}
	status, body := ask(t, c, "POST /api/v1/runs", `{"pipeline": "quick"}`, bearer)
	if status != 202 {
		t.Fatalf("%d %s", status, body)
	}
	if got := s.events("asked"); !strings.Contains(got, "run by token from 127.0.0.1:") {
		t.Errorf("%q", got)
	}
	log := s.logged.String()
	if n := strings.Count(log, "a request was refused"); strings.Contains(log, token) || n < 1 || n > 3 {
		t.Errorf("the log:\n%s", log)
	}
	if _, err := os.Stat(filepath.Join(s.project.State, "token")); err == nil {
		t.Error("a token was made although there is one")
	}
}

func TestTokenIsMadeAndKept(t *testing.T) {
	s := tcp(t, "", server.Limits{})
	file := filepath.Join(s.project.State, "token")
	b, err := os.ReadFile(file)
	if err != nil || len(b) < 40 {
		t.Fatalf("%q, %v", b, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	auth := "Authorization: Bearer " + strings.TrimSpace(string(b))
	if status, body := ask(t, over(t, "tcp", s.server.Addr().String()), "GET /api/v1/list", "", auth); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	if _, err := server.New(s.engine, server.Options{}); err != nil {
		t.Error(err)
	}
	if again, err := os.ReadFile(file); err != nil || !bytes.Equal(b, again) {
		t.Errorf("%q, %v", again, err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.project.State, ".token*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := server.New(s.engine, server.Options{}); err == nil || !strings.Contains(err.Error(), "can be read by others: remove it") {
		t.Errorf("%v", err)
	}
}

// TestUnsafeIsRefused holds what must not be listened to.
func TestUnsafeIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"listen: 0.0.0.0:0":                           "can be reached from other machines",
		"listen: ':0'":                                "set server.tls, or behind-proxy: true",
		"listen: '[::]:0'":                            "can be reached from other machines",
		"listen: example.com:80":                      "can be reached from other machines",
		"listen: 127.0.0.1":                           "is no address as 127.0.0.1:7467",
		"{listen: '127.0.0.1:0', tls: {cert: x.pem}}": "cert and key go together",
		"{listen: '127.0.0.1:0', tls: {cert: x.pem, key: y.pem}}":    "server.tls: open ",
		"{listen: '127.0.0.1:0', token: '${{ secrets.NOT_THERE }}'}": "server.token: it is empty",
		"{listen: '0.0.0.0:0', behind-proxy: true}":                  "",
		"listen: localhost:0": "",
		"listen: '[::1]:0'":   "",
	} {
		if !strings.HasPrefix(text, "{") {
			text = "{" + text + "}"
		}
		p := project(t, t.TempDir(), map[string]string{"pipelines/quick.yaml": quick})
		if err := os.WriteFile(filepath.Join(p.Root, "redund.yaml"), []byte("version: 1\nserver: "+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		// What the checks of the file find does not get here; but who embeds an
		// engine may not look at them.
		e := open(t, reloaded(t, p.Root), engine.Serve{})
		_, err := server.New(e, server.Options{})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func reloaded(t *testing.T, root string) *config.Project {
	p := config.Load(t.Context(), config.Options{Dir: root, Kinds: builtin.Kinds()})
	return p
}

// certify writes a certificate for a name, and gives what trusts it.
func certify(t *testing.T, dir, name string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, b := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	parsed, _ := x509.ParseCertificate(der)
	pool.AddCert(parsed)
	return pool
}

func TestTLS(t *testing.T) {
	root := t.TempDir()
	pool := certify(t, root, "engine.example")
	s := start(t, project(t, root, map[string]string{
		"pipelines/quick.yaml": quick,
		"redund.yaml":          "version: 1\nserver:\n  listen: " + free(t, "0.0.0.0") + "\n  tls: {cert: cert.pem, key: key.pem}\n" + given,
	}), server.Limits{})
	_, port, _ := net.SplitHostPort(s.server.Addr().String())
	trust := func(pool *x509.CertPool) *http.Client {
		tr := &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: pool},
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+port)
			},
		}
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr}
	}
	if status, body := ask(t, trust(pool), "GET https://engine.example/api/v1/status", "", bearer); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := ask(t, trust(pool), "GET https://engine.example/api/v1/status", ""); status != 401 {
		t.Errorf("without a token: %d", status)
	}
	if status, body := ask(t, trust(pool), "GET https://engine.example/healthz", "", "Host: evil.example"); status != 421 {
		t.Errorf("another name: %d %s", status, body)
	}
	resp, err := http.Get("http://127.0.0.1:" + port + "/healthz")
	if err == nil {
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("without TLS: %s %s", resp.Status, b)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	// A certificate is renewed while the engine runs.
	renewed := certify(t, root, "engine.example")
	later := time.Now().Add(time.Minute)
	for _, f := range []string{"cert.pem", "key.pem"} {
		if err := os.Chtimes(filepath.Join(root, f), later, later); err != nil {
			t.Fatal(err)
		}
	}
	if status, body := ask(t, trust(renewed), "GET https://engine.example/api/v1/status", "", bearer); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	if err := os.WriteFile(filepath.Join(root, "cert.pem"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, body := ask(t, trust(renewed), "GET https://engine.example/api/v1/status", "", bearer); status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

// TestServerChangesWithAStart holds that a change of `server` leaves the open port
// as it is, and that everybody is told what it takes.
func TestServerChangesWithAStart(t *testing.T) {
	s := tcp(t, given, server.Limits{})
	file := filepath.Join(s.project.Root, "redund.yaml")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	save := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.engine.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	waits := func() string {
		t.Helper()
		st, err := s.client().Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(st.Reload.Restart, " ")
	}
	if got := waits(); got != "" {
		t.Errorf("%q waits for a start, but nothing has changed", got)
	}
	save("version: 1\nserver:\n  listen: " + free(t, "127.0.0.1") + "\n" + given)
	if got := waits(); got != "server" {
		t.Errorf("%q waits for a start", got)
	}
	if got := s.events("restart-needed"); !strings.Contains(got, "server") {
		t.Errorf("the events: %q", got)
	}
	if status, body := ask(t, over(t, "tcp", s.server.Addr().String()), "GET /api/v1/status", "", bearer); status != 200 {
		t.Errorf("the port that is open: %d %s", status, body)
	}
	save(string(before))
	if got := waits(); got != "" {
		t.Errorf("%q waits for a start, but all is as it was", got)
	}
}
