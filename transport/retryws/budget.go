package retryws

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A Budget limits how often links of a venue are opened from one address, and how many are open. All
// sessions of the process that the venue counts together share one. It is a token bucket: at most
// 2·Connects connects begin in any time Per, so Connects is half of what the venue allows.
//
// A quarter of the tokens, rounded down, is left to private streams. Who waits is served private streams first, then
// by time of waiting. Waiting is bounded by the context alone, and is no failure.
//
// The zero value allows one connect per second. It is safe for concurrent use, and must not be copied once used.
type Budget struct {
	Connects int           // per Per, and at once after a quiet time; not positive means 1
	Per      time.Duration // not positive means a second
	MaxOpen  int           // links open at one time, those being opened included; not positive means no limit

	// Shared takes part in the decision for programs that share the address; nil means there are none. It is asked
	// after this budget has granted a connect. When it fails, this budget alone decides.
	Shared Ledger
	Key    string // names the venue and the address in Shared

	mu      sync.Mutex
	tokens  float64
	at      time.Time // of tokens; the zero time before the first use
	open    int
	waiters [2]list.List // of *waiter: private ones first
	timer   *time.Timer
	holds   map[string]time.Time // by host: nothing begins before
}

// A Ledger counts the connects of several programs.
type Ledger interface {
	// Take takes one of connects tokens per time per from the bucket named key, or says how long to wait
	// before it is asked again. It must not block for long, and not beyond ctx.
	Take(ctx context.Context, key string, connects int, per time.Duration) (wait time.Duration, err error)

	// Hold forbids connects to the host until then, durably, before it returns. Held says until when they are
	// forbidden; the zero time if they are not.
	Hold(ctx context.Context, host string, until time.Time, why string) error
	Held(ctx context.Context, host string) (time.Time, error)
}

type waiter struct {
	granted chan struct{} // closed when granted
	host    string
}

// Check returns what is wrong with b, each mistake beginning with its field, or nil.
func (b *Budget) Check() error {
	var errs []error
	if b.Connects < 0 {
		errs = append(errs, fmt.Errorf("Connects: is negative: %d", b.Connects))
	}
	if b.Per < 0 {
		errs = append(errs, fmt.Errorf("Per: is negative: %v", b.Per))
	}
	if b.MaxOpen < 0 {
		errs = append(errs, fmt.Errorf("MaxOpen: is negative: %d", b.MaxOpen))
	}
	if b.Shared != nil && b.Key == "" {
		errs = append(errs, errors.New("Key: is required with Shared"))
	}
	return errors.Join(errs...)
}

// Acquire waits for leave to open one link to the host. Release gives the place of the link back when it is
// closed, and never the token.
func (b *Budget) Acquire(ctx context.Context, host string, private bool) error {
	w := &waiter{granted: make(chan struct{}), host: host}
	q := &b.waiters[1]
	if private {
		q = &b.waiters[0]
	}
	b.mu.Lock()
	e := q.PushBack(w)
	b.serve(time.Now())
	b.mu.Unlock()
	select {
	case <-w.granted:
	case <-ctx.Done():
		b.mu.Lock()
		defer b.mu.Unlock()
		select {
		case <-w.granted: // in the same moment: the token is spent, the place is not
			b.open--
		default:
			q.Remove(e)
		}
		b.serve(time.Now())
		return context.Cause(ctx)
	}
	if err := b.share(ctx, host); err != nil {
		b.Release()
		return err
	}
	return nil
}

// share waits until the ledger grants the connect, too. A ledger that fails has no say.
func (b *Budget) share(ctx context.Context, host string) error {
	for b.Shared != nil {
		wait, err := b.Shared.Take(ctx, b.Key, max(1, b.Connects), positive(b.Per, time.Second))
		if until, held := b.Shared.Held(ctx, host); held == nil {
			wait = max(wait, time.Until(until))
			if wait > 0 {
				err = nil
			}
		}
		if err != nil || wait <= 0 {
			break
		}
		if !sleep(ctx, wait) {
			break
		}
	}
	return context.Cause(ctx)
}

// Release says that a link is closed, or was never opened.
func (b *Budget) Release() {
	b.mu.Lock()
	b.open--
	b.serve(time.Now())
	b.mu.Unlock()
}

// Hold lets no connect to the host begin before until, and says so to Shared, whose error it returns. When the
// time is over one connect goes first, and the others follow at the rate of the refill.
func (b *Budget) Hold(ctx context.Context, host string, until time.Time, why string) error {
	b.mu.Lock()
	if b.holds == nil {
		b.holds = make(map[string]time.Time)
	}
	if until.After(b.holds[host]) {
		b.holds[host] = until
	}
	b.mu.Unlock()
	if b.Shared == nil {
		return nil
	}
	if err := b.Shared.Hold(ctx, host, until, why); err != nil {
		return fmt.Errorf("hold connects to %s until %v: %w", host, until, err)
	}
	return nil
}

// Held says until when no connect to the host begins; the zero time if they may.
func (b *Budget) Held(host string) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held(host, time.Now())
}

func (b *Budget) held(host string, now time.Time) time.Time {
	until := b.holds[host]
	if !now.Before(until) {
		if !until.IsZero() { // one goes first, and the rest at the rate of the refill
			delete(b.holds, host)
			b.tokens = min(b.tokens, 1+b.reserve())
		}
		return time.Time{}
	}
	return until
}

// Waiting returns how many wait for a connect: private ones, and others.
func (b *Budget) Waiting() (private, public int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiters[0].Len(), b.waiters[1].Len()
}

// serve grants what can be granted at the moment now, and sets the timer for what comes next.
func (b *Budget) serve(now time.Time) {
	size := float64(max(1, b.Connects))
	perSecond := size / positive(b.Per, time.Second).Seconds()
	if b.at.IsZero() {
		b.tokens, b.at = size, now
	}
	if now.After(b.at) {
		b.tokens = min(size, b.tokens+now.Sub(b.at).Seconds()*perSecond)
		b.at = now
	}
	next := time.Duration(-1) // until something changes by time alone
	for class := range b.waiters {
		need := 1.0
		if class == 1 {
			need += b.reserve()
		}
		var after *list.Element
		for e := b.waiters[class].Front(); e != nil && (b.MaxOpen <= 0 || b.open < b.MaxOpen); e = after {
			after = e.Next()
			w := e.Value.(*waiter)
			if until := b.held(w.host, now); !until.IsZero() {
				next = sooner(next, until.Sub(now))
				continue
			}
			if b.tokens < need-1e-6 { // what rounding may lack
				next = sooner(next, time.Duration((need-b.tokens)/perSecond*float64(time.Second))+1)
				break
			}
			b.tokens--
			b.open++
			b.waiters[class].Remove(e)
			close(w.granted)
		}
	}
	if b.timer != nil {
		b.timer.Stop()
	}
	if next >= 0 {
		b.timer = time.AfterFunc(next, b.tick)
	}
}

// reserve is what is left to private streams.
func (b *Budget) reserve() float64 { return float64(max(1, b.Connects) / 4) }

func (b *Budget) tick() {
	b.mu.Lock()
	b.serve(time.Now())
	b.mu.Unlock()
}

func sooner(a, b time.Duration) time.Duration {
	if a < 0 || b < a {
		return b
	}
	return a
}

// sleep waits, and says whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
