package simulate

import (
	"math/bits"
	"slices"
	"time"

	"github.com/redundctl/redundctl/engine/failover"
)

// Outcome is what became of one slot: what was decided, and what the log says
// was done.
type Outcome struct {
	ID      string
	Slot    time.Time
	Next    time.Time    // the slot after it
	Act     failover.Act // "": it was never decided
	Reason  string
	Decided time.Time
	Policy  failover.Policy

	// Primary is the primary's run of the slot that succeeded first; the zero
	// value: none did. Backup is when the backup's run began; zero: it did not.
	Primary Effect
	Backup  time.Time
	// Later reports that neither ran, and that a success of a later slot delivered
	// this one too (covers: since). LaterBackup: it was the backup's.
	Later, LaterBackup bool
	Delivered          time.Time // zero: missed
}

// Missed reports that nobody delivered the slot.
func (o *Outcome) Missed() bool { return o.Delivered.IsZero() }

// Doubled reports that the primary and the backup both did.
func (o *Outcome) Doubled() bool { return o.Primary.Run != "" && !o.Backup.IsZero() }

// settle judges a slot of which all is known, and drops what no slot needs.
func (s *sim) settle(w *watch) {
	if w.settled {
		return
	}
	w.settled = true
	p := w.part
	if w.decided.IsZero() || w.decided.Before(s.end) {
		s.count(judge(w, p.primary.since(w.slot.At)))
	}
	p.open = slices.DeleteFunc(p.open, func(x *watch) bool { return x == w })
	oldest := w.window.Next
	if len(p.open) > 0 && p.open[0].slot.At.Before(oldest) {
		oldest = p.open[0].slot.At
	}
	p.primary.forget(oldest)
	if !w.queued {
		p.free = append(p.free, w)
	}
}

// judge says what became of a slot by the log. Of the watch it takes what the
// slot is and when it was closed, and not what was made of it.
func judge(w *watch, log []Effect) Outcome {
	o := Outcome{
		ID: w.part.id, Slot: w.slot.At, Next: w.window.Next, Act: w.act, Reason: w.reason, Decided: w.decided, Policy: w.policy,
	}
	for i := range log {
		e := &log[i]
		own := e.Slot.IsZero() && e.Created.Before(o.Next) || e.Slot.Equal(o.Slot)
		later := e.Slot.IsZero() && !e.Created.Before(o.Next) || e.Slot.After(o.Slot)
		switch {
		case e.Cancelled:
		case own && e.Run == "":
			o.Backup = e.Created
		case own && (o.Primary.Run == "" || e.Ended.Before(o.Primary.Ended)):
			o.Primary = *e
		case later && w.part.Covers == "since" && !e.Ended.After(o.Decided) && (!o.Later || e.Ended.Before(o.Delivered)):
			o.Later, o.LaterBackup, o.Delivered = true, e.Run == "", e.Ended
		}
	}
	if o.Primary.Run != "" {
		o.Delivered = o.Primary.Ended
	}
	if !o.Backup.IsZero() && (o.Primary.Run == "" || o.Backup.Before(o.Delivered)) {
		o.Delivered = o.Backup
	}
	o.Later = o.Later && o.Primary.Run == "" && o.Backup.IsZero()
	return o
}

func (s *sim) count(o Outcome) {
	r := &s.result
	r.Slots++
	switch {
	case o.Missed():
		r.Missed++
	case !o.Backup.IsZero() || o.Later && o.LaterBackup:
		r.ByBackup++
	default:
		r.ByPrimary++
	}
	if o.Doubled() {
		r.Doubled++
	}
	if !o.Missed() {
		r.Delay.add(o.Delivered.Sub(o.Slot))
	}
	if s.Settled != nil {
		s.Settled(o)
	}
}

// Delays are lengths of time, of which the maximum is exact and percentiles are
// to a thousandth. The zero value holds none.
type Delays struct {
	n       int
	max     time.Duration
	buckets []bucket
}

// bucket holds values that are alike in their first eleven bits.
type bucket struct {
	n       int
	largest time.Duration
}

// fine is how many bits of a value tell buckets apart.
const fine = 11

func (d *Delays) add(x time.Duration) {
	ms := uint64(max(x, 0) / time.Millisecond)
	at := int(ms)
	if over := bits.Len64(ms) - fine; over > 0 {
		at = over<<(fine-1) + int(ms>>over)
	}
	for at >= len(d.buckets) {
		d.buckets = append(d.buckets, make([]bucket, 1<<fine)...)
	}
	b := &d.buckets[at]
	b.n, b.largest = b.n+1, max(b.largest, x)
	d.n, d.max = d.n+1, max(d.max, x)
}

// merge adds those of other slots.
func (d *Delays) merge(x Delays) {
	if len(x.buckets) > len(d.buckets) {
		d.buckets = append(d.buckets, make([]bucket, len(x.buckets)-len(d.buckets))...)
	}
	for i, b := range x.buckets {
		d.buckets[i].n += b.n
		d.buckets[i].largest = max(d.buckets[i].largest, b.largest)
	}
	d.n, d.max = d.n+x.n, max(d.max, x.max)
}

// Max is the longest; false when there is none.
func (d *Delays) Max() (time.Duration, bool) { return d.max, d.n > 0 }

// P is the smallest value that so many of 100 do not exceed; false when there is
// none.
func (d *Delays) P(percent int) (time.Duration, bool) {
	rank := (d.n*percent + 99) / 100
	for _, b := range d.buckets {
		if rank -= b.n; rank <= 0 && b.n > 0 {
			return b.largest, true
		}
	}
	return 0, false
}
