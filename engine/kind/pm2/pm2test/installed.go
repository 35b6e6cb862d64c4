// Package pm2test gives tests a real PM2: the npm package in a folder of its
// own outside of the repository, and for each test a daemon of its own.
package pm2test

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // what npm is asked to install
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

//go:embed npm/package.json
var wanted []byte

//go:embed npm/package-lock.json
var locked []byte

// Install puts PM2 into the user's cache directory, once for this machine and
// version, and gives the folder. Several processes may ask at once: one works,
// the others wait. The error is one line.
func Install(ctx context.Context) (dir string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = filepath.Join(os.TempDir(), fmt.Sprintf("cache-%d", os.Getuid()))
	}
	parent := filepath.Join(cache, "redundctl-tests")
	dir = filepath.Join(parent, fmt.Sprintf("pm2-%x", sha256.Sum256(append(wanted, locked...)))[:len("pm2-")+16])
	if complete(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", fmt.Errorf("installing PM2 for tests: %w", err)
	}
	unlock, err := lock(ctx, dir+".lock")
	if err != nil {
		return "", fmt.Errorf("installing PM2 for tests: waiting for another process that does it: %w", err)
	}
	defer unlock()
	if complete(dir) {
		return dir, nil
	}
	if err := install(ctx, parent, dir); err != nil {
		return "", fmt.Errorf("installing PM2 for tests by npm, into %s: %w", dir, err)
	}
	return dir, nil
}

func complete(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "node_modules/.bin/pm2"))
	return err == nil
}

// install fills a folder beside dir and renames it when it is whole.
func install(ctx context.Context, parent, dir string) error {
	made, err := os.MkdirTemp(parent, "making-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	for name, text := range map[string][]byte{"package.json": wanted, "package-lock.json": locked} {
		if err := os.WriteFile(filepath.Join(made, name), text, 0o600); err != nil {
			return err
		}
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error")
	npm.Dir, npm.WaitDelay = made, time.Second
	if said, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.Join(strings.Fields(string(said)), " "))
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(made, dir)
}

// lock takes the lock on a file and gives what lets it go again. The system
// lets go of it when the process dies.
func lock(ctx context.Context, name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("%w (%w)", ctx.Err(), err)
		case <-again.C:
		}
	}
}

// of reports whether a process belongs to the PM2 of that home: its daemon, what
// the daemon has started and what a command has.
func of(pid, home string) bool {
	env, err := os.ReadFile("/proc/" + pid + "/environ")
	if err != nil {
		return false
	}
	for _, v := range bytes.Split(env, []byte{0}) {
		if string(v) == "PM2_HOME="+home {
			return true
		}
	}
	return false
}
