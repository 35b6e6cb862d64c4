package pm2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

// The values of `action`.
const (
	doStart   = "start"
	doRestart = "restart"
	doReload  = "reload"
	doStop    = "stop"
)

// stepLimit is how long a step waits for the daemon to say what it runs: a busy
// machine should not fail it.
const stepLimit = 5 * time.Second

// order is `with` of the kind.
type order struct {
	Action    string         `json:"action"`
	Name      string         `json:"name"`
	Ecosystem string         `json:"ecosystem"`
	Home      string         `json:"home"`
	Env       map[string]any `json:"env"`
}

// action acts on one application and on no other.
type action struct {
	order
	proc *proc.Spawner
}

func buildStep(o order, d kind.Deps) (pipeline.Action, error) {
	if o.Ecosystem != "" && !describes(o.Ecosystem) {
		return nil, errors.New(noEcosystem(o.Ecosystem))
	}
	if o.Ecosystem != "" && strings.ContainsAny(o.Name, ", ") {
		return nil, fmt.Errorf("name: PM2 cannot be asked to start %q of a file: it splits names at commas and spaces", o.Name)
	}
	return &action{order: o, proc: d.Proc}, nil
}

// ecosystems are the endings of the files that PM2 reads applications from. It
// starts any other file as an application of its own.
var ecosystems = []string{".config.js", ".config.cjs", ".config.mjs", ".json", ".yaml", ".yml"}

func describes(file string) bool {
	return slices.ContainsFunc(ecosystems, func(ending string) bool { return strings.HasSuffix(file, ending) })
}

func noEcosystem(file string) string {
	return fmt.Sprintf("ecosystem: PM2 would start %s as a program: a file of applications ends in %s", file, strings.Join(ecosystems, ", "))
}

// checkStep finds an ecosystem file that PM2 would not read as one, or that is
// missing.
func checkStep(with map[string]any, at kind.Place) []kind.Finding {
	file, ok := with["ecosystem"].(string)
	if !ok || strings.Contains(file, "${{") {
		return nil
	}
	key := []string{"ecosystem"}
	if !describes(file) {
		return []kind.Finding{{Key: key, Severity: diag.Error, Rule: "pm2-ecosystem", Message: noEcosystem(file)}}
	}
	if !filepath.IsAbs(file) {
		if at.Dir == "" {
			return nil
		}
		file = filepath.Join(at.Dir, file)
	}
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return []kind.Finding{{Key: key, Severity: diag.Warning, Rule: "missing-script", Message: "there is no file " + with["ecosystem"].(string)}}
	}
	return nil
}

// plan is what is to be done to which application.
type plan struct {
	home string
	now  []application
	gone bool // no daemon runs
	// file is the ecosystem file that the command line is to start or restart the
	// application from; "": the daemon knows all that it takes.
	file string
}

// look finds out what there is, and fails where the action cannot be done.
func (a *action) look(ctx context.Context, s *pipeline.Scope) (plan, error) {
	p := plan{}
	var err error
	if p.home, err = homeOf(a.Home, s.Dir, environment(s.Env)); err != nil {
		return p, err
	}
	all, err := list(ctx, p.home, stepLimit)
	p.gone = errors.Is(err, errNoDaemon)
	switch {
	case err != nil && !p.gone:
		return p, err
	case p.gone && (a.Action != doStart || a.Ecosystem == ""):
		way := "start it (pm2 resurrect), or give action start an ecosystem file"
		if a.Action == doStop {
			way = "nothing can be stopped through it"
		}
		return p, fmt.Errorf("%w: %s", err, way)
	}
	p.now = called(a.Name, all)
	if len(p.now) == 0 && !p.gone && (a.Action == doStop || a.Ecosystem == "") {
		return p, fmt.Errorf("PM2 in %s knows no application %s: %s", p.home, a.Name, others(a.Name, all))
	}
	if a.Ecosystem == "" || a.Action == doStop || a.done(p.now) {
		return p, nil
	}
	if p.file, err = s.Inside(a.Ecosystem); err != nil {
		return p, err
	}
	if _, err := os.Stat(p.file); err != nil {
		return p, fmt.Errorf("the ecosystem file cannot be read: %w", err)
	}
	return p, a.alone(p)
}

// done reports whether there is nothing to do.
func (a *action) done(now []application) bool {
	return a.Action == doStart && len(now) > 0 && !slices.ContainsFunc(now, func(x application) bool { return !x.up() }) ||
		a.Action == doStop && !slices.ContainsFunc(now, func(x application) bool { return x.status != stopped })
}

// alone fails while a process of the application lives that PM2 has lost: PM2
// would start a second copy beside it.
func (a *action) alone(p plan) error {
	if len(p.now) > 0 {
		return nil
	}
	if pids := living(p.home, a.Name, called(a.Name, dumped(p.home)), scan(p.home)); len(pids) > 0 {
		return fmt.Errorf("PM2 in %s has lost %s, of which a process lives (%s): PM2 would start a second copy; end it first", p.home, a.Name, numbers(pids))
	}
	return nil
}

