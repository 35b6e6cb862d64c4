// Package doctor looks at the machine and the project for people who ask why
// something does not work: what is missing, and a masked bundle for a bug
// report.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/health"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/store"
)

// Finding is one line of `doctor`. A bad one keeps redundctl from working, a
// "warn" one some pipelines.
type Finding struct {
	Name   string `json:"name"`
	Status string `json:"status"` // ok, warn or bad
	Detail string `json:"detail"`
}

// Examine looks at everything, each thing by itself. It changes nothing.
func Examine(ctx context.Context, p *config.Project, version string) []Finding {
	out := []Finding{
		{"redundctl", "ok", version},
		program(ctx, "git", "git kinds need it", "--version"),
		program(ctx, "bash", "run: steps use sh without it", "--version"),
		program(ctx, "node", "Netlify functions and many scripts need it", "--version"),
		// pm2 itself is not asked: any call of it would start its daemon.
		installed("pm2", "pipelines that control PM2 need it"),
		timezones(), temporary(), stateDirectory(p.State), database(ctx, p), space(p.State), inotify(),
	}
	return append(out, files(p))
}

func program(ctx context.Context, name, why string, args ...string) Finding {
	f := installed(name, why)
	if f.Status != "ok" {
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	b, err := exec.CommandContext(ctx, f.Detail, args...).Output()
	if err != nil {
		return Finding{name, "warn", fmt.Sprintf("%s does not answer: %v", f.Detail, err)}
	}
	first, _, _ := strings.Cut(string(b), "\n")
	return Finding{name, "ok", first}
}

func installed(name, why string) Finding {
	path, err := exec.LookPath(name)
	if err != nil {
		return Finding{name, "warn", "not found in PATH: " + why}
	}
	return Finding{name, "ok", path}
}

func timezones() Finding {
	if _, err := time.LoadLocation("Europe/Berlin"); err != nil {
		return Finding{"time zones", "bad", "the time zone database is missing: install tzdata"}
	}
	zone, _ := time.Now().Zone()
	return Finding{"time zones", "ok", "local zone is " + zone}
}

func temporary() Finding {
	d, err := os.MkdirTemp("", "redundctl-doctor-")
	if err != nil {
		return Finding{"temporary files", "bad", err.Error() + ": set TMPDIR to a folder that can be written"}
	}
	os.RemoveAll(d)
	return Finding{"temporary files", "ok", filepath.Dir(d)}
}

func stateDirectory(dir string) Finding {
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		dir = filepath.Dir(dir)
		if unix.Access(dir, unix.W_OK) != nil {
			return Finding{"state directory", "bad", "cannot be made: " + dir + " cannot be written"}
		}
		return Finding{"state directory", "ok", "will be made by the first run"}
	case err != nil:
		return Finding{"state directory", "bad", err.Error()}
	case !info.IsDir():
		return Finding{"state directory", "bad", dir + " is not a folder"}
	case unix.Access(dir, unix.W_OK) != nil:
		return Finding{"state directory", "bad", dir + " cannot be written"}
	case info.Mode().Perm() != 0o700:
		return Finding{"state directory", "warn", fmt.Sprintf("%s has mode %o; the next run sets it to 700", dir, info.Mode().Perm())}
	}
	return Finding{"state directory", "ok", dir}
}

func space(dir string) Finding {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	free, err := store.Free(dir)
	if err != nil {
		return Finding{"disk", "warn", err.Error()}
	}
	verdict := "ok"
	if free < health.LittleDisk {
		verdict = "bad"
	}
	return Finding{"disk", verdict, fmt.Sprintf("%d MiB are free where the state directory lies", free>>20)}
}

// database reads what was recorded last.
func database(ctx context.Context, p *config.Project) Finding {
	h, err := engine.OpenHistory(ctx, p)
	if err != nil {
		return Finding{"history", "bad", err.Error()}
	}
	defer h.Close()
	runs, err := h.Runs(ctx, history.Filter{Limit: 1})
	switch {
	case err != nil:
		return Finding{"history", "bad", err.Error()}
	case len(runs) == 0:
		return Finding{"history", "ok", "nothing ran yet"}
	}
	return Finding{"history", "ok", "the last run was at " + runs[0].Queued.Local().Format("2006-01-02 15:04:05")}
}

// inotify reads the limits that watching many folders may reach (inotify(7)).
func inotify() Finding {
	read := func(name string) int {
		b, err := os.ReadFile("/proc/sys/fs/inotify/" + name)
		if err != nil {
			return -1
		}
		n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		return n
	}
	watches, instances := read("max_user_watches"), read("max_user_instances")
	detail := fmt.Sprintf("%d watches, %d instances", watches, instances)
	if watches >= 0 && watches < 8192 || instances >= 0 && instances < 16 {
		return Finding{"inotify", "warn", detail + ": raise fs.inotify.max_user_watches; until then changes are found by a slow rescan"}
	}
	return Finding{"inotify", "ok", detail}
}

func files(p *config.Project) Finding {
	errs, warnings := 0, 0
	for _, x := range p.Problems {
		if x.Severity == diag.Error {
			errs++
		} else {
			warnings++
		}
	}
	detail := fmt.Sprintf("%s, %s, %s", diag.Count(p.Files, "file"), diag.Count(errs, "error"), diag.Count(warnings, "warning"))
	if errs+warnings > 0 {
		return Finding{"pipelines", "warn", detail + ": redundctl validate shows them"}
	}
	return Finding{"pipelines", "ok", detail}
}
