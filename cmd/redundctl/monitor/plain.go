package monitor

import (
	"fmt"
	"time"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/cmd/redundctl/monitor/screen"
)

// printed prints one picture as text, with all that there is of it.
func printed(a *app.App, p picture) error {
	s := screen.New(screen.Options{System: p.system, Now: time.Now()})
	s.Met()
	s.Status(p.status)
	s.Active(p.active)
	fmt.Fprintln(a.Out, s.Verdict())
	for _, t := range s.Tables() {
		if len(t.Rows) == 0 {
			continue
		}
		fmt.Fprintln(a.Out)
		if err := a.Table(t.Head, t.Rows); err != nil {
			return err
		}
	}
	return nil
}
