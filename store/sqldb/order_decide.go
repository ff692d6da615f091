package sqldb

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/relent-go/relent/exchange/order"
)

var _ order.Decisions = (*Orders)(nil)

// decisionOf names the document of an order's decision. The quotes keep the parts apart.
func decisionOf(s order.Scope, id string) string {
	return fmt.Sprintf("order decision %q %q %q", s.Venue, s.Account, id)
}

// Decide leaves a decision for the machine that has the order's prefix, which takes it at its next [order.Machine.Sweep] or when it
// runs again, if the order is still as it was seen. It replaces one that was left before. A resolution that [order.Resolution.Check]
// refuses is not written; of two at once one is refused with [ErrChanged].
func (s *Orders) Decide(ctx context.Context, scope order.Scope, r order.Resolution) error {
	if err := r.Check(); err != nil {
		return err
	}
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	documents := s.db.Documents()
	version, _, err := documents.Get(ctx, decisionOf(scope, r.ID))
	if err == nil {
		_, err = documents.Put(ctx, decisionOf(scope, r.ID), version, body)
	}
	return err
}

// Decision is of [order.Decisions].
func (s *Orders) Decision(ctx context.Context, scope order.Scope, id string) (r order.Resolution, ok bool, err error) {
	name := decisionOf(scope, id)
	version, body, err := s.db.Documents().Get(ctx, name)
	if err != nil || version == 0 {
		return r, false, err
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return order.Resolution{}, false, fmt.Errorf("%s: document %q: %w", s, name, err)
	}
	return r, true, nil
}
