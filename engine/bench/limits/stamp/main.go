// Command stamp writes the moment at which it began, in nanoseconds, as a line
// at the end of a file: the step of pipelines that are due at the same second,
// and what the bare loop starts.
package main

import (
	"os"
	"strconv"
	"time"
)

func main() {
	now := time.Now().UnixNano()
	f, err := os.OpenFile(os.Args[1], os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.WriteString(strconv.FormatInt(now, 10) + " " + os.Getenv("REDUND_SLOT") + "\n")
	}
	if err != nil {
		os.Exit(1)
	}
}
