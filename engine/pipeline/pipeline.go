// Package pipeline holds the words of redundctl: what a user writes in a file
// (Pipeline, Step, Service, Primary, Schedule), and what passes between the
// parts that act on it (Slot, Scope, Outputs, Effect, Event, Record). It holds
// no behaviour beyond reading and printing those words, and imports nothing of
// ours, so every other package may import it.
//
// Start with Pipeline, then Action (action.go), then Record (record.go).
package pipeline

import (
	"strings"
	"unicode"
)

// Pipeline is one file of the language: a graph of steps or a service, the
// schedule it runs on and the primary it backs up. The zero value is not
// useful; config.Load builds pipelines with the defaults of the JSON Schema.
// A Pipeline is never changed after it was loaded and may be shared freely.
type Pipeline struct {
	Version          int               `json:"version"`
	Name             string            `json:"name"`
	System           string            `json:"system"`
	Description      string            `json:"description"`
	Category         string            `json:"category"`
	Enabled          bool              `json:"enabled"`
	Observe          bool              `json:"observe"`
	Primary          *Primary          `json:"primary"`
	Mode             Mode              `json:"mode"`
	Grace            Grace             `json:"grace"`
	Covers           string            `json:"covers"`
	Schedule         Schedules         `json:"schedule"`
	Missed           string            `json:"missed"`
	Overlap          string            `json:"overlap"`
	Concurrency      int               `json:"concurrency"`
	Priority         string            `json:"priority"`
	Timeout          Duration          `json:"timeout"`
	Retry            Retry             `json:"retry"`
	MaxParallel      int               `json:"max-parallel"`
	Params           map[string]Param  `json:"params"`
	InheritEnv       []string          `json:"inherit-env"`
	Env              map[string]string `json:"env"`
	Secrets          []string          `json:"secrets"`
	WorkingDirectory string            `json:"working-directory"`
	Steps            []Step            `json:"steps"`
	OnSuccess        []Step            `json:"on-success"`
	OnFailure        []Step            `json:"on-failure"`
	OnCancel         []Step            `json:"on-cancel"`
	Always           []Step            `json:"always"`
	Drill            *Drill            `json:"drill"`
	Service          *Service          `json:"service"`

	// File is the path of the definition, relative to the project root, with
	// forward slashes. Set by the loader.
	File string `json:"-"`
	// Hash is the SHA-256, in hex, of the canonical content: two definitions
	// with the same hash behave alike. Set by the loader.
	Hash string `json:"-"`
	// Canonical is the JSON form that Hash was taken of, with keys sorted; it
	// is what the history keeps, and Decode of it gives this Pipeline again.
	Canonical []byte `json:"-"`
}

// ID is the identity of a pipeline: system/name.
func (p *Pipeline) ID() string { return p.System + "/" + p.Name }

