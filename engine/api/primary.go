package api

import (
	"errors"
	"time"
)

// The errors of what primaries ask; more may be said behind them.
var (
	// ErrNoPipeline says that there is no such pipeline, or none with a primary.
	ErrNoPipeline = errors.New("no pipeline with a primary is called so")
	// ErrBadSlot says that a time is none that the pipeline can be asked about.
	ErrBadSlot = errors.New("there is no such slot")
)

// Heard is the answer to a heartbeat: what was understood.
type Heard struct {
	Pipeline string  `json:"pipeline"` // system/name
	State    string  `json:"state"`    // started, succeeded or failed
	RID      *string `json:"rid"`
	Slot     *string `json:"slot"` // that the caller named
}

// ClaimRequest is the question of a primary that comes late, as it is sent:
// whether its run may still serve a slot. One of Slot and CreatedAt is set, RFC
// 3339; with CreatedAt, when the run was created, it is the latest slot at or
// before that.
type ClaimRequest struct {
	Slot      *string `json:"slot,omitempty"`
	CreatedAt *string `json:"created-at,omitempty"`
	RID       string  `json:"rid,omitempty"` // the primary's own id of the run
}

// ClaimAsk is a ClaimRequest that was read: one of Slot and Created is zero.
type ClaimAsk struct {
	Slot, Created time.Time
	Run           string // "": it gave none
}

// Claim is the answer to a ClaimRequest.
type Claim struct {
	Slot    string  `json:"slot"`
	Granted bool    `json:"granted"`
	Fence   int64   `json:"fence"` // grows with every claim of the slot
	Until   *string `json:"until"` // the run counts as stalled from then on; null: not granted
	Why     string  `json:"why"`   // one line for people
}
