package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/redundctl/redundctl/engine/pipeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book is a Recorder that keeps what it is told, and checks that every step
// was begun before it ended.
type book struct {
	mu               sync.Mutex
	begun            map[string]int
	events           []pipeline.Event
	order            []string // "id>" when it starts, "<id state" when it ends
	startErr, endErr error
}

func key(s *pipeline.StepRecord) string {
	if s.Matrix != "" {
		return s.ID + "(" + s.Matrix + ")"
	}
	return s.ID
}

func (b *book) StartStep(_ context.Context, s *pipeline.StepRecord) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.startErr != nil {
		return b.startErr
	}
	if b.begun == nil {
		b.begun = map[string]int{}
	}
	b.begun[key(s)]++
	b.order = append(b.order, key(s)+">")
	return nil
}

func (b *book) EndStep(_ context.Context, s *pipeline.StepRecord, _ bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.order = append(b.order, "<"+key(s)+" "+string(s.State))
	return b.endErr
}

func (b *book) Event(_ context.Context, e pipeline.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
	return nil
}

// world builds the actions of tests: `exec` is a small language.
type world struct {
	mu     sync.Mutex
	tries  map[string]int
	ran    []string
	env    map[string][]string
	dirs   map[string]string
	active int
	most   int
}

type fake struct {
	w    *world
	argv []string
}

func (w *world) build(uses string, with map[string]any) (pipeline.Action, error) {
	switch uses {
	case "exec":
		var argv []string
		for _, a := range with["exec"].([]any) {
			argv = append(argv, a.(string))
		}
		return &fake{w, argv}, nil
	case "run":
		return &fake{w, strings.Fields(with["run"].(string))}, nil
	case "with":
		return &fake{w, []string{"out", "got=" + fmt.Sprint(with["v"]), "type=" + fmt.Sprintf("%T", with["v"])}}, nil
	}
	return nil, fmt.Errorf("no kind %s", uses)
}

func (f *fake) Plan(context.Context, *pipeline.Scope) ([]pipeline.Effect, error) {
	return []pipeline.Effect{pipeline.Effect("does " + strings.Join(f.argv, " "))}, nil
}

func (f *fake) Run(ctx context.Context, s *pipeline.Scope) (out pipeline.Outputs, err error) {
	w := f.w
	name := s.Step
	if s.Matrix != "" {
		name += "(" + s.Matrix + ")"
	}
	w.mu.Lock()
	if w.tries == nil {
		w.tries, w.env, w.dirs = map[string]int{}, map[string][]string{}, map[string]string{}
	}
	w.tries[name]++
	n := w.tries[name]
	w.ran = append(w.ran, name)
	w.env[name], w.dirs[name] = s.Env, s.Dir
	w.active++
	w.most = max(w.most, w.active)
	w.mu.Unlock()
	defer func() { w.mu.Lock(); w.active--; w.mu.Unlock() }()
	for i := 0; i < len(f.argv); i++ {
		word, arg, _ := strings.Cut(f.argv[i], ":")
		switch {
		case word == "fail":
			code, cerr := strconv.Atoi(arg)
			if cerr != nil {
				code = 1
			}
			return out, &pipeline.Exit{Code: code}
		case word == "killed":
			return out, &pipeline.Exit{Code: -1, Signal: "SIGKILL"}
		case word == "missing":
			return out, errors.New("cannot start nosuch: not found")
		case word == "flaky": // fails the first so many times
			if most, _ := strconv.Atoi(arg); n <= most {
				return out, &pipeline.Exit{Code: 1}
			}
		case word == "later":
			return out, &pipeline.Later{Err: errors.New("429"), After: 30 * time.Second}
		case word == "skip":
			return out, &pipeline.Skip{Reason: arg}
		case word == "panic":
			panic("oh")
		case word == "say":
			fmt.Fprintln(s.Out, arg)
		case word == "path":
			if _, err := s.Inside(arg); err != nil {
				return out, err
			}
		case word == "sleep":
			d, _ := time.ParseDuration(arg)
			select {
			case <-ctx.Done():
				return out, context.Cause(ctx)
			case <-time.After(d):
			}
		case word == "stubborn": // does not heed the end of its context
			d, _ := time.ParseDuration(arg)
			<-time.After(d)
		case word == "env":
			k, v, _ := strings.Cut(arg, "=")
			if out.Env == nil {
				out.Env = map[string]string{}
			}
			out.Env[k] = v
		case word == "out":
		case strings.Contains(f.argv[i], "="):
			k, v, _ := strings.Cut(f.argv[i], "=")
			if out.Values == nil {
				out.Values = map[string]any{}
			}
			out.Values[k] = v
		}
	}
	return out, nil
}

// setup is a job of steps over a world.
func setup(t *testing.T, p *pipeline.Pipeline) (Job, *world, *book) {
	t.Helper()
	for i := range p.Steps {
		if p.Steps[i].ID == "" {
			p.Steps[i].ID = "step-" + strconv.Itoa(i+1)
		}
	}
	p.Name, p.System = "p", "s"
	w := &world{}
	return Job{
		Pipeline: p, Run: pipeline.Run{ID: 7, Attempt: 2, Trigger: "manual"}, Root: t.TempDir(), Temp: "/tmp/x",
		Host: func(k string) (string, bool) {
			v, ok := map[string]string{"PATH": "/bin", "HOME": "/h", "KEEP": "kept", "DROP": "x"}[k]
			return v, ok
		},
		Build: w.build,
		Open:  func(string) io.WriteCloser { return nopCloser{io.Discard} },
	}, w, &book{}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// step makes a step that execs words.
func step(id string, words string, change ...func(*pipeline.Step)) pipeline.Step {
	s := pipeline.Step{ID: id, Exec: append([]string{"x"}, strings.Fields(words)...), FailFast: true}
	for _, f := range change {
		f(&s)
	}
	return s
}

func needs(ids ...string) func(*pipeline.Step) {
	return func(s *pipeline.Step) { s.Needs, s.HasNeeds = ids, true }
}

func when(cond string) func(*pipeline.Step) { return func(s *pipeline.Step) { s.If = cond } }

func anyway(s *pipeline.Step) { s.ContinueOnError = true }

// states tells how each step ended: "a=succeeded b=skipped".
func states(r Result) string {
	var out []string
	for _, s := range r.Steps {
		state := string(s.State)
		if s.Continued {
			state += "!"
		}
		out = append(out, key(&s)+"="+state)
	}
	return strings.Join(out, " ")
}

// bubble runs a test with a clock of its own.
func bubble(t *testing.T, f func(t *testing.T)) { t.Parallel(); synctest.Test(t, f) }
