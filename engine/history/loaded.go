package history

import (
	"context"
	"errors"
	"time"

	"github.com/redundctl/redundctl/engine/store"
)

// Loaded is one pipeline of the set in force.
type Loaded struct {
	System, Name string
	File         string
	Hash         string    // of its definition
	Since        time.Time // when it was first loaded and never gone since; zero: now
}

// Load records the set in force in place of the one before, whole. Of
// pipelines that were in that one, Since stays. Their definitions are kept as
// long as they are in force; defs holds at least those that are new.
func (h *History) Load(ctx context.Context, list []Loaded, defs []Definition) error {
	return h.db.Write(ctx, func(tx *store.Tx) error {
		u := Update{Definitions: defs}
		same, there := map[Loaded]bool{}, map[[2]string]bool{}
		for _, l := range list {
			there[[2]string{l.System, l.Name}] = true
		}
		err := eachLoaded(tx, func(l Loaded) {
			same[Loaded{System: l.System, Name: l.Name, File: l.File, Hash: l.Hash}] = true
			if !there[[2]string{l.System, l.Name}] {
				u.Gone = append(u.Gone, l)
			}
		})
		for _, l := range list {
			if !same[Loaded{System: l.System, Name: l.Name, File: l.File, Hash: l.Hash}] {
				u.Put = append(u.Put, l)
			}
		}
		return errors.Join(err, u.write(tx))
	})
}

// Update is what differs from the set in force that was recorded last.
type Update struct {
	Put         []Loaded     // new or changed
	Gone        []Loaded     // by system and name
	Definitions []Definition // at least those of Put that are new
}

// Empty reports whether it changes nothing.
func (u *Update) Empty() bool { return len(u.Put) == 0 && len(u.Gone) == 0 }

// Update records a difference. It survives a killed process at once; with
// durable, and by any later Write, a power cut too.
func (h *History) Update(ctx context.Context, u Update, durable bool) error {
	if durable {
		return h.db.Write(ctx, u.write)
	}
	return h.db.Fast(ctx, u.write)
}

func (u *Update) write(tx *store.Tx) error {
	now := present()
	var errs []error
	for _, d := range u.Definitions {
		errs = append(errs, Keep(tx, d, now))
	}
	for _, l := range u.Put {
		if l.Since.IsZero() {
			l.Since = now
		}
		_, err := tx.Exec(`INSERT INTO loaded (system, name, file, hash, since) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (system, name) DO UPDATE SET file = excluded.file, hash = excluded.hash`, l.System, l.Name, l.File, l.Hash, micros(l.Since))
		errs = append(errs, err)
	}
	for _, l := range u.Gone {
		_, err := tx.Exec("DELETE FROM loaded WHERE system = ? AND name = ?", l.System, l.Name)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// LastLoaded gives the set that was in force last, by system and name.
func (h *History) LastLoaded(ctx context.Context) (list []Loaded, err error) {
	list = []Loaded{}
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		return eachLoaded(tx, func(l Loaded) { list = append(list, l) })
	})
	return list, err
}

func eachLoaded(tx *store.Tx, f func(Loaded)) error {
	return tx.Query("SELECT system, name, file, hash, since FROM loaded ORDER BY system, name", func(row store.Row) error {
		f(Loaded{System: row.Text(0), Name: row.Text(1), File: row.Text(2), Hash: row.Text(3), Since: fromMicros(row.Int(4))})
		return nil
	})
}
