package profile

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/relent-go/relent/retry"
)

// SRE is the advice of Google's SRE book, chapter "Handling Overload", for clients: retries below a tenth of
// the requests of the last while, and adaptive throttling, which refuses attempts (first ones, too) with a
// chance that grows once fewer than one in K is accepted.
//
// Every attempt that is asked for counts as a request, before it is sent, also one that is refused here.
// The other side accepts what succeeds, and what it rejects for good (Permanent). An attempt that never
// began, or that the caller cancelled, is counted no longer: it says nothing about the other side.
//
// The book's window of two minutes takes a quarter of an hour to recover, so the default is ten seconds.
type SRE struct {
	Ratio  float64        // retries per request, up to 1; 0 means 0.1, None means none
	K      float64        // requests that may be sent per accepted one, 1 to 1000; 0 means 2
	Window time.Duration  // that is looked back on, 1 s to 1 h; 0 means 10 s
	Most   float64        // largest chance of a refusal, up to 1: the rest goes on probing; 0 means 1
	Rand   func() float64 // uniform in [0, 1), safe for concurrent use; nil means math/rand/v2

	mu       sync.Mutex
	throttle throttle // guarded by mu
}

const (
	sreRatio  = 0.1
	sreK      = 2
	sreMostK  = 1000
	sreWindow = 10 * time.Second
	sreSlots  = 10
)

var _ Profile = (*SRE)(nil)

// Admit counts a request, and lets it pass by chance.
func (s *SRE) Admit(_ context.Context, a *retry.Attempt) error {
	u := draw(s.Rand)
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.throttle
	t.open(pick(s.Window, sreWindow, time.Second, time.Hour), sreSlots)
	t.move(a.At)
	p := t.rejection(pick(s.K, sreK, 1, sreMostK), s.most())
	made, asked := float64(t.sum[retries]), float64(t.sum[requests])
	t.add(requests, 1)
	switch allowed := pick(s.Ratio, sreRatio, 0, 1) * asked; {
	case a.Number > 1 && made >= allowed:
		return refuse("sre", ruleRatio, allowed, made)
	case u < p:
		return refuse("sre", ruleThrottle, u, p)
	case a.Number > 1:
		t.add(retries, 1)
	}
	a.Keep(t.mark())
	return nil
}

// Settle learns whether the other side accepted the request.
func (s *SRE) Settle(a *retry.Attempt, o *retry.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.throttle
	switch {
	case o.State == retry.NotStarted, o.State == retry.Canceled:
		t.undo(a.Kept(), requests, 1)
		if a.Number > 1 && o.State == retry.NotStarted {
			t.undo(a.Kept(), retries, 1)
		}
	case o.State == retry.Succeeded, o.State == retry.Failed && o.Class == retry.Permanent:
		t.move(end(a, o))
		t.add(accepts, 1)
	}
	a.Keep(0)
}

// Rejection returns the present chance of a refusal by the throttle, at the latest time that it has seen.
func (s *SRE) Rejection() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.throttle.rejection(pick(s.K, sreK, 1, sreMostK), s.most())
}

// most is for odd values the one that refuses most.
func (s *SRE) most() float64 {
	if s.Most > 0 {
		return min(s.Most, 1)
	}
	return 1
}

// Check implements [Profile].
func (s *SRE) Check() error { return check(s.fields()) }

// Policy implements [Profile]: three attempts in all, as the book advises; its backoff is relent's.
func (s *SRE) Policy() *retry.Policy {
	return &retry.Policy{MaxAttempts: 3, Gates: []retry.Gate{s}}
}

// Funding implements [Profile].
func (s *SRE) Funding() (ratio, floorPerSecond float64) { return pick(s.Ratio, sreRatio, 0, 1), 0 }

func (s *SRE) fields() []field {
	return []field{
		{name: "Ratio", at: &s.Ratio, high: 1, none: true},
		{name: "K", at: &s.K, low: 1, high: sreMostK},
		{name: "Window", at: &s.Window, low: float64(time.Second), high: float64(time.Hour)},
		{name: "Most", at: &s.Most, low: math.SmallestNonzeroFloat64, high: 1},
	}
}
