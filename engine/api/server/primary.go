package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/time/rate"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/api/server/door"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Primaries is who answers what primaries of pipelines say and ask. Pipelines are
// named as system/name. It is used by several goroutines.
type Primaries interface {
	// Heartbeat takes a call of a primary; the same state of the same run changes
	// nothing. The body is what was sent, at most BodyOfPrimary bytes, neither
	// masked nor cut. The error is api.ErrNoPipeline or api.ErrBadSlot where one
	// of them is meant.
	Heartbeat(ctx context.Context, id string, b pipeline.Heartbeat) error
	// Claim answers whether a run of a primary may still serve a slot. Its errors
	// are those of Heartbeat.
	Claim(ctx context.Context, id string, a api.ClaimAsk) (api.Claim, error)
	// PrimaryToken gives the pipeline's own token. It is not known when there is
	// no such pipeline with a primary. It is asked for every call and must be
	// cheap.
	PrimaryToken(id string) (token string, known bool, err error)
}

// BodyOfPrimary is how many bytes a primary may send with a call.
const BodyOfPrimary = 64 << 10

const (
	heartbeats = "/api/v1/heartbeats/{system}/{name}"
	claims     = "/api/v1/claims/{system}/{name}"
)

// The primaries of one pipeline may call so often in a row, and so often a minute
// from then on.
const (
	callsAtOnce   = 30
	callsAMinute  = 60
	mostLimiters  = 1000 // beyond them, those that are at rest are forgotten
	longestRID    = 200  // bytes
	slotOfPrimary = "2027-03-28T00:00:00Z"
)

// strangerKey marks requests over TCP that do not show the engine's token.
type strangerKey struct{}

// admit decides about a request over TCP. What primaries call also opens to
// their pipeline's own token, which is looked at where the pipeline is known. It
// gives nil for a request that is refused, and has answered it then.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, p door.Peer) *http.Request {
	status, reason, hint := s.tcp.Admit(r)
	if status == http.StatusUnauthorized {
		if _, at := s.mux.Handler(r); at == "POST "+heartbeats || at == "POST "+claims {
			return r.WithContext(context.WithValue(r.Context(), strangerKey{}, reason))
		}
	}
	if status == 0 {
		return r
	}
	s.turnAway(w, p, &refusal{status, reason, hint})
	return nil
}

