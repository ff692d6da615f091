package idempotenttest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/retry"
)

// A Model is a store in the fewest words. It forgets nothing by itself, so it is for tests only. The zero
// value is empty. It is safe for concurrent use.
type Model struct {
	Now func() time.Time // the store's clock; nil means time.Now

	mu   sync.Mutex
	keys map[string]*entry // guarded by mu
}

var _ idempotent.Store = (*Model)(nil)

type entry struct {
	idempotent.Record
	retain time.Duration
	until  time.Time // the end of the lease if Running, of the retention if Done or New
}

func (m *Model) now() time.Time {
	if m.Now == nil {
		return time.Now()
	}
	return m.Now()
}

// enter takes the lock and returns the entry of a key as it is now; one without a record is new, and not kept yet.
func (m *Model) enter(ctx context.Context, key string) (*entry, func(), error) {
	if err := idempotent.CheckKey(key); err != nil {
		return nil, nil, err
	}
	if ctx.Err() != nil {
		return nil, nil, retry.Mark(context.Cause(ctx), retry.Transient)
	}
	m.mu.Lock()
	e := m.keys[key]
	if e == nil {
		e = &entry{Record: idempotent.Record{Key: key}}
	}
	m.age(e)
	return e, m.mu.Unlock, nil
}

// age lets the times that have passed take effect.
func (m *Model) age(e *entry) {
	left := e.until.Sub(m.now())
	e.Left = max(0, left)
	switch {
	case e.Status == idempotent.Running && left <= 0:
		e.Status = idempotent.Unknown
	case e.Status == idempotent.Done && left <= 0:
		e.Status, e.Result = idempotent.Lapsed, nil
	}
	if e.Status != idempotent.Running && e.Status != idempotent.Done {
		e.Left = 0
	}
}

func (e *entry) show() idempotent.Record {
	r := e.Record
	r.Result = slices.Clone(r.Result)
	return r
}

func (e *entry) under(c idempotent.Claim) bool { return e.Fence != 0 && e.Record.Claim() == c }

// Claim is of [idempotent.Store], as all that follow.
func (m *Model) Claim(ctx context.Context, b idempotent.Bid) (idempotent.Record, error) {
	e, leave, err := m.enter(ctx, b.Key)
	if err != nil {
		return idempotent.Record{}, err
	}
	defer leave()
	if e.Status == idempotent.New || e.Status == idempotent.Unknown && e.Fence == b.Over && e.Fingerprint == b.Fingerprint {
		if m.keys == nil {
			m.keys = make(map[string]*entry)
		}
		m.keys[b.Key] = e
		e.Status, e.Owner, e.Fingerprint, e.retain = idempotent.Running, b.Owner, b.Fingerprint, b.Retain
		e.Fence++
		e.until = m.now().Add(b.Lease)
		m.age(e)
	}
	return e.show(), nil
}

// Renew is of [idempotent.Store].
func (m *Model) Renew(ctx context.Context, c idempotent.Claim, lease time.Duration) error {
	e, leave, err := m.enter(ctx, c.Key)
	if err != nil {
		return err
	}
	defer leave()
	if !e.under(c) || e.Status != idempotent.Running {
		return idempotent.ErrClaimLost
	}
	e.until = m.now().Add(lease)
	m.age(e)
	return nil
}

// Complete is of [idempotent.Store].
func (m *Model) Complete(ctx context.Context, c idempotent.Claim, result []byte) error {
	if err := idempotent.CheckResult(result); err != nil {
		return err
	}
	e, leave, err := m.enter(ctx, c.Key)
	if err != nil {
		return err
	}
	defer leave()
	switch {
	case !e.under(c) || e.Status == idempotent.New:
		return idempotent.ErrClaimLost
	case e.Status == idempotent.Running || e.Status == idempotent.Unknown:
		e.Status, e.Result, e.until = idempotent.Done, slices.Clone(result), m.now().Add(e.retain)
	}
	return nil
}

// Release is of [idempotent.Store].
func (m *Model) Release(ctx context.Context, c idempotent.Claim) error {
	e, leave, err := m.enter(ctx, c.Key)
	if err != nil {
		return err
	}
	defer leave()
	switch {
	case e.under(c) && e.Status == idempotent.Running:
		e.Status, e.until = idempotent.New, m.now().Add(e.retain)
	case !e.under(c) || e.Status != idempotent.New:
		return idempotent.ErrClaimLost
	}
	return nil
}

// Get is of [idempotent.Store].
func (m *Model) Get(ctx context.Context, key string) (idempotent.Record, error) {
	e, leave, err := m.enter(ctx, key)
	if err != nil {
		return idempotent.Record{}, err
	}
	defer leave()
	return e.show(), nil
}

// Unresolved is of [idempotent.Store].
func (m *Model) Unresolved(ctx context.Context, after string, limit int) (list []idempotent.Record, err error) {
	if ctx.Err() != nil {
		return nil, retry.Mark(context.Cause(ctx), retry.Transient)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(m.keys)) {
		e := m.keys[key]
		if m.age(e); e.Status == idempotent.Unknown && key > after && len(list) < limit {
			list = append(list, e.show())
		}
	}
	return list, nil
}

// Forget is of [idempotent.Store].
func (m *Model) Forget(ctx context.Context, ago time.Duration, limit int) (n int, err error) {
	if ctx.Err() != nil {
		return 0, retry.Mark(context.Cause(ctx), retry.Transient)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, e := range m.keys {
		m.age(e)
		over := e.Status == idempotent.Lapsed || e.Status == idempotent.New
		if over && n < limit && m.now().Sub(e.until) >= max(0, ago) {
			delete(m.keys, key)
			n++
		}
	}
	return n, nil
}
