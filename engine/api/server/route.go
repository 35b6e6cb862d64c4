package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/history"
)

// route is one thing that is served.
type route struct{ method, path string }

// handler answers a request with a value, which is sent as JSON with its
// status, or with an error. A handler that has answered by itself gives 0.
type handler func(w http.ResponseWriter, r *http.Request) (status int, value any, err error)

// table is all that is served.
func (s *Server) table() map[route]handler {
	const v1 = "/api/v1/"
	return map[route]handler{
		{"GET", "/healthz"}:                             s.healthz,
		{"GET", "/metrics"}:                             s.metrics,
		{"GET", v1 + "status"}:                          s.getStatus,
		{"GET", v1 + "health"}:                          s.getHealth,
		{"GET", v1 + "plan"}:                            s.getPlan,
		{"GET", v1 + "list"}:                            s.getList,
		{"GET", v1 + "runs"}:                            s.getRuns,
		{"GET", v1 + "runs/{id}"}:                       s.getRun,
		{"GET", v1 + "why/{system}/{name}"}:             s.getWhy,
		{"GET", v1 + "logs"}:                            s.getLogs,
		{"GET", v1 + "events"}:                          s.getEvents,
		{"POST", v1 + "runs"}:                           s.postRun,
		{"POST", v1 + "runs/{id}/cancel"}:               s.postCancel,
		{"POST", v1 + "runs/{id}/retry"}:                s.postRetry,
		{"POST", v1 + "parts/{system}/{action}"}:        s.postPart,
		{"POST", v1 + "parts/{system}/{name}/{action}"}: s.postPart,
		{"POST", heartbeats}:                            s.postHeartbeat,
		{"POST", claims}:                                s.postClaim,
		{"POST", v1 + "engine/stop"}:                    s.postStop,
		{"POST", v1 + "engine/reload"}:                  s.postReload,
	}
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for at, h := range s.table() {
		mux.HandleFunc(at.method+" "+at.path, func(w http.ResponseWriter, r *http.Request) {
			status, value, err := h(w, r)
			if err != nil {
				s.fail(w, r, err)
			} else if status != 0 {
				s.answer(w, status, value)
			}
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		var methods []string
		for _, m := range []string{http.MethodGet, http.MethodPost} {
			other := r.Clone(r.Context())
			other.Method = m
			if _, pattern := mux.Handler(other); pattern != "/" {
				methods = append(methods, m)
			}
		}
		if len(methods) == 0 {
			s.refuse(w, http.StatusNotFound, "there is no "+brief(r.URL.Path)+" here", "docs/reference/openapi.yaml lists what there is, all of it below /api/v1")
			return
		}
		w.Header().Set("Allow", strings.Join(methods, ", "))
		s.refuse(w, http.StatusMethodNotAllowed, brief(r.Method)+" is not possible here", "ask with "+strings.Join(methods, " or "))
	})
	return mux
}

// brief is what a caller wrote, fit to be shown.
func brief(s string) string { return fmt.Sprintf("%.100q", s) }

// ServeHTTP decides who may ask, bounds what is sent, and answers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.going.Add(1)
	defer s.going.Done()
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	p := peerOf(r.Context())
	if !p.Local {
		if r = s.admit(w, r, p); r == nil {
			return
		}
	}
	if !p.Local && r.URL.Path == "/healthz" {
		h.Set("Connection", "close") // who has no token keeps no connection
	}
	if r.Method != http.MethodPost && r.ContentLength != 0 {
		h.Set("Connection", "close")
		s.refuse(w, http.StatusBadRequest, brief(r.Method)+" has no body", "leave it out")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, s.o.Limits.Body)
	if r.ContentLength == 0 {
		patient(w)
	}
	s.mux.ServeHTTP(w, r)
}

// patient takes the deadline of a request away that has been read whole: the
// answer may take longer, and the connection is still looked after.
func patient(w http.ResponseWriter) { _ = http.NewResponseController(w).SetReadDeadline(time.Time{}) }

// answer sends a value as JSON.
func (s *Server) answer(w http.ResponseWriter, status int, value any) {
	b, err := json.Marshal(value)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":"the answer could not be written as JSON"}`)
		s.log.Error("an answer could not be written", "error", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.o.Limits.Write))
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // who has gone needs no answer
}

func (s *Server) refuse(w http.ResponseWriter, status int, reason, hint string) {
	s.answer(w, status, api.Error{Error: reason, Hint: hint})
}

// refusal is an error with its status.
type refusal struct {
	status       int
	reason, hint string
}

// Error is the reason.
func (r *refusal) Error() string { return r.reason }

func wrong(hint, format string, args ...any) error {
	return &refusal{http.StatusBadRequest, fmt.Sprintf(format, args...), hint}
}

// fail sends an error with the status that it means.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var own *refusal
	var usage *engine.UsageError
	var taken *history.SlotTaken
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &own):
		s.refuse(w, own.status, own.reason, own.hint)
	case errors.As(err, &usage):
		s.refuse(w, http.StatusBadRequest, usage.Message, "")
	case errors.As(err, &taken):
		s.refuse(w, http.StatusConflict, err.Error(), "")
	case errors.As(err, &big):
		s.refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("a request may have %d bytes", big.Limit), "")
	case errors.Is(err, history.ErrNoRun):
		s.refuse(w, http.StatusNotFound, "there is no run "+brief(r.PathValue("id")), "redundctl runs lists those that there are")
	case errors.Is(err, api.ErrNoPipeline):
		s.refuse(w, http.StatusNotFound, err.Error(), "redundctl list has those that there are")
	case errors.Is(err, api.ErrBadSlot):
		s.refuse(w, http.StatusBadRequest, err.Error(), "redundctl next lists those to come")
	case errors.Is(err, engine.NotServing):
		s.refuse(w, http.StatusServiceUnavailable, "the engine is starting or ending", "ask again in a moment")
	case r.Context().Err() != nil || errors.Is(err, context.DeadlineExceeded):
		s.refuse(w, http.StatusServiceUnavailable, "it took too long, or the engine is ending", "ask again in a moment")
	default:
		s.log.Error("a request failed", "path", r.URL.Path, "error", err)
		s.refuse(w, http.StatusInternalServerError, err.Error(), "")
	}
}

// read decodes the body of a request; none is an empty object.
func read(w http.ResponseWriter, r *http.Request, into any) error {
	b, err := io.ReadAll(r.Body)
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return err
	case err != nil:
		w.Header().Set("Connection", "close")
		return &refusal{http.StatusRequestTimeout, "the request did not come whole", "send it again"}
	}
	patient(w)
	if len(b) == 0 {
		return nil
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return &refusal{http.StatusUnsupportedMediaType, "the body is no application/json", "set Content-Type: application/json"}
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return wrong("docs/reference/openapi.yaml describes the request", "the body cannot be read: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return wrong("", "the body goes on after its object")
	}
	return nil
}

// quiet lets somebody say something at most every quietFor.
type quiet struct {
	mu   sync.Mutex
	last time.Time
	left int
}

const quietFor = 10 * time.Second

func (q *quiet) say(f func(left int)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := time.Now(); now.Sub(q.last) >= quietFor {
		f(q.left)
		q.last, q.left = now, 0
		return
	}
	q.left++
}
