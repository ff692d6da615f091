package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/observe/audit"
)

// DefaultVerify is the time between two verifications of the audit log that nobody asked for.
const DefaultVerify = 5 * time.Minute

// Verify implements dashboard.Audit. What it finds shows in views and metrics until the next time.
func (r reader) Verify(ctx context.Context) error { return r.verify(ctx, r.store) }

// verify checks every chain, and that each still has the head that it had the last time: a chain alone does not show that its
// tail was cut off, or that all of it was written anew.
func (r reader) verify(ctx context.Context, links audit.Links) error {
	began := time.Now()
	heads, err := r.store.Heads(ctx)
	if err != nil {
		return err
	}
	chains := r.verified.known()
	for _, h := range heads {
		chains = append(chains, h.Chain)
	}
	slices.Sort(chains)
	for _, chain := range slices.Compact(chains) {
		report, err := audit.Verify(ctx, links, chain, audit.Verification{Checkpoints: r.verified.before(chain)})
		if err != nil {
			r.verified.found(err, began)
			return err
		}
		r.verified.good(report.Head)
	}
	r.verified.found(nil, began)
	return nil
}

// watch verifies the log at once, and then again and again, until ctx ends. It takes a twentieth of its time, so that who
// reads and writes the log does not notice. A log that is not what it was is told of once.
func (r reader) watch(ctx context.Context, every time.Duration, tell func(error)) {
	told := ""
	for {
		err := r.verify(ctx, &gentle{store: r.store})
		bad, broken := errors.AsType[*audit.BadError](err)
		switch {
		case broken && bad.Error() != told:
			told = bad.Error()
			tell(fmt.Errorf("the audit log is not what was written: %w", err))
		case err == nil:
			told = ""
		}
		if !sleep(ctx, every) {
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// gentle rests for nineteen parts of the time that a page took to be read and checked before it reads the next one.
type gentle struct {
	store audit.Links
	since time.Time
}

// rested bounds what counts of that time: a page that took longer waited for something.
const rested = 100 * time.Millisecond

// Links implements audit.Links.
func (g *gentle) Links(ctx context.Context, chain string, from uint64, limit int) ([]audit.Link, error) {
	if !g.since.IsZero() && !sleep(ctx, 19*min(time.Since(g.since), rested)) {
		return nil, context.Cause(ctx)
	}
	g.since = time.Now()
	return g.store.Links(ctx, chain, from, limit)
}

// verified is what verifying the audit log came to the last time. It is safe for concurrent use.
type verified struct {
	mu     sync.Mutex
	broken bool                  // guarded by mu, as is what follows
	at     time.Time             // when all of it was right
	heads  map[string]audit.Head // of the chains that were right
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

// good remembers how far a chain was right.
func (v *verified) good(h audit.Head) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.heads == nil {
		v.heads = map[string]audit.Head{}
	}
	if h.Sequence > v.heads[h.Chain].Sequence {
		v.heads[h.Chain] = h
	}
}

// known returns the chains of which something is remembered.
func (v *verified) known() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Collect(maps.Keys(v.heads))
}

// before returns what a chain must still agree with.
func (v *verified) before(chain string) []audit.Checkpoint {
	v.mu.Lock()
	defer v.mu.Unlock()
	h, ok := v.heads[chain]
	if !ok {
		return nil
	}
	return []audit.Checkpoint{{Chain: chain, Sequence: h.Sequence, Hash: h.Hash}}
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
