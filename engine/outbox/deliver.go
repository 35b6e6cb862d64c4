package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/retry"
)

const (
	// again is when the database is written again after that failed.
	again = 5 * time.Second
	// together is how many messages to one service are sent as one.
	together = 20
	// firstDelay and mostDelay bound the wait after a service failed.
	firstDelay = time.Second
	mostDelay  = time.Hour
)

// Run delivers until ctx is done, each service by itself: one that fails or
// hangs holds up no other. It may be called once.
func (b *Outbox) Run(ctx context.Context) {
	var senders sync.WaitGroup
	defer senders.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		case <-timer.C:
			b.save(ctx)
		}
		if wait := b.start(ctx, &senders); wait > 0 {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
	}
}

// start sends what is due, and gives when there is more to do; 0: when somebody
// says so.
func (b *Outbox) start(ctx context.Context, senders *sync.WaitGroup) time.Duration {
	known := map[string]string{}
	for _, s := range b.o.Audience().Services {
		known[digest(s)] = s
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now, wait := time.Now(), time.Duration(0)
	sooner := func(d time.Duration) {
		if wait == 0 || d < wait {
			wait = max(d, time.Millisecond)
		}
	}
	if len(b.unsaved) > 0 {
		sooner(again)
	}
	b.drop(now, known)
	batches, held := map[string][]*message{}, map[string]bool{}
	for _, m := range b.waiting {
		list := batches[m.service]
		switch {
		case b.busy[m.service] || held[m.service] || len(list) == together:
		case len(list) == 0 && m.due.After(now):
			sooner(m.due.Sub(now))
			held[m.service] = true // those behind it wait for it
		default:
			batches[m.service] = append(list, m)
		}
	}
	for service, list := range batches {
		b.busy[service] = true
		senders.Go(func() {
			if err := b.send(ctx, known[service], list); err == nil || ctx.Err() == nil {
				b.sent(service, list, err)
			}
			b.mu.Lock()
			delete(b.busy, service)
			b.mu.Unlock()
			b.save(ctx)
		})
	}
	return wait
}

// drop gives up what is too old, and what is for a service that is not named
// any more.
func (b *Outbox) drop(now time.Time, known map[string]string) {
	b.waiting = slices.DeleteFunc(b.waiting, func(m *message) bool {
		_, there := known[m.service]
		old := now.Sub(m.made) > mostAge
		if b.busy[m.service] || there && !old {
			return false
		}
		why := "its service is not named in notify.services any more"
		if old {
			why = fmt.Sprintf("its service did not take it within %d days", mostAge/(24*time.Hour))
		}
		b.o.Log.Error("a message is given up: "+why, "message", m.text)
		b.later("DELETE FROM outbox WHERE id = ?", m.id)
		return true
	})
}

// send gives messages to a service, as one.
func (b *Outbox) send(ctx context.Context, service string, list []*message) error {
	url, err := b.o.Resolve(service)
	if err == nil && strings.TrimSpace(url) == "" {
		err = errors.New("the secret that it names is not set")
	}
	if err != nil {
		return err
	}
	m := kind.Message{Title: "redundctl: " + list[0].what, Text: list[0].text}
	if len(list) > 1 {
		var lines []string
		for _, x := range list {
			lines = append(lines, x.what+": "+x.text)
		}
		m = kind.Message{Title: fmt.Sprintf("redundctl: %d messages", len(list)), Text: strings.Join(lines, "\n")}
	}
	return b.o.Send(ctx, url, m)
}

// sent takes up what came of it. Between the service's answer and this nobody
// can know: who is killed there sends it once more.
func (b *Outbox) sent(service string, list []*message, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		delete(b.stuck, service)
		for _, m := range list {
			b.later("DELETE FROM outbox WHERE id = ?", m.id)
		}
		b.waiting = slices.DeleteFunc(b.waiting, func(m *message) bool { return slices.Contains(list, m) })
		return
	}
	delays, wait := retry.Delays(pipeline.Retry{Delay: pipeline.Duration(firstDelay), MaxDelay: pipeline.Duration(mostDelay)}), time.Duration(0)
	for range list[0].attempts + 1 {
		wait = delays()
	}
	for _, m := range list {
		m.attempts++
		m.due = time.Now().Add(wait)
		b.later("UPDATE outbox SET attempts = ?, due = ? WHERE id = ?", m.attempts, m.due.UnixMicro(), m.id)
	}
	if !b.stuck[service] {
		b.stuck[service] = true
		b.o.Log.Warn("a message could not be delivered; it is tried again", "messages", len(list), "error", b.o.Mask(err.Error()))
	}
}
