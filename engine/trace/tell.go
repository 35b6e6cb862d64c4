package trace

import (
	"fmt"
	"log/slog"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/force"
)

// Teller leaves the trace of saves where people look for it.
type Teller struct {
	Log   *slog.Logger
	Event func(id, what, detail string)
	Began *config.Project // what the engine began with
}

// Tell tells of the save that led from what was in force before to f.
func (t Teller) Tell(before, f *force.Force) {
	x := f.Save
	for _, id := range x.Added {
		t.Log.Info("pipeline added", "pipeline", id)
		t.Event(id, "added", f.Parts[id].Pipeline.File)
	}
	for _, id := range x.Removed {
		t.Log.Info("pipeline removed", "pipeline", id)
		t.Event(id, "removed", "its file is gone")
	}
	for _, c := range x.Changed {
		t.Log.Info("pipeline changed", "pipeline", c.Name, "keys", c.Keys)
		t.Event(c.Name, "changed", fmt.Sprint(c.Keys))
	}
	for _, r := range x.Rejected {
		Reject(t.Log, r)
		t.Event("", "reload-rejected", fmt.Sprintf("%s:%d:%d: %s", r.File, r.Line, r.Column, r.Message))
	}
	if keys := f.Restart(t.Began); len(keys) > len(before.Restart(t.Began)) {
		line := "a change of redund.yaml counts from the next start: redundctl restart"
		if f.Set.Project.Moves() { // where that command would look for the engine
			line = "a change of redund.yaml counts from the next start; commands find this engine only with the old state: end it with that, or with SIGTERM"
		}
		t.Log.Warn(line, "keys", keys)
		t.Event("", "restart-needed", fmt.Sprint(keys))
	}
	t.Log.Info("files were saved", Attrs(x, f.Generation)...)
	t.Event("", "saved", Detail(x))
}

// Reject logs a mistake that keeps a file from being in force.
func Reject(log *slog.Logger, x api.Rejected) {
	log.Error("a file is rejected; its last good form, if there is one, stays in force", "file", x.File, "line", x.Line, "problem", x.Message)
}
