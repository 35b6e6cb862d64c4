package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// bounded is a writer that keeps what fits, as a step's log does.
type bounded struct {
	mu   sync.Mutex
	kept []byte
}

func (w *bounded) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = append(w.kept, b[:min(len(b), 4096-len(w.kept))]...)
	return len(b), nil
}

// BenchmarkTrue compares the CPU of Run, children included, with that of a
// bare loop whose output goes to a file. The two are taken in turns, and the
// ratio is what counts.
func BenchmarkTrue(b *testing.B) {
	for _, wide := range []int{1, 8} {
		for _, subreaper := range []bool{true, false} {
			b.Run(fmt.Sprintf("wide=%d/subreaper=%t", wide, subreaper), func(b *testing.B) {
				benchTrue(b, wide, subreaper)
			})
		}
	}
}

// starts is how many programs one round starts.
const starts = 16

func benchTrue(b *testing.B, wide int, subreaper bool) {
	s, err := New(Options{Subreaper: subreaper})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	file, err := os.Create(filepath.Join(b.TempDir(), "output"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	fd := file.Fd()
	env := os.Environ()
	bare := func() error {
		pid, err := syscall.ForkExec("/bin/true", []string{"true"}, &syscall.ProcAttr{Env: env, Files: []uintptr{0, fd, fd}})
		if err != nil {
			return err
		}
		var ws syscall.WaitStatus
		_, err = syscall.Wait4(pid, &ws, 0, nil)
		return err
	}
	ours := func() error {
		_, err := s.Run(b.Context(), Command{Argv: []string{"/bin/true"}, Env: env, Out: &bounded{}})
		return err
	}
	round := func(one func() error) float64 {
		began := cpu()
		var wg sync.WaitGroup
		for range wide {
			wg.Go(func() {
				for range starts / wide {
					if err := one(); err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
		return cpu() - began
	}
	var limit, own []float64
	for b.Loop() {
		limit = append(limit, round(bare))
		own = append(own, round(ours), round(ours))
		limit = append(limit, round(bare))
	}
	b.ReportMetric(median(own)/median(limit), "x-bare")
	b.ReportMetric(median(own)*1e6/starts, "cpu-us/start")
}

// median, because what else runs on the machine spoils some rounds.
func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
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
