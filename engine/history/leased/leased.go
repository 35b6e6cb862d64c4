// Package leased keeps runs of the backup from slots that their primary was
// granted.
package leased

import (
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// Error says that a slot was granted to the primary.
type Error struct{ Until time.Time }

// Error says until when.
func (e *Error) Error() string {
	return "the primary may work at this slot until " + e.Until.UTC().Format(time.RFC3339)
}

// Check refuses a slot that was granted to the primary to a run that is to begin
// in its place: of the two one gets it. The error is an *Error. A run that is
// scheduled runs beside the primary.
func Check(tx *store.Tx, r *pipeline.Run) error {
	if r.Trigger != "failover" || r.Reason == "scheduled" {
		return nil
	}
	var until time.Time
	err := tx.Query("SELECT lease FROM slots WHERE system = ? AND name = ? AND slot = ? AND lease > ?",
		func(row store.Row) error { until = store.Time(row.Int(0)); return nil },
		r.System, r.Pipeline, store.Micros(r.Slot), store.Micros(store.Present()))
	if err == nil && !until.IsZero() {
		err = &Error{Until: until}
	}
	return err
}
