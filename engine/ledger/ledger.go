// Package ledger keeps the slots of pipelines that back up a primary: which are
// open, what was seen of the primary for each, and how each was decided, once.
// It also keeps what primaries say themselves: heartbeats, and claims.
//
// Start with Open, Watched and Read, then Settle (settle.go); claims are in
// claim.go, heartbeats in beats.go.
package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// Ledger is the account of slots of one project. Its methods may be called from
// several goroutines, and several processes may share one database.
type Ledger struct{ db *store.DB }

// New gives the ledger that db holds.
func New(db *store.DB) *Ledger { return &Ledger{db} }

// Slot is one slot of a pipeline that backs up a primary.
type Slot struct {
	System, Name string
	At           time.Time
	Next         time.Time // the slot after it
	Missed       bool      // it had passed when the schedule came to it, and is caught up

	Decision string    // run or skip; "": it is open
	Reason   string    // why it was decided so
	Decided  time.Time // or opened
	Run      int64     // the newest run of it, 0: none
	Fence    int64

	Reading    pipeline.Reading // of the newest look
	Seen       time.Time        // when the primary was first seen to go on with it; zero: never
	Claimed    string           // the primary's own id of the run that it asked for; "" may be one too, when Lease is set
	Lease      time.Time        // until when that may go on; zero: it did not ask
	Dispatched string           // the id of the run that the primary was asked for
	Asked      time.Time        // when it was; zero: it was not
	Refused    bool             // it did not take it
	Late       time.Duration    // how late it turned up after the backup ran; 0: it did not
}

// ID is the pipeline that the slot belongs to.
func (s *Slot) ID() string { return s.System + "/" + s.Name }

// Open records slots that nobody has decided yet, all or none, and gives those
// that are open now: not those that a run by hand serves.
func (l *Ledger) Open(ctx context.Context, list []Slot) (open []Slot, err error) {
	err = l.db.Write(ctx, func(tx *store.Tx) error {
		open = open[:0]
		now := store.Present()
		for _, s := range list {
			decision := "no"
			err := tx.Query(`INSERT INTO slots (system, name, slot, fence, run, decision, reason, decided, planned, next, missed) VALUES (?, ?, ?, 0, 0, '', '', ?, 1, ?, ?)
				ON CONFLICT (system, name, slot) DO UPDATE SET planned = 1, missed = coalesce(missed, excluded.missed) RETURNING decision`,
				func(row store.Row) error { decision = row.Text(0); return nil },
				s.System, s.Name, store.Micros(s.At), store.Micros(now), store.Micros(s.Next), store.OrNull(s.Missed))
			if err != nil {
				return err
			}
			if decision == "" {
				s.Decided = now
				open = append(open, s)
			}
		}
		return nil
	})
	return open, err
}

const columns = `system, name, slot, next, decision, reason, decided, run, fence, verdict, why, url, evidence, primary_run, began, ended, seen,
	claimed, lease, dispatched, asked, refused, late, missed`

func read(row store.Row) (s Slot, err error) {
	s = Slot{
		System: row.Text(0), Name: row.Text(1), At: store.Time(row.Int(2)), Next: store.Time(row.Int(3)), Decision: row.Text(4), Reason: row.Text(5),
		Decided: store.Time(row.Int(6)), Run: row.Int(7), Fence: row.Int(8),
		Reading: pipeline.Reading{
			Verdict: pipeline.Verdict(row.Text(9)), Reason: row.Text(10), URL: row.Text(11), Run: row.Text(13),
			Began: store.Time(row.Int(14)), Ended: store.Time(row.Int(15)),
		},
		Seen: store.Time(row.Int(16)), Claimed: row.Text(17), Lease: store.Time(row.Int(18)), Dispatched: row.Text(19), Asked: store.Time(row.Int(20)),
		Refused: row.Bool(21), Late: time.Duration(row.Int(22)) * time.Microsecond, Missed: row.Bool(23),
	}
	if !row.Null(12) {
		if err = json.Unmarshal(row.Bytes(12), &s.Reading.Evidence); err != nil {
			err = fmt.Errorf("the evidence of slot %s of %s cannot be read: %w", pipeline.Time(s.At), s.ID(), err)
		}
	}
	return s, err
}

// Watched gives the slots that are open, and those that the backup served while
// the primary may still turn up for them, by pipeline and time.
func (l *Ledger) Watched(ctx context.Context) (list []Slot, err error) {
	return l.list(ctx, "decision = ''", `next > ? AND decision = 'run' AND reason LIKE 'primary-%'`, store.Micros(store.Present()))
}

// list gives the slots that one of two conditions picks.
func (l *Ledger) list(ctx context.Context, one, other string, args ...any) (list []Slot, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		list = nil
		return tx.Query("SELECT "+columns+" FROM slots WHERE "+one+" UNION ALL SELECT "+columns+" FROM slots WHERE "+other+" ORDER BY 1, 2, 3",
			func(row store.Row) error {
				s, err := read(row)
				list = append(list, s)
				return err
			}, args...)
	})
	return list, err
}

// Slot gives one slot, or ok false where the ledger has none.
func (l *Ledger) Slot(ctx context.Context, system, name string, at time.Time) (s Slot, ok bool, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		s, ok, err = slot(tx, system, name, at)
		return err
	})
	return s, ok, err
}

