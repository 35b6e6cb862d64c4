// Package plugin runs `uses: plugin:<name>`: an executable of the user's that
// gets one JSON request on its standard input and answers with JSON lines.
package plugin

import (
	"bytes"
	"context"
	_ "embed" // the schema fragment
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

//go:embed plugin.json
var fragment []byte

const (
	protocol = 1
	// lineLimit and answerLimit bound one line and all of an answer, in bytes.
	lineLimit, answerLimit = 2 << 20, 64 << 20
	// planLimit bounds a dry run, which somebody waits for at a terminal; a run
	// has its step's timeout. planGrace is how long a plugin may then take to
	// end: it has done nothing that would have to be put in order.
	planLimit, planGrace = 10 * time.Second, time.Second
	// shown is how much of a line that is no answer an error tells, in characters.
	shown = 60
	// leftOut is what proc.Spawner says in place of output that was lost.
	leftOut = " bytes of output left out: they came faster than they could be stored]\n"
)

// New gives what kind.Set.Plugin is: the kind of the plugin of a name. paths
// are those of redund.yaml, relative to root; path is the PATH that others are
// looked up in.
func New(paths map[string]string, root, path string) func(name string) kind.Action {
	return func(name string) kind.Action {
		return kind.Action{Name: kind.PluginPrefix + name, Fragment: fragment,
			Build: func(with map[string]any, d kind.Deps) (pipeline.Action, error) {
				file, err := find(name, paths, root, path)
				return &action{name: name, file: file, with: with, proc: d.Proc, planLimit: planLimit, planGrace: planGrace}, err
			}}
	}
}

// find names the executable: the one that redund.yaml names, or one in PATH.
func find(name string, paths map[string]string, root, path string) (string, error) {
	if p, ok := paths[name]; ok {
		if !filepath.IsAbs(p) {
			p = filepath.Join(root, p)
		}
		return p, nil
	}
	if file := kind.FindPlugin(name, root, path); file != "" {
		return file, nil
	}
	if name == "" || strings.ContainsAny(name, "/\x00") {
		return "", fmt.Errorf("%q cannot be the name of a plugin", name)
	}
	return "", fmt.Errorf("there is no plugin %s: name it under plugins: in redund.yaml, or put redund-step-%s into a folder of PATH outside the project", name, name)
}

type action struct {
	name, file string
	with       map[string]any
	proc       *proc.Spawner

	planLimit, planGrace time.Duration
}

// Run has the plugin do its work.
func (a *action) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	ans, err := a.ask(ctx, s, "run")
	return ans.out, err
}

// Plan asks the plugin what it would do.
func (a *action) Plan(ctx context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	late := fmt.Errorf("plugin %s did not answer within %s: a plan says what a run would do, and leaves the work to it", a.name, a.planLimit)
	ctx, cancel := context.WithTimeoutCause(ctx, a.planLimit, late)
	defer cancel()
	ans, err := a.ask(ctx, s, "plan")
	var exit *pipeline.Exit
	if errors.As(err, &exit) {
		err = fmt.Errorf("plugin %s, asked for its plan: %w", a.name, err)
	}
	return ans.effects, err
}

type request struct {
	Protocol int               `json:"protocol"`
	Op       string            `json:"op"`
	With     map[string]any    `json:"with"`
	Env      map[string]string `json:"env"`
	Secrets  map[string]string `json:"secrets"`
}

