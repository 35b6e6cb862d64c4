package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
)

// RunRequest asks an engine for a run.
type RunRequest struct {
	Pipeline string            `json:"pipeline"`
	Params   Texts             `json:"params,omitempty"` // as text, converted to the declared types
	Env      map[string]string `json:"env,omitempty"`
	Slot     *string           `json:"slot,omitempty"` // RFC 3339; the run then serves that slot
}

// Texts are values by name. One that is given as null is not given.
type Texts map[string]string

// UnmarshalJSON reads an object of strings and nulls.
func (t *Texts) UnmarshalJSON(b []byte) error {
	var given map[string]*string
	if err := json.Unmarshal(b, &given); err != nil {
		return err
	}
	*t = make(Texts, len(given))
	for name, text := range given {
		if text != nil {
			(*t)[name] = *text
		}
	}
	return nil
}

// StopRequest asks an engine to end. Drain, as 5s, is how long runs that go on
// may take; nil: as long as the engine was told when it began. Force ends them
// at once.
type StopRequest struct {
	Drain *string `json:"drain,omitempty"`
	Force bool    `json:"force,omitempty"`
}

// Cancelled is a run that somebody asked to end. Asked is false when it had
// ended already and nothing was done.
type Cancelled struct {
	Run
	Asked bool `json:"asked"`
}

// Turned is a system or a pipeline that was started or stopped, and the state
// that it is in now: running, stopped, disabled or observing.
type Turned struct {
	Name  string `json:"name"`
	State string `json:"state"`
}

// Event is one entry of what happened; the ids ascend.
type Event struct {
	ID       int64   `json:"id"`
	At       string  `json:"at"`
	Run      *int64  `json:"run"`
	Pipeline *string `json:"pipeline"` // system/name, or a system
	What     string  `json:"what"`
	Detail   string  `json:"detail"`
}

// Message is one message of a stream of events: an event, or the status
// whenever it has changed.
type Message struct {
	Event  *Event
	Status *Status
}

// Alive is what `/healthz` says.
type Alive struct {
	Status string `json:"status"` // healthy, degraded, unhealthy or stopped
}

// Error is the body of every answer that is no success.
type Error struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"` // the way out
}

// socketRoom is how long the path of a socket may be; the kernel takes 107
// bytes, and the socket has a longer name while it is made.
const socketRoom = 100

// SocketPath is where the engine of a state directory listens: in it, or,
// where that path is too long for a socket, in the user's runtime directory.
// Then a link in the state directory says where, since an engine and a shell
// may not agree on what that directory is.
func SocketPath(state string) string {
	path := filepath.Join(state, "redund.sock")
	if len(path) <= socketRoom {
		return path
	}
	if at, err := os.Readlink(path); err == nil && filepath.IsAbs(at) && len(at) <= socketRoom {
		return at
	}
	sum := sha256.Sum256([]byte(state))
	return filepath.Join(runtimeDir(), hex.EncodeToString(sum[:10])+".sock")
}

// runtimeDir is a folder of this user alone; it need not exist.
func runtimeDir() string {
	uid := strconv.Itoa(os.Getuid())
	for _, dir := range []string{os.Getenv("XDG_RUNTIME_DIR"), "/run/user/" + uid} {
		if info, err := os.Stat(dir); err == nil && info.IsDir() && filepath.IsAbs(dir) && len(dir) < 60 {
			return filepath.Join(dir, "redundctl")
		}
	}
	return "/tmp/redundctl-" + uid
}