// Plan says which applications there are, what they are like and what would be
// done. It asks the socket, and starts nothing.
func (a *action) Plan(ctx context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	p, err := a.look(ctx, s)
	if err != nil {
		return nil, err
	}
	var out []pipeline.Effect
	say := func(format string, args ...any) {
		out = append(out, pipeline.Effect(s.Mask(fmt.Sprintf(format, args...))))
	}
	switch {
	case a.done(p.now):
		say("leaves %s as it is, through PM2 in %s", a.Name, p.home)
	case p.gone:
		say("starts the PM2 daemon in %s, and %s of %s", p.home, a.Name, p.file)
	case p.file != "":
		say("%ss %s of %s through PM2 in %s", a.Action, a.Name, p.file, p.home)
	default:
		say("%ss %s through PM2 in %s", a.Action, a.Name, p.home)
	}
	for _, x := range p.now {
		say("%s", x.line())
	}
	return out, nil
}

// line is an instance as people see it.
func (a application) line() string {
	text := fmt.Sprintf("%s (id %s) %s", a.name, a.id, a.state())
	if a.up() && !a.started.IsZero() {
		text += fmt.Sprintf(", pid %d since %s", a.pid, a.started.Format(time.RFC3339))
	}
	return text
}

// Run does it, and ends when PM2 says that it is done.
func (a *action) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	p, err := a.look(ctx, s)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	out := s.Out
	if out == nil {
		out = io.Discard
	}
	switch {
	case a.done(p.now):
		_, err = fmt.Fprintf(out, "%s is as it should be\n", a.Name)
	case p.file != "":
		err = a.command(ctx, s, p)
	default:
		err = a.ask(ctx, p)
	}
	if err != nil {
		return pipeline.Outputs{}, err
	}
	return pipeline.Outputs{}, a.hold(ctx, p.home, out)
}

// ask has the daemon do it, one instance after another.
func (a *action) ask(ctx context.Context, p plan) error {
	env := map[string]string{}
	for k, v := range a.Env {
		env[k] = text(v)
	}
	for _, x := range p.now {
		var id any = x.id
		if n, err := strconv.Atoi(x.id); err == nil {
			id = n
		}
		var calls []question
		stop := []question{
			// Or a change of a watched file would start it again.
			{method: "stopWatch", args: []any{"stopProcessId", id}},
			{method: "stopProcessId", args: []any{id}},
		}
		change := map[string]any{"id": id, "env": env}
		switch {
		case a.Action == doStop:
			calls = stop
		case a.Action == doStart && x.up():
		case x.status == waiting:
			// PM2 starts nothing whose last process it still counts.
			calls = append(calls, stop[1], question{method: "restartProcessId", args: []any{change}})
		case a.Action == doReload:
			calls = append(calls, question{method: "reloadProcessId", args: []any{change}})
		default:
			calls = append(calls, question{method: "restartProcessId", args: []any{change}})
		}
		for _, q := range calls {
			if err := call(ctx, p.home, q); err != nil {
				return fmt.Errorf("%s of %s (id %s): %w", a.Action, a.Name, x.id, err)
			}
		}
	}
	return nil
}

// command has the command line of PM2 do it, which alone reads ecosystem files.
func (a *action) command(ctx context.Context, s *pipeline.Scope, p plan) error {
	var env []string
	for _, v := range s.Env {
		// What tells of this run is none of the application's, which outlives it.
		if name, _, _ := strings.Cut(v, "="); !strings.HasPrefix(name, "REDUND_") && name != "REDUNDANCY_MODE" && name != "PM2_HOME" {
			env = append(env, v)
		}
	}
	for k, v := range a.Env {
		env = append(env, k+"="+text(v))
	}
	r, err := a.proc.Run(ctx, proc.Command{
		Argv: []string{"pm2", a.Action, p.file, "--only=" + a.Name},
		Env:  append(env, "PM2_HOME="+p.home), Dir: s.Dir, Out: s.Out, Lasting: true,
	})
	switch {
	case err != nil:
		return err
	case r.Killed:
		return context.Cause(ctx)
	case r.Code != 0 || r.Signal != "":
		return &pipeline.Exit{Code: r.Code, Signal: r.Signal, Reason: "pm2 " + a.Action + " failed: its output says why"}
	}
	return nil
}

// hold looks whether the application is what it was to become, and says so.
func (a *action) hold(ctx context.Context, home string, out io.Writer) error {
	all, err := list(ctx, home, stepLimit)
	if err != nil {
		return err
	}
	now := called(a.Name, all)
	if len(now) == 0 {
		return fmt.Errorf("%s describes no application %s: PM2 in %s does not list it", a.Ecosystem, a.Name, home)
	}
	var wrong error
	for _, x := range now {
		if _, err := fmt.Fprintln(out, x.line()); err != nil {
			return err
		}
		if bad := x.status == errored || a.Action != doStop && x.status == stopped && x.exit.known && x.exit.is != 0 ||
			a.Action == doStop && x.status != stopped; bad {
			wrong = fmt.Errorf("after the %s, %s", a.Action, x.line())
		}
	}
	return wrong
}

// text is a value of the environment.
func text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
