package server

import (
	"context"
	"slices"
	"strings"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/store/sqldb"
)

// reader shows the audit log to the dashboard.
type reader struct {
	store    *sqldb.Audit
	verified *verified
}

// Records implements dashboard.Audit.
func (r reader) Records(ctx context.Context, q string, limit int) ([]audit.Record, error) {
	heads, err := r.store.Heads(ctx)
	if err != nil {
		return nil, err
	}
	var found []audit.Record
	for _, h := range heads {
		const page = 500
		for end := h.Sequence; end > 0 && len(found) < limit*(len(heads)+1); {
			from := uint64(1)
			if end > page {
				from = end - page + 1
			}
			links, err := r.store.Links(ctx, h.Chain, from, int(end-from+1))
			if err != nil {
				return nil, err
			}
			here := 0
			for i := len(links) - 1; i >= 0; i-- {
				if q == "" || strings.Contains(strings.ToLower(string(links[i].Body)), strings.ToLower(q)) {
					if record, err := audit.ParseRecord(links[i].Body); err == nil {
						found = append(found, record)
						here++
					}
				}
			}
			if here >= limit {
				break
			}
			end = from - 1
		}
	}
	slices.SortStableFunc(found, func(a, b audit.Record) int { return b.Time.Compare(a.Time) }) // the newest first
	return found[:min(len(found), limit)], nil
}