func (a *action) ask(ctx context.Context, s *pipeline.Scope, op string) (*answer, error) {
	env := make(map[string]string, len(s.Env))
	for _, v := range s.Env {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	if s.Out == nil {
		quiet := *s
		quiet.Out, s = io.Discard, &quiet
	}
	secrets := s.Secrets
	if secrets == nil {
		secrets = map[string]string{}
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ans := &answer{scope: s, stop: stop, out: pipeline.Outputs{Values: map[string]any{}}}
	text, err := json.Marshal(request{protocol, op, a.with, env, secrets})
	if err != nil {
		return ans, err
	}
	c := proc.Command{Argv: []string{a.file}, Env: s.Env, Dir: s.Dir, Stdin: text,
		Out: ans, Err: s.Out, MemoryLimit: int64(s.MemoryLimit)}
	if op == "plan" {
		c.Grace = a.planGrace
	}
	r, err := a.proc.Run(ctx, c)
	ans.end()
	switch {
	case err != nil:
		return ans, err
	case ans.err != nil:
		return ans, fmt.Errorf("plugin %s: line %d of its answer: %w", a.name, ans.line, ans.err)
	case r.OverMemory:
		return ans, &pipeline.Exit{Code: -1, Signal: "SIGKILL", Reason: "it used more than memory-limit"}
	case r.Killed:
		return ans, context.Cause(ctx)
	case r.Code != 0 || r.Signal != "":
		e := &pipeline.Exit{Code: r.Code, Signal: r.Signal, Reason: ans.failure}
		if !ans.done {
			e.Reason = "it gave no result"
		}
		return ans, e
	case !ans.done:
		return ans, fmt.Errorf("plugin %s ended without a result: its last line must be {\"type\": \"result\", \"ok\": true}", a.name)
	case ans.failure != "":
		return ans, errors.New(ans.failure)
	}
	return ans, nil
}

// message is one line of an answer.
type message struct {
	Type     string `json:"type"`
	Protocol int    `json:"protocol"`
	Text     string `json:"text"`  // log, effect
	Name     string `json:"name"`  // output
	Value    any    `json:"value"` // output
	OK       *bool  `json:"ok"`    // result
	Error    string `json:"error"` // result
}

// answer reads JSON lines as they come.
type answer struct {
	scope   *pipeline.Scope
	stop    context.CancelCauseFunc
	rest    []byte
	line    int
	total   int
	out     pipeline.Outputs
	effects []pipeline.Effect
	failure string
	done    bool
	err     error
}

// Write takes what the plugin wrote; after the first mistake it takes nothing.
func (a *answer) Write(b []byte) (int, error) {
	if a.total += len(b); a.total > answerLimit && a.err == nil {
		a.fail(errors.New("it is over 64 MiB in all"))
	}
	if a.err == nil && bytes.Contains(b, []byte(leftOut)) {
		a.fail(errors.New("it came faster than it could be read, and a part is lost: write less, and hand large values over in files"))
	}
	if a.err != nil {
		return len(b), nil //nolint:nilerr // the plugin goes on; its mistake is told when it has ended
	}
	a.rest = append(a.rest, b...)
	for a.err == nil {
		line, after, ok := bytes.Cut(a.rest, []byte("\n"))
		if !ok {
			break
		}
		a.rest = after
		a.take(line)
	}
	if len(a.rest) > lineLimit && a.err == nil {
		a.line++
		a.fail(errors.New("it is over 2 MiB"))
	}
	return len(b), nil
}

// end takes the last line when no line feed ended it.
func (a *answer) end() {
	if a.err == nil && len(a.rest) > 0 {
		a.take(a.rest)
	}
}

func (a *answer) fail(err error) {
	a.err, a.rest = err, nil
	a.stop(err)
}

func (a *answer) take(line []byte) {
	a.line++
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	var m message
	if json.Unmarshal(line, &m) != nil {
		// Masked before it is cut, or half a secret would be left.
		text := a.scope.Mask(string(line))
		if runes := []rune(text); len(runes) > shown {
			text = string(runes[:shown]) + "…"
		}
		a.fail(fmt.Errorf("not a JSON object: %q; text for people belongs to its standard error", text))
		return
	}
	switch {
	case m.Protocol != 0 && m.Protocol != protocol:
		a.fail(fmt.Errorf("protocol %d; this redundctl speaks %d", m.Protocol, protocol))
	case a.done:
		a.fail(errors.New("something follows the result"))
	case m.Type == "log":
		fmt.Fprintln(a.scope.Out, m.Text)
	case m.Type == "effect":
		a.effects = append(a.effects, pipeline.Effect(a.scope.Mask(m.Text)))
	case m.Type == "output" && m.Name != "":
		a.out.Values[m.Name] = m.Value
	case m.Type == "result" && m.OK != nil:
		a.done = true
		if a.failure = m.Error; !*m.OK && a.failure == "" {
			a.failure = "the plugin says that it failed"
		}
	default:
		a.fail(fmt.Errorf("type %q with these keys is no answer", m.Type))
	}
}
