package proc

import (
	"os/exec"
	"testing"
)

// TestLeftOfLongLived: what a program leaves that has run for long is found among
// what came home to us, and where nothing did nothing else is searched.
func TestLeftOfLongLived(t *testing.T) {
	s, err := New(Options{Subreaper: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out := newLines()
	if _, err := s.Run(t.Context(), sh("setsid sh -c 'sleep 1000 & echo $!' >&1 & sleep 0.1; echo $!", out)); err != nil {
		t.Fatal(err)
	}
	for _, pid := range out.pids(t, 2) {
		gone(t, pid)
	}
	cmd := exec.Command("sleep", "1000")
	if s.adopted() {
		t.Error("something is left though nothing runs")
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !s.adopted() {
		t.Error("a child of ours was not seen")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	s.cursor.pidMax = 0 // the circle closes at once
	out = newLines()
	if _, err := s.Run(t.Context(), sh("setsid sh -c 'sleep 1000 & echo $!' >&1 & sleep 0.1; echo $!", out)); err != nil {
		t.Fatal(err)
	}
	for _, pid := range out.pids(t, 2) {
		gone(t, pid)
	}
}
