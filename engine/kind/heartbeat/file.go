package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/schema"
)

const (
	// tick is how much too early the time of a file may be: Linux stamps files
	// with the time of its last tick, 10 ms ago at the most.
	tick = 10 * time.Millisecond
	// skew is how far in the future the time of a file may lie: those of a
	// network drive are of another machine's clock.
	skew = time.Minute
)

// result is the probe of a primary that leaves a file.
type result struct {
	shown  string // the path as it was written
	stat   func() (fs.FileInfo, error)
	recent time.Duration // how old the file of a service may be
}

func buildFile(with map[string]any, d kind.PrimaryDeps) (pipeline.Probe, error) {
	var c struct {
		Path string `json:"path"`
	}
	if err := schema.Decode(with, &c); err != nil {
		return nil, err
	}
	if c.Path == "" || strings.ContainsRune(c.Path, 0) {
		return nil, errors.New("path: it is empty or holds a NUL byte")
	}
	p := &result{shown: c.Path, recent: recent(d.Pipeline)}
	if built(d.Pipeline) {
		if p.shown = "the path of " + d.Pipeline.ID(); !filepath.IsLocal(c.Path) {
			return nil, errors.New("path: it lies outside the project: a path that an expression built must lie inside it")
		}
		p.stat = func() (fs.FileInfo, error) { return below(d.Root, c.Path) }
		return p, nil
	}
	path := c.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.Root, path)
	}
	p.stat = func() (fs.FileInfo, error) { return os.Stat(path) }
	return p, nil
}

// built reports whether the path was made by an expression, and may be anything.
func built(p *pipeline.Pipeline) bool {
	if p.Primary == nil {
		return false
	}
	text, _ := p.Primary.With["path"].(string)
	return strings.Contains(text, "${{")
}

// below looks at a file without leaving root, also not by a link.
func below(root, path string) (fs.FileInfo, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return r.Stat(path)
}

// Probe looks at the time of the file. A network drive that is gone may keep it
// for ever, which whoever asks bounds.
func (p *result) Probe(_ context.Context, w pipeline.Window) (pipeline.Reading, error) {
	info, err := p.stat()
	now := time.Now()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return p.not(w, p.shown+" is not there", nil), nil
	case err != nil:
		return pipeline.Reading{
			Verdict: pipeline.Unknown, Reason: fmt.Sprintf("%s cannot be looked at: %v", p.shown, cause(err)),
			Refused: errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP),
		}, nil
	case !info.Mode().IsRegular():
		return p.not(w, p.shown+" is no regular file", nil), nil
	}
	at := info.ModTime()
	evidence := map[string]any{"modified": instant(at), "bytes": info.Size()}
	if ahead := at.Sub(now); ahead > skew {
		return pipeline.Reading{
			Verdict: pipeline.Unknown, Evidence: evidence,
			Reason: fmt.Sprintf("%s is dated %s in the future: one of two clocks is wrong", p.shown, ahead.Round(time.Second)),
		}, nil
	}
	if w.Slot.IsZero() {
		if age := now.Sub(at); age > p.recent {
			return p.not(w, fmt.Sprintf("%s was written %s ago, and %s is the most", p.shown, age.Round(time.Second), p.recent), evidence), nil
		}
		return pipeline.Reading{Verdict: pipeline.Up, Reason: p.shown + " was written at " + instant(at), Evidence: evidence}, nil
	}
	switch stamp := at.Add(tick); {
	case within(w, stamp):
		return pipeline.Reading{
			Verdict: pipeline.Delivered, Reason: p.shown + " was written at " + instant(at), Ended: at, Evidence: evidence,
		}, nil
	case stamp.Before(w.Slot):
		return p.not(w, p.shown+" was last written before the slot, at "+instant(at), evidence), nil
	}
	return p.not(w, p.shown+" was last written for a later slot, at "+instant(at), evidence), nil
}

// not is the reading where the file is not as it should be.
func (p *result) not(w pipeline.Window, reason string, evidence map[string]any) pipeline.Reading {
	if evidence == nil {
		evidence = map[string]any{"modified": nil}
	}
	if w.Slot.IsZero() {
		return pipeline.Reading{Verdict: pipeline.Down, Reason: reason, Evidence: evidence}
	}
	return pipeline.Reading{Verdict: pipeline.Nothing, Reason: reason, Evidence: evidence}
}

// cause is an error without the path, which people know already and which an
// expression may have built of anything.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
