// Command spawn is the limit of starting processes: fork, exec with the
// output to a file, wait; so many times, so many side by side.
package main

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

func main() {
	n := flag.Int("n", 1000, "processes")
	width := flag.Int("j", 1, "side by side")
	file := flag.String("out", os.DevNull, "where their output goes")
	flag.Parse()
	argv := flag.Args()
	out, err := os.OpenFile(*file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		fmt.Println(err)
		return
	}
	var next, bad atomic.Int64
	var wg sync.WaitGroup
	for range *width {
		wg.Go(func() {
			for int(next.Add(1)) <= *n {
				if !spawn(argv, null, out) {
					bad.Add(1)
				}
			}
		})
	}
	wg.Wait()
	fmt.Println(*n, "processes,", bad.Load(), "bad")
}

func spawn(argv []string, null, out *os.File) bool {
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Files: []uintptr{null.Fd(), out.Fd(), out.Fd()}, Env: os.Environ(),
	})
	if err != nil {
		return false
	}
	var ws syscall.WaitStatus
	_, err = syscall.Wait4(pid, &ws, 0, nil)
	return err == nil && ws.ExitStatus() == 0
}
