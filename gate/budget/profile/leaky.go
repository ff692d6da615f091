package profile

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/retry"
)

// Defaults and limits that Finagle, Tower and Linkerd share.
const (
	leakyTTL     = 10 * time.Second
	leakyMin     = 10
	leakyPercent = 0.2
	leakyMostMin = 1_000_000
	leakySlots   = 10
)

// A leaky is the bucket of Finagle and Tower: deposits, withdrawals and a reserve, of which the first two
// are forgotten after a while.
type leaky struct {
	ready      atomic.Bool // the three below are set, and stay so
	deposit    int64       // of one request
	withdrawal int64       // of one retry
	reserve    int64

	mu     sync.Mutex
	window window // guarded by mu
}

// balance is kept as the first amount of the window.
const balance = 0

// open sets the bucket up on first use, and returns it.
func (l *leaky) open(ttl time.Duration, min int, percent float64, amounts func(percent float64) (deposit, withdrawal int64)) *leaky {
	if l.ready.Load() {
		return l
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ready.Load() {
		ttl = pick(ttl, leakyTTL, time.Second, time.Minute)
		l.window.open(ttl, leakySlots)
		l.withdrawal = 1
		if percent = pick(percent, leakyPercent, 0, 1000); percent > 0 {
			l.deposit, l.withdrawal = amounts(percent)
		}
		l.reserve = int64(pick(min, leakyMin, 0, leakyMostMin)) * int64(ttl/time.Second) * l.withdrawal
		l.ready.Store(true)
	}
	return l
}

// admit deposits for a first attempt, and withdraws for a retry.
func (l *leaky) admit(profile string, a *retry.Attempt) error {
	if a.Number <= 1 {
		l.put(a, a.At)
		return nil
	}
	return l.take(profile, a)
}

// put makes the deposit of a request, and remembers it for settle.
func (l *leaky) put(a *retry.Attempt, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.window.move(at)
	l.window.add(balance, l.deposit)
	a.Keep(l.window.mark())
}

// take withdraws the price of a retry if it is there, and remembers it for settle.
func (l *leaky) take(profile string, a *retry.Attempt) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.window.move(a.At)
	if held := l.held(); held < l.withdrawal {
		return refuse(profile, ruleBalance, held, l.withdrawal)
	}
	l.window.add(balance, -l.withdrawal)
	a.Keep(l.window.mark())
	return nil
}

// settle takes back what an attempt that never began deposited or withdrew, as if it had never been asked for.
func (l *leaky) settle(a *retry.Attempt, o *retry.Outcome) {
	if o.State != retry.NotStarted {
		return
	}
	amount := l.deposit
	if a.Number > 1 {
		amount = -l.withdrawal
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.window.undo(a.Kept(), balance, amount)
	a.Keep(0)
}

// held is what there is to withdraw. The caller holds mu.
func (l *leaky) held() int64 { return l.reserve + l.window.sum[balance] }

// retries is how many retries the bucket would pay for now.
func (l *leaky) retries() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held() / l.withdrawal
}

// thousandths are the amounts of Finagle.
func thousandths(percent float64) (deposit, withdrawal int64) {
	return 1000, truncate(1000 / percent)
}

// truncate cuts x to a whole number between 1 and the largest of the JVM.
func truncate(x float64) int64 { return int64(min(max(x, 1), math.MaxInt32)) }

// leakyFields are the options that Finagle, Tower and Linkerd share.
func leakyFields(ttl *time.Duration, min *int, percent *float64) []field {
	return []field{
		{name: "TTL", at: ttl, low: float64(time.Second), high: float64(time.Minute)},
		{name: "Min", at: min, high: leakyMostMin, none: true},
		{name: "Percent", at: percent, high: 1000, none: true},
	}
}
