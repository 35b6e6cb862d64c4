package proc

import (
	"io"
	"os"
	"syscall"
	"testing"
)

// BenchmarkTrue compares the CPU of a start with that of a bare loop, taken
// in turns: the ratio is what counts.
func BenchmarkTrue(b *testing.B) {
	s := spawner(b)
	null, _ := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	defer null.Close()
	bare := func() {
		pid, err := syscall.ForkExec("/bin/true", []string{"true"}, &syscall.ProcAttr{Env: os.Environ(),
			Files: []uintptr{null.Fd(), null.Fd(), null.Fd()}})
		if err != nil {
			b.Fatal(err)
		}
		var ws syscall.WaitStatus
		_, _ = syscall.Wait4(pid, &ws, 0, nil)
	}
	ours := func() {
		if _, err := s.Run(b.Context(), Command{Argv: []string{"/bin/true"}, Env: os.Environ(), Out: io.Discard}); err != nil {
			b.Fatal(err)
		}
	}
	var limit, own float64
	for b.Loop() {
		at := cpu()
		for range 20 {
			bare()
		}
		mid := cpu()
		for range 20 {
			ours()
		}
		limit, own = limit+mid-at, own+cpu()-mid
	}
	b.ReportMetric(own/limit, "x-bare")
}

func cpu() float64 {
	var sum float64
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		_ = syscall.Getrusage(who, &r)
		sum += float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
	}
	return sum
}
