// Package settings is redund.yaml as Go sees it, once its environment has been
// applied and its defaults filled in.
package settings

import "github.com/redundctl/redundctl/engine/pipeline"

// Config is redund.yaml with its environment applied and its defaults filled
// in. What each key means stands in the schema.
type Config struct {
	Version      int                    `json:"version"`
	Pipelines    []string               `json:"pipelines"`
	State        string                 `json:"state"`
	Storage      string                 `json:"storage"`
	Environment  string                 `json:"environment"`
	Observe      bool                   `json:"observe"`
	Server       Server                 `json:"server"`
	Health       Health                 `json:"health"`
	Systems      map[string]System      `json:"systems"`
	Concurrency  int                    `json:"concurrency"`
	InheritEnv   []string               `json:"inherit-env"`
	Secrets      Secrets                `json:"secrets"`
	Vars         map[string]any         `json:"vars"`
	Plugins      map[string]string      `json:"plugins"`
	Retention    Retention              `json:"retention"`
	Logs         Logs                   `json:"logs"`
	Notify       Notify                 `json:"notify"`
	Environments map[string]Environment `json:"environments"`
	Limits       Limits                 `json:"limits"`
}

// Server is where the engine listens.
type Server struct {
	Listen      string `json:"listen"` // "": the local socket alone
	BehindProxy bool   `json:"behind-proxy"`
	TLS         TLS    `json:"tls"`
	Token       string `json:"token"` // may be an expression
}

// TLS names the files of a certificate and its key.
type TLS struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

// Health is how often, and with what consequence, health is checked.
type Health struct {
	Every   pipeline.Duration `json:"every"`
	Ping    string            `json:"ping"` // may be an expression
	Recover bool              `json:"recover"`
}

// System is a group of pipelines that back up the automations of one place.
type System struct {
	Enabled     bool          `json:"enabled"`
	Observe     bool          `json:"observe"`
	Mode        pipeline.Mode `json:"mode"` // "": the pipelines' own
	Order       int           `json:"order"`
	Concurrency int           `json:"concurrency"` // in runs; 0: no limit
	Health      SystemHealth  `json:"health"`
	Logs        SystemLogs    `json:"logs"`
}

// SystemHealth is how often a system's health is checked; 0: as the project's.
type SystemHealth struct {
	Every pipeline.Duration `json:"every"`
}

// SystemLogs is the level of a system's log; "": the project's.
type SystemLogs struct {
	Level string `json:"level"`
}

// Secrets are the places that secrets are read from, after the process's
// environment.
type Secrets struct {
	EnvFiles    []string `json:"env-files"`
	Directories []string `json:"directories"`
}

// Retention is how long what is recorded is kept.
type Retention struct {
	Runs    pipeline.Duration `json:"runs"`
	Logs    pipeline.Duration `json:"logs"`
	Reports pipeline.Duration `json:"reports"`
	Backups Backups           `json:"backups"`
}

// Backups is how many git backups are kept, and for how long.
type Backups struct {
	Keep   int               `json:"keep"`
	MaxAge pipeline.Duration `json:"max-age"`
}

// Logs is what is logged and how large a file may become.
type Logs struct {
	Level    string        `json:"level"`
	MaxSize  pipeline.Size `json:"max-size"`
	Compress bool          `json:"compress"`
}

// Notify is whom to tell of what.
type Notify struct {
	Services []string `json:"services"` // may be expressions
	On       []string `json:"on"`
}

// Environment is what one environment sets; its keys are merged over the
// project's before anything is decoded, so only the name matters here.
type Environment struct{}

// Limits bound what files may ask for.
type Limits struct {
	FileSize pipeline.Size `json:"file-size"`
	Aliases  int           `json:"aliases"`
	Depth    int           `json:"depth"`
	Steps    int           `json:"steps"`
	CatchUp  int           `json:"catch-up"`
}
