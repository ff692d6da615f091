package idempotenttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
)

// A mutant is a model with one thing wrong.
type mutant struct {
	*Model
	claim      func(m *Model, ctx context.Context, b idempotent.Bid) (idempotent.Record, error)
	renew      func(m *Model, ctx context.Context, c idempotent.Claim, lease time.Duration) error
	complete   func(m *Model, ctx context.Context, c idempotent.Claim, result []byte) error
	release    func(m *Model, ctx context.Context, c idempotent.Claim) error
	get        func(m *Model, ctx context.Context, key string) (idempotent.Record, error)
	unresolved func(m *Model, ctx context.Context, after string, limit int) ([]idempotent.Record, error)
	forget     func(m *Model, ctx context.Context, ago time.Duration, limit int) (int, error)
}

func (m mutant) Claim(ctx context.Context, b idempotent.Bid) (idempotent.Record, error) {
	if m.claim != nil {
		return m.claim(m.Model, ctx, b)
	}
	return m.Model.Claim(ctx, b)
}

func (m mutant) Renew(ctx context.Context, c idempotent.Claim, lease time.Duration) error {
	if m.renew != nil {
		return m.renew(m.Model, ctx, c, lease)
	}
	return m.Model.Renew(ctx, c, lease)
}

func (m mutant) Complete(ctx context.Context, c idempotent.Claim, result []byte) error {
	if m.complete != nil {
		return m.complete(m.Model, ctx, c, result)
	}
	return m.Model.Complete(ctx, c, result)
}

func (m mutant) Release(ctx context.Context, c idempotent.Claim) error {
	if m.release != nil {
		return m.release(m.Model, ctx, c)
	}
	return m.Model.Release(ctx, c)
}

func (m mutant) Get(ctx context.Context, key string) (idempotent.Record, error) {
	if m.get != nil {
		return m.get(m.Model, ctx, key)
	}
	return m.Model.Get(ctx, key)
}

func (m mutant) Unresolved(ctx context.Context, after string, limit int) ([]idempotent.Record, error) {
	if m.unresolved != nil {
		return m.unresolved(m.Model, ctx, after, limit)
	}
	return m.Model.Unresolved(ctx, after, limit)
}

func (m mutant) Forget(ctx context.Context, ago time.Duration, limit int) (int, error) {
	if m.forget != nil {
		return m.forget(m.Model, ctx, ago, limit)
	}
	return m.Model.Forget(ctx, ago, limit)
}

var errMutant = errors.New("mutant")

// edit changes the entry of a key behind the model's back.
func (m *Model) edit(key string, f func(e *entry)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.keys[key]; e != nil {
		m.age(e)
		f(e)
	}
}

// current returns the claim that a key is under, whatever the caller's was.
func (m *Model) current(key string) idempotent.Claim {
	r, _ := m.Get(context.Background(), key)
	return r.Claim()
}

// shown alters what is shown of records.
func shown(f func(r *idempotent.Record)) mutant {
	return mutant{
		claim: func(m *Model, ctx context.Context, b idempotent.Bid) (idempotent.Record, error) {
			r, err := m.Claim(ctx, b)
			f(&r)
			return r, err
		},
		get: func(m *Model, ctx context.Context, key string) (idempotent.Record, error) {
			r, err := m.Get(ctx, key)
			f(&r)
			return r, err
		},
	}
}

// keyed alters keys on their way in.
func keyed(f func(string) string) mutant {
	return mutant{
		claim: func(m *Model, ctx context.Context, b idempotent.Bid) (idempotent.Record, error) {
			key := b.Key
			b.Key = f(b.Key)
			r, err := m.Claim(ctx, b)
			r.Key = key
			return r, err
		},
		get: func(m *Model, ctx context.Context, key string) (idempotent.Record, error) {
			r, err := m.Get(ctx, f(key))
			r.Key = key
			return r, err
		},
		complete: func(m *Model, ctx context.Context, c idempotent.Claim, result []byte) error {
			c.Key = f(c.Key)
			return m.Complete(ctx, c, result)
		},
	}
}

