package server

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/control"
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

// Verify implements dashboard.Audit. What it finds shows in views and metrics until the next time.
func (r reader) Verify(ctx context.Context) error {
	began := time.Now()
	heads, err := r.store.Heads(ctx)
	if err != nil {
		return err
	}
	for _, h := range heads {
		if _, err := audit.Verify(ctx, r.store, h.Chain, audit.Verification{}); err != nil {
			r.verified.found(err, began)
			return err
		}
	}
	r.verified.found(nil, began)
	return nil
}

// verified is what verifying the audit log came to the last time. It is safe for concurrent use.
type verified struct {
	mu     sync.Mutex
	broken bool      // guarded by mu
	at     time.Time // when all of it was right; guarded by mu
}

// found takes a result. That the log could not be read says nothing about it.
func (v *verified) found(err error, at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err == nil {
		v.broken, v.at = false, at
	} else if _, broken := errors.AsType[*audit.BadError](err); broken {
		v.broken = true
	}
}

// over adds the result to a view of the log.
func (v *verified) over(view func() control.AuditView) func() control.AuditView {
	return func() control.AuditView {
		a := view()
		v.mu.Lock()
		defer v.mu.Unlock()
		a.Broken, a.Verified = v.broken, v.at
		return a
	}
}
