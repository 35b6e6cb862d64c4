package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// Ask is the question of a primary whether its run may still serve a slot.
type Ask struct {
	System, Name string
	Slot, Next   time.Time
	Since        time.Time     // the pipeline has no slot up to here; zero: it has
	Run          string        // its own id of the run
	For          time.Duration // how long it may take
}

// Grant is the answer.
type Grant struct {
	Granted bool
	Fence   int64
	Until   time.Time // zero: not granted
	Why     string    // in one line for people
	// Late reports that the primary came after its backup had begun, for the first
	// time.
	Late bool
}

// Claim grants a slot to its primary, unless a run of the backup has begun with
// it or somebody has delivered it; the same question gets the same answer. A
// run of the backup that only waits goes on waiting. A slot that nobody
// keeps stays so: it is granted, and nothing of it is recorded. It is on the disk
// when Claim returns.
func (l *Ledger) Claim(ctx context.Context, a Ask) (g Grant, err error) {
	err = l.db.Write(ctx, func(tx *store.Tx) error {
		g, err = claim(tx, &a, store.Present())
		return err
	})
	return g, err
}

func claim(tx *store.Tx, a *Ask, now time.Time) (Grant, error) {
	s, ok, err := slot(tx, a.System, a.Name, a.Slot)
	if err != nil {
		return Grant{}, err
	}
	if ok {
		why, ran, err := taken(tx, &s, a, now)
		if err != nil || why != "" {
			g := Grant{Why: why, Fence: s.Fence}
			if err == nil && ran {
				s.Late, s.Reading = now.Sub(s.At), pipeline.Reading{Run: a.Run, Began: now}
				g.Late, err = late(tx, &s, fmt.Sprintf("the primary came %s late and asked whether it still may; it stands down, for %s", s.Late.Round(time.Second), why))
			}
			return g, err
		}
		if now.Before(s.Lease) && s.Claimed == a.Run {
			return Grant{Granted: true, Fence: s.Fence, Until: s.Lease, Why: "it has this slot already"}, nil
		}
	} else if kept, err := keeps(tx, a, now); err != nil {
		return Grant{}, err
	} else if !kept {
		return Grant{Granted: true, Fence: 1, Until: now.Add(a.For), Why: "the backup does not keep this slot: it is older than those that it looks after"}, nil
	}
	g := Grant{Granted: true, Until: now.Add(a.For), Why: "the backup has not begun with it"}
	err = tx.Query(`INSERT INTO slots (system, name, slot, fence, run, decision, reason, decided, planned, next, claimed, lease, seen) VALUES (?, ?, ?, 1, 0, '', '', ?, NULL, ?, ?, ?, ?)
		ON CONFLICT (system, name, slot) DO UPDATE SET fence = fence + 1, claimed = excluded.claimed, lease = excluded.lease, seen = coalesce(seen, excluded.seen) RETURNING fence`,
		func(row store.Row) error { g.Fence = row.Int(0); return nil },
		a.System, a.Name, store.Micros(a.Slot), store.Micros(now), store.Micros(a.Next), a.Run, store.Micros(g.Until), store.Micros(now))
	if err != nil {
		return Grant{}, err
	}
	detail := "granted to the primary until " + pipeline.Time(g.Until)
	if a.Run != "" {
		detail = "granted to run " + a.Run + " of the primary until " + pipeline.Time(g.Until)
	}
	return g, tell(tx, Line{Slot: a.Slot, Event: pipeline.Event{At: now, Pipeline: a.System + "/" + a.Name, What: "claim", Detail: detail}})
}

// keeps reports whether the schedule of a pipeline is still to come to a slot that
// is not there: no slot before the last one that was planned will be.
func keeps(tx *store.Tx, a *Ask, now time.Time) (kept bool, err error) {
	if !a.Slot.After(a.Since) && !a.Since.After(now) {
		return false, nil
	}
	kept = true
	err = tx.Query("SELECT 1 FROM slots WHERE system = ? AND name = ? AND slot > ? AND slot <= ? AND planned LIMIT 1",
		func(store.Row) error { kept = false; return nil }, a.System, a.Name, store.Micros(a.Slot), store.Micros(now))
	return kept, err
}

// Release ends a lease before its time: the run that was granted the slot has
// failed. One that was granted since stays.
func (l *Ledger) Release(ctx context.Context, s Slot) error {
	return l.db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec("UPDATE slots SET lease = ? WHERE system = ? AND name = ? AND slot = ? AND lease = ?",
			store.Micros(store.Present()), s.System, s.Name, store.Micros(s.At), store.Micros(s.Lease))
		return err
	})
}

// taken says why a slot is not granted, or "", and whether that is for a run of
// the backup.
func taken(tx *store.Tx, s *Slot, a *Ask, now time.Time) (why string, ran bool, err error) {
	if now.Before(s.Lease) && s.Claimed != a.Run {
		return "another run of the primary has it", false, nil
	}
	if s.Decision == "skip" && (s.Reason == "primary-succeeded" || s.Reason == "claimed-by-primary" || s.Reason == "dispatched" || s.Reason == "superseded") {
		return "it was delivered: " + s.Reason, false, nil
	}
	err = tx.Query(`SELECT state FROM runs WHERE system = ? AND name = ? AND slot = ? AND (state IN ('running', 'succeeded') OR state = 'queued' AND owed IN (4, 5)) LIMIT 1`,
		func(row store.Row) error {
			why = "the backup runs for it" // also one that goes on when it has its turn
			if row.Text(0) == string(pipeline.Succeeded) {
				why = "the backup has served it"
			}
			return nil
		}, s.System, s.Name, store.Micros(s.At))
	return why, why != "", err
}
