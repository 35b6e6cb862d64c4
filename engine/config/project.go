package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/config/shape"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/source"
	"github.com/redundctl/redundctl/schema"
)

// config reads redund.yaml, applies the environment and fills in what is not
// written. A project without the file has the defaults.
func (l *loader) config() {
	value := map[string]any{}
	s, ps := l.open(FileName, true)
	l.add(ps...)
	if s != nil {
		l.Files++
		if v, ok := s.Value.(map[string]any); ps != nil {
			// What cannot be read is told alone: the rest would follow from it.
		} else if ok {
			l.add(mistake.Problems(s, l.kinds.Schemas().Config(v))...)
			value = v
		} else {
			l.add(mistake.Problems(s, l.kinds.Schemas().Config(s.Value))...)
		}
		if ps == nil {
			l.configExpressions(s)
		}
	}
	l.ConfigInvalid = slices.ContainsFunc(l.Problems, func(p diag.Problem) bool { return p.Severity == diag.Error })
	if l.ConfigInvalid {
		// Defaults stand in for what cannot be trusted, but for the folder
		// that a running engine would be found in.
		state, _ := value["state"].(string)
		value = map[string]any{}
		if state != "" {
			value["state"] = state
		}
	}
	value = l.environment(s, value)
	l.kinds.Schemas().FillConfig(value)
	if err := schema.Decode(value, &l.Config); err != nil && s != nil {
		l.add(s.Problem(source.Pos{}, diag.Error, "type", err.Error()))
		l.ConfigInvalid = true
	}
	l.State = l.abs(l.Config.State)
	if s != nil && !l.ConfigInvalid {
		l.checkConfig(s)
	}
}

// open reads one file, and says what is wrong with its text; a missing one is
// nil, without a problem when it may be missing.
func (l *loader) open(name string, optional bool) (*source.File, []diag.Problem) {
	path := name
	if !filepath.IsAbs(name) {
		path = filepath.Join(l.Root, filepath.FromSlash(name))
	}
	lim := l.limits()
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && optional {
		return nil, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file") // to read it might wait for ever
	}
	if err == nil {
		if p, bad := source.TooLarge(name, info.Size(), lim); bad {
			return nil, []diag.Problem{p}
		}
		var text []byte
		if text, err = os.ReadFile(path); err == nil {
			return source.Parse(name, text, lim)
		}
	}
	return nil, []diag.Problem{{File: name, Severity: diag.Error, Rule: "unreadable", Message: "the file cannot be read: " + files.Cause(err),
		Hint: "check that it is there and that its mode lets you read it"}}
}

func (l *loader) limits() source.Limits {
	c := &l.Config.Limits
	return source.Limits{FileSize: int64(c.FileSize), Aliases: c.Aliases, Depth: c.Depth}
}

// environment merges the keys of the chosen environment over the project's,
// and keeps what it says of single pipelines.
func (l *loader) environment(s *source.File, value map[string]any) map[string]any {
	name := l.options.Environment
	all, _ := value["environments"].(map[string]any)
	if name == "" {
		name, _ = value["environment"].(string)
	}
	over, ok := all[name].(map[string]any)
	switch {
	case !ok && l.options.Environment != "":
		l.ConfigInvalid = true
		p := diag.Problem{File: FileName, Severity: diag.Error, Rule: "unknown-environment",
			Message: fmt.Sprintf("there is no environment %q", name), Hint: mistake.Choice(name, slices.Sorted(maps.Keys(all)))}
		if s != nil {
			p.Line, p.Column = s.KeyAt([]any{"environments"}).Line, s.KeyAt([]any{"environments"}).Column
		}
		l.add(p)
	case ok:
		over = maps.Clone(over)
		if pipelines, ok := over["pipelines"].(map[string]any); ok {
			for k, v := range pipelines {
				if m, ok := v.(map[string]any); ok {
					l.overrides[k] = m
				}
			}
			delete(over, "pipelines")
		}
		value = shape.Merged(value, over)
	}
	value["environment"] = name
	if name == "" {
		delete(value, "environment")
	}
	return value
}

// configExpressions checks the few places of redund.yaml where expressions may
// stand: they can read secrets and vars.
func (l *loader) configExpressions(s *source.File) {
	types := &expr.Types{NoStatus: true, Roots: map[string]*expr.Type{
		"secrets": expr.MapOf(expr.StringType()), "vars": expr.MapOf(nil), "env": expr.MapOf(expr.StringType()),
	}}
	l.kinds.Schemas().Strings("config", s.Value, func(path []any, text string, _ bool) {
		if !expr.HasExpr(text) {
			return
		}
		at := slices.Clone(path)
		t, err := expr.Parse(text)
		if err != nil {
			l.add(mistake.Expression(s, at, err))
			return
		}
		for _, e := range expr.Check(t, types) {
			l.add(mistake.Expression(s, at, &e))
		}
	})
}

// checkConfig holds what the schema cannot say of redund.yaml.
func (l *loader) checkConfig(s *source.File) {
	c := &l.Config
	say := func(path []any, rule, message, hint string) {
		l.add(s.Problem(s.At(path), diag.Error, rule, message, hint))
		l.ConfigInvalid = true
	}
	if c.Storage != "sqlite" {
		say([]any{"storage"}, "storage", "the history is kept in sqlite for now; a database for several hosts comes with a later version", "write sqlite, or leave the key out")
	}
	if c.Server.Listen != "" {
		l.checkListen(say)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Plugins)) {
		if info, err := os.Stat(l.abs(c.Plugins[name])); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			l.add(s.Problem(s.At([]any{"plugins", name}), diag.Warning, "missing-program",
				fmt.Sprintf("the plugin %s is not a program at %s", name, c.Plugins[name]), "steps that use it fail on this machine"))
		}
	}
}

func (l *loader) checkListen(say func(path []any, rule, message, hint string)) {
	at := []any{"server", "listen"}
	server := &l.Config.Server
	host, port, err := net.SplitHostPort(server.Listen)
	if err != nil || port == "" {
		say(at, "listen", fmt.Sprintf("%q is not an address and a port", server.Listen), `write it as "127.0.0.1:7467"`)
		return
	}
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	if !loopback && !server.BehindProxy && (server.TLS.Cert == "" || server.TLS.Key == "") {
		say(at, "listen", fmt.Sprintf("%s is beyond this machine, where the token would travel in clear text", server.Listen),
			"give server.tls a cert and a key, say behind-proxy: true, or listen on 127.0.0.1")
	}
}

// systemMode is the mode that a system asks of its pipelines, or "".
func (l *loader) systemMode(system string) pipeline.Mode { return l.Config.Systems[system].Mode }
