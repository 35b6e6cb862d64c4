package checkup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// pingTime is how long the one who is pinged may take.
const pingTime = 10 * time.Second

// Ping tells a watcher outside that the engine lives.
type Ping struct {
	HTTP *http.Client
	// URL gives the address, "" for none. It holds a secret as a rule, and is
	// shown nowhere.
	URL func() (string, error)
	Log *slog.Logger

	going  chan struct{} // holds a token while one is under way
	failed bool
}

// NewPing gives a ping; log is told when the watcher cannot be reached.
func NewPing(client *http.Client, address func() (string, error), log *slog.Logger) *Ping {
	return &Ping{HTTP: client, URL: address, Log: log, going: make(chan struct{}, 1)}
}

// Send calls the watcher, and returns when it has answered, or at once while an
// earlier call has not. That it fails is logged once until it succeeds.
func (p *Ping) Send(ctx context.Context) {
	select {
	case p.going <- struct{}{}:
		defer func() { <-p.going }()
	default:
		return
	}
	err := p.call(ctx)
	if ctx.Err() != nil {
		return
	}
	switch {
	case err != nil && !p.failed:
		p.Log.Warn("health.ping could not be called; it is tried again at each interval", "error", err)
	case err == nil && p.failed:
		p.Log.Info("health.ping can be called again")
	}
	p.failed = err != nil
}

func (p *Ping) call(ctx context.Context) error {
	address, err := p.URL()
	if err != nil || address == "" {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return errors.New("its address cannot be read") // the error would show it
	}
	answer, err := p.HTTP.Do(r)
	if err != nil {
		if u := new(url.Error); errors.As(err, &u) {
			err = u.Err
		}
		return err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that the connection is used again
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the answer is %s", answer.Status)
	}
	return nil
}