// turnAway answers somebody who may not ask.
func (s *Server) turnAway(w http.ResponseWriter, p door.Peer, x *refusal) {
	s.refused.say(func(n int) { s.log.Warn("a request was refused", "from", p.Addr, "reason", x.reason, "more", n) })
	w.Header().Set("Connection", "close")
	if x.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="redundctl"`)
	}
	s.refuse(w, x.status, x.reason, x.hint)
}

// primaries is who answers.
func (s *Server) primaries() (Primaries, error) {
	if s.o.Primaries != nil {
		if p := s.o.Primaries(); p != nil {
			return p, nil
		}
	}
	return nil, engine.NotServing
}

// caller gives the pipeline whose primary calls, once it may. An empty id says
// that the request was answered.
func (s *Server) caller(w http.ResponseWriter, r *http.Request) (id string, err error) {
	id = r.PathValue("system") + "/" + r.PathValue("name")
	who, err := s.primaries()
	if err != nil {
		return "", err
	}
	token, known, err := who.PrimaryToken(id)
	if !known && err == nil {
		return "", fmt.Errorf("%w: %s", api.ErrNoPipeline, brief(id))
	}
	if reason, stranger := r.Context().Value(strangerKey{}).(string); stranger {
		if err != nil {
			s.log.Warn("a token cannot be read", "pipeline", id, "error", err)
		}
		if !shows(r, token) || err != nil {
			s.turnAway(w, peerOf(r.Context()), &refusal{
				http.StatusUnauthorized, reason,
				"send Authorization: Bearer with primary.heartbeat.token, or with what stands in the file tokens/SYSTEM/NAME of the state directory",
			})
			return "", nil //nolint:nilerr // it was answered, and the log tells why
		}
	} else if !known {
		if err == nil {
			err = fmt.Errorf("%w: %s", api.ErrNoPipeline, brief(id))
		}
		return "", err
	}
	if wait := s.calls.wait(id, time.Now()); wait > 0 {
		seconds := int(math.Ceil(wait.Seconds()))
		w.Header().Set("Retry-After", fmt.Sprint(seconds))
		return "", &refusal{http.StatusTooManyRequests, "the primary of " + id + " calls too often", fmt.Sprintf("call again in %d s, and at most %d times a minute", seconds, callsAMinute)}
	}
	r.Body = http.MaxBytesReader(w, r.Body, BodyOfPrimary)
	if r.ContentLength > BodyOfPrimary {
		w.Header().Set("Connection", "close")
		return "", &http.MaxBytesError{Limit: BodyOfPrimary}
	}
	return id, nil
}

// shows reports whether a request bears a token, which takes as long for each.
func shows(r *http.Request, token string) bool {
	got, want := sha256.Sum256([]byte(door.Bearer(r))), sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && token != ""
}

func (s *Server) postHeartbeat(w http.ResponseWriter, r *http.Request) (int, any, error) {
	now := time.Now().UTC()
	id, err := s.caller(w, r)
	if id == "" {
		return 0, nil, err
	}
	q := r.URL.Query()
	if err := only(q, "state", "rid", "slot"); err != nil {
		return 0, nil, err
	}
	b := pipeline.Heartbeat{At: now, State: q.Get("state"), Run: q.Get("rid")}
	switch b.State {
	case "started", "succeeded", "failed":
	default:
		return 0, nil, wrong("the states are started, succeeded and failed", "state: %s is none", brief(b.State))
	}
	if err := checkRID(b.Run); err != nil {
		return 0, nil, err
	}
	if q.Has("slot") && q.Get("slot") != "" {
		if b.Slot, err = moment("slot", q.Get("slot")); err != nil {
			return 0, nil, err
		}
	}
	body, err := io.ReadAll(r.Body)
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return 0, nil, err
	}
	if err != nil {
		return 0, nil, &refusal{http.StatusRequestTimeout, "the request did not come whole", "send it again"}
	}
	patient(w)
	b.Body = strings.ToValidUTF8(string(body), "\uFFFD")
	ctx, cancel := context.WithTimeout(s.base, s.o.Limits.Write)
	defer cancel()
	who, err := s.primaries()
	if err == nil {
		err = who.Heartbeat(ctx, id, b)
	}
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, api.Heard{Pipeline: id, State: b.State, RID: api.Present(b.Run), Slot: api.When(b.Slot)}, nil
}

func (s *Server) postClaim(w http.ResponseWriter, r *http.Request) (int, any, error) {
	id, err := s.caller(w, r)
	if id == "" {
		return 0, nil, err
	}
	// Scripts ask this too, and `curl -d` calls whatever it sends a form. A token was
	// shown or the socket used, so no page in a browser can be behind it.
	r.Header.Set("Content-Type", "application/json")
	var q api.ClaimRequest
	ctx, cancel, err := s.control(w, r, &q)
	defer cancel()
	if err != nil {
		return 0, nil, err
	}
	a := api.ClaimAsk{Run: q.RID}
	switch {
	case (q.Slot == nil) == (q.CreatedAt == nil):
		err = wrong("send {\"slot\": …, \"rid\": …}, or created-at in its place", "one of slot and created-at is needed, and not both")
	case q.Slot != nil:
		a.Slot, err = moment("slot", *q.Slot)
	default:
		a.Created, err = moment("created-at", *q.CreatedAt)
	}
	if err = errors.Join(err, checkRID(a.Run)); err != nil {
		return 0, nil, err
	}
	who, err := s.primaries()
	if err != nil {
		return 0, nil, err
	}
	out, err := who.Claim(ctx, id, a)
	return http.StatusOK, out, err
}

// moment reads a time that a primary sends.
func moment(key, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}, wrong("", "%s: %s is no time as %s", key, brief(text), slotOfPrimary)
	}
	return t.UTC(), nil
}

// checkRID refuses an id that could not be shown.
func checkRID(rid string) error {
	if len(rid) > longestRID || strings.ContainsFunc(rid, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return wrong("", "rid: it has more than %d bytes, or some that cannot be printed", longestRID)
	}
	return nil
}

// flood bounds how often primaries call.
type flood struct {
	mu sync.Mutex
	of map[string]*rate.Limiter // by system/name
}

// wait counts a call of a pipeline's primary and gives how long it should have
// waited; 0: it may.
func (f *flood) wait(id string, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.of[id]
	if l == nil {
		if f.of == nil {
			f.of = map[string]*rate.Limiter{}
		}
		if len(f.of) >= mostLimiters {
			for old, x := range f.of {
				if x.TokensAt(now) >= callsAtOnce {
					delete(f.of, old)
				}
			}
		}
		l = rate.NewLimiter(rate.Limit(callsAMinute)/60, callsAtOnce)
		f.of[id] = l
	}
	if l.AllowN(now, 1) {
		return 0
	}
	return time.Duration((1 - l.TokensAt(now)) * float64(time.Minute/callsAMinute))
}
