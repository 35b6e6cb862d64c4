// Command due is the limit of starting many programs at one moment: it sleeps
// until then, and workers start them one after the other, so many side by side.
package main

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	n := flag.Int("n", 1000, "processes")
	width := flag.Int("j", 8, "side by side")
	at := flag.Int64("at", 0, "the moment, in seconds since 1970")
	flag.Parse()
	argv := flag.Args()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	time.Sleep(time.Until(time.Unix(*at, 0)))
	env := append(os.Environ(), "REDUND_SLOT="+time.Unix(*at, 0).UTC().Format(time.RFC3339))
	var next, bad atomic.Int64
	var wg sync.WaitGroup
	for range *width {
		wg.Go(func() {
			for int(next.Add(1)) <= *n {
				pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
					Files: []uintptr{null.Fd(), null.Fd(), null.Fd()}, Env: env,
				})
				var ws syscall.WaitStatus
				if err == nil {
					_, err = syscall.Wait4(pid, &ws, 0, nil)
				}
				if err != nil || ws.ExitStatus() != 0 {
					bad.Add(1)
				}
			}
		})
	}
	wg.Wait()
	fmt.Println(*n, "processes,", bad.Load(), "bad")
}
