package settings

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
)

// Finding is a mistake in the project file that its schema cannot find.
type Finding struct {
	Path          []any
	Offset, Width int // in the text at Path; Width 0: the whole value
	Severity      diag.Severity
	Rule          string
	Message, Hint string
}

// Check finds what contradicts itself or this version. root is the project's,
// absolute.
func (c *Config) Check(root string) []Finding {
	out := c.checkListen()
	say := func(rule, message, hint string, path ...any) {
		out = append(out, Finding{Path: path, Severity: diag.Error, Rule: rule, Message: message, Hint: hint})
	}
	if c.Storage != "sqlite" {
		say("storage", "the history is kept in sqlite for now; a database for several hosts comes with a later version", "write sqlite, or leave the key out", "storage")
	}
	if (c.Server.TLS.Cert == "") != (c.Server.TLS.Key == "") {
		say("listen", "a certificate and its key go together", "name the files of both, or of neither", "server", "tls")
	}
	for _, folder := range append([]string{"."}, c.Pipelines...) {
		// The state directory hides what it holds from git.
		if rel, err := filepath.Rel(files.Under(root, c.State), files.Under(root, folder)); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			say("state", "the state directory would hold "+map[bool]string{true: "the project", false: folder}[folder == "."]+" too", "name a folder of its own, as .redund", "state")
			break
		}
	}
	lower := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Vars)) {
		if other, twice := lower[strings.ToLower(name)]; twice {
			say("duplicate-key", fmt.Sprintf("%s and %s differ in case alone, which expressions do not see", other, name), "give one of them another name", "vars", name)
		}
		lower[strings.ToLower(name)] = name
	}
	for _, name := range slices.Sorted(maps.Keys(c.Plugins)) {
		if info, err := os.Stat(files.Under(root, c.Plugins[name])); err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			out = append(out, Finding{Path: []any{"plugins", name}, Severity: diag.Warning, Rule: "missing-program",
				Message: fmt.Sprintf("the plugin %s is not a program at %s", name, c.Plugins[name]), Hint: "steps that use it fail on this machine"})
		}
	}
	return out
}

// CheckServices finds those that are told of what happens and cannot be: service
// says what is wrong with one.
func (f *File) CheckServices(service func(url string) *kind.Finding) {
	if f.Source == nil || f.Blind || service == nil {
		return
	}
	for i, url := range f.Config.Notify.Services {
		if x := service(url); x != nil {
			f.say(Finding{Path: []any{"notify", "services", i}, Severity: x.Severity, Rule: x.Rule, Message: x.Message, Hint: x.Hint})
		}
	}
}

func (c *Config) checkListen() []Finding {
	s := &c.Server
	if s.Listen == "" {
		return nil
	}
	say := func(message, hint string) []Finding {
		return []Finding{{Path: []any{"server", "listen"}, Severity: diag.Error, Rule: "listen", Message: message, Hint: hint}}
	}
	host, port, err := net.SplitHostPort(s.Listen)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 {
		return say(fmt.Sprintf("%q is not an address and a port", s.Listen), `write it as "127.0.0.1:7467"`)
	}
	ip := net.ParseIP(host)
	if host == "localhost" || ip != nil && ip.IsLoopback() || s.BehindProxy || s.TLS.Cert != "" {
		return nil
	}
	return say(s.Listen+" is beyond this machine, where the token would travel in clear text",
		"give server.tls a cert and a key, say behind-proxy: true, or listen on 127.0.0.1")
}
