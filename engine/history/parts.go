package history

import (
	"context"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// Stop records that a pipeline, or with an empty name a whole system, was
// stopped by hand. by says by whom, for people. To stop it again changes nothing.
func (h *History) Stop(ctx context.Context, system, name, by string) error {
	return h.part(ctx, pipeline.Event{Pipeline: partID(system, name), What: "part-stopped", Detail: by},
		"INSERT INTO parts (system, name, mode, since) VALUES (?1, ?2, 'stopped', ?3) ON CONFLICT DO NOTHING", system, name, micros(present()))
}

// Start records that what was stopped goes on. Pipelines that were stopped by
// name stay so when their system is started.
func (h *History) Start(ctx context.Context, system, name, by string) error {
	return h.part(ctx, pipeline.Event{Pipeline: partID(system, name), What: "part-started", Detail: by},
		"DELETE FROM parts WHERE system = ?1 AND name = ?2", system, name)
}

// part runs a statement and, when it changed something, records the event.
func (h *History) part(ctx context.Context, e pipeline.Event, statement string, args ...any) error {
	e.At = present()
	return h.db.Write(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec(statement, args...)
		if err != nil || n == 0 {
			return err
		}
		return event(tx, e)
	})
}

// Stopped gives what was stopped by hand, and since when, by "system" or
// "system/name".
func (h *History) Stopped(ctx context.Context) (map[string]time.Time, error) {
	all := map[string]time.Time{}
	err := h.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query("SELECT system, name, since FROM parts WHERE mode = 'stopped'", func(row store.Row) error {
			all[partID(row.Text(0), row.Text(1))] = fromMicros(row.Int(2))
			return nil
		})
	})
	return all, err
}

func partID(system, name string) string {
	if name == "" {
		return system
	}
	return system + "/" + name
}
