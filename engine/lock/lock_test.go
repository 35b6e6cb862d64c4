package lock

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
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
