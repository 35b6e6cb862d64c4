package netlify

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed" // the shim
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/answer"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

//go:embed shim.cjs
var shim []byte

const (
	// keepLimit is how much of a body is handed on: what one output may hold.
	keepLimit = 1 << 20
	// resultLimit bounds what is taken from the shim: the body as base64, and
	// the headers.
	resultLimit = 8 << 20
)

// call is what the shim is told.
type call struct {
	File    string            `json:"file"`
	ESM     bool              `json:"esm"`
	Mapped  bool              `json:"mapped"`
	Kind    string            `json:"kind"`
	Name    string            `json:"name"`
	ID      string            `json:"id"`
	Mark    string            `json:"mark"` // what the result begins with
	Timeout int64             `json:"timeoutMs"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	MaxBody int               `json:"maxBody"`
	Keep    int               `json:"keep"`
}

// result is what the shim tells.
type result struct {
	Phase   string            `json:"phase"` // done, or where it failed: load, contract, call, uncaught
	Message string            `json:"message"`
	Stack   string            `json:"stack"`
	Version int               `json:"version"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    []byte            `json:"body"`
	Bytes   int               `json:"bytes"`
}

// Run calls the function and holds its answer against what is expected.
func (a *action) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	file, err := s.Inside(a.File)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	src, err := look(file)
	if err != nil {
		return pipeline.Outputs{}, fmt.Errorf("%s: %w", a.File, err)
	}
	run := src
	if src.build {
		made, done, err := src.made(s.Temp)
		if err != nil {
			return pipeline.Outputs{}, fmt.Errorf("%s: %w", a.File, err)
		}
		defer done()
		run = made
	}
	limit := a.limit()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s took longer than %s", a.File, pipeline.Duration(limit)))
	defer cancel()
	r, log, err := a.invoke(ctx, s, run)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	if r.Phase != "done" {
		return pipeline.Outputs{}, a.failed(s, r)
	}
	if a.Event == eventBackground { // Netlify has answered before the function began
		r.Status, r.Headers, r.Body, r.Bytes = http.StatusAccepted, nil, nil, 0
	}
	return a.judge(s, r, log)
}

