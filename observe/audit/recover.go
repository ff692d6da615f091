package audit

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// intentRule is the rule of the records that Admit writes ahead of the retry of an order.
const intentRule = "retry of an order"

// Interrupted returns the intents to retry an order, of the records that f selects, of which nothing tells how they ended: what a crash left. Their
// Outcome is [Unknown], and the order must not be sent again before somebody has found out. f must not select by anything but chain, time and operation.
//
// In a chain that is being written, intents whose attempts run at this moment are among them.
func Interrupted(ctx context.Context, s Store, f Filter) ([]Record, error) {
	return interrupted(ctx, s, f, nil, "")
}

// interrupted is Interrupted with records that are not in the store yet, and without those whose ids begin with mine.
func interrupted(ctx context.Context, s Store, f Filter, spooled []Record, mine string) ([]Record, error) {
	type key struct{ chain, call string }
	open := make(map[key]Record)
	var order []key // in which they were opened; may hold one that was closed
	waiting := make(map[string]bool, len(spooled))
	for i := range spooled {
		waiting[spooled[i].ID] = true
	}
	see := func(r *Record) {
		k := key{r.Chain, r.Call}
		switch {
		case r.Decision == Retry && r.Rule == intentRule:
			if mine != "" && strings.HasPrefix(r.ID, mine) {
				return
			}
			if _, ok := open[k]; !ok {
				order = append(order, k)
			}
			open[k] = *r
		case r.Outcome != "" && r.Attempt >= open[k].Attempt:
			delete(open, k)
		}
	}
	for after := (Cursor{}); ; {
		page, next, err := s.Query(ctx, f, after, 0)
		if err != nil {
			return nil, fmt.Errorf("find interrupted retries: %w", err)
		}
		if len(page) == 0 {
			break
		}
		for i := range page {
			delete(waiting, page[i].ID)
			see(&page[i])
		}
		after = next
	}
	for i := range spooled {
		if r := &spooled[i]; waiting[r.ID] {
			r.Chain = f.Chain
			see(r)
		}
	}
	var found []Record
	for _, k := range order {
		if r, ok := open[k]; ok {
			r.Outcome = Unknown
			found = append(found, r)
			delete(open, k)
		}
	}
	return found, nil
}

// Recover returns the retries of orders that an earlier process with this chain began and of which nothing tells how they ended, as
// [Interrupted] does; in the spool, too. It writes a record for each, with the outcome [Unknown], so that it is reported once. Records before since
// are not looked at. It needs Run.
func (l *Log) Recover(ctx context.Context, since time.Time) ([]Record, error) {
	l.init()
	var spooled []Record
	if l.Spool != nil {
		var err error
		if spooled, err = l.Spool.all(); err != nil {
			return nil, err
		}
	}
	found, err := interrupted(ctx, l.Store, Filter{Chain: l.chain(), From: since}, spooled, l.ids)
	if err != nil {
		return nil, err
	}
	for _, r := range found {
		r.ID, r.Time, r.Mono = "", time.Time{}, 0
		r.Decision, r.Rule = End, "found after a restart"
		if err := l.Record(ctx, r); err != nil {
			return nil, fmt.Errorf("report an interrupted retry: %w", err)
		}
	}
	return found, nil
}
