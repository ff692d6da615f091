package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/retry"
)

// DefaultMaxKeys is what Idempotent.MaxKeys means where it is not set.
const DefaultMaxKeys = 1 << 16

// ErrFull is why a key was not claimed: the store holds as many as it may, and none that could be forgotten.
// Nothing was done; it is Transient.
var ErrFull = retry.Mark(errors.New("the store in memory is full"), retry.Transient)

// Idempotent is an [idempotent.Store] in memory. It is not durable: after a restart every key is new.
//
// The zero value is empty. It is safe for concurrent use, and keeps the time of the process. It must not be copied
// after first use. Unresolved and Forget look at every key.
type Idempotent struct {
	// MaxKeys is how many keys are held; not positive means 65,536. One more is refused with [ErrFull]:
	// to make room for it by forgetting another would let that one run again.
	MaxKeys int

	mu   sync.Mutex
	keys map[string]*row // guarded by mu
}

var _ idempotent.Store = (*Idempotent)(nil)

// A row is what is kept of a key. Its state follows from what happened to it, and from the time.
type row struct {
	bid      idempotent.Bid // that won last
	fence    uint64
	ended    ending
	deadline time.Time // of the lease until the claim ended, then of the retention
	result   []byte
}

// An ending is how a claim ended.
type ending uint8

const (
	not ending = iota // as far as the store was told
	completed
	released
)

func (r *row) status(now time.Time) idempotent.Status {
	passed := !now.Before(r.deadline)
	switch {
	case r.ended == released:
		return idempotent.New
	case r.ended == completed && passed:
		return idempotent.Lapsed
	case r.ended == completed:
		return idempotent.Done
	case passed:
		return idempotent.Unknown
	}
	return idempotent.Running
}

func (r *row) record(now time.Time) idempotent.Record {
	shown := idempotent.Record{
		Key: r.bid.Key, Status: r.status(now), Owner: r.bid.Owner, Fingerprint: r.bid.Fingerprint, Fence: r.fence,
	}
	switch shown.Status {
	case idempotent.Done:
		shown.Result = slices.Clone(r.result)
		shown.Left = r.deadline.Sub(now)
	case idempotent.Running:
		shown.Left = r.deadline.Sub(now)
	}
	return shown
}

func (r *row) end(how ending, now time.Time) {
	r.ended = how
	r.deadline = now.Add(r.bid.Retain)
}

// String says what a log should say, too.
func (s *Idempotent) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("idempotency keys in memory, not durable: %d", len(s.keys))
}

// Claim is of [idempotent.Store], as are the methods below.
func (s *Idempotent) Claim(ctx context.Context, b idempotent.Bid) (idempotent.Record, error) {
	if err := usable(ctx, b.Key); err != nil {
		return idempotent.Record{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	r := s.keys[b.Key]
	if r == nil {
		if len(s.keys) >= s.maxKeys() {
			return idempotent.Record{}, fmt.Errorf("%w: %d keys", ErrFull, len(s.keys))
		}
		if s.keys == nil {
			s.keys = make(map[string]*row)
		}
		r = &row{ended: released}
		s.keys[b.Key] = r
	}
	switch r.status(now) {
	case idempotent.Unknown:
		if b.Over != r.fence || b.Fingerprint != r.bid.Fingerprint {
			break
		}
		fallthrough
	case idempotent.New:
		*r = row{bid: b, fence: r.fence + 1, deadline: now.Add(b.Lease)}
	}
	return r.record(now), nil
}

func (s *Idempotent) maxKeys() int {
	if s.MaxKeys <= 0 {
		return DefaultMaxKeys
	}
	return s.MaxKeys
}

// Renew sets the end of a lease.
func (s *Idempotent) Renew(ctx context.Context, c idempotent.Claim, lease time.Duration) error {
	return s.change(ctx, c, func(r *row, now time.Time) bool {
		if r.status(now) != idempotent.Running {
			return false
		}
		r.deadline = now.Add(lease)
		return true
	})
}

// Complete stores a result.
func (s *Idempotent) Complete(ctx context.Context, c idempotent.Claim, result []byte) error {
	if err := idempotent.CheckResult(result); err != nil {
		return err
	}
	return s.change(ctx, c, func(r *row, now time.Time) bool {
		if r.ended == not {
			r.result = slices.Clone(result)
			r.end(completed, now)
		}
		return r.ended == completed
	})
}

// Release frees a key.
func (s *Idempotent) Release(ctx context.Context, c idempotent.Claim) error {
	return s.change(ctx, c, func(r *row, now time.Time) bool {
		if r.status(now) == idempotent.Running {
			r.end(released, now)
		}
		return r.ended == released
	})
}

// change lets f change what is under a claim. f says whether the claim still allows it.
func (s *Idempotent) change(ctx context.Context, c idempotent.Claim, f func(r *row, now time.Time) bool) error {
	if err := usable(ctx, c.Key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.keys[c.Key]
	if r == nil || r.fence != c.Fence || r.bid.Owner != c.Owner || !f(r, time.Now()) {
		return idempotent.ErrClaimLost
	}
	return nil
}

// Get shows a record.
func (s *Idempotent) Get(ctx context.Context, key string) (idempotent.Record, error) {
	if err := usable(ctx, key); err != nil {
		return idempotent.Record{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.keys[key]; r != nil {
		return r.record(time.Now()), nil
	}
	return idempotent.Record{Key: key}, nil
}

// Unresolved lists records.
func (s *Idempotent) Unresolved(ctx context.Context, after string, limit int) ([]idempotent.Record, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	var list []idempotent.Record
	for key, r := range s.keys {
		if key > after && r.status(now) == idempotent.Unknown {
			list = append(list, r.record(now))
		}
	}
	slices.SortFunc(list, func(a, b idempotent.Record) int { return strings.Compare(a.Key, b.Key) })
	return list[:min(len(list), max(0, limit))], nil
}

// Forget removes records.
func (s *Idempotent) Forget(ctx context.Context, ago time.Duration, limit int) (n int, err error) {
	if err := alive(ctx); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for key, r := range s.keys {
		if n >= limit {
			break
		}
		if r.ended != not && now.Sub(r.deadline) >= max(0, ago) {
			delete(s.keys, key)
			n++
		}
	}
	return n, nil
}

func usable(ctx context.Context, key string) error {
	if err := idempotent.CheckKey(key); err != nil {
		return err
	}
	return alive(ctx)
}

// alive refuses what comes from a caller that has given up. Nothing was done, so nothing is in doubt.
func alive(ctx context.Context) error {
	if ctx.Err() != nil {
		return retry.Mark(context.Cause(ctx), retry.Transient)
	}
	return nil
}
