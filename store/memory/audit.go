package memory

import (
	"context"
	"maps"
	"slices"
	"sort"
	"sync"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

// An Audit is an audit.Store that is not durable: what it keeps ends with the process. It is for tests, and for programs that
// nobody has to answer for. It grows without bound.
//
// The zero value is empty and ready. An Audit is safe for concurrent use and must not be copied after first use.
type Audit struct {
	mu     sync.RWMutex
	chains map[string]*chain             // guarded by mu
	points map[string][]audit.Checkpoint // in order of sequence; guarded by mu
}

var _ audit.Store = (*Audit)(nil)

// A chain is one of an Audit.
type chain struct {
	links []audit.Link
	ids   map[string]struct{}
}

// String says what one must know of it.
func (a *Audit) String() string { return "audit records in memory, not durable" }

// Append implements [audit.Store].
func (a *Audit) Append(ctx context.Context, name string, records []audit.Record) (audit.Head, error) {
	if err := ctx.Err(); err != nil {
		return audit.Head{}, retry.Mark(context.Cause(ctx), retry.Transient)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.chains[name]
	if c == nil {
		c = &chain{ids: make(map[string]struct{})}
	}
	fresh, ids := make([]audit.Record, 0, len(records)), make(map[string]struct{}, len(records))
	for i := range records {
		id := records[i].ID
		_, old := c.ids[id]
		_, twice := ids[id]
		if !old && !twice {
			fresh = append(fresh, records[i])
			ids[id] = struct{}{}
		}
	}
	links, head, err := audit.Extend(c.head(name), fresh)
	if err != nil {
		return audit.Head{}, err
	}
	if len(links) > 0 {
		c.links = append(c.links, links...)
		maps.Copy(c.ids, ids)
		if a.chains == nil {
			a.chains = make(map[string]*chain)
		}
		a.chains[name] = c
	}
	return head, nil
}

func (c *chain) head(name string) audit.Head {
	if len(c.links) == 0 {
		return audit.Head{Chain: name}
	}
	last := &c.links[len(c.links)-1]
	return audit.Head{Chain: name, Sequence: last.Sequence, Hash: last.Hash}
}

// Query implements [audit.Store].
func (a *Audit) Query(ctx context.Context, f audit.Filter, after audit.Cursor, limit int) ([]audit.Record, audit.Cursor, error) {
	if err := ctx.Err(); err != nil {
		return nil, after, context.Cause(ctx)
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	var found []audit.Record
	for _, name := range slices.Sorted(maps.Keys(a.chains)) {
		for i := range a.chains[name].links {
			r := &a.chains[name].links[i].Record
			if !after.Before(r) || !f.Match(r) {
				continue
			}
			found = append(found, r.Clone())
			if len(found) == most(limit) {
				return found, last(found, after), nil
			}
		}
	}
	return found, last(found, after), nil
}

// last returns the cursor behind what was found.
func last(found []audit.Record, after audit.Cursor) audit.Cursor {
	if len(found) == 0 {
		return after
	}
	r := &found[len(found)-1]
	return audit.Cursor{Chain: r.Chain, Sequence: r.Sequence}
}

func most(limit int) int {
	if limit <= 0 {
		return audit.DefaultLimit
	}
	return limit
}

// Links implements [audit.Store].
func (a *Audit) Links(ctx context.Context, name string, from uint64, limit int) ([]audit.Link, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	c := a.chains[name]
	if c == nil {
		return nil, nil
	}
	i := sort.Search(len(c.links), func(i int) bool { return c.links[i].Sequence >= from })
	found := slices.Clone(c.links[i:min(len(c.links), i+most(limit))])
	for i := range found {
		found[i].Body, found[i].Record = slices.Clone(found[i].Body), audit.Record{}
	}
	return found, nil
}

// Heads implements [audit.Store].
func (a *Audit) Heads(ctx context.Context) (heads []audit.Head, err error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, name := range slices.Sorted(maps.Keys(a.chains)) {
		heads = append(heads, a.chains[name].head(name))
	}
	return heads, nil
}

// Anchor implements [audit.Anchor].
func (a *Audit) Anchor(ctx context.Context, p audit.Checkpoint) error {
	if err := ctx.Err(); err != nil {
		return retry.Mark(context.Cause(ctx), retry.Transient)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	points := a.points[p.Chain]
	i := sort.Search(len(points), func(i int) bool { return points[i].Sequence >= p.Sequence })
	if i < len(points) && points[i].Sequence == p.Sequence {
		if points[i].Hash != p.Hash {
			return retry.Mark(audit.ErrConflict, retry.Permanent)
		}
		return nil
	}
	if a.points == nil {
		a.points = make(map[string][]audit.Checkpoint)
	}
	p.Key, p.Signature = slices.Clone(p.Key), slices.Clone(p.Signature)
	a.points[p.Chain] = slices.Insert(points, i, p)
	return nil
}

// Checkpoints implements [audit.Store].
func (a *Audit) Checkpoints(ctx context.Context, name string, after uint64, limit int) ([]audit.Checkpoint, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	points := a.points[name]
	i := sort.Search(len(points), func(i int) bool { return points[i].Sequence > after })
	return slices.Clone(points[i:min(len(points), i+most(limit))]), nil
}
