// Command held writes the moment at which it began, in nanoseconds, and its pid,
// as a line at the end of a file, and goes on until it is ended: what is kept
// running.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	now := time.Now().UnixNano()
	f, err := os.OpenFile(os.Args[1], os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		_, err = fmt.Fprintf(f, "%d %d\n", now, os.Getpid())
	}
	if err != nil {
		os.Exit(1)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	<-end
}