// bidden alters bids.
func bidden(f func(m *Model, b *idempotent.Bid)) mutant {
	return mutant{claim: func(m *Model, ctx context.Context, b idempotent.Bid) (idempotent.Record, error) {
		f(m, &b)
		return m.Claim(ctx, b)
	}}
}

func wraps(d time.Duration) time.Duration { return d + d } // overflows for the longest

// Each promise is there for stores that break it.
var mutants = []struct {
	name   string
	mutant mutant
	broken string // the promise that must notice
}{
	{"nobody wins", mutant{claim: func(m *Model, ctx context.Context, b idempotent.Bid) (idempotent.Record, error) {
		return m.Get(ctx, b.Key)
	}}, "wins a new key"},
	{"claims fail", mutant{claim: func(*Model, context.Context, idempotent.Bid) (idempotent.Record, error) {
		return idempotent.Record{}, errMutant
	}}, "has one winner"},
	{"gets fail", mutant{get: func(*Model, context.Context, string) (idempotent.Record, error) {
		return idempotent.Record{}, errMutant
	}}, "wins a new key"},
	{"everybody wins", mutant{claim: func(m *Model, ctx context.Context, b idempotent.Bid) (idempotent.Record, error) {
		r, err := m.Claim(ctx, b)
		r.Status, r.Owner = idempotent.Running, b.Owner
		return r, err
	}}, "has one winner"},
	{"everybody wins a race", mutant{claim: func(m *Model, ctx context.Context, b idempotent.Bid) (idempotent.Record, error) {
		r, err := m.Claim(ctx, b)
		r.Status, r.Owner = idempotent.Running, b.Owner
		return r, err
	}}, "has one effect in a race"},
	{"races fail", mutant{claim: func(*Model, context.Context, idempotent.Bid) (idempotent.Record, error) {
		return idempotent.Record{}, errMutant
	}}, "has one effect in a race"},
	{"what is running is taken over", bidden(func(m *Model, b *idempotent.Bid) {
		if b.Over != 0 {
			m.edit(b.Key, func(e *entry) { e.until = m.now(); m.age(e) })
		}
	}), "keeps a running claim"},
	{"the last owner is shown", mutant{claim: func(m *Model, ctx context.Context, b idempotent.Bid) (idempotent.Record, error) {
		r, err := m.Claim(ctx, b)
		m.edit(b.Key, func(e *entry) { e.Owner = b.Owner })
		return r, err
	}}, "shows whose the key is"},
	{"no owner is shown", shown(func(r *idempotent.Record) { r.Owner = idempotent.Nonce{} }), "shows whose the key is"},
	{"nothing is left", shown(func(r *idempotent.Record) { r.Left = 0 }), "keeps a running claim"},
	{"nothing is left of retentions", shown(func(r *idempotent.Record) { r.Left = 0 }), "gives results back as they were"},
	{"much is left", shown(func(r *idempotent.Record) {
		if r.Status == idempotent.Running {
			r.Left = 100 * time.Minute
		}
	}), "ends leases by its own clock"},
	{"something is left when all is over", shown(func(r *idempotent.Record) { r.Left = 1 }), "ends leases by its own clock"},
	{"something is left of retentions", shown(func(r *idempotent.Record) { r.Left = 1 }), "remembers beyond the retention"},
	{"results are text", shown(func(r *idempotent.Record) { r.Result = []byte(strings.ToValidUTF8(string(r.Result), "?")) }), "gives results back as they were"},
	{"results are not shown", shown(func(r *idempotent.Record) { r.Result = nil }), "completes once"},
	{"results are the caller's memory", mutant{complete: func(m *Model, ctx context.Context, c idempotent.Claim, result []byte) error {
		err := m.Complete(ctx, c, result)
		m.edit(c.Key, func(e *entry) { e.Result = result })
		return err
	}}, "gives results back as they were"},
	{"fingerprints are of the last bid", mutant{claim: func(m *Model, ctx context.Context, b idempotent.Bid) (idempotent.Record, error) {
		m.edit(b.Key, func(e *entry) { e.Fingerprint = b.Fingerprint })
		return m.Claim(ctx, b)
	}}, "keeps the fingerprint"},
	{"fingerprints are not compared", bidden(func(m *Model, b *idempotent.Bid) {
		m.edit(b.Key, func(e *entry) { b.Fingerprint = e.Fingerprint })
	}), "releases"},
	{"others take claims over", mutant{claim: func(m *Model, ctx context.Context, b idempotent.Bid) (idempotent.Record, error) {
		m.edit(b.Key, func(e *entry) {
			if e.Status == idempotent.Unknown && b.Over == e.Fence {
				e.Fingerprint = b.Fingerprint
			}
		})
		return m.Claim(ctx, b)
	}}, "keeps the fingerprint"},
	{"leases last", bidden(func(_ *Model, b *idempotent.Bid) { b.Lease *= 2 }), "ends leases by its own clock"},
	{"leases that end free the key", bidden(func(m *Model, b *idempotent.Bid) { b.Over = m.current(b.Key).Fence }), "frees no key by itself"},
	{"what is open is forgotten", mutant{forget: func(m *Model, ctx context.Context, ago time.Duration, limit int) (int, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for key, e := range m.keys {
			if m.age(e); e.Status == idempotent.Unknown {
				delete(m.keys, key)
			}
		}
		return 0, nil
	}}, "frees no key by itself"},
	{"renewals are ignored", mutant{renew: func(*Model, context.Context, idempotent.Claim, time.Duration) error { return nil }}, "renews while the lease runs"},
	{"anybody renews", mutant{renew: func(m *Model, ctx context.Context, c idempotent.Claim, lease time.Duration) error {
		return m.Renew(ctx, m.current(c.Key), lease)
	}}, "renews while the lease runs"},
	{"leases are renewed when they have ended", mutant{renew: func(m *Model, ctx context.Context, c idempotent.Claim, lease time.Duration) error {
		if m.current(c.Key) == c {
			m.edit(c.Key, func(e *entry) {
				if e.Status == idempotent.Unknown {
					e.Status, e.until = idempotent.Running, m.now().Add(time.Hour)
				}
			})
		}
		return m.Renew(ctx, c, lease)
	}}, "can be given up"},
	{"nothing can be given up", mutant{renew: func(m *Model, ctx context.Context, c idempotent.Claim, lease time.Duration) error {
		return m.Renew(ctx, c, max(lease, time.Minute))
	}}, "can be given up"},
	{"any fence takes over", bidden(func(m *Model, b *idempotent.Bid) {
		if b.Over != 0 {
			b.Over = m.current(b.Key).Fence
		}
	}), "lets an open claim be taken over once"},
	{"nothing is taken over", bidden(func(_ *Model, b *idempotent.Bid) { b.Over = 0 }), "lets an open claim be taken over once"},
	{"the fence stands still", mutant{claim: func(m *Model, ctx context.Context, b idempotent.Bid) (idempotent.Record, error) {
		r, err := m.Claim(ctx, b)
		m.edit(b.Key, func(e *entry) { e.Fence = 1 })
		r.Fence = 1
		return r, err
	}}, "lets an open claim be taken over once"},
	{"the fence begins anew with each release", mutant{release: func(m *Model, ctx context.Context, c idempotent.Claim) error {
		err := m.Release(ctx, c)
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.keys, c.Key)
		return err
	}}, "releases"},
	{"anybody completes", mutant{complete: func(m *Model, ctx context.Context, c idempotent.Claim, result []byte) error {
		return m.Complete(ctx, m.current(c.Key), result)
	}}, "fences the one who lost"},
	{"anybody completes what runs", mutant{complete: func(m *Model, ctx context.Context, c idempotent.Claim, result []byte) error {
		return m.Complete(ctx, m.current(c.Key), result)
	}}, "completes once"},
	{"nobody completes late", mutant{complete: func(m *Model, ctx context.Context, c idempotent.Claim, result []byte) error {
		if r, _ := m.Get(ctx, c.Key); r.Status == idempotent.Unknown {
			return idempotent.ErrClaimLost
		}
		return m.Complete(ctx, c, result)
	}}, "hears a late completion"},
	{"the last result stands", mutant{complete: func(m *Model, ctx context.Context, c idempotent.Claim, result []byte) error {
		err := m.Complete(ctx, c, result)
		if err == nil {
			m.edit(c.Key, func(e *entry) { e.Result = slices.Clone(result) })
		}
		return err
	}}, "completes once"},
	{"completing again fails", mutant{complete: func(m *Model, ctx context.Context, c idempotent.Claim, result []byte) error {
		if r, _ := m.Get(ctx, c.Key); r.Status == idempotent.Done {
			return idempotent.ErrClaimLost
		}
		return m.Complete(ctx, c, result)
	}}, "completes once"},
	{"anybody releases", mutant{release: func(m *Model, ctx context.Context, c idempotent.Claim) error {
		return m.Release(ctx, m.current(c.Key))
	}}, "releases"},
	{"claims are released when they have ended", mutant{release: func(m *Model, ctx context.Context, c idempotent.Claim) error {
		if m.current(c.Key) == c {
			m.edit(c.Key, func(e *entry) {
				if e.Status == idempotent.Unknown {
					e.Status = idempotent.New
				}
			})
		}
		return m.Release(ctx, c)
	}}, "releases no claim that ended"},
	{"what lapsed is new", mutant{claim: func(m *Model, ctx context.Context, b idempotent.Bid) (idempotent.Record, error) {
		m.Forget(ctx, 0, 100)
		return m.Claim(ctx, b)
	}}, "remembers beyond the retention"},
	{"nothing lapses", bidden(func(_ *Model, b *idempotent.Bid) { b.Retain = time.Hour }), "remembers beyond the retention"},
	{"all is forgotten at once", mutant{forget: func(m *Model, ctx context.Context, _ time.Duration, limit int) (int, error) {
		return m.Forget(ctx, 0, limit)
	}}, "forgets when told"},
	{"nothing is forgotten", mutant{forget: func(*Model, context.Context, time.Duration, int) (int, error) { return 0, nil }}, "forgets when told"},
	{"more is forgotten", mutant{forget: func(m *Model, ctx context.Context, ago time.Duration, limit int) (int, error) {
		return m.Forget(ctx, ago, 100)
	}}, "forgets when told"},
	{"nothing is listed", mutant{unresolved: func(*Model, context.Context, string, int) ([]idempotent.Record, error) { return nil, nil }}, "lists what is open"},
	{"lists have no order", mutant{unresolved: func(m *Model, ctx context.Context, after string, limit int) ([]idempotent.Record, error) {
		list, err := m.Unresolved(ctx, after, limit)
		slices.Reverse(list)
		return list, err
	}}, "lists what is open"},
	{"lists begin with the key given", mutant{unresolved: func(m *Model, ctx context.Context, after string, limit int) ([]idempotent.Record, error) {
		return m.Unresolved(ctx, strings.TrimSuffix(after, "\x00"), limit)
	}}, "lists what is open"},
	{"lists are long", mutant{unresolved: func(m *Model, ctx context.Context, after string, _ int) ([]idempotent.Record, error) {
		return m.Unresolved(ctx, after, 100)
	}}, "lists what is open"},
	{"lists show keys only", mutant{unresolved: func(m *Model, ctx context.Context, after string, limit int) ([]idempotent.Record, error) {
		list, err := m.Unresolved(ctx, after, limit)
		for i := range list {
			list[i] = idempotent.Record{Key: list[i].Key, Status: idempotent.Unknown}
		}
		return list, err
	}}, "lists what is open"},
	{"keys end with a zero byte", keyed(func(k string) string { head, _, _ := strings.Cut(k, "\x00"); return head }), "compares keys byte by byte"},
	{"keys are in lower case", keyed(strings.ToLower), "compares keys byte by byte"},
	{"keys are trimmed", keyed(strings.TrimSpace), "compares keys byte by byte"},
	{"keys are text", keyed(func(k string) string { return strings.ToValidUTF8(k, "?") }), "compares keys byte by byte"},
	{"keys are cut", keyed(func(k string) string { return (k + "?")[:min(len(k)+1, idempotent.MaxKey)] }), "refuses bad keys"},
	{"results have no limit", mutant{complete: func(m *Model, ctx context.Context, c idempotent.Claim, result []byte) error {
		return m.Complete(ctx, c, result[:min(len(result), idempotent.MaxResult)])
	}}, "limits results"},
	{"results may be as long as a claim", mutant{complete: func(m *Model, ctx context.Context, c idempotent.Claim, result []byte) error {
		if len(result) > 1000 {
			return fmt.Errorf("%w", errors.Join(errMutant, idempotent.ErrLongResult))
		}
		return m.Complete(ctx, c, result)
	}}, "limits results"},
	{"results are cut", mutant{complete: func(m *Model, ctx context.Context, c idempotent.Claim, result []byte) error {
		if len(result) == idempotent.MaxResult {
			result = result[1:]
		}
		return m.Complete(ctx, c, result)
	}}, "limits results"},
	{"a refusal is no verdict", mutant{complete: func(m *Model, ctx context.Context, c idempotent.Claim, result []byte) error {
		err := m.Complete(ctx, c, result)
		if errors.Is(err, idempotent.ErrLongResult) {
			return hidden{err}
		}
		return err
	}}, "limits results"},
	{"long leases overflow", bidden(func(_ *Model, b *idempotent.Bid) { b.Lease = wraps(b.Lease) }), "bears the longest spans"},
	{"long retentions overflow", bidden(func(_ *Model, b *idempotent.Bid) { b.Retain = wraps(b.Retain) }), "bears the longest spans"},
	{"contexts are ignored", mutant{
		claim: func(m *Model, ctx context.Context, b idempotent.Bid) (idempotent.Record, error) {
			return m.Claim(context.WithoutCancel(ctx), b)
		},
		complete: func(m *Model, ctx context.Context, c idempotent.Claim, result []byte) error {
			return m.Complete(context.WithoutCancel(ctx), c, result)
		},
	}, "does nothing for a context that ended"},
	{"releases fail for the model's sake", mutant{release: func(*Model, context.Context, idempotent.Claim) error { return errMutant }}, "agrees with the model"},
	{"the model has another status", shown(func(r *idempotent.Record) {
		if r.Status == idempotent.Lapsed {
			r.Status = idempotent.Done
		}
	}), "agrees with the model"},
	{"the model has another owner", shown(func(r *idempotent.Record) { r.Owner = idempotent.Nonce{1} }), "agrees with the model"},
	{"the model has another result", shown(func(r *idempotent.Record) { r.Result = nil }), "agrees with the model"},
}

// hidden wraps an error so that its class cannot be seen.
type hidden struct{ error }

func (h hidden) Is(target error) bool { return errors.Is(h.error, target) }

func TestMutants(t *testing.T) {
	noticed := map[string]bool{}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			var mu sync.Mutex
			complaints := 0
			i := slices.IndexFunc(promises, func(p promise) bool { return p.name == m.broken })
			promises[i].run(t, suite{
				open: func(*testing.T) idempotent.Store {
					broken := m.mutant
					broken.Model = &Model{}
					return broken
				},
				Options: Options{Rounds: 10},
				report:  func(string, ...any) { mu.Lock(); defer mu.Unlock(); complaints++ },
			})
			if complaints == 0 {
				t.Errorf("%q did not notice", m.broken)
			}
			noticed[m.broken] = true
		})
	}
	for _, p := range promises {
		if !noticed[p.name] {
			t.Errorf("no mutant breaks %q", p.name)
		}
	}
}
