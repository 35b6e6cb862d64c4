// Command install puts the PM2 that tests use on this machine before they are
// run: what npm takes to fetch it is then no test's time.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/redundctl/redundctl/engine/kind/pm2/pm2test"
)

// attempts is how often npm is asked, pause how long it is left alone after it
// failed.
const attempts, pause = 5, 5 * time.Second

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // this is a main
	}
}

func run(ctx context.Context) error {
	for n := 1; ; n++ {
		one, cancel := context.WithTimeout(ctx, 3*time.Minute)
		dir, err := pm2test.Install(one)
		cancel()
		if err == nil {
			fmt.Println("PM2 for tests:", dir)
			return nil
		}
		if n == attempts {
			return err
		}
		fmt.Fprintln(os.Stderr, err)
		<-time.After(pause)
	}
}
