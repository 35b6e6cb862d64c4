// Package heartbeat is the primary kinds that need no foreign system: one that
// calls the engine when it starts and is done (`heartbeat`), and one that
// leaves a file (`file`).
//
// beats.go has the probe of the first, runs.go how its calls become runs, and
// file.go the probe of the second.
package heartbeat

import (
	_ "embed" // the schema fragments
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

//go:embed heartbeat.json
var heartbeat []byte

//go:embed file.json
var file []byte

// Primaries are the primary kinds `heartbeat` and `file`.
func Primaries() []kind.Primary {
	return []kind.Primary{Primary(), {Name: "file", Fragment: file, Build: buildFile}}
}

// Primary is the primary kind `heartbeat`.
func Primary() kind.Primary {
	return kind.Primary{Name: "heartbeat", Opens: "token", Fragment: heartbeat, Build: buildBeats}
}

// recent is how long a service may have been silent: as long as it takes to see
// it bad so often that it counts as down.
func recent(p *pipeline.Pipeline) time.Duration {
	every, failures := time.Minute, 2 // as the language has them
	if x := p.Primary; x != nil {
		if x.Every > 0 {
			every = x.Every.Std()
		}
		if x.Failures > 0 {
			failures = x.Failures
		}
	}
	return every * time.Duration(failures)
}

// instant is a time as readings show it.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999Z") }

// within reports whether what happened at t belongs to the slot of w: it is the
// latest slot at or before it.
func within(w pipeline.Window, t time.Time) bool {
	return !t.Before(w.Slot) && (w.Next.IsZero() || t.Before(w.Next))
}
