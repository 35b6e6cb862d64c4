// Package heartbeat is the primary kinds that need no foreign system: one that
// calls the engine when it starts and is done (`heartbeat`), and one that
// leaves a file (`file`).
package heartbeat

import (
	_ "embed" // the schema fragments

	"github.com/redundctl/redundctl/engine/kind"
)

//go:embed heartbeat.json
var heartbeat []byte

//go:embed file.json
var file []byte

// Primaries are the primary kinds `heartbeat` and `file`.
func Primaries() []kind.Primary {
	return []kind.Primary{{Name: "heartbeat", Fragment: heartbeat}, {Name: "file", Fragment: file}}
}
