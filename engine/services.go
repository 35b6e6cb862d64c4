package engine

import (
	"context"

	"github.com/redundctl/redundctl/engine/outbox"
	"github.com/redundctl/redundctl/engine/services"
	"github.com/redundctl/redundctl/engine/services/kept"
)

// newServices makes what keeps the services running.
func (s *server) newServices() *services.Services {
	return services.New(services.Options{
		Host: s.host, Logs: s.logs, Temp: s.temp, Log: s.log, Probing: s.probing, Rows: kept.New(s.db, s.history.Engine()),
		End: func(engine string) error { return s.proc.End(engine, 0) }, Event: s.history.Event,
		Raise:   func(ctx context.Context, c outbox.Condition) { s.care.outbox.Raise(ctx, c) },
		Settle:  func(ctx context.Context, key, text string) { s.care.outbox.Settle(ctx, key, text) },
		Changed: func() { s.care.checkup.Wake() },
		Failed:  func(err error) { s.failed("services", err) },
	})
}

// arrange has services follow what is in force.
func (s *server) arrange() {
	s.mu.Lock()
	f, halts := s.force, s.halts
	s.mu.Unlock()
	if f != nil && s.kept != nil {
		s.kept.Apply(f, halts)
	}
}
