package server

import (
	"errors"
	"net/http"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/story"
)

// getWhy tells the story of a slot.
func (s *Server) getWhy(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	q := r.URL.Query()
	if err := only(q, "slot"); err != nil {
		return 0, nil, err
	}
	ask := story.Ask{System: r.PathValue("system"), Name: pipeline.Kebab(r.PathValue("name")), Now: time.Now()}
	if q.Has("slot") {
		var err error
		if ask.Slot, err = time.Parse(time.RFC3339, q.Get("slot")); err != nil {
			return 0, nil, wrong("", "slot is a time as 2027-03-28T00:00:00Z, not %s", brief(q.Get("slot")))
		}
	}
	for _, p := range s.e.Project().Find(ask.System + "/" + ask.Name) {
		ask.Pipeline = p
	}
	told, _, err := story.Tell(r.Context(), story.Records{History: s.records.History, Ledger: s.records.Ledger}, &ask)
	if none := new(story.NoSlot); errors.As(err, &none) {
		if ask.Pipeline == nil {
			return 0, nil, unknown(ask.System + "/" + ask.Name)
		}
		return 0, nil, &refusal{http.StatusNotFound, none.Error(), "redundctl runs lists the slots that were decided"}
	}
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, told.Shape(), nil
}