func slot(tx *store.Tx, system, name string, at time.Time) (s Slot, ok bool, err error) {
	err = tx.Query("SELECT "+columns+" FROM slots WHERE system = ? AND name = ? AND slot = ?", func(row store.Row) error {
		s, err = read(row)
		ok = true
		return err
	}, system, name, store.Micros(at))
	return s, ok, err
}

// Last gives the newest slots of a pipeline up to a time, the newest first.
func (l *Ledger) Last(ctx context.Context, id [2]string, until time.Time, n int) (list []Slot, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		list = nil
		return tx.Query("SELECT "+columns+" FROM slots WHERE system = ? AND name = ? AND slot <= ? ORDER BY slot DESC LIMIT ?", func(row store.Row) error {
			s, err := read(row)
			list = append(list, s)
			return err
		}, id[0], id[1], store.Micros(until), n)
	})
	return list, err
}

// Newest gives the newest slot of a pipeline that was decided, then those after
// it that are open, the oldest first; where none was decided, the newest one
// alone; nothing where there is none.
func (l *Ledger) Newest(ctx context.Context, system, name string) (list []Slot, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		list = nil
		return tx.Query("SELECT "+columns+` FROM slots WHERE system = ?1 AND name = ?2 AND slot >= coalesce(
				(SELECT slot FROM slots WHERE system = ?1 AND name = ?2 AND decision <> '' ORDER BY slot DESC LIMIT 1),
				(SELECT slot FROM slots WHERE system = ?1 AND name = ?2 ORDER BY slot DESC LIMIT 1)) ORDER BY slot`, func(row store.Row) error {
			s, err := read(row)
			list = append(list, s)
			return err
		}, system, name)
	})
	return list, err
}

// Runs gives the ids of the runs of a slot, in order.
func (l *Ledger) Runs(ctx context.Context, system, name string, at time.Time) (ids []int64, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		ids = nil
		return tx.Query("SELECT id FROM runs INDEXED BY runs_by_slot WHERE system = ? AND name = ? AND slot = ? ORDER BY id",
			func(row store.Row) error { ids = append(ids, row.Int(0)); return nil }, system, name, store.Micros(at))
	})
	return ids, err
}

// Read records what a look at the primary showed for a slot, with a line for
// the slot's story; "": none. It survives a killed process.
func (l *Ledger) Read(ctx context.Context, s Slot, story string) error {
	evidence, err := evidence(s.Reading)
	if err != nil {
		return err
	}
	return l.db.Fast(ctx, func(tx *store.Tx) error {
		r := s.Reading
		_, err := tx.Exec(`UPDATE slots SET verdict = ?, why = ?, url = ?, evidence = ?, primary_run = ?, began = ?, ended = ?, seen = ?, dispatched = ?, asked = ?, refused = ?
			WHERE system = ? AND name = ? AND slot = ?`,
			string(r.Verdict), store.OrNull(r.Reason), store.OrNull(r.URL), evidence, store.OrNull(r.Run), store.Micros(r.Began), store.Micros(r.Ended),
			store.Micros(s.Seen), store.OrNull(s.Dispatched), store.Micros(s.Asked), store.OrNull(s.Refused), s.System, s.Name, store.Micros(s.At))
		if err != nil || story == "" {
			return err
		}
		return tell(tx, Line{Slot: s.At, Event: pipeline.Event{Pipeline: s.ID(), What: "primary", Detail: story}})
	})
}

func evidence(r pipeline.Reading) (any, error) {
	if len(r.Evidence) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(r.Evidence)
	if err != nil {
		return nil, fmt.Errorf("the evidence of a primary cannot be kept: %w", err)
	}
	return string(b), nil
}

// Line is one line of the story of a slot.
type Line struct {
	Slot time.Time
	pipeline.Event
}

// Tell adds a line to the story of a slot.
func (l *Ledger) Tell(ctx context.Context, line Line) error {
	return l.db.Fast(ctx, func(tx *store.Tx) error { return tell(tx, line) })
}

func tell(tx *store.Tx, e Line) error {
	if e.At.IsZero() {
		e.At = store.Present()
	}
	_, err := tx.Exec("INSERT INTO events (at, run, pipeline, what, detail, slot) VALUES (?, ?, ?, ?, ?, ?)",
		store.Micros(e.At), store.OrNull(e.Run), e.Pipeline, e.What, e.Detail, store.Micros(e.Slot))
	return err
}

// Story gives the lines of a slot's story, and those of its runs, in order.
func (l *Ledger) Story(ctx context.Context, id string, at time.Time) (list []pipeline.Event, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		list = nil
		return tx.Query(`SELECT at, run, pipeline, what, detail FROM events WHERE pipeline = ?1 AND slot = ?2
			UNION SELECT at, run, pipeline, what, detail FROM events WHERE run IN
				(SELECT id FROM runs WHERE system || '/' || name = ?1 AND system = ?3 AND name = ?4 AND slot = ?2) ORDER BY at`,
			func(row store.Row) error {
				list = append(list, pipeline.Event{At: store.Time(row.Int(0)), Run: row.Int(1), Pipeline: row.Text(2), What: row.Text(3), Detail: row.Text(4)})
				return nil
			}, id, store.Micros(at), system(id), name(id))
	})
	return list, err
}
