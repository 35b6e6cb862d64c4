package shell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
	"github.com/redundctl/redundctl/schema"
)

// probeGrace is how long a probe that is out of time has between SIGTERM and
// SIGKILL: less than a step, for it changes nothing and is waited for.
const probeGrace = 500 * time.Millisecond

// mostSaid is how much of a probe's output is read, in bytes; mostShown how much
// of it is kept, in characters.
const (
	mostSaid  = 64 << 10
	mostShown = 500
)

// probe is a script that tells how a primary does.
type probe struct {
	text  string
	found *finder
	deps  kind.PrimaryDeps
	env   []string
	mask  func(string) string
}

func buildProbe(with map[string]any, d kind.PrimaryDeps, found *finder) (pipeline.Probe, error) {
	var c struct {
		Run string `json:"run"`
	}
	if err := schema.Decode(with, &c); err != nil {
		return nil, err
	}
	switch {
	case strings.TrimSpace(c.Run) == "":
		return nil, errors.New("run: the script is empty")
	case d.Proc == nil:
		return nil, errors.New("run: nothing can be started here")
	}
	p := &probe{text: c.Run, found: found, deps: d, mask: d.Mask}
	for _, v := range d.Env {
		if !strings.HasPrefix(v, "REDUND_SLOT=") {
			p.env = append(p.env, v)
		}
	}
	return p, nil
}

// Probe runs the script once, in the project root. Everything that it started
// has ended when it returns.
func (p *probe) Probe(ctx context.Context, w pipeline.Window) (pipeline.Reading, error) {
	env := append(p.env[:len(p.env):len(p.env)], "REDUND_SLOT="+pipeline.Time(w.Slot))
	sh, err := p.found.shell("", env)
	if err != nil {
		return pipeline.Reading{}, err
	}
	x := file{dir: p.deps.Temp, prefix: "probe-", text: sh.wrap(p.text)}
	if x.dir == "" {
		return pipeline.Reading{}, errors.New("there is no directory for the script")
	}
	x.path = name(&x)
	if err := write(&x); err != nil {
		return pipeline.Reading{}, fmt.Errorf("the script cannot be written: %w", err)
	}
	defer os.Remove(x.path)
	var out said
	result, err := p.deps.Proc.Run(ctx, proc.Command{
		Argv: sh.argv(x.path), Path: sh.path, Env: env, Dir: p.deps.Root, Out: &out, Grace: probeGrace,
	})
	var start *proc.StartError
	if errors.As(err, &start) {
		return pipeline.Reading{
			Verdict: pipeline.Unknown, Refused: true, Reason: line(err.Error()), Evidence: map[string]any{"exit-code": nil},
		}, nil
	}
	if err != nil {
		return pipeline.Reading{}, err
	}
	return p.read(w, result, out.String()), nil
}

// read says what an end of the script means.
func (p *probe) read(w pipeline.Window, r proc.Result, output string) pipeline.Reading {
	out := pipeline.Reading{Verdict: pipeline.Unknown, Evidence: map[string]any{}}
	ended := fmt.Sprintf("ended with exit code %d", r.Code)
	if r.Signal != "" {
		ended = "ended by " + r.Signal
		out.Evidence["signal"] = r.Signal
	} else {
		out.Evidence["exit-code"] = r.Code
	}
	output = strings.TrimSpace(p.mask(strings.ToValidUTF8(output, "\uFFFD")))
	if output != "" {
		out.Evidence["output"] = cut(output)
	}
	first, _, _ := strings.Cut(output, "\n")
	switch out.Reason = line(first); {
	case r.Killed:
		out.Reason = "the command did not end in time"
		return out
	case out.Reason == "":
		out.Reason = "the command " + ended
	case r.Code > 1 || r.Signal != "":
		out.Reason = "the command " + ended + ": " + out.Reason
	}
	service := w.Slot.IsZero()
	switch {
	case r.Code == 0 && service:
		out.Verdict = pipeline.Up
	case r.Code == 0:
		out.Verdict = pipeline.Delivered
	case r.Code == 1 && service:
		out.Verdict = pipeline.Down
	case r.Code == 1:
		out.Verdict = pipeline.Nothing
	case r.Code == 126 || r.Code == 127: // what it calls is not there, or not to be run
		out.Refused = true
	}
	return out
}

// line is a text in one line.
func line(s string) string { return cut(strings.Join(strings.Fields(s), " ")) }

func cut(s string) string {
	if r := []rune(s); len(r) > mostShown {
		return string(r[:mostShown]) + "…"
	}
	return s
}

// said keeps the beginning of what is written.
type said struct{ strings.Builder }

// Write takes everything, and keeps what fits.
func (s *said) Write(b []byte) (int, error) {
	if room := mostSaid - s.Len(); room > 0 {
		_, _ = s.Builder.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}
