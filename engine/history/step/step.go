// Package step writes the row of a step: whole, whether it begins or ends.
package step

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// Write gives what writes s as it is now, if its run is still this engine's and
// goes on; that gives how many rows it wrote.
func Write(s *pipeline.StepRecord, engine string, fence int64) (func(*store.Tx) (int64, error), error) {
	var outputs, env, exit any
	if len(s.Outputs) > 0 {
		text, err := json.Marshal(s.Outputs)
		if err != nil {
			return nil, fmt.Errorf("outputs of step %s: %w", s.ID, err)
		}
		outputs = string(text)
	}
	if len(s.Env) > 0 {
		text, err := json.Marshal(s.Env)
		if err != nil {
			return nil, fmt.Errorf("environment of step %s: %w", s.ID, err)
		}
		env = string(text)
	}
	if s.ExitCode != nil {
		exit = *s.ExitCode
	}
	args := []any{
		s.Index, s.ID, orNull(s.Matrix), s.Uses, string(s.State), orNull(s.Continued), s.Attempts, exit, orNull(s.Signal),
		micros(s.Started), micros(s.Finished), outputs, orNull(s.Truncated), orNull(s.Error), env,
		s.Run, engine, fence,
	}
	return func(tx *store.Tx) (int64, error) { return tx.Exec(row, args...) }, nil
}

const row = `INSERT INTO steps
	(run, idx, id, matrix, uses, state, continued, attempts, exit_code, signal, started, finished, outputs, truncated, error, env)
	SELECT id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM runs
	WHERE id = ? AND engine = ? AND fence = ? AND state = 'running'
	ON CONFLICT (run, idx) DO UPDATE SET id = excluded.id, uses = excluded.uses, state = excluded.state, continued = excluded.continued, attempts = excluded.attempts,
		exit_code = excluded.exit_code, signal = excluded.signal, started = excluded.started, finished = excluded.finished,
		outputs = excluded.outputs, truncated = excluded.truncated, error = excluded.error, env = excluded.env`

// micros is how a time is stored: microseconds, null for none.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// orNull stores the zero value as nothing.
func orNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}
