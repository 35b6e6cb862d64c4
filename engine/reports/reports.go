// Package reports writes what other tools read of an engine: files of JSON that
// are replaced whole, in the folder reports of the state directory.
package reports

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/api"
)

const (
	healthPrefix = "health-"
	healthTime   = "20060102T150405.000Z"
	suffix       = ".json"
)

// Dir is the folder of reports in a state directory.
type Dir string

// In gives the folder of a state directory.
func In(state string) Dir { return Dir(filepath.Join(state, "reports")) }

// System is the report of one system.
type System struct {
	At string `json:"at"`
	api.SystemStatus
	Checks []api.Check `json:"checks"`
	Parts  []api.Part  `json:"parts"`
}

// Health is the report of a verdict that changed.
type Health struct {
	At string `json:"at"`
	api.Health
}

// Write replaces status.json and the report of each system; at is when.
func (d Dir) Write(at time.Time, s *api.Status, h *api.Health) error {
	errs := []error{d.write("status", s)}
	for _, x := range s.Systems {
		r := System{At: *api.When(at), SystemStatus: x, Checks: []api.Check{}, Parts: []api.Part{}}
		for _, y := range h.Systems {
			if y.Name == x.Name {
				r.Checks = append(r.Checks, y.Checks...)
			}
		}
		for _, p := range s.Parts {
			if p.System == x.Name {
				r.Parts = append(r.Parts, p)
			}
		}
		errs = append(errs, d.write(name(x.Name), r))
	}
	return cmp.Or(errs...)
}

// name is the file of a system, which may be called as another report.
func name(system string) string {
	if system == "status" || strings.HasPrefix(system, healthPrefix) {
		return "system-" + system
	}
	return system
}

// WriteHealth writes the report of a verdict that changed.
func (d Dir) WriteHealth(at time.Time, h *api.Health) error {
	return d.write(healthPrefix+at.UTC().Format(healthTime), Health{*api.When(at), *h})
}

// mostVerdicts is how many wait to be written.
const mostVerdicts = 100

// Verdicts are those that changed and whose reports are not written yet.
type Verdicts struct{ list []verdict }

type verdict struct {
	at     time.Time
	health api.Health
}

// Add lines one up. Of too many the oldest is left out.
func (v *Verdicts) Add(at time.Time, h api.Health) {
	if len(v.list) == mostVerdicts {
		v.list = v.list[1:]
	}
	v.list = append(v.list, verdict{at, h})
}

// Write writes their reports; those that cannot be written stay.
func (v *Verdicts) Write(d Dir) error {
	for len(v.list) > 0 {
		if err := d.WriteHealth(v.list[0].at, &v.list[0].health); err != nil {
			return err
		}
		v.list = v.list[1:]
	}
	return nil
}

// write replaces one file whole: who reads sees the old one or the new one.
func (d Dir) write(name string, v any) (err error) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("the reports cannot be written: %w", err)
	}
	path := filepath.Join(string(d), name+suffix)
	f, err := os.OpenFile(filepath.Join(string(d), "."+name+".new"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.Write(append(text, '\n'))
		err = cmp.Or(err, f.Close())
		if err == nil {
			err = os.Rename(f.Name(), path)
		}
		if err != nil {
			_ = os.Remove(f.Name()) // what is written of it is of no use
		}
	}
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("the report %s cannot be written: the disk that holds it is full: free some space there", path)
	case err != nil:
		return fmt.Errorf("the report %s cannot be written: %w", path, err)
	}
	return nil
}
