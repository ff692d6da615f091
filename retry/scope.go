package retry

import (
	"context"
	"time"
)

// A Limit tightens every call made with a context. It never loosens a policy.
type Limit struct {
	MaxAttempts int           // in all, of each call; 0 means no limit, negative means 1
	MaxElapsed  time.Duration // no attempt after the first begins later than this after WithLimit; not positive means no limit
	NoRepeat    bool          // no attempt that may have acted is made again, as if no policy were Idempotent
}

// WithLimit returns a context whose calls keep to l as well as to their own policies and to the
// limits already in ctx. It looks at nothing until an attempt has failed, so first attempts cost
// nothing. A nil ctx counts as context.Background.
func WithLimit(ctx context.Context, l Limit) context.Context {
	s := descend(ctx)
	if l.MaxAttempts != 0 {
		n := max(1, l.MaxAttempts)
		if s.maxAttempts == 0 || n < s.maxAttempts {
			s.maxAttempts = n
		}
	}
	if l.MaxElapsed > 0 {
		until := time.Now().Add(l.MaxElapsed)
		if s.until.IsZero() || until.Before(s.until) {
			s.until = until
		}
	}
	s.noRepeat = s.noRepeat || l.NoRepeat
	return s
}

// WithPolicy returns a context for which [FromContext] yields p: a default for all calls below
// that name no policy of their own. A nil p stands for the zero policy.
func WithPolicy(ctx context.Context, p *Policy) context.Context {
	s := descend(ctx)
	s.policy = p
	return s
}

// FromContext returns the policy that [WithPolicy] put into ctx, or the zero policy.
func FromContext(ctx context.Context) Source {
	if s := scopeOf(ctx); s != nil && s.policy != nil {
		return s.policy
	}
	return &Policy{}
}

// WithPool returns a context whose asynchronous calls run in p instead of the default pool.
func WithPool(ctx context.Context, p *Pool) context.Context {
	s := descend(ctx)
	s.pool = p
	return s
}

// WithPreviousAttempts returns a context for work that somebody above has already tried n times:
// calls made with it make one attempt, unless their policy says Nested. Servers use it to carry
// the count of an incoming request on. An n that is not positive changes nothing.
func WithPreviousAttempts(ctx context.Context, n int) context.Context {
	s := descend(ctx)
	if n > 0 {
		s.previous += n
	}
	return s
}

// PreviousAttempts returns how many attempts came before the one that ctx belongs to: 0 in a first
// attempt. It adds up over layers. An attempt that followed without any wait is not counted.
func PreviousAttempts(ctx context.Context) int {
	if s := scopeOf(ctx); s != nil {
		return s.previous
	}
	return 0
}

// A scope is the one kind of context value of this package. Each holds all that is in force, so
// that one look-up finds it.
type scope struct {
	context.Context
	policy      *Policy
	pool        *Pool
	maxAttempts int // 0 for no limit
	until       time.Time
	noRepeat    bool
	previous    int
}

type scopeKey struct{}

// Value returns the scope itself for its key.
func (s *scope) Value(key any) any {
	if key == (scopeKey{}) {
		return s
	}
	return s.Context.Value(key)
}

func scopeOf(ctx context.Context) *scope {
	if ctx == nil {
		return nil
	}
	s, _ := ctx.Value(scopeKey{}).(*scope)
	return s
}

// descend returns a scope below ctx that so far says the same.
func descend(ctx context.Context) *scope {
	if ctx == nil {
		ctx = context.Background()
	}
	s := &scope{}
	if above := scopeOf(ctx); above != nil {
		*s = *above
	}
	s.Context = ctx
	return s
}