// Kebab turns marketingSync and githubActions/marketingSync into the
// names of the language.
func Kebab(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) {
			if i > 0 && !strings.HasSuffix(b.String(), "/") {
				b.WriteByte('-')
			}
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Mode says how a pipeline stands beside its primary.
type Mode string

// The modes of section "Primaries": standby runs when the primary did not
// deliver, alongside and replacement run every slot.
const (
	Standby     Mode = "standby"
	Alongside   Mode = "alongside"
	Replacement Mode = "replacement"
)

// Step is one node of the graph, or one entry of a handler list.
type Step struct {
	ID               string            `json:"id"`
	Name             string            `json:"name"`
	If               string            `json:"if"`
	Needs            []string          `json:"needs"`
	Run              string            `json:"run"`
	Exec             []string          `json:"exec"`
	Uses             string            `json:"uses"`
	With             map[string]any    `json:"with"`
	Shell            string            `json:"shell"`
	Env              map[string]string `json:"env"`
	WorkingDirectory string            `json:"working-directory"`
	Matrix           *Matrix           `json:"matrix"`
	MaxParallel      int               `json:"max-parallel"`
	FailFast         bool              `json:"fail-fast"`
	Timeout          Duration          `json:"timeout"`
	Retry            Retry             `json:"retry"`
	ContinueOnError  bool              `json:"continue-on-error"`
	Idempotent       bool              `json:"idempotent"`
	SuccessCodes     []int             `json:"success-codes"`
	MemoryLimit      Size              `json:"memory-limit"`

	// HasNeeds reports whether `needs:` was written, also as an empty list.
	HasNeeds bool `json:"-"`
	// TimeoutExpr and ContinueExpr are set in place of Timeout and
	// ContinueOnError when those are an expression, evaluated when the step
	// is due. Set by the loader.
	TimeoutExpr  string `json:"-"`
	ContinueExpr string `json:"-"`
	// Kind is what runs the step: "run", "exec", a kind's name as in Uses, or
	// "action" for a file of kind: action. Set by the loader.
	Kind string `json:"-"`
}

// Matrix is the set of combinations that a step runs once each. Axes keep the
// order in which they were written.
type Matrix struct {
	Axes    []Axis           `json:"axes"`
	Include []map[string]any `json:"include"`
	Exclude []map[string]any `json:"exclude"`
	// Expr is set when the whole matrix is one expression, evaluated when the
	// step is due to a mapping of the same form.
	Expr string `json:"expr"`
}

// Axis is one named list of a matrix. Expr is set in place of Values when the
// list is one expression.
type Axis struct {
	Name   string `json:"name"`
	Values []any  `json:"values"`
	Expr   string `json:"expr"`
}

// Retry says how often an attempt is repeated. Attempts counts the first one;
// 0 means 1.
type Retry struct {
	Attempts int      `json:"attempts"`
	Delay    Duration `json:"delay"`
	Backoff  string   `json:"backoff"` // exponential or fixed
	MaxDelay Duration `json:"max-delay"`
}

// Param is one parameter of a run.
type Param struct {
	Type        string `json:"type"` // string, integer, number, boolean or choice
	Options     []any  `json:"options"`
	Required    bool   `json:"required"`
	Default     any    `json:"default"`
	Description string `json:"description"`
}

// Schedules is one schedule or a list of them.
type Schedules []Schedule

// Schedule is when a pipeline is due: exactly one of Cron and Every.
type Schedule struct {
	Cron     string   `json:"cron"`
	Every    Duration `json:"every"`
	Timezone string   `json:"timezone"`
	DST      DST      `json:"dst"`
	Jitter   Duration `json:"jitter"`
}

// DST says what becomes of wall-clock times that a change of the clock leaves
// out (Gap: shift or skip) or repeats (Fold: first, last or both).
type DST struct {
	Gap  string `json:"gap"`
	Fold string `json:"fold"`
}

// Drill is the schedule on which a backup is proved.
type Drill struct {
	Cron     string `json:"cron"`
	Timezone string `json:"timezone"`
	DryRun   bool   `json:"dry-run"`
}

// Primary is what a pipeline backs up: one kind with its fields, and the keys
// that all kinds share.
type Primary struct {
	Kind       string         `json:"kind"`
	With       map[string]any `json:"with"`
	Every      Duration       `json:"every"`
	Failures   int            `json:"failures"`
	Recoveries int            `json:"recoveries"`
	StallAfter Duration       `json:"stall-after"`
	OnUnknown  string         `json:"on-unknown"`
	Failback   string         `json:"failback"`
	Fence      string         `json:"fence"`
	Recover    string         `json:"recover"`
}

// Service is a long-running process kept alive in place of steps.
type Service struct {
	Run         string         `json:"run"`
	Exec        []string       `json:"exec"`
	Shell       string         `json:"shell"`
	Restart     Restart        `json:"restart"`
	MemoryLimit Size           `json:"memory-limit"`
	CronRestart string         `json:"cron-restart"`
	Ready       map[string]any `json:"ready"`
	Liveness    map[string]any `json:"liveness"`
	Stop        ServiceStop    `json:"stop"`
	Instances   int            `json:"instances"`
}

// Restart is when and how often a service is started again.
type Restart struct {
	Policy      string   `json:"policy"` // always, on-failure or never
	Delay       Duration `json:"delay"`
	MaxDelay    Duration `json:"max-delay"`
	MaxRestarts int      `json:"max-restarts"`
	MinUptime   Duration `json:"min-uptime"`
}

// ServiceStop is how a service is asked to end before it is killed.
type ServiceStop struct {
	Signal  string   `json:"signal"`
	Timeout Duration `json:"timeout"`
}

// ActionFile is a file of `kind: action`: steps with inputs and outputs that
// a step uses by its path.
type ActionFile struct {
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Inputs      map[string]Param  `json:"inputs"`
	Outputs     map[string]Output `json:"outputs"`
	Steps       []Step            `json:"steps"`

	// File is the path of the definition relative to the project root.
	File string `json:"-"`
}

// Output is one declared output of an action: an expression over its steps.
type Output struct {
	Description string `json:"description"`
	Value       string `json:"value"`
}
