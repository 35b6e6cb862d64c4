package look

import (
	"encoding/json"
	"fmt"

	"github.com/redundctl/redundctl/cmd/redundctl/app"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/console"
	"github.com/redundctl/redundctl/engine/logs"
)

// printLine prints one line of a log; as JSON one object a line, so that it
// can be followed.
func printLine(a *app.App, l logs.Line, q logs.Query) error {
	if a.JSON() {
		b, err := json.Marshal(api.LineOf(l))
		if err != nil {
			return fmt.Errorf("printing a line: %w", err)
		}
		_, err = a.Out.Write(append(b, '\n'))
		return err
	}
	from := l.Pipeline
	if from == "" {
		from = l.Name
	}
	if q.Pipeline != "" || q.Run != 0 {
		from = ""
	}
	if l.Run != 0 && q.Run == 0 {
		from += fmt.Sprintf(" #%d", l.Run)
	}
	if l.Step != "" {
		from += " " + l.Step
	}
	text := console.Clean(l.Text)
	if console.Color(a.Out) {
		_, err := fmt.Fprintf(a.Out, "\x1b[2m%s%s\x1b[0m | %s\n", l.At.UTC().Format("2006-01-02T15:04:05.000Z"), pad(from), text)
		return err
	}
	_, err := fmt.Fprintf(a.Out, "%s%s | %s\n", l.At.UTC().Format("2006-01-02T15:04:05.000Z"), pad(from), text)
	return err
}

func pad(s string) string {
	if s == "" || s[0] == ' ' {
		return s
	}
	return " " + s
}
