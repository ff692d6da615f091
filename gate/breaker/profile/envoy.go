package profile

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

// Envoy is Envoy's outlier detection, which compares the hosts of a cluster. Fields that are not positive mean defaults.
//
// A host is ejected after Consecutive failures in a row at once, or by a sweep if its success rate is low among the
// others. It comes back with the first sweep after its time, which grows with each ejection and shrinks with each
// sweep that finds the host in service.
type Envoy struct {
	Consecutive  int           // failures; default 5
	Interval     time.Duration // between sweeps; default 10 s
	BaseEjection time.Duration // times the number of ejections; default 30 s
	MaxEjection  time.Duration // default 300 s
	MaxPercent   int           // of the hosts ejected at one time, though always one; default 10
	MinHosts     int           // with enough requests, to compare; default 5
	MinRequests  int           // of a host within an interval; default 100
	StdevFactor  float64       // below the mean by so many standard deviations; default 1.9
}

// New returns a cluster without hosts.
func (e Envoy) New() *Cluster {
	if !(e.StdevFactor > 0) {
		e.StdevFactor = 1.9
	}
	e.Consecutive, e.Interval = or(e.Consecutive, 5), min(or(e.Interval, 10*time.Second), far)
	e.BaseEjection = min(or(e.BaseEjection, 30*time.Second), far)
	e.MaxEjection = min(or(e.MaxEjection, 300*time.Second), far)
	e.MaxPercent, e.MinHosts, e.MinRequests = or(e.MaxPercent, 10), or(e.MinHosts, 5), or(e.MinRequests, 100)
	return &Cluster{rules: e, hosts: map[string]*Host{}}
}

// A Cluster is hosts that do the same work. It is safe for concurrent use.
type Cluster struct {
	// OnChange is told of ejections and returns, in their order and outside the lock, by the attempt that brought them
	// about. It is not modified once the cluster is in use. The failures in a Change are all counted as Ambiguous.
	OnChange func(breaker.Change)

	rules Envoy

	mu      sync.Mutex
	teller  teller
	hosts   map[string]*Host
	order   []*Host   // in which they came
	epoch   time.Time // of the first attempt
	now     int64     // the latest time seen, in ns since epoch
	swept   int64     // the time of the last sweep
	ejected int
}

// A Host is the [retry.Gate] of one host.
type Host struct {
	name    string
	cluster *Cluster

	// Guarded by cluster.mu.

	calls, failed int64 // of the interval
	row           int   // failures in a row
	out           bool  // ejected
	until         int64 // the end of the ejection
	times         int64 // what the base time is multiplied with
	generation    uint64
}

var _ retry.Rechecker = (*Host)(nil)

// MaxHosts is how many hosts a cluster has at most. Names beyond that share one more, called [breaker.Overflow].
const MaxHosts = 1000

// Host returns the host of a name, a new one the first time.
func (c *Cluster) Host(name string) *Host {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hosts[name]
	if h == nil && len(c.order) >= MaxHosts {
		name = breaker.Overflow
		h = c.hosts[name]
	}
	if h == nil {
		h = &Host{name: name, cluster: c, generation: 1}
		c.hosts[name] = h
		c.order = append(c.order, h)
	}
	return h
}

// Admit refuses attempts while the host is ejected, with a [*breaker.Error].
func (h *Host) Admit(_ context.Context, a *retry.Attempt) error {
	c := h.cluster
	c.mu.Lock()
	defer c.unlock()
	c.see(a.At)
	if h.out {
		return h.refusal(a)
	}
	a.Keep(h.generation)
	return nil
}

// Recheck does not let a retry begin after its backoff while the host is ejected.
func (h *Host) Recheck(_ context.Context, a *retry.Attempt) error {
	c := h.cluster
	c.mu.Lock()
	defer c.unlock()
	c.see(begins(a))
	if h.out {
		return h.refusal(a)
	}
	return nil
}

func (h *Host) refusal(a *retry.Attempt) error {
	c := h.cluster
	every := int64(c.rules.Interval)
	back := c.swept + (h.until-c.swept+every-1)/every*every
	return &breaker.Error{Key: h.name, State: breaker.Open, Retry: a.Number > 1, Wait: time.Duration(back - c.now)}
}

