package api

// Status is what an engine does now.
type Status struct {
	Engine  EngineInfo     `json:"engine"`
	Reload  Reload         `json:"reload"`
	Systems []SystemStatus `json:"systems"`
	Parts   []Part         `json:"parts"`
}

// EngineInfo says which engine it is.
type EngineInfo struct {
	Version     string  `json:"version"`
	PID         int     `json:"pid"`
	Started     *string `json:"started"`
	Environment *string `json:"environment"`
	Host        string  `json:"host"`
	Given       Given   `json:"given"`
}

// Given is what the engine was told when it was started: Only are the systems
// that it serves, none: all; Environment is null where redund.yaml names it.
type Given struct {
	Only        []string `json:"only"`
	Drain       string   `json:"drain"`
	Environment *string  `json:"environment"`
}

// Reload says what is in force: Generation grows with every set that was put
// in force since the engine started, from 1, and Loaded counts its pipelines.
// Restart are keys of redund.yaml that have changed and wait for another start.
type Reload struct {
	Generation int64      `json:"generation"`
	Loaded     int        `json:"loaded"`
	At         *string    `json:"at"`
	Rejected   []Rejected `json:"rejected"`
	Restart    []string   `json:"restart"`
	Last       *Save      `json:"last"` // null: nothing was saved since the start
}

// Save is what became of one save. Outcome is in-force, rejected, unchanged or
// waiting, for what is gone to come back.
type Save struct {
	Seen     *string    `json:"seen"`
	At       *string    `json:"at"`    // when it was done
	Files    int        `json:"files"` // that were saved
	Read     int        `json:"read"`  // that were read for it: these, and what refers to them
	Outcome  string     `json:"outcome"`
	QuietMS  float64    `json:"quiet-ms"` // from the first sign of it until it was quiet
	ParseMS  float64    `json:"parse-ms"`
	CheckMS  float64    `json:"check-ms"`
	ForceMS  float64    `json:"force-ms"` // from then until it was in force
	Added    []string   `json:"added"`
	Removed  []string   `json:"removed"`
	Changed  []Changed  `json:"changed"`
	Rejected []Rejected `json:"rejected"` // mistakes that are new
}

// Rejected is a mistake that keeps a file from being in force.
type Rejected struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// SystemStatus is one system: State is running or stopped, Health healthy,
// degraded or unhealthy.
type SystemStatus struct {
	Name        string   `json:"name"`
	State       string   `json:"state"`
	Health      string   `json:"health"`
	Observe     bool     `json:"observe"`
	Pipelines   int      `json:"pipelines"`
	Running     int      `json:"running"`
	Queued      int      `json:"queued"`
	LastFailure *Failure `json:"last-failure"`
}

// Failure is a run that failed.
type Failure struct {
	Run   int64   `json:"run"`
	At    *string `json:"at"`
	Error *string `json:"error"`
}

// Part is one pipeline of the engine.
type Part struct {
	Name    string   `json:"name"`
	System  string   `json:"system"`
	Mode    string   `json:"mode"`
	State   string   `json:"state"` // running, stopped, disabled or observing
	Next    *string  `json:"next"`
	LastRun *Run     `json:"last-run"`
	Service *Service `json:"service"` // how it does; null: a pipeline of steps
	Proved  *string  `json:"proved"`  // when its backup was last proved
}

// Service is how a service does. State is starting, running, stopping, yielding
// to its primary, stopped or errored: that of its worst instance.
type Service struct {
	State     string     `json:"state"`
	Since     *string    `json:"since"`  // of the state
	Reason    *string    `json:"reason"` // why it is in it, where that is known
	PIDs      []int      `json:"pids"`
	Restarts  int        `json:"restarts"` // of all instances, since they were first started
	Instances []Instance `json:"instances"`
	Takeover  *Takeover  `json:"takeover"` // null: there is none
	Primary   *Seen      `json:"primary"`  // how its primary does; null: nobody has looked
}

// Instance is one process of a service; PID 0: there is none now.
type Instance struct {
	State    string  `json:"state"`
	PID      int     `json:"pid"`
	Since    *string `json:"since"`
	Restarts int     `json:"restarts"`
	Reason   *string `json:"reason"` // why the process before ended
}

// Takeover says that a service runs here in place of its primary, and why; Held
// that somebody asked for it by hand, so that it lasts until failback.
type Takeover struct {
	Since  *string `json:"since"`
	Held   bool    `json:"held"`
	Reason string  `json:"reason"`
}

// Seen is what the last look at a primary showed. Verdict is up, down, starting
// or unknown.
type Seen struct {
	Verdict string  `json:"verdict"`
	Reason  string  `json:"reason"`
	At      *string `json:"at"`
}

// Health is the verdict over all and over each system.
type Health struct {
	Status  string         `json:"status"`
	Systems []SystemHealth `json:"systems"`
}

// SystemHealth is the verdict over one system.
type SystemHealth struct {
	Name   string  `json:"name"`
	Status string  `json:"status"`
	Checks []Check `json:"checks"`
}

// Check is one verdict with its reason: healthy, degraded or unhealthy.
type Check struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	Reason string `json:"reason"`
}

// Plan is what the files on disk would change in the running engine.
type Plan struct {
	Added    []string   `json:"added"`
	Removed  []string   `json:"removed"`
	Changed  []Changed  `json:"changed"`
	Rejected []Rejected `json:"rejected"`
}

// Changed is a pipeline that would be replaced; Keys are the paths that differ,
// as steps.0.run.
type Changed struct {
	Name string   `json:"name"`
	Keys []string `json:"keys"`
}

// Why is the story of one slot: Slot is null for a service, Decision run or
// skip, or null while the slot is open.
type Why struct {
	Pipeline string     `json:"pipeline"`
	System   string     `json:"system"`
	Slot     *string    `json:"slot"`
	Decision *string    `json:"decision"`
	Reason   *string    `json:"reason"`
	Summary  string     `json:"summary"`
	Events   []WhyEvent `json:"events"`
}

// WhyEvent is one thing that happened about a slot.
type WhyEvent struct {
	At     string `json:"at"`
	What   string `json:"what"`
	Detail string `json:"detail"`
}
