package server

// Routes gives all that is served, as "GET /healthz".
func (s *Server) Routes() []string {
	var out []string
	for r := range s.table() {
		out = append(out, r.method+" "+r.path)
	}
	return out
}
