// Command supervise is the least that keeps a program running: it starts it,
// waits for its end, and starts it again. SIGTERM ends both.
package main

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	for ctx.Err() == nil {
		cmd := exec.CommandContext(ctx, os.Args[1], os.Args[2:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			os.Exit(1)
		}
		_ = cmd.Wait() // however it ended
	}
}
