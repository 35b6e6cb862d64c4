package ecosystem

import (
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/convert"
	"github.com/redundctl/redundctl/engine/proc"
)

// hostOf is this machine, as a process with that environment finds it.
func hostOf(env []string) convert.Host {
	look := func(name string) string {
		if v, ok := proc.Variable(env, name); ok {
			return v
		}
		return os.Getenv(name)
	}
	h := convert.Host{Processors: runtime.NumCPU(), UID: os.Getuid(), Zone: zone(look("TZ")), Data: head}
	if u, err := user.Current(); err == nil {
		h.User = u.Username
	}
	path := look("PATH")
	h.Program = func(name string) bool {
		for _, dir := range filepath.SplitList(path) {
			file := filepath.Join(dir, name)
			if info, err := os.Stat(file); filepath.IsAbs(dir) && err == nil && info.Mode().IsRegular() && unix.Access(file, unix.X_OK) == nil {
				return true
			}
		}
		return false
	}
	return h
}

// zone is the IANA name of the machine's time zone: that of TZ, else the one that
// /etc/localtime is a link to, else what /etc/timezone says.
func zone(tz string) string {
	tz = strings.TrimPrefix(tz, ":")
	if tz != "" {
		return valid(tz)
	}
	if to, err := filepath.EvalSymlinks("/etc/localtime"); err == nil {
		if _, name, ok := strings.Cut(to, "zoneinfo/"); ok {
			return valid(strings.TrimPrefix(name, "posix/"))
		}
	}
	if text, err := os.ReadFile("/etc/timezone"); err == nil {
		return valid(strings.TrimSpace(string(text)))
	}
	if _, err := os.Stat("/etc/localtime"); err != nil {
		return "UTC" // what the system takes then
	}
	return ""
}

func valid(name string) string {
	if strings.HasPrefix(name, "/") {
		_, name, _ = strings.Cut(name, "zoneinfo/")
	}
	if _, err := time.LoadLocation(name); err != nil || name == "" || name == "Local" {
		return ""
	}
	return name
}

// head gives the first bytes of a file; false: there is none.
func head(path string) ([]byte, bool) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, false
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	b := make([]byte, 512)
	n, _ := f.Read(b)
	return b[:n], true
}
