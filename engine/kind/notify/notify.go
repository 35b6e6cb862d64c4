// Package notify is the step kind `notify`: one message to people, by the
// service URLs of shoutrrr.
package notify

import (
	"context"
	_ "embed" // the schema fragment
	"errors"
	"fmt"
	"io"
	"log"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

//go:embed notify.json
var fragment []byte

// patience is how long one service may take. The services have limits of
// their own, but not all of them.
const patience = time.Minute

// message is `with` of the kind.
type message struct {
	Services []string `json:"services"`
	Title    string   `json:"title"`
	Message  string   `json:"message"`
}

// Kind is the step kind `notify`.
func Kind() kind.Action {
	k := kind.Define("notify", fragment, func(m message, d kind.Deps) (pipeline.Action, error) {
		return &action{message: m, defaults: d.Notify}, nil
	})
	k.Check = check
	return k
}

type action struct {
	message
	defaults []string // of redund.yaml
}

// check finds a scheme that no service has, where it is written out, and a
// message that nobody would get.
func check(with map[string]any, at kind.Place) []kind.Finding {
	list, own := with["services"].([]any)
	if own && len(list) == 0 || with["services"] == nil && at.Notify != nil && len(at.Notify) == 0 {
		f := kind.Finding{Severity: diag.Warning, Rule: "notify-nobody", Message: "nobody is told: no services are named",
			Hint: "give the step services, or the project notify.services in redund.yaml; until then it is skipped"}
		if own {
			f.Key = []string{"services"}
		}
		return []kind.Finding{f}
	}
	for i, x := range list {
		s, _ := x.(string)
		if f := Service(s); f != nil {
			f.Key = []string{"services", fmt.Sprint(i)}
			return []kind.Finding{*f}
		}
	}
	return nil
}

// Service says what is wrong with the URL of a service; nil: nothing that can be
// known before a message is sent, as of one that an expression makes.
func Service(target string) *kind.Finding {
	if strings.Contains(target, "${{") || strings.TrimSpace(target) == "" {
		return nil
	}
	err := lint(target)
	if err == nil {
		return nil
	}
	return &kind.Finding{Severity: diag.Error, Rule: "notify-service", Message: err.Error(), Hint: "services are named as " + strings.Join(schemes(), "://, ") + "://"}
}

// lint says what is wrong with a service URL. A webhook, the commonest one, has
// nothing but a host that could be missing; making its service takes longer
// than all the rest of checking a file.
func lint(target string) error {
	if u, err := url.Parse(target); err == nil && strings.HasPrefix(u.Scheme, "generic") && u.Host != "" {
		return nil
	}
	_, err := open(target)
	return err
}

// targets are the services that are asked: the step's own, or those of
// redund.yaml. Empty ones come from secrets that are not set.
func (a *action) targets() []string {
	list := a.Services
	if list == nil {
		list = a.defaults
	}
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return strings.TrimSpace(s) == "" })
}

// Run sends the message to every service, also when one fails; it fails when
// one did, and is skipped when there is none.
func (a *action) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	targets := a.targets()
	if len(targets) == 0 {
		return pipeline.Outputs{}, &pipeline.Skip{Reason: "no service to notify is set: give services, or notify.services in redund.yaml"}
	}
	var failed []error
	sent := 0
	for _, t := range targets {
		if err := Send(ctx, t, kind.Message{Title: a.Title, Text: a.Message}); err != nil {
			failed = append(failed, err)
			continue
		}
		sent++
		_, _ = fmt.Fprintf(s.Out, "sent to %s\n", shown(t))
	}
	return pipeline.Outputs{Values: map[string]any{"sent": sent}}, joined(failed)
}

// joined is several errors in one line, or nil.
func joined(list []error) error {
	if len(list) == 0 {
		return nil
	}
	err := list[0]
	for _, e := range list[1:] {
		err = fmt.Errorf("%w; %w", err, e)
	}
	return err
}

