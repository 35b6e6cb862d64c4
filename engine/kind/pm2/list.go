package pm2

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The states of an application that PM2 gives.
const (
	online    = "online"
	launching = "launching" // it has been started and has not said that it is ready
	stopped   = "stopped"   // by somebody, or it ended and is not started again
	stopping  = "stopping"
	errored   = "errored" // PM2 has given it up
	waiting   = "waiting restart"
)

// application is one entry of PM2's list: an application has as many as it has
// instances. Its environment, which the list repeats, is never kept.
type application struct {
	id       string // its number in the list
	name     string
	status   string
	pid      int // the last one of waiting ones; 0: none
	restarts int64
	started  time.Time // its last start; zero: not known
	exit     number    // of its last end; after a signal PM2 says 0
	script   string    // absolute
	pidFile  string    // absolute
}

func (a application) up() bool { return a.status == online || a.status == launching }

// list asks the daemon of a home what it runs, and waits so long for its answer.
func list(ctx context.Context, home string, most time.Duration) ([]application, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	var out []application
	listed := false
	err := call(ctx, home, question{"getMonitorData", []any{struct{}{}}, func(d *json.Decoder) error {
		var err error
		listed, err = array(d, func(d *json.Decoder) error {
			var a entry
			err := object(d, fields{"name": into(&a.name), "pm_id": into(&a.id), "pid": into(&a.pid), "pm2_env": a.env})
			// A worker that a reload is about to end is listed until then.
			if err == nil && !strings.HasPrefix(string(a.id), "_old_") {
				out = append(out, a.application())
			}
			return err
		})
		return err
	}})
	if err == nil && !listed {
		err = fmt.Errorf("the PM2 daemon in %s: its answer holds no list", home)
	}
	return out, err
}

// dumped reads what PM2 was to start again when it was last told to save its
// list. Nothing where the file is missing, half written or of a form that is not
// known.
func dumped(home string) []application {
	const most = 64 << 20
	name := filepath.Join(home, "dump.pm2")
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() || info.Size() > most {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	var out []application
	_, err = array(json.NewDecoder(f), func(d *json.Decoder) error {
		var a entry
		err := a.env(d)
		out = append(out, a.application())
		return err
	})
	if err != nil {
		return nil
	}
	return out
}

// entry is an entry of the list as it is read.
type entry struct {
	name, id, own, status, script, pidFile word
	pid, restarts, started, exit           number
}

// env reads pm2_env.
func (a *entry) env(d *json.Decoder) error {
	return object(d, fields{
		"name": into(&a.own), "status": into(&a.status), "restart_time": into(&a.restarts), "pm_uptime": into(&a.started),
		"exit_code": into(&a.exit), "pm_exec_path": into(&a.script), "pm_pid_path": into(&a.pidFile),
	})
}

func (a *entry) application() application {
	out := application{
		id: string(a.id), name: string(a.name), status: string(a.status), pid: int(a.pid.is), restarts: a.restarts.is,
		exit: a.exit, script: string(a.script), pidFile: string(a.pidFile),
	}
	if out.name == "" {
		out.name = string(a.own)
	}
	if a.started.known && a.started.is > 0 {
		out.started = time.UnixMilli(a.started.is).UTC()
	}
	return out
}

// called are the instances of one application.
func called(name string, all []application) []application {
	var out []application
	for _, a := range all {
		if a.name == name {
			out = append(out, a)
		}
	}
	return out
}
