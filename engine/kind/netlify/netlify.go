// Package netlify is what redundctl knows of Netlify's functions: the step kind
// `netlify/function` and the primary kind `netlify-function` (primary.go).
//
// source.go reads a function without running it, call.go runs it in node, with
// shim.cjs, which speaks Netlify's contracts.
package netlify

import (
	"context"
	_ "embed" // the schema fragments and the shim
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/answer"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/netlify/function"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
	"github.com/redundctl/redundctl/schema"
)

//go:embed function.json
var fragment []byte

// The values of `event`.
const (
	eventHTTP       = "http"
	eventSchedule   = "schedule"
	eventBackground = "background"
)

// Netlify's limits (docs.netlify.com, build/functions/configuration).
const (
	bodyLimit       = 6 << 20
	backgroundLimit = 256 << 10
)

// order is `with` of the kind.
type order struct {
	File    string            `json:"file"`
	Event   string            `json:"event"`
	URL     string            `json:"url"`
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Query   map[string]any    `json:"query"`
	Headers map[string]any    `json:"headers"`
	Body    string            `json:"body"`
	Timeout pipeline.Duration `json:"timeout"`
	Env     map[string]any    `json:"env"`
	Expect  expect            `json:"expect"`
}

type expect struct {
	answer.Expect
	LogMatches string `json:"log-matches"`
}

// limit is how long the function may take.
func (o *order) limit() time.Duration {
	switch {
	case o.Timeout > 0:
		return o.Timeout.Std()
	case o.Event == eventSchedule:
		return 30 * time.Second
	case o.Event == eventBackground:
		return 15 * time.Minute
	}
	return time.Minute
}

// Kind is the step kind `netlify/function`; request is the kind that sends a
// request, which calls a deployed function.
func Kind(request kind.Action) kind.Action {
	return kind.Action{Name: "netlify/function", Fragment: fragment, Check: check, Build: func(with map[string]any, d kind.Deps) (pipeline.Action, error) {
		var o order
		if err := schema.Decode(with, &o); err != nil {
			return nil, err
		}
		if o.URL != "" {
			return deployed(o, with, request, d)
		}
		limit := bodyLimit
		if o.Event == eventBackground {
			limit = backgroundLimit
		}
		if len(o.Body) > limit {
			return nil, fmt.Errorf("body: %d bytes are more than Netlify takes for this event (%d)", len(o.Body), limit)
		}
		a := &action{order: o, proc: d.Proc}
		var err error
		if a.expect, err = o.Expect.Compile(); err != nil {
			return nil, err
		}
		if o.Expect.LogMatches != "" {
			if a.logs, err = regexp.Compile(o.Expect.LogMatches); err != nil {
				return nil, fmt.Errorf("log-matches is not a regular expression: %w", err)
			}
		}
		return a, nil
	}}
}

// deployed makes the request that calls a function at Netlify.
func deployed(o order, with map[string]any, request kind.Action, d kind.Deps) (pipeline.Action, error) {
	switch {
	case o.Event == eventSchedule:
		return nil, errors.New("event: Netlify lets nobody call a scheduled function by its address: name its file")
	case o.Expect.LogMatches != "":
		return nil, errors.New("log-matches: Netlify does not give away what a deployed function logs: name its file, or expect something of its answer")
	case o.Path != "" || len(o.Env) > 0:
		return nil, errors.New("path and env are for a function's file; a url holds its path, and a deployed function has its own environment")
	}
	asked := map[string]any{"follow-redirects": true, "auth": map[string]any{}}
	for _, k := range []string{"method", "url", "query", "headers"} {
		if v, ok := with[k]; ok {
			asked[k] = v
		}
	}
	if o.Body != "" {
		asked["body"] = o.Body
	}
	limit := o.limit()
	if o.Event == eventBackground && o.Timeout == 0 {
		limit = time.Minute // it answers 202 at once
	}
	asked["timeout"] = pipeline.Duration(limit).String()
	if e, ok := with["expect"].(map[string]any); ok {
		e = maps.Clone(e)
		delete(e, "log-matches")
		asked["expect"] = e
	}
	a, err := request.Build(asked, d)
	if err != nil {
		return nil, err
	}
	return remote{a}, nil
}

// remote is a call of a deployed function.
type remote struct{ pipeline.Action }

// Run sends the request; of its outputs those of this kind are handed on.
func (r remote) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	out, err := r.Action.Run(ctx, s)
	delete(out.Values, "json")
	return out, err
}

// check finds a function that is not there, that cannot be read, or that names
// what is not there. It runs none.
func check(with map[string]any, at kind.Place) []kind.Finding {
	file, ok := with["file"].(string)
	if !ok || strings.Contains(file, "${{") {
		return nil
	}
	path := file
	if !filepath.IsAbs(path) {
		if at.Dir == "" {
			return nil
		}
		path = filepath.Join(at.Dir, path)
	}
	find := func(rule, format string, args ...any) kind.Finding {
		return kind.Finding{Key: []string{"file"}, Severity: diag.Warning, Rule: rule, Message: fmt.Sprintf(format, args...)}
	}
	text, err := function.Load(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return []kind.Finding{find("missing-script", "there is no function %s", file)}
	case err != nil:
		return nil
	}
	src, err := function.Read(path, text)
	if err != nil {
		return []kind.Finding{find("broken-function", "%s", err)}
	}
	var out []kind.Finding
	for _, s := range src.Scripts {
		if function.Script(at.Root, path, s.Name) == "" {
			out = append(out, find("missing-script", "%s starts %s at line %d, which is not there", file, s.Name, s.Line))
		}
	}
	for _, p := range src.Packages {
		if !function.Installed(path, p.Name) {
			f := find("missing-script", "%s loads the package %s at line %d, which is not installed", file, p.Name, p.Line)
			f.Hint = "npm install, in the folder of its package.json"
			out = append(out, f)
		}
	}
	return out
}

// action is one call of a function's file.
type action struct {
	order
	proc   *proc.Spawner
	expect *answer.Expectation
	logs   *regexp.Regexp // nil: any
}

// Plan says which function would be called, and how.
func (a *action) Plan(_ context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	file, err := s.Inside(a.File)
	if err != nil {
		return nil, err
	}
	src, err := look(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.File, err)
	}
	contract := src.contract
	if contract == "" {
		contract = "v1 or v2, known when it is loaded"
	}
	return []pipeline.Effect{
		pipeline.Effect(s.Mask("calls the function " + a.File)),
		pipeline.Effect("contract " + contract),
		pipeline.Effect("event " + a.Event),
		pipeline.Effect(fmt.Sprintf("time limit %s", pipeline.Duration(a.limit()))),
	}, nil
}
