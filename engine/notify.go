package engine

import (
	"fmt"

	"github.com/redundctl/redundctl/engine/expr"
)

// services are the service URLs of redund.yaml, after their expressions. What
// they hold is masked like a declared secret.
func (e *Engine) services() ([]string, error) {
	project := e.o.Project
	from := project.Secrets(e.host)
	var out []string
	for _, s := range project.Config.Notify.Services {
		t, err := expr.Parse(s)
		if err != nil {
			return nil, fmt.Errorf("notify.services: %w", err)
		}
		secrets := map[string]any{}
		for _, r := range t.Refs() {
			if r.Root != "secrets" || len(r.Path) == 0 {
				continue
			}
			v, _, err := from.Lookup(r.Path[0])
			if err != nil {
				return nil, fmt.Errorf("notify.services: secret %s: %w", r.Path[0], err)
			}
			secrets[r.Path[0]] = v
			e.hidden = append(e.hidden, v)
		}
		text, err := t.Text(&expr.Env{Contexts: map[string]any{"secrets": secrets, "vars": project.Config.Vars}})
		if err != nil {
			return nil, fmt.Errorf("notify.services: %w", err)
		}
		out = append(out, text)
	}
	return out, nil
}
