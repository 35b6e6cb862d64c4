// Package kept is what an engine keeps of services over its end: who keeps them
// running, and which of them it took over from their primaries.
package kept

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/redundctl/redundctl/engine/failover/takeover"
	"github.com/redundctl/redundctl/engine/store"
)

// Rows are those of one process. Load and Save may be used from several
// goroutines, the others from one.
type Rows struct {
	db     *store.DB
	engine string
	lease  *store.Lease
	dead   []string // whose processes Clear has ended
}

// New gives the rows; engine is the name of this process in the marks of what it
// starts.
func New(db *store.DB, engine string) *Rows { return &Rows{db: db, engine: engine} }

// Clear calls end for those that kept services before and are dead, and forgets
// them. The error says that something of theirs may still run: nothing may be
// started then, and Clear may be called again.
func (r *Rows) Clear(ctx context.Context, end func(engine string) error) error {
	before := map[string]string{}
	err := r.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query("SELECT engine, lease FROM keepers", func(row store.Row) error { before[row.Text(0)] = row.Text(1); return nil })
	})
	if err != nil {
		return err
	}
	for engine, lease := range before {
		if engine == r.engine {
			continue
		}
		if r.db.Alive(lease) {
			return fmt.Errorf("another process, %s, keeps the services of this project running: end it", engine)
		}
		if err := end(engine); err != nil {
			return err
		}
		r.dead = append(r.dead, engine)
	}
	if len(r.dead) == 0 {
		return nil
	}
	// What cannot be written now Begin writes, or the next engine: nothing of them
	// runs any more.
	if r.db.Write(context.WithoutCancel(ctx), r.forget) == nil {
		r.dead = nil
	}
	return nil
}

// forget takes those out that are dead and have left nothing.
func (r *Rows) forget(tx *store.Tx) error {
	for _, engine := range r.dead {
		if _, err := tx.Exec("DELETE FROM keepers WHERE engine = ?", engine); err != nil {
			return err
		}
	}
	return nil
}

// Begin records that this process keeps services from now on, for who comes after
// it. When it fails it may be called again.
func (r *Rows) Begin(ctx context.Context) (err error) {
	if r.lease == nil {
		if r.lease, err = r.db.Lease(r.engine + "-services"); err != nil {
			return err
		}
	}
	return r.db.Write(ctx, func(tx *store.Tx) error {
		if err := r.forget(tx); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO keepers (engine, lease) VALUES (?, ?) ON CONFLICT DO NOTHING", r.engine, r.lease.ID)
		return err
	})
}

// End says that nothing of this process runs any more.
func (r *Rows) End(ctx context.Context) error {
	if r.lease == nil {
		return nil
	}
	err := r.db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec("DELETE FROM keepers WHERE engine = ?", r.engine)
		return err
	})
	if err != nil {
		return err // the next engine finds nothing, and looks for it
	}
	lease := r.lease
	r.lease = nil
	return lease.Release()
}

// Load gives what is known of each service, by system/name.
func (r *Rows) Load(ctx context.Context) (map[string]takeover.State, error) {
	out := map[string]takeover.State{}
	err := r.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Query("SELECT system, name, state FROM takeovers", func(row store.Row) error {
			var s takeover.State
			if err := json.Unmarshal([]byte(row.Text(2)), &s); err != nil {
				return fmt.Errorf("what is known of the service %s/%s cannot be read: %w", row.Text(0), row.Text(1), err)
			}
			out[row.Text(0)+"/"+row.Text(1)] = s
			return nil
		})
	})
	return out, err
}

// Save keeps what is known of a service; nil forgets it.
func (r *Rows) Save(ctx context.Context, id string, s *takeover.State) error {
	system, name, _ := strings.Cut(id, "/")
	if s == nil {
		return r.db.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec("DELETE FROM takeovers WHERE system = ? AND name = ?", system, name)
			return err
		})
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return r.db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec("INSERT INTO takeovers (system, name, state) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET state = ?3", system, name, string(text))
		return err
	})
}
