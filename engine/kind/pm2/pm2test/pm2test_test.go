package pm2test_test

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redundctl/redundctl/engine/kind/pm2/pm2test"
)

// TestPM2 holds what the others rely on: a daemon of the test's own, whose
// workers outlive it when it is killed, and nothing left at the end.
func TestPM2(t *testing.T) {
	t.Parallel()
	var p *pm2test.PM2
	t.Run("runs", func(t *testing.T) {
		p = pm2test.New(t)
		if len(p.Home+"/rpc.sock") >= 100 {
			t.Errorf("%s is too long for a socket", p.Home)
		}
		p.Run("start", p.Write("w.sh", "exec sleep 600"), "--name", "w")
		daemon, worker := p.Daemon(), p.Worker("w", 0)
		if all := p.Processes(); !slices.Contains(all, daemon) || !slices.Contains(all, worker) {
			t.Errorf("daemon %d and worker %d are not both among %v", daemon, worker, all)
		}
		p.KillDaemon()
		if all := p.Processes(); slices.Contains(all, daemon) || !slices.Contains(all, worker) {
			t.Errorf("daemon %d should be gone and worker %d live: %v", daemon, worker, all)
		}
	})
	if left := p.Processes(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := os.Stat(p.Home); err == nil {
		t.Errorf("%s is left", p.Home)
	}
}

// TestInstall: however many ask at once, all get the same folder, and a machine
// without npm is told so in one line.
func TestInstall(t *testing.T) {
	var wg sync.WaitGroup
	var dirs [4]string
	for i := range dirs {
		wg.Go(func() {
			dir, err := pm2test.Install(t.Context())
			if err != nil {
				t.Error(err)
			}
			dirs[i] = dir
		})
	}
	wg.Wait()
	for _, dir := range dirs {
		if dir != dirs[0] {
			t.Errorf("folders differ: %q", dirs)
		}
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	if _, err := pm2test.Install(t.Context()); err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "npm") {
		t.Errorf("without npm: %v", err)
	}
}
