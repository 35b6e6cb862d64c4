package record

import (
	"context"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// held is the end of a step that is written with the next record of its run.
type held struct {
	s pipeline.StepRecord
	l *store.Later
}

// behind is a write that stands behind all ends that are held: it carries them, and
// one that failed is written before it, or else after it before it counts.
func (r *Recorder) behind(write func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := r.again(ctx)
		if err == nil {
			err = write(ctx)
		}
		if err == nil {
			err = r.again(ctx)
		}
		return err
	}
}

// again lets go of the ends that were carried, and writes those that failed once
// more, in order.
func (r *Recorder) again(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var left []held
	for i := range r.held {
		h := &r.held[i]
		if !h.l.Done() {
			left = append(left, *h)
			continue
		}
		if h.l.Wait(ctx) == nil {
			continue
		}
		if err := r.History.EndStep(ctx, &h.s); err != nil {
			r.held = append(left, r.held[i:]...)
			return err
		}
	}
	r.held = left
	return nil
}

// Flush writes the ends that are held: nothing follows them at once.
func (r *Recorder) Flush(ctx context.Context) error {
	return r.keep(context.WithoutCancel(ctx), "the ends of steps", func(ctx context.Context) error {
		r.mu.Lock()
		for i := range r.held {
			_ = r.held[i].l.Wait(ctx) // again tells
		}
		r.mu.Unlock()
		return r.again(ctx)
	})
}
