package history

import (
	"context"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// Pulse is different whenever something has happened.
type Pulse struct {
	Event, Run int64 // the newest ids
	active     [2]int64
}

// Pulse asks whether something has happened since it was asked before.
func (h *History) Pulse(ctx context.Context) (p Pulse, err error) {
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query(`SELECT (SELECT max(id) FROM events), (SELECT max(id) FROM runs),
			(SELECT total(id) FROM runs INDEXED BY runs_by_state WHERE state = 'running'),
			(SELECT total(id) FROM runs INDEXED BY runs_by_state WHERE state = 'queued')`, func(row store.Row) error {
			p = Pulse{row.Int(0), row.Int(1), [2]int64{row.Int(2), row.Int(3)}}
			return nil
		})
	})
	return p, err
}

// Numbered is an event with its id; the ids ascend with time.
type Numbered struct {
	ID int64
	pipeline.Event
}

// EventsAfter gives the first events with a higher id, oldest first.
func (h *History) EventsAfter(ctx context.Context, id int64, limit int) (list []Numbered, err error) {
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query("SELECT id, at, run, pipeline, what, detail FROM events WHERE id > ? ORDER BY id LIMIT ?", func(row store.Row) error {
			list = append(list, Numbered{row.Int(0), pipeline.Event{
				At: fromMicros(row.Int(1)), Run: row.Int(2), Pipeline: row.Text(3), What: row.Text(4), Detail: row.Text(5),
			}})
			return nil
		}, id, limit)
	})
	return list, err
}
