package server

import "time"

// Routes gives all that is served, as "GET /healthz".
func (s *Server) Routes() []string {
	var out []string
	for r := range s.table() {
		out = append(out, r.method+" "+r.path)
	}
	return out
}

// Flood is what bounds how often primaries call.
type Flood struct{ f flood }

// Wait counts a call.
func (f *Flood) Wait(id string, now time.Time) time.Duration { return f.f.wait(id, now) }

// Len is of how many pipelines something is kept.
func (f *Flood) Len() int { return len(f.f.of) }
