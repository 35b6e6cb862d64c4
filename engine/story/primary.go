package story

import (
	"context"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/ledger"
)

// Primary is what was seen of the primary when a run was decided; nil: none was
// asked.
func Primary(ctx context.Context, l *ledger.Ledger, run int64) (*api.Primary, error) {
	w, err := l.Witness(ctx, run)
	if err != nil || w == nil {
		return nil, err
	}
	return &api.Primary{Kind: w.Kind, Verdict: string(w.Verdict), Evidence: w.All()}, nil
}
