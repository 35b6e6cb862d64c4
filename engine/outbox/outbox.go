// Package outbox brings messages to people: each is kept in the database until
// the service that it is for has taken it, over a crash of the engine too, so
// that it arrives at least once.
//
// What it works with lies in memory, and the database follows: where the disk is
// full, people are told all the same, and what is kept is written when there is
// room.
//
// Start with Open, then Outbox.Raise, Outbox.Settle and Outbox.Run (deliver.go).
package outbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/store"
)

const (
	// mostAge is how long a message is tried.
	mostAge = 3 * 24 * time.Hour
	// mostWaiting is how many messages wait; newer ones are left out.
	mostWaiting = 10000
	// mostText is how long a text is, in bytes.
	mostText = 500
)

// Audience is who is told of what, as redund.yaml says it.
type Audience struct {
	Services []string // service URLs as they are written: with their expressions
	On       []string
}

// Options say how messages are sent. No field may be nil.
type Options struct {
	Audience func() Audience // the one of now
	// Resolve gives the URL of a service, "" when the secrets that it names are
	// not set. It goes nowhere but to Send.
	Resolve func(service string) (string, error)
	Send    func(ctx context.Context, url string, m kind.Message) error
	Mask    func(string) string // hides secrets in a text or an error
	Log     *slog.Logger
	// Failed is told why the database could not be written, and nil when it
	// could.
	Failed func(error)
}

// Condition is something that lasts and that people are told of once.
type Condition struct {
	Key    string // what it is about, no other's
	What   string // a word of notify.on
	Detail string // when it becomes another one, it is told again; "" for most
	Text   string // one line
}

// message is a row of the outbox.
type message struct {
	id       int64
	made     time.Time
	due      time.Time
	attempts int
	service  string
	what     string
	text     string
}

// Outbox is the messages of one project that wait. Its methods may be called
// from several goroutines; one process at a time has it open.
type Outbox struct {
	db   *store.DB
	o    Options
	wake chan struct{} // holds one token: look at what waits

	mu      sync.Mutex
	last    int64
	waiting []*message        // in the order in which they were made
	told    map[string]string // the details of the conditions that last, by key
	unsaved []func(*store.Tx) error
	busy    map[string]bool // services that are being sent to
	stuck   map[string]bool // services whose failure was told
	saving  sync.Mutex      // held while the database is written
}

// Open reads what waits.
func Open(ctx context.Context, db *store.DB, o Options) (*Outbox, error) {
	b := &Outbox{db: db, o: o, wake: make(chan struct{}, 1), told: map[string]string{}, busy: map[string]bool{}, stuck: map[string]bool{}}
	err := db.Read(ctx, func(tx *store.Tx) error {
		err := tx.Query("SELECT id, made, due, attempts, service, what, text FROM outbox ORDER BY id", func(r store.Row) error {
			b.waiting = append(b.waiting, &message{
				r.Int(0), time.UnixMicro(r.Int(1)), time.UnixMicro(r.Int(2)), int(r.Int(3)), r.Text(4), r.Text(5), r.Text(6),
			})
			b.last = r.Int(0)
			return nil
		})
		if err != nil {
			return err
		}
		return tx.Query("SELECT key, detail FROM told", func(r store.Row) error { b.told[r.Text(0)] = r.Text(1); return nil })
	})
	return b, err
}

// Raise tells of a condition, unless that was told before and lasts, or nobody
// wants to know. When it returns, the message survives a power cut, or Failed
// was told.
func (b *Outbox) Raise(ctx context.Context, c Condition) {
	to := b.o.Audience()
	b.mu.Lock()
	detail, lasts := b.told[c.Key]
	if lasts && detail == c.Detail || !slices.Contains(to.On, c.What) || len(to.Services) == 0 {
		b.mu.Unlock()
		return
	}
	b.told[c.Key] = c.Detail
	now := time.Now()
	b.later("INSERT INTO told (key, detail, since) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET detail = ?2", c.Key, c.Detail, now.UnixMicro())
	b.add(to, message{made: now, due: now, what: c.What, text: c.Text})
	b.mu.Unlock()
	b.save(ctx)
}

// Settle says that a condition is over; who was told of it is told that too,
// unless text is "".
func (b *Outbox) Settle(ctx context.Context, key, text string) {
	b.mu.Lock()
	if _, lasts := b.told[key]; !lasts {
		b.mu.Unlock()
		return
	}
	delete(b.told, key)
	b.later("DELETE FROM told WHERE key = ?", key)
	if to := b.o.Audience(); text != "" && slices.Contains(to.On, "recovered") {
		now := time.Now()
		b.add(to, message{made: now, due: now, what: "recovered", text: text})
	}
	b.mu.Unlock()
	b.save(ctx)
}

// Lasting gives the keys of the conditions that were told and last.
func (b *Outbox) Lasting() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]string, 0, len(b.told))
	for key := range b.told {
		out = append(out, key)
	}
	return out
}

// Waiting gives how many messages were not delivered yet.
func (b *Outbox) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}

// add lines a message up for every service.
func (b *Outbox) add(to Audience, m message) {
	m.text = b.o.Mask(strings.Join(strings.Fields(m.text), " "))
	if len(m.text) > mostText {
		m.text = strings.ToValidUTF8(m.text[:mostText], "") + "…"
	}
	for _, s := range to.Services {
		if len(b.waiting) >= mostWaiting {
			b.o.Log.Error("too many messages wait: one is left out", "message", m.text)
			return
		}
		x := m
		b.last++
		x.id, x.service = b.last, digest(s)
		b.waiting = append(b.waiting, &x)
		// It may stand there already, after a commit of unknown outcome.
		b.later("INSERT OR REPLACE INTO outbox (id, made, due, attempts, service, what, text) VALUES (?, ?, ?, 0, ?, ?, ?)",
			x.id, x.made.UnixMicro(), x.due.UnixMicro(), x.service, x.what, x.text)
	}
}

// later lines up what the database is to follow with.
func (b *Outbox) later(statement string, args ...any) {
	b.unsaved = append(b.unsaved, func(tx *store.Tx) error {
		_, err := tx.Exec(statement, args...)
		return err
	})
}

// save writes what the database lacks, and has the loop look. What cannot be
// written is tried again by the loop.
func (b *Outbox) save(ctx context.Context) {
	defer b.Wake()
	b.saving.Lock()
	defer b.saving.Unlock()
	b.mu.Lock()
	list := slices.Clone(b.unsaved)
	b.mu.Unlock()
	if len(list) == 0 {
		return
	}
	err := b.db.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		for _, f := range list {
			if err := f(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		b.mu.Lock()
		b.unsaved = slices.Delete(b.unsaved, 0, len(list))
		b.mu.Unlock()
	}
	b.o.Failed(err)
}

// Wake has the loop look at what waits, as after a change of the audience.
func (b *Outbox) Wake() {
	select {
	case b.wake <- struct{}{}:
	default: // it is told already
	}
}

// digest names a service without its address.
func digest(service string) string {
	sum := sha256.Sum256([]byte(service))
	return hex.EncodeToString(sum[:8])
}
