package api

import "time"

// Simulation is what `simulate` gives.
type Simulation struct {
	Days      int    `json:"days"`
	Seed      int64  `json:"seed"`
	From      string `json:"from"`
	Pipelines int    `json:"pipelines"`
	Slots     int    `json:"slots"`
	ByPrimary int    `json:"by-primary"`
	ByBackup  int    `json:"by-backup"`
	Missed    int    `json:"missed"`
	Doubled   int    `json:"doubled"`
	DelayMS   Delay  `json:"delay-ms"`
}

// Delay is how long after their slots they were delivered; null: none was.
type Delay struct {
	P50 *int64 `json:"p50"`
	P99 *int64 `json:"p99"`
	Max *int64 `json:"max"`
}

// Milliseconds is a length of time where there is one.
func Milliseconds(d time.Duration, ok bool) *int64 {
	if !ok {
		return nil
	}
	ms := d.Milliseconds()
	return &ms
}
