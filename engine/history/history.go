// Package history keeps the account of what happened: runs and their steps,
// the slots they served, events, and the definitions they ran under.
//
// What must survive a power cut, the claim and the end of a run, is written so
// before the call returns. Steps and events survive a killed process, and any
// later claim or end carries them to the disk. Every process that runs
// pipelines holds a lease for life; a run whose process is dead reads as
// failed and interrupted, whether or not somebody has written that down yet.
//
// Start with New, then Begin, StartStep, EndStep and Finish (write.go), and
// Runs, Steps and Summary (read.go).
package history

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// History is the account of one project. Its methods may be called from
// several goroutines, and several processes may share one database.
type History struct {
	db *store.DB
	id string

	mu     sync.Mutex
	lease  *store.Lease    // taken by the first Begin
	fences map[int64]int64 // of the runs that this process has begun and not finished
}

// Definition is what a run runs under.
type Definition struct {
	Hash string // of the canonical content; "": none is kept
	File string
	Body []byte // canonical JSON
}

// New gives the history that db holds.
func New(db *store.DB) *History {
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails
	id := fmt.Sprintf("%d-%s", os.Getpid(), hex.EncodeToString(random[:]))
	return &History{db: db, id: id, fences: map[int64]int64{}}
}

// Engine is the id under which this process runs pipelines: letters, digits
// and -, and no other's.
func (h *History) Engine() string { return h.id }

// Close gives back the lease; runs that are still running then read as
// interrupted. The database stays open.
func (h *History) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lease == nil {
		return nil
	}
	err := h.lease.Release()
	h.lease = nil
	return err
}

// begun gives the id under which this process runs pipelines, and takes its
// lease.
func (h *History) begun() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lease != nil {
		return h.lease.ID, nil
	}
	lease, err := h.db.Lease(h.id)
	if err != nil {
		return "", fmt.Errorf("the lease of this process cannot be taken: %w", err)
	}
	h.lease = lease
	return lease.ID, nil
}

// claim gives the id of this process and the fence of a run that it has begun.
func (h *History) claim(run int64) (engine string, fence int64, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lease == nil {
		return "", 0, false
	}
	fence, ok = h.fences[run]
	return h.lease.ID, fence, ok
}

func (h *History) remember(run, fence int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fences[run] = fence
}

func (h *History) forget(run int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.fences, run)
}

// bootID tells this start of the machine from others; "" where the kernel does
// not say.
var bootID = sync.OnceValue(func() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
})

// ActiveSlot gives the run of a slot that is active or has succeeded, or ok false.
func (h *History) ActiveSlot(ctx context.Context, system, name string, slot time.Time) (r pipeline.Run, ok bool, err error) {
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		taken, err := h.slotTaken(tx, &pipeline.Run{System: system, Pipeline: name, Slot: slot})
		if err != nil || taken == nil {
			return err
		}
		ok = true
		r, err = h.run(tx, taken.Run)
		return err
	})
	return r, ok, err
}

// free is a *SlotTaken when the slot of r is taken.
func (h *History) free(tx *store.Tx, r *pipeline.Run) error {
	taken, err := h.slotTaken(tx, r)
	if taken != nil {
		return taken
	}
	return err
}

// slotTaken gives the newest other run of r's slot that succeeded or that a
// living process runs, or nil. For a run that is not recorded yet, one that
// waits counts too; of those that wait, the first to be claimed has the slot.
func (h *History) slotTaken(tx *store.Tx, r *pipeline.Run) (taken *SlotTaken, err error) {
	err = tx.Query(`SELECT id, state, engine FROM runs
		WHERE system = ? AND name = ? AND slot = ? AND state IN ('succeeded', 'queued', 'running') ORDER BY id DESC`,
		func(row store.Row) error {
			state := pipeline.State(row.Text(1))
			free := state == pipeline.Running && !h.db.Alive(row.Text(2)) || state == pipeline.Queued && r.ID != 0
			if taken == nil && !free {
				taken = &SlotTaken{Run: row.Int(0), Active: !state.Done()}
			}
			return nil
		}, r.System, r.Pipeline, micros(r.Slot))
	if err != nil || taken != nil {
		return taken, err
	}
	err = tx.Query(`SELECT run, reason FROM slots WHERE system = ? AND name = ? AND slot = ? AND decision = 'skip'
		AND reason IN ('primary-succeeded', 'claimed-by-primary', 'dispatched', 'superseded')`,
		func(row store.Row) error {
			if row.Int(0) != r.ID || r.ID == 0 {
				taken = &SlotTaken{Run: row.Int(0), Delivered: row.Text(1)}
			}
			return nil
		}, r.System, r.Pipeline, micros(r.Slot))
	return taken, err
}

func micros(t time.Time) any { return store.Micros(t) }

func fromMicros(n int64) time.Time { return store.Time(n) }

// stored is a time as it reads when it was stored.
func stored(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

func present() time.Time { return store.Present() }

func orNull[T comparable](v T) any { return store.OrNull(v) }
