package lock

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestTake(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "engine.lock")
	if err := os.WriteFile(path, []byte("a longer text than a pid, left by somebody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, err := Take(path)
	if err != nil {
		t.Fatal(err)
	}
	var held *Held
	if _, err := Take(path); !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("the lock was given twice: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Take(path)
	if err != nil {
		t.Fatalf("what was given back: %v", err)
	}
	again.Close()
}

// TestTakeFromDead holds that a lock in the name of a dead process is waited
// for: what that was about to start has it for an instant more.
func TestTakeFromDead(t *testing.T) {
	t.Parallel()
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "engine.lock")
	first, err := Take(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, fmt.Appendln(nil, dead.Process.Pid), 0o600); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(30*time.Millisecond, func() { first.Close() })
	again, err := Take(path)
	if err != nil {
		t.Fatalf("the lock of a dead process: %v", err)
	}
	again.Close()
}
