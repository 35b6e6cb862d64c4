package diag

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteGitHub prints a report as workflow commands, which GitHub Actions shows
// as annotations of the files.
func WriteGitHub(w io.Writer, r Report) error {
	data := strings.NewReplacer("%", "%25")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	b := bufio.NewWriter(w)
	for _, p := range r.Problems {
		var props []string
		if p.File != "" {
			props = append(props, "file="+property.Replace(p.File))
		}
		if p.Line > 0 {
			props = append(props, fmt.Sprintf("line=%d", p.Line))
			if p.Column > 0 {
				props = append(props, fmt.Sprintf("col=%d", p.Column))
				if p.Width > 1 {
					props = append(props, fmt.Sprintf("endColumn=%d", p.Column+p.Width))
				}
			}
		}
		if p.Rule != "" {
			props = append(props, "title="+property.Replace(p.Rule))
		}
		command := "error"
		if p.Severity == Warning {
			command = "warning"
		}
		message := data.Replace(clean(p.Message))
		if p.Hint != "" {
			message += "%0A" + data.Replace(clean(p.Hint))
		}
		fmt.Fprintf(b, "::%s %s::%s\n", command, strings.Join(props, ","), message)
	}
	return b.Flush()
}