// Send gives a message to one service, by its URL, which the error does not
// show. The library takes no context, so a service that hangs is left to its own
// limit; it holds nothing of the caller.
func Send(ctx context.Context, target string, m kind.Message) error {
	service, err := open(target)
	if err != nil {
		return err
	}
	params := types.Params{}
	if m.Title != "" {
		params.SetTitle(m.Title)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- service.Send(m.Text, &params) }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("%s did not take the message: %w", shown(target), plain(err, target))
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s did not take the message: %w", shown(target), context.Cause(ctx))
	}
}

// plain is err in one line, without the address of the service: it carries a
// token as a rule, and often in another form than the one that was given.
func plain(err error, target string) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	text = strings.ReplaceAll(text, target, shown(target))
	var u *url.Error
	if errors.As(err, &u) {
		text = u.Err.Error()
	}
	if p, perr := url.Parse(target); perr == nil {
		parts := strings.FieldsFunc(p.Path+"/"+p.RawQuery, func(r rune) bool { return strings.ContainsRune("/&=?", r) })
		if p.User != nil {
			password, _ := p.User.Password()
			parts = append(parts, p.User.Username(), password)
		}
		if p.Scheme != "generic" && p.Scheme != "smtp" {
			parts = append(parts, p.Host)
		}
		for _, x := range parts {
			if len(x) >= 6 {
				text = strings.ReplaceAll(text, x, "***")
			}
		}
	}
	return errors.New(text)
}

// Plan says where the message would go.
func (a *action) Plan(_ context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	targets := a.targets()
	if len(targets) == 0 {
		return []pipeline.Effect{"nothing: no service to notify is set"}, nil
	}
	var out []pipeline.Effect
	for _, t := range targets {
		if _, err := open(t); err != nil {
			return nil, err
		}
		text := strings.Join(strings.Fields(a.Message), " ")
		if a.Title != "" {
			text = a.Title + ": " + text
		}
		out = append(out, pipeline.Effect(s.Mask("to "+shown(t)+": "+text)))
	}
	return out, nil
}

// open makes the service of a URL; nothing is sent yet.
func open(target string) (types.Service, error) {
	u, err := url.Parse(target)
	if err != nil || u.Scheme == "" {
		return nil, errors.New("a service URL cannot be read: it is a scheme and an address, as slack://…")
	}
	scheme, _, custom := strings.Cut(strings.ToLower(u.Scheme), "+")
	make, ok := services()[scheme]
	if !ok {
		return nil, fmt.Errorf("no service is called %q%s", scheme, nearest(scheme))
	}
	service := make()
	if custom {
		c, ok := service.(types.CustomURLService)
		if !ok {
			return nil, fmt.Errorf("the %s service takes no address of another scheme", scheme)
		}
		if u, err = c.GetConfigURLFromCustom(u); err != nil {
			return nil, fmt.Errorf("the address of the %s service is not complete: %w", scheme, plain(err, target))
		}
	}
	if err := service.Initialize(u, log.New(io.Discard, "", 0)); err != nil {
		return nil, fmt.Errorf("the address of the %s service is not complete: %w", scheme, plain(err, target))
	}
	return service, nil
}

func nearest(scheme string) string {
	switch scheme {
	case "http", "https":
		return ": write a webhook as generic+" + scheme + "://…"
	case "teams", "msteams":
		return ": write its webhook as generic+https://…"
	case "mailto", "email", "mail":
		return ": write it as smtp://…"
	}
	if n := diag.Nearest(scheme, schemes()); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return ""
}

// shown is a service as people may see it: its scheme, as the rest is a
// credential with most of them, and the host where it is none.
func shown(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return "a service"
	}
	scheme, _, _ := strings.Cut(u.Scheme, "+")
	if scheme == "generic" || scheme == "smtp" || scheme == "ntfy" || scheme == "gotify" || scheme == "mattermost" {
		return scheme + "://" + u.Hostname()
	}
	return scheme
}
