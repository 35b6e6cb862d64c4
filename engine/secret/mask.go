package secret

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

const mark = "***"

// Masker knows secrets by their values and puts *** in place of every form of
// them. Forms that overlap become one mark. It is safe for concurrent use, and
// secrets may be added while writers are in use.
type Masker struct {
	current atomic.Pointer[automaton]

	mu     sync.Mutex // for what follows
	values map[string]bool
	forms  map[string]bool // with whether they may be broken into lines
}

// NewMasker makes a Masker that knows these secrets.
func NewMasker(values ...string) *Masker {
	m := &Masker{}
	m.Add(values...)
	return m
}

// Add makes secrets known. Empty ones, and those of white space alone, are
// left out.
func (m *Masker) Add(values ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		m.values, m.forms = map[string]bool{}, map[string]bool{}
	}
	before := len(m.forms)
	for _, v := range values {
		if m.values[v] {
			continue
		}
		m.values[v] = true
		forms(v, func(f string, folds bool) { m.forms[f] = folds || m.forms[f] })
	}
	if len(m.forms) == before {
		return
	}
	m.current.Store(build(m.forms))
}

// Mask is s with every form of a secret masked.
func (m *Masker) Mask(s string) string {
	a := m.current.Load()
	if a == nil || !a.in(s) {
		return s
	}
	sc := scanner{a: a}
	return string(sc.finish(sc.feed(nil, []byte(s))))
}

// Holds reports whether a form of a secret stands in s.
func (m *Masker) Holds(s string) bool {
	a := m.current.Load()
	return a != nil && a.in(s)
}

func (a *automaton) in(s string) bool {
	at, run := int32(0), 0
	for i := range len(s) {
		if s[i] <= ' ' && a.skips(at, s[i], run) {
			run++
			continue
		}
		run = 0
		if at = a.next(at, s[i]); at != 0 && a.states[at].match > 0 {
			return true
		}
	}
	return false
}

// interval is a masked part of what a scanner holds.
type interval struct{ from, to int }

// scanner masks a text that comes in pieces.
type scanner struct {
	a      *automaton
	at     int32
	held   []byte     // what may yet be part of a form
	masked []interval // of held, in order; they do not overlap
	breaks []int      // where bytes of held were passed over, in order
	run    int        // how many were, right before what comes next
}

// feed reads p and appends to out what is decided.
func (s *scanner) feed(out, p []byte) []byte {
	text, i := p, 0
	if len(s.held) > 0 {
		i = len(s.held)
		s.held = append(s.held, p...)
		text = s.held
	}
	a, at := s.a, s.at
	for ; i < len(text); i++ {
		if at < a.dense {
			at = a.table[int(at)<<8|int(text[i])]
		} else if c := text[i]; c <= ' ' && a.skips(at, c, s.run) {
			s.breaks, s.run = append(s.breaks, i), s.run+1
			continue
		} else {
			at, s.run = a.next(at, c), 0
		}
		if at != 0 && a.states[at].match > 0 {
			s.found(s.before(i+1, a.states[at].match), i+1)
		}
	}
	s.at = at
	return s.decide(out, text, s.before(len(text), a.states[at].hold))
}

// before is where the last n bytes before an end begin, without those that were
// passed over.
func (s *scanner) before(end int, n int32) int {
	from := end - int(n)
	for k := len(s.breaks) - 1; k >= 0 && s.breaks[k] >= from; k-- {
		from--
	}
	return max(from, 0)
}

// found adds a form that ends after all others.
func (s *scanner) found(from, to int) {
	for n := len(s.masked) - 1; n >= 0 && s.masked[n].to > from; n-- {
		from = min(from, s.masked[n].from)
		s.masked = s.masked[:n]
	}
	s.masked = append(s.masked, interval{from, to})
}

// decide appends to out what stands before limit, where nothing can change any
// more, and holds back the rest.
func (s *scanner) decide(out, text []byte, limit int) []byte {
	done, k := 0, 0
	for ; k < len(s.masked) && s.masked[k].to <= limit; k++ {
		m := s.masked[k]
		out = append(append(out, text[done:m.from]...), mark...)
		done = m.to
	}
	plain := limit
	if k < len(s.masked) {
		plain = min(plain, s.masked[k].from)
	}
	out = append(out, text[done:max(done, plain)]...)
	rest := s.masked[:0]
	for _, m := range s.masked[k:] {
		rest = append(rest, interval{max(m.from-limit, 0), m.to - limit})
	}
	s.masked = rest
	late := s.breaks[:0]
	for _, i := range s.breaks {
		if i >= limit {
			late = append(late, i-limit)
		}
	}
	s.breaks = late
	if limit > 0 || len(s.held) == 0 {
		s.held = append(s.held[:0], text[limit:]...)
	}
	return out
}

// finish appends to out all that was held back.
func (s *scanner) finish(out []byte) []byte {
	out = s.decide(out, s.held, len(s.held))
	s.at, s.run = 0, 0
	return out
}

// renew goes on with another automaton, which reads again what is held.
func (s *scanner) renew(a *automaton, out []byte) []byte {
	held, masked := append([]byte(nil), s.held...), s.masked
	*s = scanner{a: a, held: s.held[:0]}
	if a == nil || len(held) == 0 {
		return out
	}
	// What the old one masked stays so.
	s.masked = masked
	return s.again(out, held)
}

func (s *scanner) again(out, held []byte) []byte {
	old := s.masked
	s.masked = nil
	for i, c := range held {
		skipped := c <= ' ' && s.a.skips(s.at, c, s.run)
		if skipped {
			s.breaks, s.run = append(s.breaks, i), s.run+1
		} else {
			s.at, s.run = s.a.next(s.at, c), 0
		}
		for len(old) > 0 && old[0].to <= i+1 {
			s.found(old[0].from, old[0].to)
			old = old[1:]
		}
		if n := s.a.states[s.at].match; n > 0 && !skipped {
			s.found(s.before(i+1, n), i+1)
		}
	}
	return s.decide(out, held, s.before(len(held), s.a.states[s.at].hold))
}

// Writer masks a stream. What may be the beginning of a secret is held back
// until more is written, or until Flush. It is safe for concurrent use.
type Writer struct {
	m *Masker
	w io.Writer

	mu      sync.Mutex // for what follows
	scanner scanner
	out     []byte
	closed  bool
}

// Writer makes a Writer in front of w.
func (m *Masker) Writer(w io.Writer) *Writer { return &Writer{m: m, w: w} }

var errClosed = errors.New("write after the end of the output")

// Write masks p, together with what was held back before it. When the writer
// behind it fails, what had been decided is lost.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, errClosed
	}
	w.out = w.out[:0]
	if a := w.m.current.Load(); a != w.scanner.a {
		w.out = w.scanner.renew(a, w.out)
	}
	if w.scanner.a == nil {
		return w.w.Write(p)
	}
	w.out = w.scanner.feed(w.out, p)
	if err := w.send(); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *Writer) send() error {
	if len(w.out) == 0 {
		return nil
	}
	_, err := w.w.Write(w.out)
	const keep = 64 << 10
	if cap(w.out) > keep {
		w.out = nil
	}
	return err
}

// Flush writes what is held back, also when it is the beginning of a secret.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = w.scanner.finish(w.out[:0])
	return w.send()
}

// Close is Flush, after which nothing can be written. It does not close the
// writer behind it.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.out = w.scanner.finish(w.out[:0])
	return w.send()
}
