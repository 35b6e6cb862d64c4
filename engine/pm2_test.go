package engine_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/kind/pm2/pm2test"
)

// beside is a project whose service backs up the application `api` of a PM2.
func beside(t *testing.T, pm *pm2test.PM2, service string) (*engine.Engine, *config.Project) {
	t.Helper()
	p := project(t, map[string]string{
		"redund.yaml": "version: 1\n",
		"pipelines/pm2/api.yaml": fmt.Sprintf(`
version: 1
name: api
system: pm2
primary:
  pm2: {process: api, home: %s}
  every: 300ms
service:
%s
  stop: {signal: SIGTERM, timeout: 2s}
`, pm.Home, service)})
	e, _ := keep(t, p, builtin.Kinds())
	return e, p
}

const sleeps = `  run: |
    echo "0 $$ ours" >> told
    exec sleep 1000
`

// with waits until the service is with its primary, or with us.
func with(t *testing.T, e *engine.Engine, who, why string) {
	t.Helper()
	var x *api.Service
	until := time.Now().Add(40 * time.Second)
	for {
		x = service(t, e)
		if who == "pm2" && x.State == "stopped" && x.Takeover == nil && x.Primary != nil && x.Primary.Verdict == "up" || who == "ours" && x.State == "running" {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("%s: it is not %s: %+v, primary %+v, takeover %+v", why, who, x, x.Primary, x.Takeover)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// TestD1D17ServiceBesidePM2: beside a real PM2 ours runs while PM2 does not keep
// the application up, and never beside it; its neighbours are left alone.
func TestD1D17ServiceBesidePM2(t *testing.T) {
	t.Parallel()
	pm := pm2test.New(t)
	script := pm.Write("api.js", "setInterval(() => {}, 1000)\n")
	pm.Run("start", script, "--name", "api")
	e, p := beside(t, pm, sleeps)
	with(t, e, "pm2", "beside an application that is online")
	if n := len(processes(t, p)); n != 0 {
		t.Errorf("%d of ours were started beside it", n)
	}

	pm.Run("start", script, "--name", "neighbour")
	neighbour := pm.Worker("neighbour", 1)
	pm.Run("stop", "api")
	with(t, e, "ours", "the application is stopped")
	pm.Run("start", "api")
	with(t, e, "pm2", "it is started again")
	if !alive(neighbour) || pm.Worker("neighbour", 1) != neighbour {
		t.Error("its neighbour was not left alone")
	}

	pm.Run("delete", "all") // a list that is empty, as after a reboot
	with(t, e, "ours", "the list is empty")
	pm.Run("start", script, "--name", "api")
	with(t, e, "pm2", "it is in the list again")

	// One that is killed is back before two looks see it down, or it is not: in
	// either case PM2 has it in the end.
	for _, pid := range pm.Processes() {
		if pid != pm.Daemon() {
			pm.Kill(pid)
		}
	}
	with(t, e, "pm2", "its process was killed, and PM2 started another")

	pm.Run("kill")
	with(t, e, "ours", "the daemon has ended with its workers")
	// It is told as soon as it is forked, and found when it is its own program.
	until(t, "one copy of ours", func() bool { return len(living(t, p)) == 1 })
	pm.Run("start", script, "--name", "api")
	with(t, e, "pm2", "the daemon is back")
	if left := living(t, p); len(left) != 0 {
		t.Errorf("ours runs beside it: %v", left)
	}
}

// TestServiceBesideLostWorkers: the daemon is killed and its worker lives on. No
// second copy is started beside that; once it is gone, ours is.
func TestServiceBesideLostWorkers(t *testing.T) {
	t.Parallel()
	pm := pm2test.New(t)
	script := pm.Write("api.sh", "#!/bin/sh\nexec sleep 1000\n")
	if err := os.Chmod(script, 0o700); err != nil {
		t.Fatal(err)
	}
	pm.Run("start", script, "--name", "api")
	e, p := beside(t, pm, sleeps)
	with(t, e, "pm2", "beside an application that is online")
	worker := pm.Worker("api", 0)
	pm.KillDaemon()
	until(t, "a look that finds the worker", func() bool {
		x := service(t, e)
		return x.Primary.Verdict == "down" && strings.Contains(x.Primary.Reason, fmt.Sprint(worker))
	})
	<-time.After(2 * time.Second) // many looks
	if n := len(processes(t, p)); n != 0 || !alive(worker) {
		t.Errorf("%d of ours were started beside a worker that lives (%v)", n, alive(worker))
	}
	pm.Kill(worker)
	with(t, e, "ours", "the worker is gone")
}

// TestServiceOfAPort: the application cannot come up while ours holds its port,
// so ours gives way when PM2 begins to start it.
func TestServiceOfAPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	pm := pm2test.New(t)
	code := fmt.Sprintf("require('http').createServer((q, r) => r.end(process.env.WHO || 'theirs')).listen(%d, '127.0.0.1')\n", port)
	script := pm.Write("api.js", code)
	ours := filepath.Join(pm.Dir, "ours.js")
	pm.Write("ours.js", "process.env.WHO = 'ours'\n"+code)
	pm.Write("api.config.js", fmt.Sprintf("module.exports = {apps: [{name: 'api', script: %q, exp_backoff_restart_delay: 200}]}\n", script))
	e, _ := beside(t, pm, fmt.Sprintf("  exec: [node, %s]\n", ours))
	with(t, e, "ours", "there is no daemon")
	answers := func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	until(t, "an answer of ours", answers)
	pm.Run("start", "api.config.js")
	with(t, e, "pm2", "PM2 starts what binds the port of ours")
	until(t, "an answer of theirs", answers)
	pm.Run("stop", "api")
	with(t, e, "ours", "it is stopped")
	until(t, "an answer of ours again", answers)
}
