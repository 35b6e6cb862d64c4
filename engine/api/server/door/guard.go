package door

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/tokens"
)

// Guard decides who may ask over TCP.
type Guard struct {
	listenOn string
	token    [sha256.Size]byte // its hash: compared in constant time, whatever the lengths
	proxy    bool
	tls      *certificate // nil: none
	loopback bool
}

// NewGuard reads `server` of redund.yaml; the error says what is not safe or not
// possible.
func NewGuard(e *engine.Engine) (*Guard, error) {
	p := e.Project()
	c := p.Config.Server
	g := &Guard{listenOn: c.Listen, proxy: c.BehindProxy}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("server.listen: %q is no address as 127.0.0.1:7467", c.Listen)
	}
	g.loopback = isLoopback(host)
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		return nil, errors.New("server.tls: cert and key go together: name both")
	}
	if c.TLS.Cert != "" {
		g.tls = &certificate{cert: below(p.Root, c.TLS.Cert), key: below(p.Root, c.TLS.Key)}
		if _, err := g.tls.get(); err != nil {
			return nil, fmt.Errorf("server.tls: %w", err)
		}
	}
	if !g.loopback && g.tls == nil && !g.proxy {
		return nil, fmt.Errorf("server.listen: %s can be reached from other machines, and what they send could be read on the way: "+
			"set server.tls, or behind-proxy: true when a proxy in front does TLS, or listen on 127.0.0.1", c.Listen)
	}
	token, err := e.Token()
	if err == nil && token == "" {
		if token, err = tokens.File(filepath.Join(p.State, "token")); err != nil {
			err = fmt.Errorf("the token of the server: %w", err)
		}
	}
	g.token = sha256.Sum256([]byte(token))
	return g, err
}

func below(root, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(root, path)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Listen listens, and makes sure that it is where it was thought to be.
func (g *Guard) Listen(ctx context.Context, conns int) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", g.listenOn)
	if err != nil {
		return nil, fmt.Errorf("server.listen: %w", err)
	}
	if at, ok := l.Addr().(*net.TCPAddr); g.loopback && (!ok || !at.IP.IsLoopback()) {
		return nil, errors.Join(fmt.Errorf("server.listen: %s means %s, which is not of this machine alone: write 127.0.0.1", g.listenOn, l.Addr()), l.Close())
	}
	l = bound(l, conns, false)
	if g.tls != nil {
		l = tls.NewListener(l, &tls.Config{
			MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return g.tls.get() },
		})
	}
	return l, nil
}

// Admit says why a request over TCP is refused: an HTTP status and a reason, or
// 0. A page in somebody's browser can send requests here under a name of its
// own (DNS rebinding) or of this machine: Host and Origin tell them.
func (g *Guard) Admit(r *http.Request) (status int, reason, hint string) {
	if !g.knows(r.Host) {
		return http.StatusMisdirectedRequest, fmt.Sprintf("there is no %q here", r.Host), "ask by the name or address that server.listen or the certificate has"
	}
	for _, o := range r.Header.Values("Origin") {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return http.StatusForbidden, "pages of other sites may not ask this engine", ""
		}
	}
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		return http.StatusForbidden, "pages of other sites may not ask this engine", ""
	}
	if r.URL.Path == "/healthz" {
		return 0, "", ""
	}
	sum := sha256.Sum256([]byte(Bearer(r)))
	if subtle.ConstantTimeCompare(sum[:], g.token[:]) != 1 {
		return http.StatusUnauthorized, "the token is missing or wrong",
			"send Authorization: Bearer with server.token, or with what stands in the file token of the state directory"
	}
	return 0, "", ""
}

// Bearer is the token that a request shows, "" where there is none.
func Bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// knows reports whether the server goes by the host of a request.
func (g *Guard) knows(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	own, _, _ := net.SplitHostPort(g.listenOn)
	switch {
	case host == "":
		return false
	case g.proxy: // it decides by what names it is known
		return true
	case g.loopback && isLoopback(host), strings.EqualFold(host, own):
		return true
	case g.tls != nil:
		return g.tls.covers(host)
	}
	return false
}

// certificate is one in files, read again when they have changed.
type certificate struct {
	cert, key string
	mu        sync.Mutex
	loaded    *tls.Certificate
	leaf      *x509.Certificate
	at        [2]time.Time
}

// get gives the newest good one.
func (c *certificate) get() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var at [2]time.Time
	for i, f := range []string{c.cert, c.key} {
		if info, err := os.Stat(f); err == nil {
			at[i] = info.ModTime()
		}
	}
	if c.loaded != nil && at == c.at {
		return c.loaded, nil
	}
	x, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err == nil && x.Leaf == nil {
		x.Leaf, err = x509.ParseCertificate(x.Certificate[0])
	}
	if err != nil {
		if c.loaded != nil {
			return c.loaded, nil // they are being replaced
		}
		return nil, err
	}
	c.loaded, c.leaf, c.at = &x, x.Leaf, at
	return c.loaded, nil
}

func (c *certificate) covers(host string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leaf != nil && c.leaf.VerifyHostname(host) == nil
}