// Settle takes what an attempt says of the host.
func (h *Host) Settle(a *retry.Attempt, o *retry.Outcome) {
	e, counts := judge(o)
	c := h.cluster
	c.mu.Lock()
	defer c.unlock()
	c.see(latest(o))
	if note := a.Kept(); !counts || h.out || note != 0 && note != h.generation {
		return
	}
	h.calls++
	if !e.failed {
		h.row = 0
		return
	}
	h.failed++
	if h.row++; h.row >= c.rules.Consecutive {
		h.row = 0
		c.eject(h, breaker.ByStreak, c.now)
	}
}

// State returns Open while the host is ejected, else Closed, as of the last attempt that the cluster saw.
func (h *Host) State() breaker.State {
	h.cluster.mu.Lock()
	defer h.cluster.mu.Unlock()
	if h.out {
		return breaker.Open
	}
	return breaker.Closed
}

// see takes notice of a time, and makes the sweeps that fell due.
func (c *Cluster) see(t time.Time) {
	if t.IsZero() {
		return
	}
	if c.epoch.IsZero() {
		c.epoch = t
	}
	c.now = max(c.now, min(int64(t.Sub(c.epoch)), far))
	every := int64(c.rules.Interval)
	if due := (c.now - c.swept) / every; due > 0 {
		c.sweep(1)
		c.compare()
		c.sweep(due - 1) // nobody called in between
	}
}

// sweep brings hosts back whose time is over, and forgives those in service a bit.
func (c *Cluster) sweep(n int64) {
	every := int64(c.rules.Interval)
	for _, h := range c.order {
		service := n // sweeps that find it in service
		if h.out {
			service = n - (max(h.until-c.swept, 1)+every-1)/every
			if service < 0 {
				continue
			}
			h.report(breaker.Closed, breaker.ByTime, c.swept+(n-service)*every, 0)
			h.out, h.row, h.calls, h.failed = false, 0, 0, 0
			h.generation++
			c.ejected--
		}
		h.times = max(0, h.times-service)
	}
	c.swept += n * every
}

// compare ejects hosts whose success rate is far below that of the others, and begins a new interval.
func (c *Cluster) compare() {
	var sum, squares, n float64
	for _, h := range c.order {
		if h.compared() {
			n++
			sum += h.rate()
		}
	}
	mean := sum / n
	for _, h := range c.order {
		if h.compared() {
			squares += (h.rate() - mean) * (h.rate() - mean)
		}
	}
	least := mean - c.rules.StdevFactor*math.Sqrt(squares/n)
	for _, h := range c.order {
		if int(n) >= c.rules.MinHosts && h.compared() && h.rate() < least {
			c.eject(h, breaker.ByFailureRate, c.swept)
		}
		h.calls, h.failed = 0, 0
	}
}

// compared says that the host had enough requests in the interval.
func (h *Host) compared() bool { return !h.out && h.calls >= int64(h.cluster.rules.MinRequests) }

// rate is the share of successes, with at least one call.
func (h *Host) rate() float64 { return 1 - float64(h.failed)/float64(h.calls) }

// eject takes a host out, unless too many are out.
func (c *Cluster) eject(h *Host, cause breaker.Cause, at int64) {
	if c.ejected > 0 && (c.ejected+1)*100 > c.rules.MaxPercent*len(c.hosts) {
		return
	}
	r := c.rules
	h.times = min(h.times+1, int64((r.MaxEjection-1)/r.BaseEjection)+2)
	h.until = at + int64(r.MaxEjection)
	if time.Duration(h.times) <= r.MaxEjection/r.BaseEjection {
		h.until = at + h.times*int64(r.BaseEjection)
	}
	h.report(breaker.Open, cause, at, time.Duration(h.until-at))
	c.ejected++
	h.out = true
	h.generation++
}

// report leaves a change to be told of.
func (h *Host) report(to breaker.State, cause breaker.Cause, at int64, wait time.Duration) {
	c := h.cluster
	from, counts := breaker.Open, Counts{}
	if !h.out {
		from, counts = breaker.Closed, Counts{Calls: h.calls, Failed: h.failed}
	}
	c.teller.leave(breaker.Change{
		Key: h.name, From: from, To: to, At: c.epoch.Add(time.Duration(at)), Generation: h.generation, Cause: cause,
		Counts: counts.evidence(), LowerBound: counts.evidence().LowerBound(), Wait: wait,
	})
}

func (c *Cluster) unlock() { c.teller.unlock(&c.mu, c.OnChange) }
