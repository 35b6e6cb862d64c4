package history

import (
	"context"
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
	now := present()
	return h.db.Write(ctx, func(tx *store.Tx) error {
		for _, d := range defs {
			if err := keep(tx, d, now); err != nil {
				return err
			}
		}
		gone := map[[2]string]Loaded{} // by system and name
		if err := eachLoaded(tx, func(l Loaded) { gone[[2]string{l.System, l.Name}] = l }); err != nil {
			return err
		}
		for _, l := range list {
			k := [2]string{l.System, l.Name}
			before, known := gone[k]
			delete(gone, k)
			if known && before.File == l.File && before.Hash == l.Hash {
				continue
			}
			if l.Since.IsZero() {
				l.Since = now
			}
			_, err := tx.Exec(`INSERT INTO loaded (system, name, file, hash, since) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (system, name) DO UPDATE SET file = excluded.file, hash = excluded.hash`,
				l.System, l.Name, l.File, l.Hash, micros(l.Since))
			if err != nil {
				return err
			}
		}
		for k := range gone {
			if _, err := tx.Exec("DELETE FROM loaded WHERE system = ? AND name = ?", k[0], k[1]); err != nil {
				return err
			}
		}
		return nil
	})
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