// invoke runs node, and reads what the shim tells.
func (a *action) invoke(ctx context.Context, s *pipeline.Scope, src source) (result, *watched, error) {
	var r result
	env := a.environment(s.Env)
	c, err := a.call(src, env)
	if err != nil {
		return r, nil, err
	}
	stdin, err := json.Marshal(c)
	if err != nil {
		return r, nil, err
	}
	f, err := os.CreateTemp(s.Temp, "shim-*.cjs")
	if err != nil {
		return r, nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(shim)
	if err = errors.Join(err, f.Close()); err != nil {
		return r, nil, err
	}
	out := s.Out
	if out == nil {
		out = io.Discard
	}
	log := &watched{to: out, pattern: a.logs}
	told := &bounded{}
	var list []string
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	ended, err := a.proc.Run(ctx, proc.Command{
		Argv: []string{"node", f.Name()}, Env: list, Dir: s.Dir, Stdin: stdin, Out: log, Third: told,
		Grace: time.Second, MemoryLimit: int64(s.MemoryLimit),
	})
	var start *proc.StartError
	switch {
	case errors.As(err, &start) && start.Path == "node":
		return r, nil, errors.New("functions need node 18 or newer: there is no program node in the PATH of the step")
	case err != nil:
		return r, nil, err
	case ended.OverMemory:
		return r, nil, &pipeline.Exit{Code: -1, Signal: "SIGKILL", Reason: fmt.Sprintf("the function used more than memory-limit, %s", s.MemoryLimit)}
	case ended.Killed:
		return r, nil, context.Cause(ctx)
	}
	_, answer, _ := bytes.Cut(told.Bytes(), []byte(c.Mark))
	if err := json.Unmarshal(answer, &r); err != nil {
		if ended.Code == 0 && ended.Signal == "" { // as an Exit it would be a success
			return r, nil, errors.New(a.File + " ended its process before it answered, with exit code 0")
		}
		return r, nil, &pipeline.Exit{Code: ended.Code, Signal: ended.Signal, Reason: a.File + " ended its process before it answered"}
	}
	return r, log, nil
}

// environment is that of the function.
func (a *action) environment(base []string) map[string]string {
	env := map[string]string{"NETLIFY": "true", "CONTEXT": "production", "AWS_LAMBDA_FUNCTION_NAME": a.name()}
	for _, v := range base {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	for k, v := range a.Env {
		env[k] = answer.Text(v)
	}
	return env
}

// name is the function's, as Netlify has it.
func (a *action) name() string {
	base := filepath.Base(a.File)
	base = strings.TrimSuffix(base, filepath.Ext(base))
	if base == "index" {
		return filepath.Base(filepath.Dir(a.File))
	}
	return base
}

// call is the request that the function is given.
func (a *action) call(src source, env map[string]string) (call, error) {
	c := call{
		File: src.file, ESM: src.esm, Mapped: src.build, Kind: a.Event, Name: a.name(), ID: rand.Text(), Mark: "\x00" + rand.Text(), Timeout: a.limit().Milliseconds(),
		Method: a.Method, Headers: map[string]string{}, Body: a.Body, MaxBody: bodyLimit, Keep: keepLimit,
	}
	base := env["URL"]
	if base == "" {
		base = "http://localhost"
	}
	path := a.Path
	if path == "" {
		path = "/.netlify/functions/" + url.PathEscape(a.name())
	}
	u, err := url.Parse(strings.TrimSuffix(base, "/") + "/" + strings.TrimPrefix(path, "/"))
	if err != nil || u.Host == "" {
		return c, errors.New("the address of the function cannot be made of URL and path: check them for spaces")
	}
	q := u.Query()
	for k, v := range a.Query {
		q.Set(k, answer.Text(v))
	}
	u.RawQuery = q.Encode()
	c.URL = u.String()
	c.Headers["host"] = u.Host
	for k, v := range a.Headers {
		c.Headers[strings.ToLower(k)] = answer.Text(v)
	}
	if a.Event == eventSchedule {
		c.Method = http.MethodPost
		c.Headers["x-nf-event"] = "schedule"
		slot, err := time.Parse(time.RFC3339, env["REDUND_SLOT"])
		if err != nil {
			slot = time.Now()
		}
		body, err := json.Marshal(map[string]string{"next_run": src.next(slot).Format("2006-01-02T15:04:05.000Z")})
		if err != nil {
			return c, err
		}
		c.Body = string(body)
		c.Headers["content-type"] = "application/json"
	}
	return c, nil
}

// judge holds the answer and the log against what is expected.
func (a *action) judge(s *pipeline.Scope, r result, log *watched) (pipeline.Outputs, error) {
	header, headers := http.Header{}, map[string]any{}
	for k, v := range r.Headers {
		header.Set(k, v)
		headers[k] = v
	}
	out := pipeline.Outputs{Truncated: r.Bytes > len(r.Body), Values: map[string]any{
		"status": r.Status, "headers": headers, "body": strings.ToValidUTF8(string(r.Body), "\uFFFD"),
	}}
	res := &http.Response{StatusCode: r.Status, Status: strings.TrimSpace(fmt.Sprint(r.Status, " ", http.StatusText(r.Status))), Header: header}
	if s.Out != nil {
		_, _ = fmt.Fprintf(s.Out, "%s: %s\n", a.File, res.Status)
	}
	if err := a.expect.Hold(a.File, res, r.Body); err != nil {
		return out, err
	}
	if !log.matches() {
		return out, fmt.Errorf("%s: what it logged does not match %q", a.File, a.Expect.LogMatches)
	}
	return out, nil
}

// failed says in one line what the function did, and where.
func (a *action) failed(s *pipeline.Scope, r result) error {
	what := map[string]string{"load": "cannot be loaded", "contract": "breaks the contract", "uncaught": "threw where nobody caught it"}[r.Phase]
	if what == "" {
		what = "failed"
	}
	at := ""
	if m := regexp.MustCompile(`(?:\(|at |file://|^)(` + regexp.QuoteMeta(s.Root) + `/[^\s()]+?:\d+)(?::\d+)?`).FindStringSubmatch(r.Stack); m != nil && r.Phase != "contract" {
		at = " (" + strings.TrimPrefix(m[1], s.Root+"/") + ")"
	}
	return fmt.Errorf("%s %s: %s%s", a.File, what, kind.Line(s.Mask(r.Message), 300), at)
}

// bounded keeps what the shim tells, up to resultLimit.
type bounded struct{ bytes.Buffer }

// Write takes all and keeps what there is room for.
func (b *bounded) Write(p []byte) (int, error) {
	if room := resultLimit - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

// watched passes a log on and looks for a pattern in it. It keeps no more than
// two megabytes: a match that is longer than one is not found.
type watched struct {
	to      io.Writer
	pattern *regexp.Regexp // nil: anything matches

	mu   sync.Mutex
	kept []byte
	seen bool
}

const window = 1 << 20

// Write passes p on.
func (w *watched) Write(p []byte) (int, error) {
	if w.pattern != nil {
		w.mu.Lock()
		if !w.seen {
			if w.kept = append(w.kept, p...); len(w.kept) > 2*window {
				w.seen = w.pattern.Match(w.kept)
				w.kept = append(w.kept[:0], w.kept[len(w.kept)-window:]...)
			}
		}
		w.mu.Unlock()
	}
	return w.to.Write(p)
}

func (w *watched) matches() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pattern == nil || w.seen || w.pattern.Match(w.kept)
}
